"""What can be known to go wrong before anything is trained. Knows settings, files and the backbone; runs no model."""

from __future__ import annotations

from torch import nn

from osler.errors import UsageError
from osler.models.catalog import resolve
from osler.train.fitting.backbone import load_transformer
from osler.train.fitting.trainer import require_device
from osler.train.fitting.tuning import target_layers
from osler.train.mining.audit import read_exclusions
from osler.train.reranker.colbert import EVERY_POSITION, check_fit
from osler.train.settings import RecipeSettings, RetrieverSettings, TuningSettings


def check_recipe(recipe: RecipeSettings) -> None:
    """Return where every step can run with these settings.

    UsageError for settings that do not go together or do not fit the backbone, ModelError for a model that is not
    there, CorpusError for exclusions that cannot be read.
    """
    require_device(recipe.device)
    if recipe.mining.exclusions:
        read_exclusions(recipe.mining.exclusions)
    _check_start(recipe)
    _check_token_weight(recipe.retriever)
    _check_comparison(recipe.retriever)

    _check_backbones(recipe)


def _check_start(recipe: RecipeSettings) -> None:
    if recipe.retriever.towers == "asymmetric" and recipe.reranker.start == "retriever":
        raise UsageError(
            "reranker.start = 'retriever' needs one encoder, and retriever.towers = 'asymmetric' makes two: "
            "start from the backbone, or train one tower."
        )


def _check_token_weight(retriever: RetrieverSettings) -> None:
    if not retriever.token_weight:
        return
    if retriever.towers == "asymmetric":
        raise UsageError("retriever.token_weight needs one encoder for both sides: train one tower, or set it to 0.")
    if retriever.batch > retriever.mini_batch:
        raise UsageError(
            f"retriever.token_weight needs the whole batch at once: set retriever.mini_batch to {retriever.batch}, "
            "or token_weight to 0."
        )


def _check_comparison(retriever: RetrieverSettings) -> None:
    if retriever.compare == "batch":
        return
    if retriever.negatives == "in-batch":
        raise UsageError(
            "retriever.compare = 'own' needs negatives of its own for every query: set retriever.negatives to random, "
            "bm25 or mined, or compare within the batch."
        )
    if retriever.token_weight or retriever.batch > retriever.mini_batch:
        raise UsageError(
            "retriever.compare = 'own' caches no gradients and knows one head: set retriever.mini_batch to "
            f"{retriever.batch} and retriever.token_weight to 0, or compare within the batch."
        )


def _check_backbones(recipe: RecipeSettings) -> None:
    """Those of both trainings: the re-ranker's may be a retriever that the recipe names."""
    second = recipe.encoder if recipe.encoder and recipe.reranker.start == "retriever" else recipe.backbone
    transformer = load_transformer(second, max_tokens=EVERY_POSITION)
    check_fit(transformer, recipe, name=second)
    _check_targets(transformer.auto_model, recipe.reranker_tuning)
    if recipe.encoder:
        resolve(recipe.encoder)
    else:  # a retriever is trained, on the same backbone
        _check_targets(transformer.auto_model, recipe.tuning)


def _check_targets(backbone: nn.Module, tuning: TuningSettings) -> None:
    if tuning.method == "lora":
        target_layers(backbone, tuning.targets)
