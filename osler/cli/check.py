"""`osler check`: whether all of an index is as it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from osler.cli import options

if TYPE_CHECKING:
    from osler.index.check import CheckReport


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
        for line in _lines(report, index):
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


def _lines(report: CheckReport, index: str) -> list[str]:
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
