"""Fills the tables of the documents from files and code, and leaves their prose alone. Computes no figure.

    python runs/tables.py            writes the pages whose tables are out of date
    python runs/tables.py --check    exits with 1 and names those pages instead

A table stands between two comments, which neither GitHub nor the site shows:

    <!-- begin: results/answers.json -->
    <!-- end -->

The first comment names what fills the place: a file of docs/performance or docs/results, or a pattern of such files
(the table then stands under the commands that made them); `figures: NAME`, a list of runs/figures.py;
`flags: COMMAND`, the flags of an osler command; `settings: STAGE`, the settings of a stage.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from fnmatch import filter as matching
from pathlib import Path

from figures import figures
from reference import flags, settings
from study import render

RUNS = Path(__file__).parent
DOCS = RUNS.parent / "docs"
SCRIPTS = {"performance": "measure.sh", "results": "reproduce.sh"}
"""By folder of docs: the script whose commands write its files."""

PLACE = re.compile(r"^(<!-- begin: (.+?) -->\n)(.*?)^(<!-- end -->)$", re.MULTILINE | re.DOTALL)
NOT_MEASURED = "Not measured yet."


def commands(script: Path) -> dict[str, str]:
    """The command of each file that a script writes."""
    lines = re.findall(r"^(?:last_line_)?into (\S+) (.*)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    return {file: command.replace('"', "") for file, command in lines}


def measured(source: str, docs: Path = DOCS) -> str:
    """The commands whose files `source` names, and the table of those files; SystemExit where no command makes them."""
    folder, _, pattern = source.partition("/")
    command_of = commands(RUNS / SCRIPTS[folder]) if folder in SCRIPTS else {}
    names = sorted(matching(command_of, pattern))
    if not names:
        raise SystemExit(f"{source}: no command of {' or '.join(SCRIPTS.values())} makes it: mend the name.")
    listing = "\n".join(command_of[name] for name in names)
    files = [docs / folder / name for name in names if (docs / folder / name).is_file()]
    return f"```console\n{listing}\n```\n\n{render(files) if files else NOT_MEASURED}"


MAKERS: dict[str, Callable[[str], str]] = {"figures": figures, "flags": flags, "settings": settings}


def filled(page: str) -> str:
    """The page with every table made anew."""

    def made(place: re.Match[str]) -> str:
        kind, _, name = place[2].partition(": ")
        body = MAKERS[kind](name) if kind in MAKERS else measured(place[2])
        return f"{place[1]}\n{body.strip()}\n\n{place[4]}"

    return PLACE.sub(made, page)


def main() -> None:
    """Write or check every page of the documents that has a table."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
    outdated = {path: text for path, page in pages.items() if (text := filled(page)) != page}
    if "--check" in sys.argv[1:]:
        if outdated:
            names = ", ".join(str(path.relative_to(RUNS.parent)) for path in outdated)
            raise SystemExit(f"out of date: {names}: run `python runs/tables.py`.")
        return
    for path, text in outdated.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
