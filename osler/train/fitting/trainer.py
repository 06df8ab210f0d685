"""Fits a model to a plan: the one call that the stages of training share. Knows no retrieval task.

sentence-transformers' trainers and losses do the work. Batches are given, so that they are the same ones after a kill;
a checkpoint holds the trained weights only, and is measured on batches set aside when it is made, the untouched start
included.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.model import BaseModel
from sentence_transformers.base.modules import Router
from sentence_transformers.base.trainer import BaseTrainer
from sentence_transformers.multi_vector_encoder.trainer import MultiVectorEncoderTrainer
from sentence_transformers.sentence_transformer.trainer import SentenceTransformerTrainer
from torch import nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from osler.errors import UsageError, require
from osler.models.catalog import role_prompts
from osler.train.fitting.backbone import trainable
from osler.train.fitting.plan import QUERY, Row, TrainingPlan
from osler.train.pipeline import OnProgress, Pace, write_json

_PLAN: Final = "plan.json"
_WEIGHTS: Final = "weights.safetensors"
_STATE: Final = "trainer_state.json"
_VALID_LOSS: Final = "valid_loss"
_PREFIX: Final = "step-"
_UNFINISHED: Final = ".step-"
_NEWEST: Final = 2  # checkpoints that stay: should the last be damaged, there is one before it


class Checkpoints:
    """The checkpoints in a folder.

    digest: of everything that decides what the training computes. UsageError where the folder holds another's.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / _PLAN
        if not path.is_file():
            write_json(path, {"digest": digest})
        elif json.loads(path.read_text(encoding="utf-8"))["digest"] != digest:
            raise UsageError(
                f"{folder} holds checkpoints of a training with other settings or data: "
                "delete that folder, or train into another one."
            )
        for unfinished in folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(unfinished)

    @property
    def steps(self) -> list[int]:
        """The steps that there is a checkpoint of, in order."""
        return sorted(int(path.name.removeprefix(_PREFIX)) for path in self.folder.glob(f"{_PREFIX}*"))

    def path(self, step: int) -> Path:
        """Where the checkpoint of this step is kept."""
        return self.folder / f"{_PREFIX}{step:06d}"

    @contextmanager
    def writing(self, step: int) -> Iterator[Path]:
        """A new folder that becomes the checkpoint of this step when the block ends well."""
        unfinished = Path(tempfile.mkdtemp(dir=self.folder, prefix=_UNFINISHED))
        yield unfinished
        unfinished.chmod(0o755)
        target = self.path(step)
        if target.exists():  # the step that a resumed training began with
            shutil.rmtree(target)
        unfinished.replace(target)

    def keep(self, best: int | None) -> None:
        """Delete all but the newest two and the best."""
        for step in self.steps[:-_NEWEST]:
            if step != best:
                shutil.rmtree(self.path(step))


class _Resumable(BaseTrainer):
    """What both trainers share. `prepare` comes before `train`."""

    def prepare(
        self, batches: Sequence[Sequence[Row]], valid: Mapping[str, Sequence[Sequence[Row]]], checkpoints: Checkpoints
    ) -> None:
        """Set the batches to train on, those of each data set to measure on, and where checkpoints go."""
        self.batches = batches
        self.valid = valid
        self.checkpoints = checkpoints
        for callback in (PrinterCallback, ProgressCallback):
            self.remove_callback(callback)
        self.add_callback(_Start(self))

    def get_train_dataloader(self) -> DataLoader[Row]:
        """The batches in the order given."""
        return self._loader(self.batches)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """No model card: it would quote the training examples."""

    def valid_loss(self) -> float:
        """The mean over data sets of their mean loss."""
        self.model.eval()
        with torch.no_grad(), self.compute_loss_context_manager():
            losses = [fmean(self._losses(batches)) for batches in self.valid.values()]
        self.model.train()
        return fmean(losses)

    def restore(self, step: int) -> None:
        """Give the model the weights that it had at this checkpoint."""
        self._load_from_checkpoint(str(self.checkpoints.path(step)))

    def measure_and_save(self) -> None:
        """Make a checkpoint of the current state and note whether it is the best one so far."""
        state = self.state
        loss = self.valid_loss()
        state.log_history.append({"step": state.global_step, _VALID_LOSS: loss})
        if state.best_metric is None or loss < state.best_metric:
            state.best_metric, state.best_global_step = loss, state.global_step
        with self.checkpoints.writing(state.global_step) as folder:
            # The others are the backbone's, which lies on the disk already.
            weights = {name: weight.detach().cpu().contiguous() for name, weight in trainable(self.model)}
            save_file(weights, str(folder / _WEIGHTS))
            self._save_optimizer_and_scheduler(str(folder))
            self._save_scaler(str(folder))
            # With the state of the generators, a resumed run draws what it would have drawn.
            self._save_rng_state(str(folder))
            state.save_to_json(str(folder / _STATE))
        self.checkpoints.keep(best=state.best_global_step)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        self.measure_and_save()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        try:
            saved = load_file(str(Path(resume_from_checkpoint) / _WEIGHTS))
        except (OSError, SafetensorError) as error:
            raise UsageError(
                f"{resume_from_checkpoint}: damaged ({error}); delete it, and training goes on from the one before."
            ) from error
        with torch.no_grad():
            for name, weight in trainable(self.model):
                weight.copy_(saved[name])

    def _losses(self, batches: Sequence[Sequence[Row]]) -> list[float]:
        losses: list[Any] = [
            self.compute_loss(self.model, self._prepare_inputs(inputs)) for inputs in self._loader(batches)
        ]
        return [loss.item() for loss in losses]

    def _loader(self, batches: Sequence[Sequence[Row]]) -> DataLoader[Row]:
        """Every item of the data is a batch already, so that the sampler's batches have one item."""
        return DataLoader(batches, batch_size=1, shuffle=False, collate_fn=self._collate)  # type: ignore[arg-type]

    def _collate(self, items: Sequence[Sequence[Row]]) -> dict[str, Any]:
        (rows,) = items
        collated: dict[str, Any] = self.data_collator(list(rows))
        return collated


