"""`osler evaluate full-text`: articles indexed whole against their abstracts alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osler.cli import options
from osler.cli.outputs import check_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osler.config import Settings
    from osler.datasets import Dataset
    from osler.evaluate.full_text import FullTextReport, IndexCost
    from osler.evaluate.retrieval import StageRuns
    from osler.records import Document


@dataclass(frozen=True, slots=True)
class Variant:
    """Documents that are indexed, and where."""

    name: str
    folder: Path
    documents: list[Document]


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

    osler evaluate full-text pmc/ --among scifact --out full-text
    """
    from osler.cli.evaluation_tables import print_full_text
    from osler.cli.printing import print_json, print_notice
    from osler.corpus import read_documents
    from osler.errors import require
    from osler.evaluate.full_text import ABSTRACT, FULL_TEXT, PARTS, abstract_of, full_articles, known_items
    from osler.records import Damage, Document

    require("ir_measures", extra="evaluate")
    chosen = options.settings_from(settings, models={"device": device})
    entries = list(read_documents(source))
    for damage in (one for one in entries if isinstance(one, Damage)):
        print_notice(f"skipped {damage}")
    articles = full_articles(one for one in entries if isinstance(one, Document))
    others = _others(among)
    variants = [
        Variant(ABSTRACT, out / "abstracts", [*others, *map(abstract_of, articles)]),
        Variant(FULL_TEXT, out / "full-texts", [*others, *articles]),
    ]
    _check(out, variants)
    asked = [known_items(articles, part, count=queries, seed=0) for part in PARTS]
    report = _report(variants, asked, chosen)
    if json:
        for line in report.json():
            print_json(line)
    else:
        print_full_text(report)


def _others(name: str | None) -> list[Document]:
    from osler.datasets import load_dataset, parse_name

    return list(load_dataset(*parse_name(name)).documents.values()) if name else []


def _check(out: Path, variants: list[Variant]) -> None:
    from osler.errors import UsageError
    from osler.index import index_exists

    check_folder("--out", out)
    for variant in variants:
        if index_exists(variant.folder):
            raise UsageError(f"--out {out}: holds {variant.folder} already, and a build is timed whole: name another.")


def _report(variants: list[Variant], asked: list[Dataset], settings: Settings) -> FullTextReport:
    from osler.evaluate.full_text import FullTextReport, part_report

    costs: dict[str, IndexCost] = {}
    runs: dict[str, Mapping[str, StageRuns]] = {}
    for variant in variants:
        cost = _build(variant, settings)
        runs[variant.name] = _search(variant, asked, settings)
        costs[variant.name] = cost.timed(runs[variant.name].values())
    found = [part_report(one, {name: of[one.split] for name, of in runs.items()}) for one in asked]
    return FullTextReport(costs, found)


def _build(variant: Variant, settings: Settings) -> IndexCost:
    from osler.cli.progress import indexing_progress
    from osler.evaluate.full_text import IndexCost
    from osler.index import open_index
    from osler.load import add_documents

    with indexing_progress(None) as shown:
        report = add_documents(variant.documents, variant.folder, settings, on_progress=shown.report)
    size = sum(open_index(variant.folder).statistics().bytes.values())
    return IndexCost(report.documents, report.passages, round(report.seconds, 2), size)


def _search(variant: Variant, asked: list[Dataset], settings: Settings) -> dict[str, StageRuns]:
    from osler.cli.progress import counting
    from osler.evaluate.retrieval import search_dataset
    from osler.load import load_searcher

    searcher = load_searcher(variant.folder, settings)
    searcher.search("warm")
    found = {}
    for dataset in asked:
        with counting(f"{variant.name}: sentences of {dataset.split}") as on_query:
            found[dataset.split] = search_dataset(dataset, searcher, on_query=on_query)
    return found
