"""`python -m osler`, and the command `osler`: the command line, which can be interrupted while it is still loading."""

import sys


def main() -> None:
    """Run the command line of this process."""
    try:
        from osler.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
