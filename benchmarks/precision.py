"""What reading passages in bfloat16 or 8 bits does to dense retrieval: nDCG@10 beside that of fp32.

    python benchmarks/precision.py --data scifact --split train

The whole corpus is split and encoded in each precision that this processor has; 8 bits are calibrated on 256 of its
passages. Queries are read as a search in that precision reads them, and compared with every passage; a document scores
as its best passage. The difference from fp32 is tested in pairs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
from encoding import EXACT, encoders
from passages import passages_of
from quality import MEASURE, difference, values_of

from osler.datasets import Dataset, load_dataset
from osler.evaluate.baselines import best_rows
from osler.evaluate.measures import Scores, document_scores
from osler.evaluate.report import table
from osler.load import DEFAULT_MODEL
from osler.models import load_models
from osler.models.bi_encoder import BiEncoder
from osler.records import Passage

BEST = 200
"""Passages kept of a query: enough for ten documents."""

SLICE = 512
"""Passages encoded between two reports."""


def main() -> None:
    arguments = parser().parse_args()
    dataset = load_dataset(arguments.data, arguments.split)
    model = load_models(arguments.encoder, arguments.encoder).encoder.model
    passages = passages_of(dataset.documents.values(), model)
    runs = {name: dense_run(dataset, passages, encoder) for name, encoder in encoders(passages, arguments.encoder)}
    heading = f"{dataset.name} {dataset.split}: {len(dataset.queries):,} queries, {len(passages):,} passages."
    print("\n".join([heading, "", *report(dataset, runs)]))


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
    values = {name: values_of(dataset, run) for name, run in runs.items()}
    rows = [
        (name, f"{fmean(ours):.4f}", "" if name == EXACT else difference(dataset, ours, values[EXACT]))
        for name, ours in values.items()
    ]
    return table(("precision", MEASURE, f"against {EXACT}, 95%"), rows)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", required=True, help="a data set in BEIR's layout, or builtin:hpo-lay")
    made.add_argument("--split", default="dev", help="the split whose queries are asked")
    made.add_argument("--encoder", default=DEFAULT_MODEL, help="the bi-encoder: a short name, hub name or folder")
    return made


if __name__ == "__main__":
    main()
