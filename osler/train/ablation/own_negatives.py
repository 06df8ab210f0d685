"""A bi-encoder trained on each query's own negatives alone: no other passage of the batch is compared with it.

What random or BM25 negatives do is otherwise hidden by those of the batch, which are random passages too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.util import cos_sim, dot_score, pairwise_cos_sim, pairwise_dot_score
from torch import Tensor, nn
from torch.nn import functional
from transformers import set_seed

from osler.models.tower import quiet
from osler.train.examples.example import Example, Relevant
from osler.train.fitting.backbone import lift_cap, load_retriever
from osler.train.fitting.course import Course, dataset_weights
from osler.train.fitting.trainer import fit
from osler.train.fitting.tuning import adapt, merge
from osler.train.progress import OnProgress
from osler.train.settings import RecipeSettings, RetrieverSettings
from osler.train.steps import write_json


class OwnNegativesLoss(nn.Module):
    """Cross-entropy of the positive among it and the negatives of its own query, over scale * similarity.

    Examples without negatives are compared within the batch: so checkpoints are measured as those of a training with
    in-batch negatives are.
    """

    def __init__(self, model: SentenceTransformer, settings: RetrieverSettings) -> None:
        super().__init__()
        self.model = model
        self.scale = settings.resolved_scale
        cosine = settings.similarity == "cosine"
        self.similarity: Any = pairwise_cos_sim if cosine else pairwise_dot_score
        within: Any = cos_sim if cosine else dot_score
        self.in_batch: Any = MultipleNegativesRankingLoss(model, scale=self.scale, similarity_fct=within)

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """The loss [] of a batch: its queries first, then its positives, then a column of negatives each."""
        vectors = [self.model(dict(features))["sentence_embedding"] for features in sentence_features]
        queries, *passages = vectors
        if len(passages) == 1:
            within: Tensor = self.in_batch.compute_loss_from_embeddings(vectors, labels)
            return within
        scores = torch.stack([self.similarity(queries, column) for column in passages], dim=1)  # [B, 1 + N]
        first = torch.zeros(len(scores), dtype=torch.long, device=scores.device)
        return functional.cross_entropy(self.scale * scores, first)


def train_on_own_negatives(
    examples: Sequence[Example],
    valid: Sequence[Example],
    recipe: RecipeSettings,
    folder: Path,
    *,
    relevant: Relevant | None = None,
    on_progress: OnProgress | None = None,
) -> Path:
    """The folder of the trained bi-encoder below this one; `training.json` beside it holds its losses.

    valid, whose examples have no negatives, chooses the checkpoint. A training that was interrupted goes on.
    """
    settings = recipe.retriever
    course = Course(
        stage="retriever",
        train=examples,
        valid=valid,
        optimiser=settings,
        negatives=settings.negatives_per_query,
        weights=dataset_weights(recipe),
        relevant=relevant or {},
        seed=recipe.seed,
        device=recipe.device,
    )
    set_seed(recipe.seed)
    with quiet():
        model = load_retriever(recipe.backbone, settings)
    adapt(model, recipe.tuning)
    fitted = fit(model, OwnNegativesLoss(model, settings), course, folder / "checkpoints", on_progress=on_progress)
    merge(model, keep=recipe.tuning.keep)
    lift_cap(model)
    with quiet():
        model.to("cpu").save_pretrained(str(folder / "model"), create_model_card=False)
    write_json(folder / "training.json", asdict(fitted))
    return folder / "model"
