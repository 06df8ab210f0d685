"""Stage 1's training: a bi-encoder that puts a query nearer to its passage than to the others of the batch.

Knows the loss and what is written beside the model; knows nothing of mining or of data sets.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.util import cos_sim, dot_score
from torch import nn
from transformers import set_seed

from osler.files import read_json
from osler.models.adapter import Adapter, write_adapter
from osler.models.catalog import resolve
from osler.models.digests import folder_content, weights_digest
from osler.models.export import quiet
from osler.train.examples.example import Example, Relevant
from osler.train.fitting.backbone import lift_cap, load_retriever
from osler.train.fitting.course import Course, counted, dataset_weights
from osler.train.fitting.trainer import Fitted, fit
from osler.train.fitting.tuning import adapt, lora_matrices, merge
from osler.train.own_negatives import OwnNegativesLoss
from osler.train.progress import OnProgress
from osler.train.provenance import library_versions
from osler.train.settings import RecipeSettings, RetrieverSettings
from osler.train.steps import write_json
from osler.train.two_heads import TwoHeadLoss

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
    versions, losses) and, for one tower tuned by LoRA, `adapter.safetensors`.

    A training that was interrupted goes on; one that is complete is not repeated. UsageError where the folder holds
    one with other settings or examples.
    """
    course = _course(examples, valid, recipe, relevant or {})
    report = read_json(folder / _REPORT)
    if report:
        course.require_same(report["digest"], folder)
        return folder / _MODEL
    set_seed(recipe.seed)
    with quiet():
        model = load_retriever(recipe.backbone, recipe.retriever)
    adapt(model, recipe.tuning)
    fitted = fit(model, retriever_loss(model, recipe.retriever), course, folder / _CHECKPOINTS, on_progress=on_progress)
    _save(model, recipe, folder)
    write_json(folder / _REPORT, _report(course, recipe, fitted))
    shutil.rmtree(folder / _CHECKPOINTS)
    return folder / _MODEL


def retriever_loss(model: SentenceTransformer, settings: RetrieverSettings) -> nn.Module:
    """Cross-entropy of the positive among all passages of the batch, over scale * similarity.

    With a token_weight the same of the token vectors is added, so that one backbone can serve both stages; with
    compare = "own" only the query's own negatives count. Gradients are cached only where a batch is larger than a
    mini-batch: caching encodes every text twice.
    """
    if settings.compare == "own" and settings.negatives != "in-batch":
        return OwnNegativesLoss(model, settings)
    options: dict[str, Any] = {"scale": settings.resolved_scale, "similarity_fct": _SIMILARITIES[settings.similarity]}
    if settings.batch <= settings.mini_batch:
        pooled = MultipleNegativesRankingLoss(model, **options)
        weight = settings.token_weight
        return TwoHeadLoss(model, pooled, token_weight=weight) if weight else pooled
    return CachedMultipleNegativesRankingLoss(model, mini_batch_size=settings.mini_batch, **options)


def _course(
    examples: Sequence[Example], valid: Sequence[Example], recipe: RecipeSettings, relevant: Relevant
) -> Course:
    settings = recipe.retriever
    return Course(
        stage="retriever",
        train=examples,
        valid=valid,
        optimiser=settings,
        negatives=0 if settings.negatives == "in-batch" else settings.negatives_per_query,
        weights=dataset_weights(recipe),
        relevant=relevant,
        seed=recipe.seed,
        device=recipe.device,
        settings={
            "backbone": hashlib.sha256(folder_content(resolve(recipe.backbone).folder)).hexdigest(),
            "tuning": recipe.tuning.model_dump(mode="json"),
        },
    )


def _save(model: SentenceTransformer, recipe: RecipeSettings, folder: Path) -> None:
    tuning = recipe.tuning
    folder.mkdir(parents=True, exist_ok=True)
    if tuning.method == "lora" and recipe.retriever.towers == "siamese":
        layers, scale = lora_matrices(model, keep=tuning.keep)
        weights = weights_digest(resolve(recipe.backbone).folder)
        write_adapter(folder / _ADAPTER, Adapter(layers, scale, weights))
    merge(model, keep=tuning.keep)
    lift_cap(model)
    with quiet():
        model.to("cpu").save_pretrained(str(folder / _MODEL), create_model_card=False)


def _report(course: Course, recipe: RecipeSettings, fitted: Fitted) -> dict[str, Any]:
    return {
        "stage": course.stage,
        "digest": course.digest(),
        "settings": {
            "backbone": recipe.backbone,
            "seed": recipe.seed,
            "weights": dict(course.weights),
            "tuning": recipe.tuning.model_dump(mode="json"),
            "retriever": {**recipe.retriever.model_dump(mode="json"), "scale": recipe.retriever.resolved_scale},
        },
        "examples": {"train": counted(course.train), "valid": counted(course.valid)},
        "versions": library_versions(),
        **asdict(fitted),
    }
