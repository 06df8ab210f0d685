"""Imports that a command would otherwise wait for. Knows module names, nothing of what they do."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import MetaPathFinder


def import_lancedb() -> None:
    """Import LanceDB without pandas, for a command that asks an index one thing.

    Where pandas is installed, pyarrow imports it on sight, which takes longer than the search; osler has no use for it.
    It can be imported afterwards, and pyarrow then converts to it as ever.
    """
    if "pandas" in sys.modules:
        return
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        import_module("lancedb")
    finally:
        sys.meta_path.remove(absent)


class _Absent(MetaPathFinder):
    """Finds no pandas, whatever is installed."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        """Nothing for any other module: the next finder is asked."""
        if name == "pandas":
            raise ModuleNotFoundError("pandas is left out while LanceDB is imported", name=name)
