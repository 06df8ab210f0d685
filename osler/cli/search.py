"""`osler search`: a query to ranked passages."""

from __future__ import annotations

from typing import Annotated

import typer

from osler.cli import options


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to search for.")],
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
    """
    from osler.cli.printing import print_json, print_notice, print_ranking, ranked_json
    from osler.load import load_searcher
    from osler.search.where import parse_where

    chosen = options.settings_from(
        settings,
        models={"encoder": encoder, "reranker": reranker, "device": device},
        search={"k": k, "num_candidates": num_candidates, "candidates": candidates, "rerank": rerank},
    )
    where_filter = parse_where(where or [])
    ranking = load_searcher(index, chosen).search(query, where=where_filter)
    if json:
        for ranked in ranking.ranked:
            print_json(ranked_json(ranked))
    else:
        print_ranking(ranking)
    if not ranking.ranked:
        print_notice("No passage matches; loosen the conditions or use other words.")
