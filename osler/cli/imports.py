"""Imports that a command would otherwise wait for. Knows module names, nothing of what they do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from typing import Any


def import_lancedb() -> None:
    """Import LanceDB without what a command that asks an index one thing would only wait for.

    Where pandas is installed, pyarrow imports it on sight, which takes longer than the search; osler has no use for it.
    It can be imported afterwards, and pyarrow then converts to it as ever. LanceDB's client of remote catalogues,
    `lance_namespace_urllib3_client`, has pydantic build a check for each of its functions; osler calls none of them.
    Not while another thread defines functions that pydantic is to check.
    """
    with _without_pandas(), _without_checked_calls():
        import_module("lancedb")


@contextmanager
def _without_pandas() -> Iterator[None]:
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        yield
    finally:
        sys.meta_path.remove(absent)


@contextmanager
def _without_checked_calls() -> Iterator[None]:
    """Functions that are defined meanwhile do not check their arguments by pydantic."""
    pydantic: Any = import_module("pydantic")
    checked = pydantic.validate_call
    pydantic.validate_call = _as_it_is
    try:
        yield
    finally:
        pydantic.validate_call = checked


def _as_it_is(function: Callable[..., object] | None = None, /, **_options: object) -> Callable[..., object]:
    """What `validate_call` takes, with and without options, given back unchanged."""
    return function or _as_it_is


class _Absent(MetaPathFinder):
    """Finds no pandas, whatever is installed."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        """Nothing for any other module: the next finder is asked."""
        if name == "pandas":
            raise ModuleNotFoundError("pandas is left out while LanceDB is imported", name=name)
