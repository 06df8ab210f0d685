"""What a trained pair of models is compared with, each as nDCG@10 a query. Knows data sets and models, no table.

untrained two-stage: the backbone's own vectors, its 50 best re-ranked by MaxSim over its own token vectors, all
dimensions (int8 codes of them). untrained hybrid: the same vectors with hybrid candidates and a weight of stage 1, as
the trained systems have them, so that what training adds can be told from what fusion adds. All systems search the same
corpora.
"""

from __future__ import annotations

import sys
from pathlib import Path

from osler.config import SearchSettings
from osler.datasets import Dataset
from osler.evaluate.baselines import bm25_run, fused_run
from osler.evaluate.measures import Run, per_query
from osler.models import ModelPair, load_models
from osler.models.catalog import CATALOG, resolve
from osler.train.corpora import index_corpus
from osler.train.dev import score_queries
from osler.train.progress import Progress

NUM_CANDIDATES = 50
MEASURE = "nDCG@10"
Values = dict[str, list[float]]
"""nDCG@10 of each query, in the order of their ids, by system."""


def baselines(dataset: Dataset, backbone: str, folder: Path) -> Values:
    """BM25, the untrained backbone, their fusion, and both stages of the untrained backbone."""
    # named by its folder, a model has all of its dimensions and nothing that was fitted
    source = str(resolve(backbone).folder)
    models = load_models(source, source)
    index = _indexed(dataset, folder, models)
    scored, hybrid = (
        score_queries(
            dataset,
            index,
            models,
            SearchSettings(candidates=candidates, num_candidates=NUM_CANDIDATES),
            on_progress=show,
        )
        for candidates in ("dense", "hybrid")
    )
    dense, lexical = scored.run(1.0), bm25_run(dataset)
    runs = {
        "BM25": lexical,
        "zero-shot": dense,
        "fusion of both": fused_run([lexical, dense]),
        "untrained two-stage": scored.run(0.0),
        "untrained hybrid": hybrid.run(CATALOG[backbone].stage1_weight if backbone in CATALOG else 0.0),
    }
    return {name: _values(dataset, run) for name, run in runs.items()}


def trained(dataset: Dataset, models: ModelPair, folder: Path) -> Values:
    """Stage 1 and both stages of a trained pair, with hybrid candidates and the weight that training chose."""
    settings = SearchSettings(num_candidates=NUM_CANDIDATES)
    scored = score_queries(dataset, _indexed(dataset, folder, models), models, settings, on_progress=show)
    weight = models.reranker.facts.stage1_weight if models.reranker.facts else 0.0
    return {
        "trained stage 1": _values(dataset, scored.run(1.0)),
        "trained two-stage": _values(dataset, scored.run(weight)),
    }


def show(progress: Progress) -> None:
    """A line over itself on standard error."""
    sys.stderr.write(f"\r{progress.stage}: {progress.step:,} of {progress.steps:,}   ")
    sys.stderr.flush()


def _indexed(dataset: Dataset, folder: Path, models: ModelPair):
    return index_corpus(dataset, folder / dataset.name, models, on_progress=show)


def _values(dataset: Dataset, run: Run) -> list[float]:
    values = per_query(dataset.qrels, run, [MEASURE])[MEASURE]
    return [values[query_id] for query_id in sorted(dataset.qrels)]
