"""osler answers biomedical questions from the literature, with evidence that can be checked.

Documents become passages, passages vectors, a query candidates, candidates ranked passages, those an answer with
citations. `build_index` does the first half, `load_searcher` and `load_answerer` give the second.
"""

from importlib import import_module
from typing import Any

from osler.errors import (
    CorpusError,
    GeneratorError,
    MissingDependencyError,
    ModelError,
    OslerError,
    ReplyError,
    StoreError,
    UsageError,
)
from osler.records import (
    Answer,
    Candidate,
    Citation,
    Damage,
    Deletion,
    Document,
    DocumentVersion,
    EncodedDocument,
    EvidenceSpan,
    Filter,
    Passage,
    PooledTokens,
    Query,
    RankedPassage,
    Ranking,
    Section,
    TokenVectors,
)

_LATE = ("build_index", "load_answerer", "load_searcher")

__all__ = [
    "Answer",
    "Candidate",
    "Citation",
    "CorpusError",
    "Damage",
    "Deletion",
    "Document",
    "DocumentVersion",
    "EncodedDocument",
    "EvidenceSpan",
    "Filter",
    "GeneratorError",
    "MissingDependencyError",
    "ModelError",
    "OslerError",
    "Passage",
    "PooledTokens",
    "Query",
    "RankedPassage",
    "Ranking",
    "ReplyError",
    "Section",
    "StoreError",
    "TokenVectors",
    "UsageError",
    "build_index",
    "load_answerer",
    "load_searcher",
]


def __getattr__(name: str) -> Any:
    """The functions of `osler.load`, imported when they are first asked for: they bring models and a database."""
    if name in _LATE:
        return getattr(import_module("osler.load"), name)
    raise AttributeError(f"module 'osler' has no attribute {name!r}")
