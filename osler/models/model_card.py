"""The card of a re-ranker: what it was trained with, kept beside it, and the check against what was loaded.

A re-ranker that loses its projection, its markers or its skip list on the way from training to search still ranks,
only worse, and nothing tells. So training writes `osler.json`, and loading compares.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from osler.errors import ModelError
from osler.files import written_whole
from osler.late_interaction.maxsim import maxsim
from osler.records import Passage

if TYPE_CHECKING:
    from osler.models.colbert import ColBERT

CARD_FILE: Final = "osler.json"
SCORE_TOLERANCE: Final = 0.02
"""How far a score may be from training's, which were float32 throughout: passages have int8 codes (at most 0.004 a
component) and the network runs in bfloat16 where the processor has it."""

_REMEDY: Final = "use the model's files as training saved them, or train it again"


_Record = TypeVar("_Record", bound=BaseModel)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reference(_Frozen):
    """A query, two passages and their MaxSim scores (means over query tokens) when training ended, in float32."""

    query: str
    passages: tuple[str, str]
    scores: tuple[float, float]

    @property
    def digest(self) -> str:
        """Equal for equal references."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


class RerankerCard(_Frozen):
    """What a re-ranker was trained with, and how its scores are to be used.

    >>> reference = Reference(query="fever", passages=("Fever is heat.", "A wrist."), scores=(0.9, 0.2))
    >>> card = RerankerCard(projection=(384, 128), skip=(".",), reference=reference)
    >>> RerankerCard.model_validate_json(card.model_dump_json()) == card
    True
    """

    format: Literal[1] = 1
    projection: tuple[int, int] | None = Field(description="[h, d] of the token head; None: own token vectors.")
    markers: tuple[str, str] = Field(default=("", ""), description="Before every query, before every passage.")
    skip: tuple[str, ...] = Field(default=(), description="Tokens of passages that get no vector.")
    query_tokens: int | None = Field(default=None, ge=1, description="The longest query of training; None: unknown.")
    stage1_weight: float = Field(default=0.0, ge=0, le=1, description="Share of stage 1's score; 0: MaxSim only.")
    abstain_below: float = Field(default=0.0, description="The score under which an answer is none; 0: not fitted.")
    reference: Reference

    @property
    def shaping(self) -> str:
        """JSON of what changes vectors: markers and skip list."""
        return self.model_dump_json(include={"markers", "skip"})


def write_card(folder: Path, card: RerankerCard) -> None:
    """Put the card beside the re-ranker in this folder, as `osler.json`."""
    with written_whole(folder / CARD_FILE) as unfinished:
        unfinished.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_card(folder: Path) -> RerankerCard | None:
    """The card beside the re-ranker in this folder; None for a model that osler did not train."""
    path = folder / CARD_FILE
    return from_json(RerankerCard, path.read_text(encoding="utf-8"), path=path) if path.is_file() else None


def from_json(kind: type[_Record], text: str, *, path: Path) -> _Record:
    """The record that this JSON holds; ModelError that names its path and the field where it holds something else."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"])) or kind.__name__
        raise ModelError(f"{path}: {field}: {problem['msg']}; read it with the osler that wrote it.") from error


def check_reranker(colbert: ColBERT, card: RerankerCard) -> None:
    """Return if the model is the one that was trained; else ModelError with what differs and the remedy."""
    check_structure(colbert, card)
    check_scores(colbert, card)


def check_structure(colbert: ColBERT, card: RerankerCard) -> None:
    """The part of `check_reranker` that runs no network: projection, markers, skip list."""
    model = colbert.model
    _require_equal(colbert, "projection", loaded=model.spec.projection, trained=card.projection)
    markers = (model.spec.query_prompt, model.spec.passage_prompt)
    _require_equal(colbert, "pair of markers", loaded=markers, trained=card.markers)
    # By ids: a word that is no token of the tokenizer is skipped neither in training nor here.
    if differing := set(model.spec.skip) ^ set(model.token_ids(card.skip)):
        words = " ".join(model.tokens(sorted(differing)))
        raise ModelError(f"{colbert.name}: its skip list differs from that of training in {words}; {_REMEDY}.")


def check_scores(colbert: ColBERT, card: RerankerCard) -> None:
    """The part of `check_reranker` that scores the reference passages."""
    reference = card.reference
    passages = [
        Passage(f"reference#{n}", "reference", "", text, 0, len(text)) for n, text in enumerate(reference.passages)
    ]
    scores = maxsim(colbert.encode_queries([reference.query])[0], colbert.encode_passages(passages))
    if np.abs(scores - np.array(reference.scores)).max() > SCORE_TOLERANCE:
        loaded, trained = (", ".join(f"{score:.3f}" for score in row) for row in (scores, reference.scores))
        raise ModelError(f"{colbert.name}: scores its reference passages {loaded}, in training {trained}; {_REMEDY}.")


def _require_equal(colbert: ColBERT, name: str, *, loaded: object, trained: object) -> None:
    if loaded != trained:
        raise ModelError(f"{colbert.name}: its {name} is {loaded}, in training it was {trained}; {_REMEDY}.")
