"""What can be known to go wrong before anything is trained. Knows settings and files, runs no model."""

from __future__ import annotations

from osler.errors import UsageError
from osler.models.catalog import resolve
from osler.models.digests import read_json
from osler.train.audit import read_exclusions
from osler.train.mining import check_window
from osler.train.settings import RecipeSettings
from osler.train.teacher import ENSEMBLE


def check_recipe(recipe: RecipeSettings) -> None:
    """Return where every step can run with these settings.

    UsageError for settings that do not go together, ModelError for a model that is not there, CorpusError for
    exclusions that cannot be read.
    """
    check_window(recipe.mining)
    if recipe.mining.exclusions:
        read_exclusions(recipe.mining.exclusions)
    if recipe.encoder:
        resolve(recipe.encoder)
    if recipe.reranker.distill_epochs and recipe.reranker.teacher != ENSEMBLE:
        resolve(recipe.reranker.teacher)
    if recipe.retriever.towers == "asymmetric" and recipe.reranker.start == "retriever":
        raise UsageError(
            "reranker.start = 'retriever' needs one encoder, and retriever.towers = 'asymmetric' makes two: "
            "start from the backbone, or train one tower."
        )
    _check_width(recipe)


def _check_width(recipe: RecipeSettings) -> None:
    width = read_json(resolve(recipe.backbone).folder / "config.json").get("hidden_size")
    if width and recipe.reranker.dim > width:
        raise UsageError(f"reranker.dim = {recipe.reranker.dim} is more than the backbone's {width}: lower it.")
