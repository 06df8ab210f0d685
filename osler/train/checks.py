"""What can be known to go wrong before anything is trained. Knows settings, files and the backbone; runs no model."""

from __future__ import annotations

from osler.errors import UsageError
from osler.models.catalog import resolve
from osler.train.fitting.backbone import load_transformer
from osler.train.fitting.trainer import require_device
from osler.train.fitting.tuning import target_layers
from osler.train.mining.audit import read_exclusions
from osler.train.reranker.colbert import EVERY_POSITION, check_fit
from osler.train.settings import RecipeSettings, RetrieverSettings


def check_recipe(recipe: RecipeSettings) -> None:
    """Return where every step can run with these settings.

    UsageError for settings that do not go together or do not fit the backbone, ModelError for a model that is not
    there, CorpusError for exclusions that cannot be read.
    """
    require_device(recipe.device)
    if recipe.mining.exclusions:
        read_exclusions(recipe.mining.exclusions)
    if recipe.retriever.separate_encoders and recipe.reranker.start == "retriever":
        raise UsageError(
            "reranker.start = 'retriever' needs one encoder, and retriever.separate_encoders makes two: "
            "start from the backbone, or train one encoder."
        )
    _check_loss(recipe.retriever)
    # The re-ranker's backbone may be a retriever that the recipe names.
    second = recipe.encoder if recipe.encoder and recipe.reranker.start == "retriever" else recipe.backbone
    transformer = load_transformer(second, max_tokens=EVERY_POSITION)
    check_fit(transformer, recipe, name=second)
    tunings = [recipe.reranker_tuning]
    if recipe.encoder:
        resolve(recipe.encoder)
    else:  # a retriever is trained, on the same backbone
        tunings.append(recipe.tuning)
    for tuning in tunings:
        if tuning.method == "lora":
            target_layers(transformer.auto_model, tuning.targets)


def _check_loss(retriever: RetrieverSettings) -> None:
    """UsageError for a loss that needs another model, other negatives or a larger mini-batch."""
    whole_batch = retriever.batch <= retriever.mini_batch
    if retriever.token_weight and retriever.separate_encoders:
        raise UsageError("retriever.token_weight needs one encoder for both sides: train one, or set it to 0.")
    if retriever.token_weight and not whole_batch:
        raise UsageError(
            f"retriever.token_weight needs the whole batch at once: set retriever.mini_batch to {retriever.batch}, "
            "or token_weight to 0."
        )
    if retriever.in_batch_negatives:
        return
    if retriever.negatives == "in-batch":
        raise UsageError(
            "retriever.in_batch_negatives = false needs negatives of its own for every query: "
            "set retriever.negatives to random, bm25 or mined, or compare within the batch."
        )
    if retriever.token_weight or not whole_batch:
        raise UsageError(
            "retriever.in_batch_negatives = false caches no gradients and knows one head: set retriever.mini_batch to "
            f"{retriever.batch} and retriever.token_weight to 0, or compare within the batch."
        )
