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
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from rich.filesize import decimal

from osler.cli import main, options
from osler.cli.options import check_folder
from osler.cli.printing import print_json, print_notice
from osler.cli.progress import counting, indexing_progress
from osler.cli.tables import figures_table, interval_text, sentence
from osler.cli.terminal import OUT
from osler.config import Settings
from osler.corpus import read_documents
from osler.datasets import Dataset, load_dataset, parse_name
from osler.errors import CorpusError, UsageError, require
from osler.evaluate.report import RunComparison, RunReport
from osler.evaluate.retrieval import TOTAL, StageRuns, search_dataset
from osler.index import index_exists, open_index
from osler.load import add_documents, load_searcher
from osler.records import Damage, Document, Query, Section
from osler.text.sentences import claim_spans

app = typer.Typer(add_completion=False)

MEASURE: Final = "RR@10"
"""A known-item query has one relevant document: the reciprocal of its rank says all."""

ABSTRACT: Final = "abstract"
FULL_TEXT: Final = "full text"
PARTS: Final = ("abstract", "body")
"""Where the sentences are from."""

# How articles head their abstracts, lower case; without a title of its own one is headed Abstract by the reader.
_ABSTRACTS: Final = frozenset(("abstract", "summary", "synopsis", "author summary", "structured abstract"))

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
        p50, p95 = (round(float(percentile) * 1000, 2) for percentile in np.percentile(seconds, [50, 95]))
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
        """A line of `python -m experiments.full_text --json`."""
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
        """The lines of `python -m experiments.full_text --json`."""
        yield from ({"index": name, **asdict(cost)} for name, cost in self.costs.items())
        yield from (part.json() for part in self.parts)


def full_articles(documents: Iterable[Document]) -> list[Document]:
    """Those with an abstract and a text beside it, the last of each doc_id; CorpusError where none has both.

    >>> sections = (Section("Abstract", "Mice grew."), Section("Methods", "We fed mice."))
    >>> [mice.doc_id for mice in full_articles([Document("a", "Mice", sections), Document("b", "", sections[:1])])]
    ['a']
    """
    articles = {
        document.doc_id: document
        for document in documents
        if 0 < len(abstract_of(document).sections) < len(document.sections)
    }
    if not articles:
        raise CorpusError("No article with an abstract and a text beside it: name JATS files of full texts.")
    return list(articles.values())


def abstract_of(article: Document) -> Document:
    """The article with the sections of its abstract alone, as the reader of JATS heads them."""
    return replace(article, sections=tuple(section for section in article.sections if _in_abstract(section)))


def known_items(articles: Sequence[Document], part: str, *, count: int, seed: int) -> Dataset:
    """At most `count` sentences of this part of the articles as queries, each with its article as what is relevant.

    Articles take turns, in an order by chance, so a long one gives no more than the others as long as these have some.
    A sentence of fewer than 8 words, or that comes twice, is none: no one could say which article it is from.
    CorpusError where no sentence is left.
    """
    seen = Counter(text for article in articles for text in _long_sentences(article.sections))
    in_random_order = random.Random(seed).sample(articles, len(articles))
    piles = {article.doc_id: _shuffled(article, part, seen, seed) for article in in_random_order}
    chosen = {f"{doc_id}:{number}": (doc_id, text) for number, (doc_id, text) in enumerate(_in_turns(piles, count))}
    if not chosen:
        raise CorpusError(f"No sentence of 8 words that stands in one {part} alone: name more articles, each once.")
    queries = {query_id: Query(query_id, text) for query_id, (_, text) in chosen.items()}
    qrels = {query_id: {doc_id: 1} for query_id, (doc_id, _) in chosen.items()}
    return Dataset("known items", part, {article.doc_id: article for article in articles}, queries, qrels, digest="")


def part_report(dataset: Dataset, runs: Mapping[str, StageRuns]) -> PartReport:
    """What the final rankings of both indexes reach on these known items."""
    return PartReport(
        dataset.split, {name: RunReport.of(name, dataset.qrels, run.ranked) for name, run in runs.items()}
    )


def _in_abstract(section: Section) -> bool:
    return section.heading.split(" > ")[0].casefold() in _ABSTRACTS


def _shuffled(article: Document, part: str, seen: Mapping[str, int], seed: int) -> list[str]:
    """The sentences of this part of the article that come once among all, in an order by chance."""
    sections = [section for section in article.sections if _in_abstract(section) == (part == PARTS[0])]
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
    return islice((entry for turn in rounds for entry in turn if entry), count)


