"""What reading passages in bfloat16 or 8 bits does to dense retrieval: nDCG@10 beside that of fp32.

    python benchmarks/precision.py --data scifact --split train

The whole corpus is split and encoded in each precision that this processor has; 8 bits are calibrated on its first
passages, as `osler index --precision int8` does. Queries are read as a search in that precision reads them, and
compared with every passage; a document scores as its best passage. The difference from fp32 is tested in pairs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np
from encoding import PRECISIONS, encoders

from osler.config import SplitSettings
from osler.corpus.split import split
from osler.datasets import Dataset, load_dataset
from osler.evaluate.dense import best_rows
from osler.evaluate.markdown import table
from osler.evaluate.measures import Scores, document_scores, per_query
from osler.evaluate.significance import compare
from osler.load import DEFAULT_MODEL
from osler.models import load_models
from osler.models.bi_encoder import BiEncoder
from osler.records import Passage

MEASURE = "nDCG@10"
EXACT = PRECISIONS[0]
BEST = 200
"""Passages kept of a query: enough for ten documents."""

SLICE = 512
"""Passages encoded between two reports."""


def main() -> None:
    arguments = parser().parse_args()
    dataset = load_dataset(arguments.data, arguments.split)
    passages = list(split_corpus(dataset, arguments.encoder))
    runs = {name: dense_run(dataset, passages, encoder) for name, encoder in encoders(passages, arguments.encoder)}
    heading = f"{dataset.name} {dataset.split}: {len(dataset.queries):,} queries, {len(passages):,} passages."
    print("\n".join([heading, "", *report(dataset, runs)]))


def split_corpus(dataset: Dataset, encoder: str) -> Iterator[Passage]:
    """The passages that an index of the corpus would hold."""
    count_tokens = load_models(encoder, encoder).encoder.model.count_tokens
    for document in dataset.documents.values():
        yield from split(document, count_tokens=count_tokens, max_tokens=SplitSettings().max_tokens)


def dense_run(dataset: Dataset, passages: Sequence[Passage], encoder: BiEncoder) -> Scores:
    """The documents of the passages nearest to each query."""
    parts = []
    for first in range(0, len(passages), SLICE):
        parts.append(encoder.encode_passages(passages[first : first + SLICE]))
        sys.stderr.write(f"\r{first:,} of {len(passages):,} passages   ")
    vectors = np.concatenate(parts)
    queries = encoder.encode_queries([query.text for query in dataset.queries.values()])
    run: Scores = {}
    for query_id, query in zip(dataset.queries, queries, strict=True):
        scores = vectors @ query
        run[query_id] = document_scores((passages[row].doc_id, float(scores[row])) for row in best_rows(scores, BEST))
    return run


def report(dataset: Dataset, runs: Mapping[str, Scores]) -> list[str]:
    """A Markdown table, a row for each precision."""
    values = {name: list(per_query(dataset.qrels, run, [MEASURE])[MEASURE].values()) for name, run in runs.items()}
    rows = []
    for name, ours in values.items():
        tested = compare({dataset.name: ours}, {dataset.name: values[EXACT]})
        difference = f"{tested.difference:+.4f} ({tested.low:+.4f} to {tested.high:+.4f})"
        rows.append((name, f"{fmean(ours):.4f}", "" if name == EXACT else difference))
    return table(("precision", MEASURE, f"against {EXACT}, 95%"), rows)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", required=True, help="a data set in BEIR's layout, or builtin:hpo-lay")
    made.add_argument("--split", default="dev", help="the split whose queries are asked")
    made.add_argument("--encoder", default=DEFAULT_MODEL, help="the bi-encoder: a short name, hub name or folder")
    return made


if __name__ == "__main__":
    main()
