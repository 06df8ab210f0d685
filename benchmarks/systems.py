"""What a trained pair of models is compared with, each as nDCG@10 a query. Knows data sets and models, no table.

untrained two-stage: the backbone's own vectors, its 50 best re-ranked by MaxSim over its own token vectors, all
dimensions in float. untrained hybrid: the same vectors with hybrid candidates and a weight of stage 1, as the trained
systems have them, so that what training adds can be told from what fusion adds. All systems search the same corpora.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from osler.config import SearchSettings
from osler.datasets import Dataset
from osler.evaluate.baselines import bm25_run, fused_run
from osler.evaluate.measures import Run, per_query
from osler.files import read_json
from osler.late_interaction.ragged import concatenate, divide
from osler.late_interaction.token_vectors import Compression
from osler.models import ModelPair, load_models
from osler.models.catalog import CATALOG, resolve
from osler.models.colbert import ColBERT
from osler.models.digests import folder_content
from osler.protocols import PassageIndex
from osler.records import Passage, TokenVectors
from osler.train.choices import score_queries
from osler.train.corpora import index_corpus
from osler.train.pipeline import Progress, write_json

NUM_CANDIDATES = 50
MEASURE = "nDCG@10"
Values = dict[str, list[float]]
"""nDCG@10 of each query, in the order of their ids, by system."""


class FloatColBERT(ColBERT):
    """A re-ranker whose passages keep float vectors in place of codes; each is encoded once."""

    def __init__(self, reranker: ColBERT) -> None:
        super().__init__(
            reranker.model, name=reranker.name, fingerprint=reranker.fingerprint, compression=Compression(bits=32)
        )
        self._encoded: dict[str, TokenVectors] = {}

    def encode_passages(self, passages: Sequence[Passage]) -> TokenVectors:
        """The float vectors of each passage."""
        missing = [passage for passage in passages if passage.passage_id not in self._encoded]
        if missing:
            made = divide(super().encode_passages(missing))
            self._encoded |= zip((passage.passage_id for passage in missing), made, strict=True)
        return concatenate([self._encoded[passage.passage_id] for passage in passages])


def baselines(dataset: Dataset, backbone: str, folder: Path) -> Values:
    """BM25, the untrained backbone, their fusion, and both stages of the untrained backbone; computed once."""
    index = place(dataset, folder)
    made_of = [folder_content(resolve(backbone).folder).hex(), dataset.digest, str(NUM_CANDIDATES), *dataset.qrels]
    kept = index.with_name(f"{index.name}.{_digest(made_of)}.json")
    if not kept.is_file():
        write_json(kept, _baselines(dataset, backbone, folder))
    return read_json(kept)


def _baselines(dataset: Dataset, backbone: str, folder: Path) -> Values:
    # named by its folder, a model has all of its dimensions and nothing that was fitted
    source = str(resolve(backbone).folder)
    models = load_models(source, source)
    index = index_corpus(dataset, place(dataset, folder), models, on_progress=show)
    models = ModelPair(models.encoder, FloatColBERT(models.reranker))
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
    dense, lexical = scored.run(1.0), bm25_run(dataset, k=NUM_CANDIDATES)
    runs = {
        "BM25": lexical,
        "zero-shot": dense,
        "fusion of both": fused_run([lexical, dense]),
        "untrained two-stage": scored.run(0.0),
        "untrained hybrid": hybrid.run(CATALOG[backbone].stage1_weight if backbone in CATALOG else 0.0),
    }
    return {name: _values(dataset, run) for name, run in runs.items()}


def trained(dataset: Dataset, models: ModelPair, index: PassageIndex) -> Values:
    """Stage 1 and both stages of a trained pair, with hybrid candidates and the weight that training chose."""
    settings = SearchSettings(num_candidates=NUM_CANDIDATES)
    scored = score_queries(dataset, index, models, settings, on_progress=show)
    weight = models.reranker.card.stage1_weight if models.reranker.card else 0.0
    return {
        "trained stage 1": _values(dataset, scored.run(1.0)),
        "trained two-stage": _values(dataset, scored.run(weight)),
    }


def place(dataset: Dataset, folder: Path) -> Path:
    """Where this very corpus is indexed: another sample of its documents has a place of its own."""
    return folder / f"{dataset.name}-{_digest(dataset.documents)}"


def _digest(ids: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:8]


def show(progress: Progress) -> None:
    """A line over itself on standard error."""
    sys.stderr.write(f"\r{progress.stage}: {progress.step:,} of {progress.steps:,}   ")
    sys.stderr.flush()


def _values(dataset: Dataset, run: Run) -> list[float]:
    values = per_query(dataset.qrels, run, [MEASURE])[MEASURE]
    return [values[query_id] for query_id in sorted(dataset.qrels)]
