"""A network with weights and activations of 8 bits, calibrated on example inputs. Knows nncf, no text and no folder."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from numpy.typing import NDArray

from osler.errors import require
from osler.models.telemetry import leave_out_telemetry

Inputs = Mapping[str, NDArray[Any]]


def import_nncf() -> Any:
    """The module nncf, without telemetry; MissingDependencyError where it is not installed."""
    leave_out_telemetry()
    return require("nncf", extra="int8")


def in_8_bits(network: Any, examples: Sequence[Inputs]) -> Any:
    """The OpenVINO network in 8 bits, by nncf's quantisation after training; MissingDependencyError without nncf."""
    nncf = import_nncf()
    nncf.set_log_level(logging.ERROR)
    with redirect_stdout(StringIO()):  # where its progress bars go, into the middle of ours
        return nncf.quantize(network, nncf.Dataset(examples), model_type=nncf.ModelType.TRANSFORMER)