class ResumableRetrieverTrainer(_Resumable, SentenceTransformerTrainer):
    """Fits a SentenceTransformer."""


class ResumableRerankerTrainer(_Resumable, MultiVectorEncoderTrainer):
    """Fits a MultiVectorEncoder."""


def trainer_class(model: nn.Module) -> type[_Resumable]:
    """The trainer for models of this kind."""
    return ResumableRerankerTrainer if isinstance(model, MultiVectorEncoder) else ResumableRetrieverTrainer


class _Start(TrainerCallback):
    """The untouched start is a checkpoint too: training may make things worse."""

    def __init__(self, trainer: _Resumable) -> None:
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not self.trainer.checkpoints.steps:
            self.trainer.measure_and_save()


class Report(TrainerCallback):
    """Calls `on_progress` after every step."""

    def __init__(self, stage: str, batch: int, on_progress: OnProgress) -> None:
        self.stage = stage
        self.batch = batch
        self.on_progress = on_progress

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self._pace = Pace(self.stage, batch=self.batch, steps=state.max_steps, resumed_at=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Report a step that was logged."""
        if "loss" in logs:
            self.on_progress(self._pace.progress(state.global_step, logs["loss"]))


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
    model: BaseModel, loss: nn.Module, plan: TrainingPlan, folder: Path, *, on_progress: OnProgress | None = None
) -> Fitted:
    """Train the model (see `tuning.adapt`) with this loss, in place, up to the checkpoint that is best on valid.

    folder: for checkpoints. Where it holds some of this very plan, training goes on from the newest one, with the
    batches that it would have had. UsageError where they are of another plan, or the plan has no examples.
    """
    require("accelerate", extra="train")
    require("datasets", extra="train")
    require_device(plan.device)
    batches, valid = plan.train_batches(), plan.valid_batches()
    checkpoints = Checkpoints(folder, _digest(model, plan))
    arguments = _arguments(model, plan, steps=len(batches), folder=folder)
    trainer = trainer_class(model)(model=model, args=arguments, loss=loss)
    trainer.prepare(batches, valid, checkpoints)
    if on_progress:
        trainer.add_callback(Report(plan.stage, plan.optimiser.batch, on_progress))
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


def _digest(model: nn.Module, plan: TrainingPlan) -> str:
    """Equal for the same plan from the same weights."""
    digest = hashlib.sha256(plan.digest().encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _arguments(model: nn.Module, plan: TrainingPlan, *, steps: int, folder: Path) -> Any:
    optimiser = plan.optimiser
    arguments = trainer_class(model).training_args_class(
        output_dir=str(folder),
        seed=plan.seed,
        max_steps=steps,
        per_device_train_batch_size=optimiser.batch,
        learning_rate=optimiser.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=optimiser.warmup_share,
        save_steps=optimiser.checkpoint_steps,
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
        use_cpu=plan.device == "cpu",
        bf16=plan.device == "cuda" or _multiplies_in_bfloat16(),
        prompts=_prompts(model, plan),
        router_mapping=_routes(model, plan),
    )
    # On a machine with several GPUs the trainer would divide each batch among them, and with it the negatives.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def _multiplies_in_bfloat16() -> bool:
    """Whether this processor does so by itself; one that has to imitate it is slower in bfloat16 than in float32."""
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # torch has it since 2.10 or so
    return any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16"))


def _prompts(model: Any, plan: TrainingPlan) -> dict[str, str]:
    """What the model puts before the texts of each column: the trainers add no prompts by themselves."""
    query, passage = role_prompts(model.prompts)
    return {column: passage if column != QUERY else query for column in plan.text_columns}


def _routes(model: nn.Module, plan: TrainingPlan) -> dict[str, str]:
    if not any(isinstance(module, Router) for module in model.children()):
        return {}
    return {column: "document" if column != QUERY else "query" for column in plan.text_columns}


def _losses(history: Iterable[Mapping[str, float]]) -> tuple[CheckpointLoss, ...]:
    losses: list[CheckpointLoss] = []
    since: list[float] = []
    for entry in history:
        if "loss" in entry:
            since.append(entry["loss"])
        elif _VALID_LOSS in entry:
            losses.append(CheckpointLoss(int(entry["step"]), fmean(since) if since else None, entry[_VALID_LOSS]))
            since = []
    return tuple(losses)
