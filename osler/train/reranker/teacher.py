"""Teacher scores for distillation, by a cross-encoder or by several signals together. Knows no student, no loss.

A signal is a function from a query and passages to their scores, higher is better, on any scale. Those made here
encode every distinct passage of the examples once, a block at a time, and keep only the scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from osler.errors import ModelError, UsageError
from osler.late_interaction.maxsim import maxsim
from osler.late_interaction.ragged import reorder
from osler.models import load_models
from osler.models.catalog import resolve
from osler.protocols import Reranker
from osler.records import Passage
from osler.text.bm25 import BM25
from osler.train.examples.example import Example
from osler.train.settings import RerankerSettings

Scores = NDArray[np.floating[Any]]
Signal = Callable[[str, Sequence[str]], ArrayLike]
"""The scores [P] of these passages for this query, higher is better."""

Encoded = TypeVar("Encoded")

ENSEMBLE: Final = "ensemble"
_EQUAL: Final = 1e-6  # a spread below this is rounding
_BLOCK: Final = 512
"""Passages encoded at once: their token vectors of 384 dimensions take some 50 MB."""


def with_teacher(
    examples: Sequence[Example], settings: RerankerSettings, *, backbone: str, device: str = "cpu"
) -> list[Example]:
    """The examples, all with teacher scores: those that have some keep them, the others get them from the settings'.

    Without a cross-encoder this is the ensemble of the retriever that mined, the token vectors that training starts
    from (all dimensions, no head), BM25, and what is known to be relevant.
    """
    for example in examples:
        if example.teacher and len(example.teacher) != 1 + len(example.negatives):
            raise UsageError(
                f"{example.dataset}, query {example.query_id}: {len(example.teacher)} teacher scores for "
                f"{1 + len(example.negatives)} passages; give one a passage, or none."
            )
    untaught = [example for example in examples if not example.teacher]
    if not untaught:
        return list(examples)
    taught = iter(teach(untaught, _signals(untaught, settings.teacher, backbone, device)))
    return [example if example.teacher else next(taught) for example in examples]


def teach(examples: Sequence[Example], signals: Sequence[Signal]) -> list[Example]:
    """The examples with the teacher scores of these signals: the positive's first, then those of its negatives.

    Several signals vote with equal weight, however wide their scales: per query each becomes z-scores (mean 0,
    standard deviation 1 over its passages), and these are averaged. One signal keeps its own spread per query.

    In the end all scores are divided by one number, so that the standard deviation within a query is 1 in the mean over
    the examples (root mean square). Then a softmax at temperature 1 is neither flat nor one-hot: one passage of eight
    far above the others gets about 0.75, evenly spaced scores of four give 0.61, 0.25, 0.10 and 0.04. Queries on which
    the signals disagree have a smaller spread than those on which they agree.

    >>> from osler.train.examples.example import TrainingPassage
    >>> hit, miss = TrainingPassage("a#0", "Fever is heat."), TrainingPassage("b#0", "A wrist.")
    >>> example = Example("demo", "q1", "fever", hit, negatives=(miss,))
    >>> def mentions(query, passages):
    ...     return [5.0 * (query in text.lower()) for text in passages]
    >>> teach([example], [mentions])[0].teacher
    (1.0, -1.0)
    """
    if not signals:
        raise ValueError("No signal to teach with: give at least one.")
    standardise = _z_scores if len(signals) > 1 else _centred
    rows = []
    for example in examples:
        texts = texts_of(example)
        rows.append(
            np.mean([standardise(np.asarray(signal(example.query, texts), float)) for signal in signals], axis=0)
        )
    spread = float(np.sqrt(np.mean([np.mean(row**2) for row in rows]))) if rows else 1.0
    return [
        replace(example, teacher=tuple(float(score) for score in row / (spread or 1.0)))
        for example, row in zip(examples, rows, strict=True)
    ]


def relevance_signal(examples: Iterable[Example]) -> Signal:
    """1 for what is known to be relevant to a query, 0 for the rest: so that a teacher does not unlearn the labels."""
    known = {(example.query, example.positive.text) for example in examples}
    return lambda query, passages: np.array([float((query, text) in known) for text in passages])


def lexical_signal(examples: Iterable[Example]) -> Signal:
    """BM25 among the passages of these examples."""
    texts = list(dict.fromkeys(text for example in examples for text in texts_of(example)))
    numbers = {text: number for number, text in enumerate(texts)}
    bm25 = BM25(texts, extra="train")
    return lambda query, passages: bm25.scores(query)[[numbers[text] for text in passages]]


def mined_signal(examples: Iterable[Example]) -> Signal:
    """What the mining retriever gave each passage; 0 for all passages of a query whose positive it did not score."""
    scores = {
        (example.query, passage.text): passage.score
        for example in examples
        if example.positive.score
        for passage in (example.positive, *example.negatives)
    }

    def look_up(query: str, passages: Sequence[str]) -> Scores:
        found = [scores.get((query, text)) for text in passages]
        return np.array([0.0 if None in found else score for score in found], dtype=float)

    return look_up


def maxsim_signal(reranker: Reranker, examples: Sequence[Example]) -> Signal:
    """The MaxSim of a re-ranker: an earlier one, or a backbone's own token vectors."""
    queries = _queries(examples)
    vectors = dict(zip(queries, reranker.encode_queries(queries), strict=True))
    return _known(
        examples, reranker.encode_passages, lambda query, block, rows: maxsim(vectors[query], reorder(block, rows))
    )


