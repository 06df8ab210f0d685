"""Full texts against their abstracts: known-item queries, and what each index costs. Knows documents and searchers.

A known-item query is a sentence of an article, put as a query; the article is what must be found. The sentence stands
in the full text as it was written, so this says what an index holds and finds again, and nothing about questions.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice, zip_longest
from typing import Any, Final

import numpy as np

from osler.datasets import Dataset
from osler.errors import CorpusError
from osler.evaluate.report import RunComparison, RunReport
from osler.evaluate.retrieval import TOTAL, StageRuns
from osler.records import Document, Query, Section
from osler.text.sentences import claim_spans

MEASURE: Final = "RR@10"
"""A known-item query has one relevant document: the reciprocal of its rank says all."""

ABSTRACT: Final = "abstract"
FULL_TEXT: Final = "full text"
PARTS: Final = ("abstract", "body")
"""Where the sentences are from."""

_ABSTRACTS: Final = frozenset(("abstract", "summary", "synopsis", "author summary", "structured abstract"))
"""How articles head their abstracts, lower case; without a title of its own one is headed Abstract by the reader."""

_FEWEST_WORDS: Final = 8  # shorter sentences could be of many an article


@dataclass(frozen=True, slots=True)
class IndexCost:
    """What an index took: seconds to split, encode and write its passages, and bytes; milliseconds of a query."""

    documents: int
    passages: int
    seconds: float
    bytes: int
    p50: float = 0.0
    p95: float = 0.0

    def timed(self, runs: Iterable[StageRuns]) -> IndexCost:
        """The same with the median and the 95th percentile of these searches."""
        seconds = np.concatenate([run.seconds[TOTAL] for run in runs])
        p50, p95 = (round(float(one) * 1000, 2) for one in np.percentile(seconds, [50, 95]))
        return replace(self, p50=p50, p95=p95)


@dataclass(frozen=True, slots=True)
class PartReport:
    """The sentences of one part of the articles, asked of both indexes."""

    part: str
    reports: Mapping[str, RunReport]

    @property
    def comparison(self) -> RunComparison:
        """Full texts less abstracts; its tests take the sentences of an article for independent."""
        return self.reports[FULL_TEXT].compared(self.reports[ABSTRACT], MEASURE)

    def json(self) -> dict[str, Any]:
        """A line of `osler evaluate full-text --json`."""
        return {
            "part": self.part,
            "indexes": {name: report.json() for name, report in self.reports.items()},
            "compared": self.comparison.json(),
        }


@dataclass(frozen=True, slots=True)
class FullTextReport:
    """What both indexes cost, by name, and what they find, by part of the articles."""

    costs: Mapping[str, IndexCost]
    parts: Sequence[PartReport]

    def json(self) -> Iterator[dict[str, Any]]:
        """The lines of `osler evaluate full-text --json`."""
        yield from ({"index": name, **asdict(cost)} for name, cost in self.costs.items())
        yield from (part.json() for part in self.parts)


def full_articles(documents: Iterable[Document]) -> list[Document]:
    """Those with an abstract and a text beside it, the last of each doc_id; CorpusError where none has both.

    >>> sections = (Section("Abstract", "Mice grew."), Section("Methods", "We fed mice."))
    >>> [one.doc_id for one in full_articles([Document("a", "Mice", sections), Document("b", "", sections[:1])])]
    ['a']
    """
    found = {one.doc_id: one for one in documents if 0 < len(abstract_of(one).sections) < len(one.sections)}
    if not found:
        raise CorpusError("No article with an abstract and a text beside it: name JATS files of full texts.")
    return list(found.values())


def abstract_of(article: Document) -> Document:
    """The article with the sections of its abstract alone, as the reader of JATS heads them."""
    return replace(article, sections=tuple(one for one in article.sections if _in_abstract(one)))


def known_items(articles: Sequence[Document], part: str, *, count: int, seed: int) -> Dataset:
    """At most `count` sentences of this part of the articles as queries, each with its article as what is relevant.

    Articles take turns, in an order by chance, so a long one gives no more than the others as long as these have some.
    A sentence of fewer than 8 words, or that comes twice, is none: no one could say which article it is from.
    CorpusError where no sentence is left.
    """
    seen = Counter(text for article in articles for text in _long_sentences(article.sections))
    piles = {one.doc_id: _shuffled(one, part, seen, seed) for one in _by_chance(articles, seed)}
    chosen = {f"{doc_id}:{number}": (doc_id, text) for number, (doc_id, text) in enumerate(_in_turns(piles, count))}
    if not chosen:
        raise CorpusError(f"No sentence of 8 words that stands in one {part} alone: name more articles, each once.")
    queries = {query_id: Query(query_id, text) for query_id, (_, text) in chosen.items()}
    qrels = {query_id: {doc_id: 1} for query_id, (doc_id, _) in chosen.items()}
    return Dataset("known items", part, {one.doc_id: one for one in articles}, queries, qrels, digest="")


def part_report(dataset: Dataset, runs: Mapping[str, StageRuns]) -> PartReport:
    """What the final rankings of both indexes reach on these known items."""
    return PartReport(
        dataset.split, {name: RunReport.of(name, dataset.qrels, run.ranked) for name, run in runs.items()}
    )


def _in_abstract(section: Section) -> bool:
    return section.heading.split(" > ")[0].casefold() in _ABSTRACTS


def _by_chance(articles: Sequence[Document], seed: int) -> list[Document]:
    return random.Random(seed).sample(articles, len(articles))


def _shuffled(article: Document, part: str, seen: Mapping[str, int], seed: int) -> list[str]:
    """The sentences of this part of the article that come once among all, in an order by chance."""
    sections = [one for one in article.sections if _in_abstract(one) == (part == PARTS[0])]
    sentences = [text for text in _long_sentences(sections) if seen[text] == 1]
    random.Random(f"{seed}:{part}:{article.doc_id}").shuffle(sentences)
    return sentences


def _long_sentences(sections: Iterable[Section]) -> Iterator[str]:
    for section in sections:
        sentences = (section.text[start:end] for start, end in claim_spans(section.text))
        yield from (sentence for sentence in sentences if len(sentence.split()) >= _FEWEST_WORDS)


def _in_turns(piles: Mapping[str, Sequence[str]], count: int) -> Iterator[tuple[str, str]]:
    """(doc_id, sentence), one of each pile after another, until there are `count` or all are used."""
    rounds = zip_longest(*([(doc_id, text) for text in pile] for doc_id, pile in piles.items()))
    return islice((one for turn in rounds for one in turn if one), count)
