"""What can go wrong, as one tree; and the one way to import an optional dependency.

OslerError                 everything that a user can mend; its text is one sentence with the remedy
├── UsageError             a flag, setting or filter that cannot be meant
├── CorpusError            a source that cannot be read (damaged records are reported, not raised)
├── ModelError             a model that cannot be found, loaded or converted
├── StoreError             an index that is missing or was built by other models, a document it does not hold
├── GeneratorError         a language model that cannot be reached or answers nonsense
│   └── ReplyError         one that was reached, but has no reply to this request
└── MissingDependencyError an optional package that is not installed
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class OslerError(Exception):
    """Something that a user can mend; the text says what happened, the value and the way out."""


class UsageError(OslerError):
    """A flag, setting or filter that cannot be meant."""


class CorpusError(OslerError):
    """A source that cannot be read."""


class ModelError(OslerError):
    """A model that cannot be found, loaded or converted."""


class StoreError(OslerError):
    """An index that is missing, unreadable, or was built by other models; or a document that it does not hold."""


class GeneratorError(OslerError):
    """A language model that cannot be reached, or whose reply is of no use."""


class ReplyError(GeneratorError):
    """A language model that was reached, but refused this request or replied with nothing: others may do better."""


class MissingDependencyError(OslerError):
    """An optional package that is not installed."""


def require(module: str, *, extra: str = "") -> Any:
    """The imported module, or a `MissingDependencyError` that says how to install it.

    >>> require("json", extra="serve").dumps([1])
    '[1]'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = f"'osler[{extra}]'" if extra else "osler"
        message = f"{module!r} is not installed: run `pip install {package}`."
        raise MissingDependencyError(message) from error
