"""What token vectors lose and save by fewer bits: quality, bytes a passage, milliseconds a query.

    osler index corpus.jsonl --index scifact-index
    python benchmarks/token_vectors.py --data scifact --split train --index scifact-index

Candidates are those of the index for each query, the same whatever the bits. Their passages are encoded once, in float;
codes of every size are made from these vectors, and every query is scored by the library's own MaxSim. nDCG@10 is that
of the final score, with stage 1's share as the re-ranker was trained for it; its difference from float is tested in
pairs. Milliseconds are medians over queries, for all candidates of a query together, the sizes taking turns.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from time import perf_counter

from osler.config import Settings
from osler.datasets import Dataset, load_dataset
from osler.evaluate.markdown import table
from osler.evaluate.measures import Scores, document_scores, per_query
from osler.evaluate.significance import compare
from osler.late_interaction.codes import OFFSETS, Bits, dequantise, quantise, vector_bytes
from osler.load import load_searcher
from osler.records import Filter, RankedPassage, TokenVectors, Vectors
from osler.search.rerank import encode_by_id, interpolated, maxsim_scores
from osler.search.searcher import Searcher

MEASURE = "nDCG@10"
FLOAT = 32

Candidates = Mapping[str, Sequence[RankedPassage]]
"""By query_id."""

BySize = Mapping[Bits, Mapping[str, TokenVectors]]
"""The token vectors of every candidate by passage_id, for each number of bits."""


def main() -> None:
    arguments = parser().parse_args()
    dataset = load_dataset(arguments.data, arguments.split)
    searcher = load_searcher(arguments.index, Settings(search={"rerank": False}))
    candidates = found(dataset, searcher, arguments.candidates)
    by_size = quantised(candidates, searcher)
    texts = [dataset.queries[query_id].text for query_id in candidates]
    queries = dict(zip(candidates, searcher.reranker.encode_queries(texts), strict=True))
    runs, seconds = scored(candidates, queries, by_size, weight=searcher.settings.stage1_weight or 0.0)
    print(report(dataset, runs, seconds, by_size))


def found(dataset: Dataset, searcher: Searcher, count: int) -> Candidates:
    """The candidates of every query."""
    everything = Filter(include_retracted=True)
    asked = list(dataset.queries.values())
    rankings = searcher.search_many([one.text for one in asked], k=count, where=everything, evidence=False)
    return {one.query_id: ranking.ranked for one, ranking in zip(asked, rankings, strict=True)}


def quantised(candidates: Candidates, searcher: Searcher) -> BySize:
    """Every candidate encoded once, in float, then brought into codes of each size."""
    passages = (one.passage for ranked in candidates.values() for one in ranked)
    floats = encode_by_id(passages, searcher.reranker.with_bits(FLOAT), on_passages=show)
    return {
        bits: {one: quantise(dequantise(vectors), vectors.lengths, bits=bits) for one, vectors in floats.items()}
        for bits in OFFSETS
    }


def show(done: int, of: int) -> None:
    """A line over itself on standard error."""
    sys.stderr.write(f"\r{done:,} of {of:,} passages   ")


def scored(
    candidates: Candidates, queries: Mapping[str, Vectors], by_size: BySize, *, weight: float
) -> tuple[dict[Bits, Scores], dict[Bits, list[float]]]:
    """The final run with each number of bits, and the seconds that MaxSim took for each query."""
    runs: dict[Bits, Scores] = {bits: {} for bits in by_size}
    seconds: dict[Bits, list[float]] = {bits: [] for bits in by_size}
    for query_id, ranked in candidates.items():
        stage1, doc_ids = [one.score for one in ranked], [one.passage.doc_id for one in ranked]
        for bits, vectors in by_size.items():
            of_passage = [vectors[one.passage.passage_id] for one in ranked]
            began = perf_counter()
            maxsim = maxsim_scores(queries[query_id], of_passage)
            seconds[bits].append(perf_counter() - began)
            scores = interpolated(maxsim, stage1, weight=weight)
            runs[bits][query_id] = document_scores(zip(doc_ids, scores, strict=True))
    return runs, seconds


def report(
    dataset: Dataset,
    runs: Mapping[Bits, Scores],
    seconds: Mapping[Bits, Sequence[float]],
    by_size: BySize,
) -> str:
    """A Markdown table, a row for each number of bits."""
    values = {bits: list(per_query(dataset.qrels, run, [MEASURE])[MEASURE].values()) for bits, run in runs.items()}
    rows = []
    for bits, vectors in by_size.items():
        tested = compare({dataset.name: values[bits]}, {dataset.name: values[FLOAT]})
        difference = f"{tested.difference:+.4f} ({tested.low:+.4f} to {tested.high:+.4f})"
        rows.append(
            (
                "float" if bits == FLOAT else f"{bits}",
                f"{fmean(values[bits]):.4f}",
                "" if bits == FLOAT else difference,
                f"{fmean(len(one.codes) * vector_bytes(one.dim, bits) for one in vectors.values()):,.0f}",
                f"{1000 * median(seconds[bits]):.2f}",
            )
        )
    columns = ("bits", MEASURE, "against float, 95%", "bytes a passage", "ms a query")
    heading = f"{dataset.name} {dataset.split}: {len(dataset.queries):,} queries, {len(by_size[FLOAT]):,} passages."
    return "\n".join([heading, "", *table(columns, rows)])


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", required=True, help="a data set in BEIR's layout, or builtin:hpo-lay")
    made.add_argument("--split", default="dev", help="the split whose queries are asked")
    made.add_argument("--index", required=True, help="an index of its corpus")
    made.add_argument("--candidates", type=int, default=100, help="passages that are scored for each query")
    return made


if __name__ == "__main__":
    main()
