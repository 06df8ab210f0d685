"""Cells become models: the settings of each, and its training. Knows no corpus and no measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osler.evaluate.ablation.cells import Cell
from osler.files import read_json
from osler.train.examples.example import Example, Relevant
from osler.train.progress import OnProgress
from osler.train.reranker.training import train_reranker
from osler.train.retriever import train_retriever
from osler.train.settings import RecipeSettings

_REPORT = "training.json"


@dataclass(frozen=True, slots=True)
class Trained:
    """The folder of a model, and how it was made: settings, examples, steps, the step of the checkpoint taken."""

    model: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a model learns from (train) and chooses its checkpoint with (valid), and the known positives."""

    train: Sequence[Example]
    valid: Sequence[Example]
    relevant: Relevant


def cell_recipe(recipe: RecipeSettings, cell: Cell, seed: int) -> RecipeSettings:
    """The recipe of a retriever cell, or of a re-ranker's, under this seed; the similarity brings its own scale."""
    if cell.stage == "re-ranker":
        return recipe.model_copy(update={"seed": seed})
    compare = "batch" if cell.negatives == "in-batch" else "own"
    changes = {"negatives": cell.negatives, "compare": compare, "similarity": cell.similarity, "towers": cell.towers}
    return recipe.model_copy(update={"seed": seed, "retriever": recipe.retriever.model_copy(update=changes)})


def fit_retriever(recipe: RecipeSettings, lesson: Lesson, folder: Path, on_progress: OnProgress) -> Trained:
    """The retriever of this recipe: within the batch, or by the examples' own negatives."""
    model = train_retriever(
        lesson.train, lesson.valid, recipe, folder, relevant=lesson.relevant, on_progress=on_progress
    )
    fitted = read_json(folder / _REPORT)
    settings = {**recipe.retriever.model_dump(mode="json"), "scale": recipe.retriever.resolved_scale}
    return Trained(str(model), {"retriever": settings, **_made(recipe, lesson, fitted)})


def fit_reranker(recipe: RecipeSettings, lesson: Lesson, folder: Path, on_progress: OnProgress) -> Trained:
    """The re-ranker of this recipe, on the negatives of the examples."""
    model = train_reranker(
        lesson.train, lesson.valid, recipe, folder, relevant=lesson.relevant, on_progress=on_progress
    )
    fitted = read_json(folder / _REPORT)["phases"]["contrastive"]
    return Trained(str(model), {"reranker": recipe.reranker.model_dump(mode="json"), **_made(recipe, lesson, fitted)})


def _made(recipe: RecipeSettings, lesson: Lesson, fitted: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tuning": recipe.tuning.model_dump(mode="json"),
        "seed": recipe.seed,
        "examples": len(lesson.train),
        "steps": fitted["steps"],
        "best_step": fitted["best_step"],
    }
