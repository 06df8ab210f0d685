"""Fits a model to a course: the one call that the stages of training share. Knows no retrieval task.

sentence-transformers' trainers and losses do the work; batches.py, checkpoints.py and resumable.py add what they lack.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from sentence_transformers.base.model import BaseModel
from sentence_transformers.base.modules import Router
from torch import nn

from osler.errors import UsageError, require
from osler.models.catalog import role_prompts
from osler.train.fitting.checkpoints import Checkpoints
from osler.train.fitting.course import QUERY, Course
from osler.train.fitting.resumable import VALID_LOSS, Report, trainer_class
from osler.train.progress import OnProgress


@dataclass(frozen=True, slots=True)
class CheckpointLoss:
    """The loss on valid at a step, and the mean on the batches since the checkpoint before; None at the start."""

    step: int
    train: float | None
    valid: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """How a training went; the model has the weights of best_step: 0 where nothing was better than the start."""

    steps: int
    best_step: int
    losses: tuple[CheckpointLoss, ...]


def fit(
    model: BaseModel, loss: nn.Module, course: Course, folder: Path, *, on_progress: OnProgress | None = None
) -> Fitted:
    """Train the model (see `tuning.adapt`) with this loss, in place, up to the checkpoint that is best on valid.

    folder: for checkpoints. Where it holds some of this very course, training goes on from the newest one, with the
    batches that it would have had. UsageError where they are of another course, or the course has no examples.
    """
    require("accelerate", extra="train")
    require("datasets", extra="train")
    require_device(course.device)
    batches, valid = course.train_batches(), course.valid_batches()
    checkpoints = Checkpoints(folder, _digest(model, course))
    arguments = _arguments(model, course, steps=len(batches), folder=folder)
    trainer = trainer_class(model)(model=model, args=arguments, loss=loss)
    trainer.prepare(batches, valid, checkpoints)
    if on_progress:
        trainer.add_callback(Report(course.stage, course.optimiser.batch, on_progress))
    newest = checkpoints.steps[-1:]
    trainer.train(resume_from_checkpoint=str(checkpoints.path(newest[0])) if newest else None)
    fitted = Fitted(len(batches), trainer.state.best_global_step or 0, _losses(trainer.state.log_history))
    trainer.restore(fitted.best_step)
    model.zero_grad(set_to_none=True)
    model.eval()
    return fitted


def require_device(device: str) -> None:
    """Return where torch can train there; UsageError where it finds no GPU."""
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("device = 'cuda' is not possible: torch finds no GPU here; use --device cpu.")


def _digest(model: nn.Module, course: Course) -> str:
    """Equal for the same course from the same weights."""
    digest = hashlib.sha256(course.digest().encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _arguments(model: nn.Module, course: Course, *, steps: int, folder: Path) -> Any:
    optimiser = course.optimiser
    arguments = trainer_class(model).training_args_class(
        output_dir=str(folder),
        seed=course.seed,
        max_steps=steps,
        per_device_train_batch_size=optimiser.batch,
        learning_rate=optimiser.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=optimiser.warmup_share,
        save_steps=optimiser.checkpoint_steps,
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
        use_cpu=course.device == "cpu",
        bf16=course.device == "cuda" or _multiplies_in_bfloat16(),
        prompts=_prompts(model, course),
        router_mapping=_routes(model, course),
    )
    # On a machine with several GPUs the trainer would divide each batch among them, and with it the negatives.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def _multiplies_in_bfloat16() -> bool:
    """Whether this processor does so by itself; one that has to imitate it is slower in bfloat16 than in float32."""
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # torch has it since 2.10 or so
    return any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16"))


def _prompts(model: Any, course: Course) -> dict[str, str]:
    """What the model puts before the texts of each column: the trainers add no prompts by themselves."""
    query, passage = role_prompts(model.prompts)
    return {column: passage if column != QUERY else query for column in course.text_columns}


def _routes(model: nn.Module, course: Course) -> dict[str, str]:
    if not any(isinstance(module, Router) for module in model.children()):
        return {}
    return {column: "document" if column != QUERY else "query" for column in course.text_columns}


def _losses(history: Iterable[Mapping[str, float]]) -> tuple[CheckpointLoss, ...]:
    losses: list[CheckpointLoss] = []
    since: list[float] = []
    for entry in history:
        if "loss" in entry:
            since.append(entry["loss"])
        elif VALID_LOSS in entry:
            losses.append(CheckpointLoss(int(entry["step"]), fmean(since) if since else None, entry[VALID_LOSS]))
            since = []
    return tuple(losses)
