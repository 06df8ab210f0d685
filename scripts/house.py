"""Figures of the house: how many modules it has, how they hang together, how its names read, what a search enters.

    python scripts/house.py
    python scripts/house.py --index medquad-index --query "fluid around the heart"

Nothing of osler is imported without an index. tests/test_house_rules.py holds the figures to their limits.
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
import threading
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "osler"

FILLERS = {
    "asked",
    "first",
    "found",
    "given",
    "here",
    "kept",
    "known",
    "made",
    "one",
    "ones",
    "others",
    "place",
    "places",
}
FILLERS |= {"rest", "there", "wanted"}
"""Words that say nothing of what a variable holds."""


def main() -> None:
    arguments = parser().parse_args()
    modules = read_modules()
    for name, value in figures(modules).items():
        print(f"{name}: {value:.1%}" if isinstance(value, float) else f"{name}: {value:,}")
    if arguments.index:
        entered = functions_of_a_search(arguments.index, arguments.query)
        files = {code.co_filename for code in entered}
        print(f"functions that a hybrid search enters: {len(entered)}, in {len(files)} files")


def read_modules(package: Path = PACKAGE) -> dict[str, str]:
    """The text of every module of the package by its dotted name."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return modules


def figures(modules: dict[str, str]) -> dict[str, int | float]:
    """The figures by what they count; shares are floats."""
    importers = importers_of(modules)
    words = Counter(name in FILLERS for text in modules.values() for name in bindings(text))
    lines = sum(text.count("\n") for text in modules.values())
    comments = sum(map(count_comments, modules.values()))
    return {
        "modules": len(modules),
        "lines": lines,
        "modules that one other imports": sum(len(importers[name]) == 1 for name in modules) / len(modules),
        "filler words among bindings": words[True] / words.total(),
        "lines with a comment": comments / lines,
    }


def importers_of(modules: dict[str, str]) -> dict[str, set[str]]:
    """The modules that import each module, wherever the import stands."""
    importers = defaultdict(set)
    for name, text in modules.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module:
                asked = [f"{node.module}.{alias.name}" for alias in node.names]
                targets = [target if target in modules else node.module for target in asked]
            elif isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            else:
                continue
            for target in targets:
                importers[target].add(name)
    return importers


def bindings(text: str) -> Iterator[str]:
    """Every name that the module binds: variables, loop variables and arguments."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def count_comments(text: str) -> int:
    """How many comments the module has."""
    return sum(token.type == tokenize.COMMENT for token in tokenize.generate_tokens(io.StringIO(text).readline))


def functions_of_a_search(index: str, query: str) -> set[CodeType]:
    """The functions of osler that one search enters, in any thread, once all is loaded."""
    from osler import load_searcher

    searcher = load_searcher(index)
    for number in range(3):
        searcher.search(f"warm up {number}")
    entered: set[CodeType] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(PACKAGE)) and not code.co_name.startswith("<"):
            entered.add(code)

    threading.setprofile(note)
    sys.setprofile(note)
    searcher.search(query)
    sys.setprofile(None)
    threading.setprofile(None)
    return entered


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--index", help="an index that is searched")
    made.add_argument("--query", default="fluid around the heart", help="what it is searched for")
    return made


if __name__ == "__main__":
    main()
