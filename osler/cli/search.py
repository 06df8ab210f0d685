"""`osler search`: a query, or a file of them, to ranked passages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from osler.cli import options

if TYPE_CHECKING:
    from osler.records import Query, Ranking

_TOGETHER: Final = 256
"""Queries of a file that are searched for before any of them is shown."""


def search(
    query: Annotated[str | None, typer.Argument(metavar="QUERY", help="Words, or ids of documents.")] = None,
    queries: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Search for each query of a file: one per line, or JSON lines as in BEIR."),
    ] = None,
    index: options.Index = options.DEFAULT_INDEX,
    k: options.K = None,
    num_candidates: options.NumCandidates = None,
    candidates: options.Candidates = None,
    rerank: options.Rerank = None,
    where: options.Where = None,
    encoder: options.Encoder = None,
    reranker: options.Reranker = None,
    device: options.Device = None,
    settings: options.SettingsFile = None,
    json: options.AsJson = False,
) -> None:
    """Search an index: candidates first, then re-ranked, each with the sentence that supports it.

    osler search "aspirin after stroke" --index pubmed --where "year>=2015" --where type=Review

    osler search "PMID: 31588070, 10.1017/S0954422419000301" --index pubmed

    osler search --queries questions.txt --index pubmed -k 10 --json
    """
    from osler.cli.imports import import_lancedb

    asked = _asked(query, queries)
    import_lancedb()
    from osler.cli.terminal import OUT
    from osler.load import load_searcher
    from osler.search.where import parse_where

    chosen = options.settings_from(
        settings,
        models={"encoder": encoder, "reranker": reranker, "device": device},
        search={"k": k, "num_candidates": num_candidates, "candidates": candidates, "rerank": rerank},
    )
    where_filter = parse_where(where or [])
    searcher = load_searcher(index, chosen)
    if query is not None:
        _show(searcher.search(query, where=where_filter), json=json)
        return
    ids, texts = list(asked), [one.text for one in asked.values()]
    for first in range(0, len(ids), _TOGETHER):
        some = slice(first, first + _TOGETHER)
        rankings = searcher.search_many(texts[some], where=where_filter)
        for query_id, ranking in zip(ids[some], rankings, strict=True):
            if not json:
                OUT.rule(f"{query_id}: {ranking.query}", align="left")
            _show(ranking, json=json, query_id=query_id)


def _asked(query: str | None, queries: Path | None) -> Mapping[str, Query]:
    """The queries of the file; none where a query was given by itself. UsageError for both, and for neither."""
    from osler.datasets.beir import read_queries
    from osler.errors import UsageError

    if (query is None) == (queries is None):
        raise UsageError("Give one query, or a file of them: osler search QUERY, or osler search --queries FILE.")
    return read_queries(queries) if queries else {}


def _show(ranking: Ranking, *, json: bool, query_id: str | None = None) -> None:
    """What was found; as JSON with the id of the query, where it is one of many."""
    from osler.cli.printing import print_json, print_notice, print_ranking, ranked_json

    if json:
        of_query = {} if query_id is None else {"query_id": query_id}
        for ranked in ranking.ranked:
            print_json(of_query | ranked_json(ranked))
    else:
        print_ranking(ranking)
    for warning in ranking.warnings:
        print_notice(f"note: {warning}")
    if not (ranking.ranked or ranking.warnings):
        print_notice("No passage matches; loosen the conditions or use other words.")
