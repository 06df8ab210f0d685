"""Stage 2's training: a ColBERT on the retriever's own errors, then on a teacher's scores.

Knows the losses and their order; knows nothing of mining, of data sets, or of the files beside a model.

Training sums MaxSim over the tokens of a query where search takes the mean: per query the order is the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder.losses import (
    CachedMultiVectorMultipleNegativesRankingLoss,
    MultiVectorDistillKLDivLoss,
    MultiVectorMultipleNegativesRankingLoss,
)
from torch import nn
from transformers import set_seed

from osler.files import read_json
from osler.models.catalog import resolve
from osler.models.digests import folder_content
from osler.train.examples.example import Example, Relevant
from osler.train.examples.lines import read_examples, write_examples
from osler.train.fitting.course import Course, counted, dataset_weights, examples_digest
from osler.train.fitting.trainer import fit
from osler.train.fitting.tuning import adapt
from osler.train.progress import OnProgress
from osler.train.provenance import library_versions
from osler.train.reranker.colbert import colbert_model, token_head
from osler.train.reranker.files import MODEL_FOLDER, save_reranker
from osler.train.reranker.pseudo_queries import UNLABELLED
from osler.train.reranker.teacher import with_teacher
from osler.train.reranker.valid_ranking import candidates_ndcg
from osler.train.settings import RecipeSettings, RerankerSettings
from osler.train.steps import write_json

_REPORT, _CHECKPOINTS = "training.json", "checkpoints"
_SMALLEST_BATCH: Final = 2

Teach = Callable[[Sequence[Example]], list[Example]]
"""From examples to the same ones with teacher scores."""


def train_reranker(
    examples: Sequence[Example],
    valid: Sequence[Example],
    recipe: RecipeSettings,
    folder: Path,
    *,
    relevant: Relevant | None = None,
    on_progress: OnProgress | None = None,
) -> Path:
    """The folder of the trained ColBERT, as sentence-transformers saves it, below this one.

    Learns from each example's positive against its negatives and the passages of its batch; then, where
    `recipe.reranker.distill_epochs` says so, from a teacher's scores of an example's own passages. Examples of the
    data set `pseudo_queries.UNLABELLED` are for this second phase only. valid chooses the checkpoint of each phase,
    its start included. Beside the model lie `training.json` (settings, digests, versions, losses, nDCG@10 among the
    mined candidates of valid) and, with LoRA, `adapter.safetensors`; in it `osler.json`, which loading checks.

    A training that was interrupted goes on, in either phase; one that is complete is not repeated. UsageError where
    the folder holds one with other settings or examples, or there is nothing to learn from.
    """
    course = _course(examples, valid, recipe, relevant or {})
    if report := read_json(folder / _REPORT):
        course.require_same(report["digest"], folder)
        return folder / MODEL_FOLDER
    labelled = _labelled(examples)
    passages = [passage.text for example in labelled for passage in (example.positive, *example.negatives)]
    model = colbert_model(recipe, queries=[example.query for example in (*examples, *valid)], passages=passages)
    _start_as_before(model, folder / _CHECKPOINTS / f"start-{course.digest()[:16]}.safetensors")
    set_seed(recipe.seed)
    adapt(model, recipe.reranker_tuning)
    outcome: dict[str, Any] = {"start": {"nDCG@10": candidates_ndcg(model, valid, seed=recipe.seed)}}
    teach = partial(with_teacher, settings=recipe.reranker, backbone=recipe.backbone, device=recipe.device)
    for phase, loss in _phases(model, course, recipe.reranker, partial(_taught, teach, folder / _CHECKPOINTS)):
        fitted = fit(model, loss, phase, folder / _CHECKPOINTS / phase.stage, on_progress=on_progress)
        outcome[phase.stage] = {**asdict(fitted), "nDCG@10": candidates_ndcg(model, valid, seed=recipe.seed)}
    save_reranker(model, recipe, folder, passages=passages)
    if (
        recipe.reranker_tuning.keep < 1 or recipe.reranker.final_dim
    ):  # what is saved is not what the last phase ended with
        outcome["kept"] = {"nDCG@10": candidates_ndcg(model, valid, seed=recipe.seed)}
    write_json(folder / _REPORT, {**_report(course, recipe), "phases": outcome})
    shutil.rmtree(folder / _CHECKPOINTS)
    return folder / MODEL_FOLDER


def contrastive_loss(model: MultiVectorEncoder, settings: RerankerSettings) -> nn.Module:
    """Cross-entropy of the positive among all passages of the batch, over scale * summed MaxSim.

    Gradients are cached only where a batch is larger than a mini-batch: caching encodes every text twice.
    """
    if settings.batch <= settings.mini_batch:
        return MultiVectorMultipleNegativesRankingLoss(model, scale=settings.scale)
    return CachedMultiVectorMultipleNegativesRankingLoss(
        model, scale=settings.scale, mini_batch_size=settings.mini_batch
    )


def distillation_loss(model: MultiVectorEncoder, settings: RerankerSettings) -> nn.Module:
    """Kullback-Leibler divergence of the model's distribution over an example's passages from the teacher's."""
    return MultiVectorDistillKLDivLoss(model, temperature=settings.temperature, mini_batch_size=settings.mini_batch)


