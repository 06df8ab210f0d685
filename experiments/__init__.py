"""Studies that are run once, by `runs/reproduce.sh`: trained and measured with osler, and no part of it."""
