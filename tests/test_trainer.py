"""Fits a model: checkpoints, kills, the best weights."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder.losses import MultiVectorMultipleNegativesRankingLoss
from tiny_models import colbert
from torch import nn
from training_pairs import pairs

from osler.errors import UsageError
from osler.train.fitting.backbone import adapt, load_retriever, trainable
from osler.train.fitting.plan import TrainingPlan
from osler.train.fitting.trainer import Checkpoints, Fitted, fit
from osler.train.pipeline import Pace
from osler.train.retriever import retriever_loss
from osler.train.settings import RetrieverSettings, TuningSettings


def write(checkpoints: Checkpoints, *steps: int) -> None:
    for step in steps:
        with checkpoints.writing(step) as folder:
            (folder / "weights").write_text(str(step))


def write_half(checkpoints: Checkpoints, step: int) -> None:
    with checkpoints.writing(step) as folder:
        (folder / "weights").write_text("ha")
        raise KeyboardInterrupt


def test_the_newest_two_and_the_best_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, "plan")
    write(checkpoints, 0, 5, 10, 15, 20)
    checkpoints.keep(best=5)
    assert checkpoints.steps == [5, 15, 20]


def test_a_checkpoint_that_was_not_finished_is_none(tmp_path):
    checkpoints = Checkpoints(tmp_path, "plan")
    write(checkpoints, 5)
    with pytest.raises(KeyboardInterrupt):
        write_half(checkpoints, 10)
    assert checkpoints.steps == [5]
    Checkpoints(tmp_path, "plan")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan.json", "step-000005"]


def test_a_checkpoint_is_written_anew_where_there_is_one(tmp_path):
    checkpoints = Checkpoints(tmp_path, "plan")
    write(checkpoints, 5, 5)
    assert (checkpoints.path(5) / "weights").read_text() == "5"


def test_a_folder_of_another_plan_is_refused_with_the_remedy(tmp_path):
    Checkpoints(tmp_path, "plan")
    with pytest.raises(UsageError, match=f"{tmp_path} holds checkpoints .* other settings or data: delete that folder"):
        Checkpoints(tmp_path, "another")


SETTINGS = RetrieverSettings(batch=4, mini_batch=4, epochs=2, learning_rate=3e-3, checkpoint_steps=3)


class Recorded(nn.Module):
    """A loss that notes the queries of every batch it is trained on."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self.queries: list[list[list[int]]] = []

    def forward(self, features, labels):
        if torch.is_grad_enabled():
            self.queries.append(features[0]["input_ids"].tolist())
        return self.loss(features, labels)


@dataclass
class Training:
    """A tiny model that is about to be fitted, twelve steps long."""

    backbone: Path
    settings: RetrieverSettings = SETTINGS
    tuning: TuningSettings = TuningSettings(rank=2)  # noqa: RUF009  # frozen

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        self.model = load_retriever(str(self.backbone), self.settings)
        adapt(self.model, self.tuning)
        self.loss = Recorded(retriever_loss(self.model, self.settings))

    def fit(self, folder: Path, on_progress=None, **changes) -> Fitted:
        plan = TrainingPlan(stage="test", train=pairs(), valid=pairs()[:8], optimiser=self.settings, **changes)
        return fit(self.model, self.loss, plan, folder, on_progress=on_progress)

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: weight.detach().clone() for name, weight in trainable(self.model)}


