"""A probe for negation: which of two statements that differ by it does a model put nearer to a text? Knows texts.

Late interaction is said to see "was ruled out" where one vector does not. A pair from a template is asked both ways: a
query that one of its statements agrees with, and the negated query, which the other one agrees with. Whoever prefers
one of the statements for its length or its words is right one way and wrong the other, so chance is a half.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from osler.datasets import Dataset
from osler.errors import CorpusError
from osler.evaluate.significance import compare, interval
from osler.late_interaction.maxsim import maxsim
from osler.late_interaction.ragged import divide
from osler.protocols import Encoder, Reranker
from osler.records import Document, Passage

TEMPLATES: Final = (
    ("patients with {}", "patients without {}", "{} was confirmed.", "{} was ruled out."),
    ("a case of {}", "not a case of {}", "The examination showed {}.", "The examination showed no {}."),
    ("{} is present", "{} is absent", "There were signs of {}.", "There were no signs of {}."),
    (
        "the patient has {}",
        "the patient is free of {}",
        "The patient had {} on admission.",
        "The patient never had {}.",
    ),
)
"""A query, its negation, and a statement that agrees with each. But for the term a query shares no word with one of the
statements alone: a negation is not given away by its words."""

ALIKE: Final = 0.5
"""Share of common words from which two claims differ by little else than what they claim."""

_ROUNDING: Final = 1e-6
"""Scores as near as this are equal: a batch is padded, and its sums come in another order."""

Score = Callable[[Sequence[str], Sequence[str]], Sequence[float]]
"""The score of each query with the statement in its place."""

Claims = dict[str, dict[str, dict[str, set[int]]]]
"""doc_id -> label -> query_id -> numbers of the evidence sentences."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A query, the statement that agrees with it, and one that differs from that by a negation."""

    query: str
    agreeing: str
    contradicting: str


@dataclass(frozen=True, slots=True)
class MinimalPair:
    """Two statements that differ by a negation, asked both ways, or one way where there is no other."""

    source: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The share of right choices of each model, and p of the paired randomisation test of their difference by pair."""

    pairs: int
    bi_encoder: float
    bi_encoder_interval: tuple[float, float]
    maxsim: float
    maxsim_interval: tuple[float, float]
    p: float


def template_pairs(terms: Iterable[str]) -> Iterator[MinimalPair]:
    """A pair for each term, the templates in turn.

    >>> for choice in next(template_pairs(["Myocardial infarction"])).choices:
    ...     print(choice.query, "->", choice.agreeing)
    patients with Myocardial infarction -> Myocardial infarction was confirmed.
    patients without Myocardial infarction -> Myocardial infarction was ruled out.
    """
    for number, term in enumerate(terms):
        query, negated, affirming, negating = (text.format(term) for text in TEMPLATES[number % len(TEMPLATES)])
        yield MinimalPair("templates", (Choice(query, affirming, negating), Choice(negated, negating, affirming)))


def scifact_pairs(folder: Path, dataset: Dataset) -> Iterator[MinimalPair]:
    """The evidence sentences of an abstract, with a claim that they support and a similar one that they contradict.

    They are asked one way: there is one evidence for both claims, so a half is chance only where claims of both kinds
    are alike in length and words. folder: SciFact with its `answers.jsonl`, of which `evidence` names labels and
    sentences by number.
    """
    for doc_id, claims in _claims(folder / "answers.jsonl").items():
        for supported, sentences in claims["SUPPORT"].items():
            for contradicted in claims["CONTRADICT"]:
                if not {supported, contradicted} <= dataset.queries.keys():
                    continue
                texts = [dataset.queries[one].text for one in (supported, contradicted)]
                evidence = _sentences(dataset.documents[doc_id], sentences)
                if evidence and _common_words(*texts) >= ALIKE:
                    yield MinimalPair("scifact", (Choice(evidence, *texts),))


def probe(pairs: Sequence[MinimalPair], encoder: Encoder, reranker: Reranker) -> dict[str, ProbeResult]:
    """The result for the pairs of each source and for all of them.

    A pair is worth the mean of its choices, where equal scores are half right; pairs are what is resampled.
    """
    choices = [choice for pair in pairs for choice in pair.choices]
    models: dict[str, Score] = {
        "bi-encoder": partial(_vector_scores, encoder),
        "MaxSim": partial(_token_scores, reranker),
    }
    right = {name: _by_pair(pairs, _right(choices, score)) for name, score in models.items()}
    names = dict.fromkeys(pair.source for pair in pairs)
    chosen = {name: [pair.source == name for pair in pairs] for name in names} | {"all": [True] * len(pairs)}
    return {name: _result(right, which) for name, which in chosen.items()}


def _result(right: Mapping[str, Sequence[float]], which: Sequence[bool]) -> ProbeResult:
    ours, theirs = ([one for one, kept in zip(right[name], which, strict=True) if kept] for name in right)
    intervals = [interval({"": of}) for of in (ours, theirs)]
    p = compare({"": theirs}, {"": ours}).p
    return ProbeResult(len(ours), fmean(ours), intervals[0], fmean(theirs), intervals[1], p)


def _by_pair(pairs: Sequence[MinimalPair], right: Iterable[float]) -> list[float]:
    """The mean over the choices of each pair."""
    values = iter(right)
    return [fmean(next(values) for _ in pair.choices) for pair in pairs]


def _right(choices: Sequence[Choice], score: Score) -> list[float]:
    """1 for each choice whose agreeing statement scores higher, a half where both score the same, else 0."""
    queries = [choice.query for choice in choices]
    agreeing = score(queries, [choice.agreeing for choice in choices])
    contradicting = score(queries, [choice.contradicting for choice in choices])
    return [
        0.5 if abs(one - other) <= _ROUNDING else float(one > other)
        for one, other in zip(agreeing, contradicting, strict=True)
    ]


def _vector_scores(encoder: Encoder, queries: Sequence[str], statements: Sequence[str]) -> list[float]:
    products = encoder.encode_queries(queries) * encoder.encode_passages(_passages(statements))
    return [float(row.sum()) for row in products]


def _token_scores(reranker: Reranker, queries: Sequence[str], statements: Sequence[str]) -> list[float]:
    token_vectors = divide(reranker.encode_passages(_passages(statements)), [1] * len(statements))
    pairs = zip(reranker.encode_queries(queries), token_vectors, strict=True)
    return [float(maxsim(query, statement)[0]) for query, statement in pairs]


def _passages(texts: Sequence[str]) -> list[Passage]:
    return [Passage(f"{n}#0", str(n), "", text, 0, len(text)) for n, text in enumerate(texts)]


def _claims(file: Path) -> Claims:
    found: Claims = defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for row in rows:
            for evidence in row["evidence"]:
                found[evidence["doc_id"]][evidence["label"]][row["_id"]].update(evidence["sentences"])
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(f"{file}: holds no evidence as SciFact's does ({error}); name a folder that does.") from error
    return found


def _sentences(document: Document, numbers: Iterable[int]) -> str:
    spans: Any = document.metadata.get("sentences") or ()
    return " ".join(document.text[slice(*spans[number])] for number in sorted(numbers) if number < len(spans))


def _common_words(one: str, other: str) -> float:
    words, others = (set(text.casefold().split()) for text in (one, other))
    return len(words & others) / len(words | others)