def _start_as_before(model: MultiVectorEncoder, path: Path) -> None:
    """Let the projection start from what the file holds, in place; where there is none, write it.

    Principal components that are computed again differ in their last digits on another number of threads.
    """
    head = token_head(model)
    if path.is_file():
        head.load_state_dict(load_file(path))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    save_file(head.state_dict(), unfinished)
    unfinished.replace(path)


def _phases(
    model: MultiVectorEncoder, course: Course, settings: RerankerSettings, teach: Teach
) -> Iterator[tuple[Course, nn.Module]]:
    """What is learned one after the other, each with its loss; the teacher is asked only when its turn has come."""
    yield replace(course, stage="contrastive", train=_labelled(course.train)), contrastive_loss(model, settings)
    if not settings.distill_epochs:
        return
    taught = teach([*course.train, *course.valid])
    # Of an example only its own passages are compared, so a batch need be no larger than memory allows.
    batch = max(_SMALLEST_BATCH, min(settings.batch, settings.mini_batch))
    distillation = replace(
        course,
        stage="distillation",
        train=taught[: len(course.train)],
        valid=taught[len(course.train) :],
        teacher=True,
        optimiser=settings.model_copy(update={"epochs": settings.distill_epochs, "batch": batch}),
    )
    yield distillation, distillation_loss(model, settings)


def _taught(teach: Teach, folder: Path, examples: Sequence[Example]) -> list[Example]:
    """The examples with teacher scores, kept in a file of the folder.

    A run that is taken up again must not see scores that differ in their last digit.
    """
    path = folder / f"taught-{examples_digest(examples)[:16]}.jsonl"
    if not path.is_file():
        write_examples(path, teach(examples))
    return read_examples(path)


def _labelled(examples: Sequence[Example]) -> list[Example]:
    return [example for example in examples if example.dataset != UNLABELLED]


def _course(
    examples: Sequence[Example], valid: Sequence[Example], recipe: RecipeSettings, relevant: Relevant
) -> Course:
    return Course(
        stage="reranker",
        train=examples,
        valid=valid,
        optimiser=recipe.reranker,
        negatives=recipe.reranker.negatives,
        weights=dataset_weights(recipe),
        relevant=relevant,
        seed=recipe.seed,
        device=recipe.device,
        settings={
            "backbone": sha256(folder_content(resolve(recipe.backbone).folder)).hexdigest(),
            "tuning": recipe.reranker_tuning.model_dump(mode="json"),
        },
    )


def _report(course: Course, recipe: RecipeSettings) -> dict[str, Any]:
    return {
        "stage": course.stage,
        "digest": course.digest(),
        "settings": {
            "backbone": recipe.backbone,
            "seed": recipe.seed,
            "weights": dict(course.weights),
            "tuning": recipe.reranker_tuning.model_dump(mode="json"),
            "reranker": recipe.reranker.model_dump(mode="json"),
        },
        "examples": {"train": counted(course.train), "valid": counted(course.valid)},
        "versions": library_versions(),
    }