@dataclass(frozen=True, slots=True)
class Variant:
    """Documents that are indexed, and where."""

    name: str
    folder: Path
    documents: list[Document]


@app.command()
def full_text(
    source: Annotated[list[str], typer.Argument(metavar="SOURCE...", help="JATS files or folders of full texts.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where both indexes go; a folder without them.")],
    among: Annotated[
        str | None, typer.Option(metavar="DIR", help="A data set whose documents are in both indexes as well.")
    ] = None,
    queries: Annotated[int, typer.Option(metavar="N", min=1, help="Sentences of each part that are asked.")] = 200,
    settings: options.SettingsFile = None,
    device: options.Device = None,
    json: options.AsJson = False,
) -> None:
    """Compare an index of full texts with one of their abstracts, by sentences of either part as queries.

    python -m experiments.full_text pmc/ --among scifact --out full-text
    """
    require("ir_measures", extra="evaluate")
    chosen = options.settings_from(settings, models={"device": device})
    entries = list(read_documents(source))
    for entry in entries:
        if isinstance(entry, Damage):
            print_notice(f"skipped {entry}")
    articles = full_articles(entry for entry in entries if isinstance(entry, Document))
    distractors = list(load_dataset(*parse_name(among)).documents.values()) if among else []
    variants = [
        Variant(ABSTRACT, out / "abstracts", [*distractors, *map(abstract_of, articles)]),
        Variant(FULL_TEXT, out / "full-texts", [*distractors, *articles]),
    ]
    check_folder("--out", out)
    for variant in variants:
        if index_exists(variant.folder):
            raise UsageError(f"--out {out}: holds {variant.folder} already, and a build is timed whole: name another.")
    report = compare_variants(variants, [known_items(articles, part, count=queries, seed=0) for part in PARTS], chosen)
    if json:
        for line in report.json():
            print_json(line)
    else:
        print_full_text(report)


def compare_variants(variants: list[Variant], datasets: list[Dataset], settings: Settings) -> FullTextReport:
    """Both variants indexed and searched for the known items of each part."""
    costs: dict[str, IndexCost] = {}
    runs: dict[str, Mapping[str, StageRuns]] = {}
    for variant in variants:
        cost = _build(variant, settings)
        runs[variant.name] = _search(variant, datasets, settings)
        costs[variant.name] = cost.timed(runs[variant.name].values())
    parts = [part_report(dataset, {name: of[dataset.split] for name, of in runs.items()}) for dataset in datasets]
    return FullTextReport(costs, parts)


def _build(variant: Variant, settings: Settings) -> IndexCost:
    with indexing_progress(None) as shown:
        report = add_documents(variant.documents, variant.folder, settings, on_progress=shown.report)
    size = sum(open_index(variant.folder).statistics().bytes.values())
    return IndexCost(report.documents, report.passages, round(report.seconds, 2), size)


def _search(variant: Variant, datasets: list[Dataset], settings: Settings) -> dict[str, StageRuns]:
    searcher = load_searcher(variant.folder, settings)
    searcher.search("warm")
    runs = {}
    for dataset in datasets:
        with counting(f"{variant.name}: sentences of {dataset.split}") as on_query:
            runs[dataset.split] = search_dataset(dataset, searcher, on_query=on_query)
    return runs


def print_full_text(report: FullTextReport) -> None:
    """What each index costs, what it finds by part of the articles, and what may be said of the difference."""
    costs = figures_table(["index"], ["documents", "passages", "build", "size", "p50 ms", "p95 ms"])
    for name, cost in report.costs.items():
        counts = (f"{cost.documents:,}", f"{cost.passages:,}", f"{cost.seconds:,.1f} s", decimal(cost.bytes))
        costs.add_row(name, *counts, f"{cost.p50:.1f}", f"{cost.p95:.1f}")
    OUT.print(costs)
    title = "sentences, and whether their article is found"
    finds = figures_table(["sentences of", "index"], ["queries", "R@1", "RR@10", "95%"], title=title)
    for part in report.parts:
        for name, run in part.reports.items():
            figures = (f"{run.metrics[measure]:.3f}" for measure in ("Recall@1", "RR@10"))
            finds.add_row(part.part, name, f"{run.queries:,}", *figures, interval_text(run.intervals["RR@10"]))
    OUT.print(finds)
    for part in report.parts:
        OUT.print(f"{part.part}: {sentence('full text', part.comparison)}", soft_wrap=True)


if __name__ == "__main__":
    main(program=app, name="python -m experiments.full_text")
