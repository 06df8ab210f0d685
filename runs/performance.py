"""What runs/measure.sh left in docs/performance, as docs/performance.md. Knows files, computes nothing.

    python runs/performance.py

Each part stands under the command that made it; a part whose file is not there is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from results import command_of, markdown

SCRIPT = Path(__file__).with_name("measure.sh")
MEASURED = SCRIPT.parent.parent / "docs" / "performance"
INTRODUCTION = """# Performance

Made by `runs/measure.sh`. Each table stands under the command that made it; `$WORK` is the folder of its files. What is
compared takes turns within one run; ratios are medians over turns, with the least and the most in brackets.
"""

PARTS = (
    ("Encoding", "encoding.md"),
    ("The size of token vectors", "token_vectors_*.md"),
    ("MaxSim", "maxsim.md"),
    ("A search with two stages", "search.md"),
    ("Up to a million passages", "growth.md"),
    ("Starting", "startup.md"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measured", type=Path, default=MEASURED, help="the folder of what the commands printed")
    folder = parser.parse_args().measured
    text = "\n\n".join([INTRODUCTION.strip(), *parts(folder)])
    folder.with_suffix(".md").write_text(text + "\n", encoding="utf-8")


def parts(folder: Path) -> Iterator[str]:
    """The parts of the document whose files are there, in order."""
    for heading, pattern in PARTS:
        files = sorted(folder.glob(pattern))
        if files:
            yield f"## {heading}"
        for file in files:
            yield f"```console\n{command_of(file, SCRIPT)}\n```"
            yield markdown(file)


if __name__ == "__main__":
    main()