def cross_encoder_signal(name: str, *, device: str = "cpu") -> Signal:
    """The scores (before any sigmoid) of the cross-encoder of this name or folder; ModelError where it is none."""
    from sentence_transformers import CrossEncoder
    from torch.nn import Identity

    try:
        model = CrossEncoder(str(resolve(name).folder), device=device, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{name}: no cross-encoder that can be loaded ({reason}); name another teacher.") from error
    if model.num_labels != 1:
        raise ModelError(f"{name}: a cross-encoder with {model.num_labels} outputs; name one that gives one score.")

    def score(query: str, passages: Sequence[str]) -> Scores:
        pairs = [(query, text) for text in passages]
        scores: Scores = model.predict(pairs, activation_fn=Identity(), show_progress_bar=False)
        return scores

    return score


def _signals(examples: Sequence[Example], teacher: str, backbone: str, device: str) -> list[Signal]:
    if not any(example.negatives for example in examples):
        raise UsageError("No example has a negative, so there is nothing to distil: mine negatives first.")
    if teacher != ENSEMBLE:
        return [cross_encoder_signal(teacher, device=device)]
    folder = str(resolve(backbone).folder)  # named by its folder, a backbone keeps all of its dimensions
    start = load_models(folder, folder, device=device).reranker
    return [
        mined_signal(examples),
        maxsim_signal(start, examples),
        lexical_signal(examples),
        relevance_signal(examples),
    ]


def _known(
    examples: Sequence[Example],
    encode: Callable[[Sequence[Passage]], Encoded],
    score: Callable[[str, Encoded, Sequence[int]], Scores],
) -> Signal:
    """A signal that looks up the scores of all pairs of the examples, computed here block by block of passages."""
    wanted = _wanted(examples)
    texts = list(wanted)
    scores: dict[tuple[str, str], float] = {}
    for first in range(0, len(texts), _BLOCK):
        block = texts[first : first + _BLOCK]
        encoded = encode([Passage(f"text#{n}", "text", "", text, 0, len(text)) for n, text in enumerate(block)])
        for query, rows in _rows_by_query(block, wanted).items():
            found = score(query, encoded, rows)
            scores.update({(query, block[row]): float(one) for row, one in zip(rows, found, strict=True)})
    return lambda query, passages: np.array([scores[query, text] for text in passages])


def _wanted(examples: Iterable[Example]) -> dict[str, list[str]]:
    """The distinct passages, each with the distinct queries that it is scored for."""
    wanted: dict[str, dict[str, None]] = {}
    for example in examples:
        for text in texts_of(example):
            wanted.setdefault(text, {})[example.query] = None
    return {text: list(queries) for text, queries in wanted.items()}


def _rows_by_query(block: Sequence[str], wanted: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(block):
        for query in wanted[text]:
            rows.setdefault(query, []).append(row)
    return rows


def _queries(examples: Iterable[Example]) -> list[str]:
    return list(dict.fromkeys(example.query for example in examples))


def texts_of(example: Example) -> list[str]:
    """The example's passages, the positive first."""
    return [example.positive.text, *(negative.text for negative in example.negatives)]


def _centred(scores: Scores) -> Scores:
    centred: Scores = scores - scores.mean()
    return centred


def _z_scores(scores: Scores) -> Scores:
    """(score - mean) / standard deviation, or zeros where all are equal."""
    centred = _centred(scores)
    spread = float(centred.std())
    return centred / spread if spread > _EQUAL else np.zeros_like(centred)
