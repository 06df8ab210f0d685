"""`osler info`: what built an index and what it holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from osler.cli import options

if TYPE_CHECKING:
    from osler.index import Manifest


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
    table.add_row("token vectors", _kept(manifest) if manifest.token_vectors else "made at query time")
    if manifest.token_vectors:
        table.add_row("", f"{decimal(round(counts.token_vector_bytes_per_passage))} a passage before compression")
    table.add_row("dense search", _dense_search(recall))
    for part, size in counts.bytes.items():
        if size:
            table.add_row(part.replace("_", " "), decimal(size))
    table.add_row("changed", f"{counts.changed:%Y-%m-%d %H:%M} UTC, {counts.versions} versions")
    table.add_row("built by", f"osler {manifest.osler}, {manifest.created:%Y-%m-%d %H:%M} UTC")
    OUT.print(table)


def _dense_search(recall: float | None) -> str:
    return "exact" if recall is None else f"approximate, recall@100 {recall:.3f}"


def _kept(manifest: Manifest) -> str:
    """How token vectors are kept."""
    pooled = f"one for {manifest.token_pooling} tokens of a long passage, " if manifest.token_pooling > 1 else ""
    return f"{pooled}{manifest.token_bits} bits a component"
