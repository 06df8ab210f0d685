"""How far a training is. Knows steps, losses and the clock, not what is trained."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_SMOOTHED_STEPS: Final = 20  # one batch says little, and the mean of all of them lags behind


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a stage is: `step` of `steps` is done, `loss` is the mean over the last few steps, or None.

    examples_per_second and seconds_left count the time that checkpoints take.
    """

    stage: str
    step: int
    steps: int
    loss: float | None
    examples_per_second: float
    seconds_left: float | None


OnProgress = Callable[[Progress], None]


class Pace:
    """Turns finished steps into progress; a run that was taken up again begins at `first_step`."""

    def __init__(self, stage: str, *, batch: int, steps: int, first_step: int = 0) -> None:
        self.stage = stage
        self.batch = batch
        self.steps = steps
        self.first_step = first_step
        self._began = time.monotonic()
        self._losses: deque[float] = deque(maxlen=_SMOOTHED_STEPS)

    def progress(self, step: int, loss: float) -> Progress:
        """Where the stage is now that this step is done."""
        self._losses.append(loss)
        seconds = max(time.monotonic() - self._began, 1e-9)
        steps_per_second = (step - self.first_step) / seconds
        return Progress(
            stage=self.stage,
            step=step,
            steps=self.steps,
            loss=sum(self._losses) / len(self._losses),
            examples_per_second=steps_per_second * self.batch,
            seconds_left=(self.steps - step) / steps_per_second,
        )
