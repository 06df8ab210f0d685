"""osler answers biomedical questions from the literature, with evidence that can be checked.

Documents become passages, passages vectors, a query candidates, candidates ranked passages, those an answer with
citations. `build_index` does the first half, `load_searcher` and `load_answerer` give the second. Whatever the guides
use is a name of this package; the modules below it are free to change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    EvidenceSpan,
    Filter,
    Passage,
    Query,
    RankedPassage,
    Ranking,
    Section,
)

if TYPE_CHECKING:
    from osler.answer.abstain import fit_threshold
    from osler.config import Settings
    from osler.corpus import read_documents
    from osler.index import open_index
    from osler.index.check import check_index
    from osler.load import add_documents, build_index, load_answerer, load_searcher
    from osler.search.where import parse_where
    from osler.train.recipe import run_recipe
    from osler.train.settings import load_recipe

_LATE = {
    "Settings": "config",
    "add_documents": "load",
    "build_index": "load",
    "check_index": "index.check",
    "fit_threshold": "answer.abstain",
    "load_answerer": "load",
    "load_recipe": "train.settings",
    "load_searcher": "load",
    "open_index": "index",
    "parse_where": "search.where",
    "read_documents": "corpus",
    "run_recipe": "train.recipe",
}
"""The module of each name that is imported when it is first asked for: it brings models, a database or a parser."""

__all__ = [
    "Answer",
    "Candidate",
    "Citation",
    "CorpusError",
    "Damage",
    "Deletion",
    "Document",
    "EvidenceSpan",
    "Filter",
    "GeneratorError",
    "MissingDependencyError",
    "ModelError",
    "OslerError",
    "Passage",
    "Query",
    "RankedPassage",
    "Ranking",
    "ReplyError",
    "Section",
    "Settings",
    "StoreError",
    "UsageError",
    "add_documents",
    "build_index",
    "check_index",
    "fit_threshold",
    "load_answerer",
    "load_recipe",
    "load_searcher",
    "open_index",
    "parse_where",
    "read_documents",
    "run_recipe",
]


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(import_module(f"osler.{_LATE[name]}"), name)
    raise AttributeError(f"module 'osler' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
