"""sentence-transformers' trainers, made resumable. Knows batches and checkpoints, nothing of where examples come from.

The batches are given, so that they are the same ones after a kill; a checkpoint holds the trained weights only, and is
measured on batches set aside when it is made, the untouched start included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.trainer import BaseTrainer
from sentence_transformers.multi_vector_encoder.trainer import MultiVectorEncoderTrainer
from sentence_transformers.sentence_transformer.trainer import SentenceTransformerTrainer
from torch import nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from osler.errors import UsageError
from osler.train.fitting.checkpoints import Checkpoints
from osler.train.fitting.course import Row
from osler.train.fitting.tuning import trainable
from osler.train.progress import OnProgress, Pace

VALID_LOSS: Final = "valid_loss"
_WEIGHTS: Final = "weights.safetensors"
_STATE: Final = "trainer_state.json"


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
        state.log_history.append({"step": state.global_step, VALID_LOSS: loss})
        if state.best_metric is None or loss < state.best_metric:
            state.best_metric, state.best_global_step = loss, state.global_step
        with self.checkpoints.writing(state.global_step) as folder:
            self._save_weights(folder)
            self._save_optimizer_and_scheduler(str(folder))
            self._save_scaler(str(folder))
            self._save_rng_state(str(folder))
            state.save_to_json(str(folder / _STATE))
        self.checkpoints.keep(best=state.best_global_step)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        self.measure_and_save()

    def _save_weights(self, folder: Path) -> None:
        weights = {name: weight.detach().cpu().contiguous() for name, weight in trainable(self.model)}
        save_file(weights, str(folder / _WEIGHTS))

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
        self._pace = Pace(self.stage, batch=self.batch, steps=state.max_steps, first_step=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Report a step that was logged."""
        if "loss" in logs:
            self.on_progress(self._pace.progress(state.global_step, logs["loss"]))
