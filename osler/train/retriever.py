"""Stage 1's training: a bi-encoder that puts a query nearer to its passage than to the others of the batch.

Knows the loss and what is written beside the model; knows nothing of mining or of data sets.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.multi_vector_encoder.scoring import colbert_scores
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.util import cos_sim, dot_score, pairwise_cos_sim, pairwise_dot_score
from sentence_transformers.util.tensor import stack_padded_token_embeddings
from torch import Tensor, nn
from torch.nn import functional
from transformers import set_seed

from osler.files import read_json
from osler.models.adapter import Adapter, write_adapter
from osler.models.catalog import resolve
from osler.models.digests import weights_digest
from osler.models.export import quiet
from osler.train.data import Example, Relevant
from osler.train.fitting.backbone import adapt, lift_cap, load_retriever, lora_matrices, merge
from osler.train.fitting.plan import training_plan
from osler.train.fitting.trainer import fit
from osler.train.pipeline import OnProgress, write_json
from osler.train.settings import RecipeSettings, RetrieverSettings

Features = dict[str, Tensor]
_MODEL, _ADAPTER, _REPORT, _CHECKPOINTS = "model", "adapter.safetensors", "training.json", "checkpoints"
_SIMILARITIES: Final = {"cosine": cos_sim, "dot": dot_score}


def train_retriever(
    examples: Sequence[Example],
    valid: Sequence[Example],
    recipe: RecipeSettings,
    folder: Path,
    *,
    relevant: Relevant | None = None,
    on_progress: OnProgress | None = None,
) -> Path:
    """The folder of the trained bi-encoder, as sentence-transformers saves it, below this one.

    Learns from each example's positive against those of its batch, and against its own negatives where
    recipe.retriever.negatives is not `in-batch`. valid chooses the checkpoint. relevant: known positives beside those
    of the examples, which no batch may take for negatives. Beside the model lie `training.json` (settings, digests,
    versions, losses) and, for one encoder tuned by LoRA, `adapter.safetensors`.

    A training that was interrupted goes on; one that is complete is not repeated. UsageError where the folder holds
    one with other settings or examples.
    """
    negatives = 0 if recipe.retriever.negatives == "in-batch" else 1
    plan = training_plan("retriever", examples, valid, recipe, negatives=negatives, relevant=relevant or {})
    report = read_json(folder / _REPORT)
    if report:
        plan.require_same(report["digest"], folder)
        return folder / _MODEL
    set_seed(recipe.seed)
    with quiet():
        model = load_retriever(recipe.backbone, recipe.retriever)
    adapt(model, recipe.tuning)
    fitted = fit(model, retriever_loss(model, recipe.retriever), plan, folder / _CHECKPOINTS, on_progress=on_progress)
    _save(model, recipe, folder)
    write_json(folder / _REPORT, {**plan.report(recipe), **asdict(fitted)})
    shutil.rmtree(folder / _CHECKPOINTS)
    return folder / _MODEL


def retriever_loss(model: SentenceTransformer, settings: RetrieverSettings) -> nn.Module:
    """Cross-entropy of the positive among all passages of the batch, over scale * similarity.

    With a token_weight the same of the token vectors is added, so that one backbone can serve both stages; without
    in_batch_negatives only the query's own negatives count. Gradients are cached only where a batch is larger than a
    mini-batch: caching encodes every text twice.
    """
    if not settings.in_batch_negatives and settings.negatives != "in-batch":
        return ExplicitNegativesLoss(model, settings)
    options: dict[str, Any] = {"scale": settings.resolved_scale, "similarity_fct": _SIMILARITIES[settings.similarity]}
    if settings.batch <= settings.mini_batch:
        pooled = MultipleNegativesRankingLoss(model, **options)
        weight = settings.token_weight
        return TwoHeadLoss(model, pooled, token_weight=weight) if weight else pooled
    return CachedMultipleNegativesRankingLoss(model, mini_batch_size=settings.mini_batch, **options)


def _save(model: SentenceTransformer, recipe: RecipeSettings, folder: Path) -> None:
    tuning = recipe.tuning
    folder.mkdir(parents=True, exist_ok=True)
    if tuning.method == "lora" and not recipe.retriever.separate_encoders:
        layers, scale = lora_matrices(model, keep=tuning.keep)
        weights = weights_digest(resolve(recipe.backbone).folder)
        write_adapter(folder / _ADAPTER, Adapter(layers, scale, weights))
    merge(model, keep=tuning.keep)
    lift_cap(model)
    with quiet():
        model.to("cpu").save_pretrained(str(folder / _MODEL), create_model_card=False)


class ExplicitNegativesLoss(nn.Module):
    """Cross-entropy of the positive among it and the negatives of its own query, over scale * similarity.

    What random or BM25 negatives do is otherwise hidden by those of the batch, which are random passages too. Examples
    without negatives are compared within the batch: so checkpoints are measured as those of a training with in-batch
    negatives are.
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
        positives = torch.zeros(len(scores), dtype=torch.long, device=scores.device)  # in the first column
        return functional.cross_entropy(self.scale * scores, positives)


class TwoHeadLoss(nn.Module):
    """A loss of pooled vectors + token_weight * the cross-entropy of the positive by summed MaxSim, in one pass.

    Both compare a query with every passage of the batch. Token vectors are the backbone's own, of unit length; each
    token counts, [CLS] and [SEP] too, as in a search without a trained head. pooled: a loss of sentence-transformers
    that can be computed from embeddings.
    """

    def __init__(self, model: SentenceTransformer, pooled: Any, *, token_weight: float) -> None:
        super().__init__()
        self.model = model
        self.pooled = pooled
        self.token_weight = token_weight

    def forward(self, sentence_features: Iterable[Features], labels: Tensor) -> Tensor:
        """The loss [] of a batch: its queries first, then its positives, then a column of negatives each."""
        outputs = [self.model(dict(features)) for features in sentence_features]
        pooled: Tensor = self.pooled.compute_loss_from_embeddings(
            [output["sentence_embedding"] for output in outputs], labels
        )
        return pooled + self.token_weight * token_loss(outputs)


def token_loss(outputs: list[Features]) -> Tensor:
    """The cross-entropy [] of each query's first passage among all, over summed MaxSim at scale 1."""
    (queries, query_mask), *passages = [
        (functional.normalize(output["token_embeddings"], dim=-1), output["attention_mask"].bool())
        for output in outputs
    ]
    stacked, mask = stack_padded_token_embeddings(*map(list, zip(*passages, strict=True)))  # [B, N, T, d]
    scores = colbert_scores(queries, stacked, queries_mask=query_mask, documents_mask=mask)  # [B, B * N]
    positives = torch.arange(len(scores), device=scores.device) * len(passages)
    return functional.cross_entropy(scores, positives)
