"""How long a first answer takes: starting the command line, importing the library, a first search of an index.

    python benchmarks/startup.py --index library

Each runs in a new process, in turns, after a turn in which Python keeps what it compiles. The median and the slowest
are printed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from timing import Work, in_turns

from osler.evaluate.report import table

QUERY = "fluid around the heart"


def main() -> None:
    arguments = parser().parse_args()
    osler = str(Path(sys.executable).with_name("osler"))
    commands = {
        "import osler": [sys.executable, "-c", "import osler"],
        "osler --help": [osler, "--help"],
        "osler search": [osler, "search", QUERY, "--index", arguments.index],
    }
    seconds = in_turns({name: started(command) for name, command in commands.items()}, turns=arguments.turns)
    rows = [(name, f"{median(one):.2f}", f"{max(one):.2f}") for name, one in seconds.items()]
    print("\n".join(table(("", "seconds, median", "slowest"), rows)))


def started(command: list[str]) -> Work:
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return lambda: subprocess.run(command, check=True, capture_output=True, env=compiled)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--index", required=True, help="the index that is searched")
    made.add_argument("--turns", type=int, default=9)
    return made


if __name__ == "__main__":
    main()
