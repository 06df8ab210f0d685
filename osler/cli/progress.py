"""How far a run has come: a bar on a terminal, a line every ten seconds elsewhere. Knows reports only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from osler.cli.printing import print_notice
from osler.cli.terminal import ERR, printable

if TYPE_CHECKING:
    from osler.indexing import IndexingReport
    from osler.train.pipeline import Progress as TrainingProgress

_SECONDS_BETWEEN_LINES: Final = 10.0
_SECONDS_BEFORE_AN_ESTIMATE: Final = 20.0  # the longest passages of a commit come first


class IndexingProgress:
    """Turns reports, and how much of the input is read, into a phrase: passages so far, their speed, the time left.

    The time left goes by the share of the input (bytes of files, or documents) that is read and encoded; `total` is
    None where nobody knows it, as with standard input.
    """

    def __init__(self, total: int | None) -> None:
        self.total = total
        self.amount_read = 0
        self.share = 0.0
        self.phrase = "preparing the models (longer the first time)"
        self._begun: tuple[float, int] | None = None

    def read(self, size: int) -> None:
        """Count what was read of the input."""
        self.amount_read += size

    def report(self, report: IndexingReport) -> None:
        """Take up what the run has done so far."""
        now = time.monotonic()
        self._begun = self._begun or (now, report.passages)
        self.share = self._share(report)
        if report.passages == 0:
            unchanged = f" · {report.unchanged:,} documents unchanged" if report.unchanged else ""
            self.phrase = f"reading{unchanged}"
            return
        seconds, passages = now - self._begun[0], report.passages - self._begun[1]
        speed = f" · {passages / seconds:,.0f} a second" if seconds > 1 else ""
        self.phrase = f"{report.passages:,} passages{speed}{self._left(seconds)}"

    def _share(self, report: IndexingReport) -> float:
        """The share of the input whose passages are encoded."""
        if not self.total:
            return 0.0
        encoded = report.passages / max(1, report.passages + report.waiting)
        return min(1.0, self.amount_read / self.total) * encoded

    def _left(self, seconds: float) -> str:
        if self.share >= 1:
            return " · building the search indexes"
        if self.share == 0 or seconds < _SECONDS_BEFORE_AN_ESTIMATE:
            return ""
        return f" · {timedelta(seconds=round(seconds * (1 - self.share) / self.share))} left"


@contextmanager
def indexing_progress(total: int | None) -> Iterator[IndexingProgress]:
    """Progress that is shown on standard error as long as the block runs."""
    shown = _Bar(total) if ERR.is_terminal else _Lines(total)
    with shown.visible():
        yield shown


class _Bar(IndexingProgress):
    """A bar that is drawn over itself."""

    def __init__(self, total: int | None) -> None:
        super().__init__(total)
        columns = (SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.description}", markup=False))
        self._progress = Progress(*columns, console=ERR, transient=True)
        self._task = self._progress.add_task(self.phrase, total=None)

    @contextmanager
    def visible(self) -> Iterator[None]:
        with self._progress:
            yield

    def report(self, report: IndexingReport) -> None:
        super().report(report)
        self._progress.update(
            self._task, description=self.phrase, completed=self.share, total=1 if self.total else None
        )


class _Lines(IndexingProgress):
    """Lines one below the other, for logs."""

    @contextmanager
    def visible(self) -> Iterator[None]:
        print_notice(self.phrase)
        self._last = time.monotonic()
        yield

    def report(self, report: IndexingReport) -> None:
        super().report(report)
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            print_notice(self.phrase)
            self._last = time.monotonic()


@contextmanager
def training_progress() -> Iterator[Callable[[TrainingProgress], None]]:
    """What a training run reports its progress to: it is shown on standard error as long as the block runs."""
    if not ERR.is_terminal:
        yield _TrainingLines()
        return
    columns = (SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=ERR, transient=True) as bar:
        task = bar.add_task("preparing", total=None)

        def show(progress: TrainingProgress) -> None:
            total = progress.steps or None
            bar.update(task, description=training_phrase(progress), completed=progress.step, total=total)

        yield show


@contextmanager
def counting(stage: str) -> Iterator[Callable[[int, int], None]]:
    """What is told how many are done, and of how many; shown on standard error as long as the block runs."""
    from osler.train.pipeline import Progress as Report

    with training_progress() as shown:
        yield lambda done, of: shown(Report(stage, done, of, None, 0.0, None))


def training_phrase(progress: TrainingProgress) -> str:
    """The progress as a person reads it: step, loss, examples per second, time left."""
    parts = [progress.stage]
    if progress.steps:
        parts.append(f"{progress.step:,} of {progress.steps:,}")
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.3f}")
    if progress.examples_per_second:
        parts.append(f"{progress.examples_per_second:,.1f} a second")
    if progress.seconds_left is not None:
        parts.append(f"{timedelta(seconds=round(progress.seconds_left))} left")
    return printable(" · ".join(parts))


class _TrainingLines:
    """A line when a step begins or ends, and every ten seconds in between."""

    def __init__(self) -> None:
        self._last, self._stage = 0.0, ""

    def __call__(self, progress: TrainingProgress) -> None:
        now = time.monotonic()
        ended = progress.steps > 0 and progress.step == progress.steps
        if progress.stage != self._stage or ended or now - self._last >= _SECONDS_BETWEEN_LINES:
            print_notice(training_phrase(progress))
            self._last, self._stage = now, progress.stage