def killed_after(step: int):
    def on_progress(progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return on_progress


def begin(training: Training, folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        training.fit(folder, killed_after(1))


def assert_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("kind", "method", "mini_batch"), [("bert", "lora", 2), ("modernbert", "full", 4)])
def test_a_killed_training_goes_on_with_the_same_batches_to_the_same_weights(
    backbones, tmp_path, kind, method, mini_batch
):
    """The tiny BERT drops out, so that its random numbers must go on as well."""
    options = {
        "settings": SETTINGS.model_copy(update={"mini_batch": mini_batch}),
        "tuning": TuningSettings(rank=2, method=method),
    }
    straight = Training(backbones[kind], **options)
    whole = straight.fit(tmp_path / "straight")
    killed = Training(backbones[kind], **options)
    with pytest.raises(KeyboardInterrupt):
        killed.fit(tmp_path / "killed", killed_after(8))
    resumed = Training(backbones[kind], **options)
    fitted = resumed.fit(tmp_path / "killed")
    assert fitted == whole
    assert [loss.step for loss in fitted.losses] == [0, 3, 6, 9, 12]
    assert len(killed.loss.queries) == 8
    assert killed.loss.queries[:6] + resumed.loss.queries == straight.loss.queries
    assert_equal(resumed.weights(), straight.weights())


def test_a_damaged_checkpoint_is_named_and_without_it_training_goes_on(backbones, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Training(backbones["bert"]).fit(tmp_path, killed_after(8))
    newest = tmp_path / "step-000006"
    (newest / "weights.safetensors").write_bytes(b"")
    with pytest.raises(UsageError, match=f"{newest}: damaged .*; delete it"):
        Training(backbones["bert"]).fit(tmp_path)
    shutil.rmtree(newest)
    assert [loss.step for loss in Training(backbones["bert"]).fit(tmp_path).losses] == [0, 3, 6, 9, 12]


def test_a_complete_training_is_not_repeated(backbones, tmp_path):
    first = Training(backbones["bert"])
    fitted = first.fit(tmp_path)
    again = Training(backbones["bert"])
    assert again.fit(tmp_path) == fitted
    assert again.loss.queries == []
    assert_equal(again.weights(), first.weights())


@pytest.mark.parametrize("change", [{"seed": 7}, {"settings": {"backbone": "another"}}])
def test_checkpoints_of_another_plan_are_refused(backbones, tmp_path, change):
    begin(Training(backbones["bert"]), tmp_path)
    with pytest.raises(UsageError, match=f"{tmp_path} holds checkpoints of a training with other settings or data"):
        Training(backbones["bert"]).fit(tmp_path, **change)


def test_checkpoints_of_other_start_weights_are_refused(backbones, tmp_path):
    begin(Training(backbones["bert"]), tmp_path)
    other = Training(backbones["bert"])
    with torch.no_grad():
        next(iter(other.model.parameters())).add_(1.0)
    with pytest.raises(UsageError, match="holds checkpoints"):
        other.fit(tmp_path)


def test_the_best_checkpoint_on_valid_is_restored(backbones, tmp_path):
    training = Training(backbones["bert"])
    fitted = training.fit(tmp_path)
    assert fitted.best_step == min(fitted.losses, key=lambda loss: loss.valid).step > 0
    assert_equal(training.weights(), load_file(tmp_path / f"step-{fitted.best_step:06d}" / "weights.safetensors"))
    kept = {int(path.name.removeprefix("step-")) for path in tmp_path.glob("step-*")}
    assert kept == {fitted.best_step, 9, 12}


def test_a_training_that_only_does_harm_ends_where_it_began(backbones, tmp_path):
    ruinous = SETTINGS.model_copy(update={"learning_rate": 50.0, "warmup_share": 0.0})
    training = Training(backbones["bert"], ruinous)
    start = training.weights()
    fitted = training.fit(tmp_path)
    assert fitted.best_step == 0
    # also where the loss is no number any more
    assert not any(loss.valid <= fitted.losses[0].valid for loss in fitted.losses[1:])
    assert_equal(training.weights(), start)


def test_a_checkpoint_holds_the_trained_weights_only(backbones, tmp_path):
    training = Training(backbones["bert"])
    begin(training, tmp_path)
    (only,) = tmp_path.glob("step-*")
    assert load_file(only / "weights.safetensors").keys() == training.weights().keys()
    assert all(".lora_" in name for name in training.weights())


def test_every_step_is_reported(backbones, tmp_path, capsys):
    reports = []
    Training(backbones["bert"]).fit(tmp_path, reports.append)
    assert [(report.stage, report.step, report.steps) for report in reports] == [("test", n, 12) for n in range(1, 13)]
    assert reports[-1].seconds_left == 0.0
    assert all(report.examples_per_second > 0 for report in reports)
    assert capsys.readouterr() == ("", "")


def test_the_reported_loss_is_the_mean_of_the_last_steps():
    pace = Pace("test", batch=4, steps=3)
    assert [pace.progress(step, loss).loss for step, loss in ((1, 1.0), (2, 3.0))] == [1.0, 2.0]


def test_a_colbert_is_fitted_with_its_markers(backbones, tmp_path):
    model = MultiVectorEncoder(str(colbert(backbones["modernbert"], tmp_path / "colbert")), device="cpu")
    adapt(model, TuningSettings(rank=2))
    loss = Recorded(MultiVectorMultipleNegativesRankingLoss(model))
    plan = TrainingPlan(stage="test", train=pairs(), valid=pairs()[:8], optimiser=SETTINGS)
    fitted = fit(model, loss, plan, tmp_path / "checkpoints")
    marker = model.tokenizer.convert_tokens_to_ids("[Q] ")
    assert all(ids[1] == marker for batch in loss.queries for ids in batch)
    assert fitted.losses[-1].valid < fitted.losses[0].valid


def test_a_device_that_is_not_there_is_refused(backbones, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="device = 'cuda' is not possible"):
        Training(backbones["bert"]).fit(tmp_path, device="cuda")
