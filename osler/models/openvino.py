"""Networks on the CPU through OpenVINO: converted once, kept in a cache folder, run without torch.

A converted model is a folder: the network, tokenizer.json and spec.json; and folders in it for what was compiled, and
for each calibration of the network in 8 bits.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import asdict
from functools import cached_property
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from osler.errors import ModelError, require
from osler.files import read_json, write_json
from osler.models.cache import cache_folder, cached_folder, is_whole, write_sums
from osler.models.text_model import Outputs, Run, TextModel, TextModelSpec, TokenBatch
from osler.parallel import available_cores

if TYPE_CHECKING:
    from osler.models.export import ExportedModel

Precision = Literal["auto", "fp32", "bf16", "int8"]
"""auto is bf16 where the processor has it, else fp32; int8 is for passages, once they are calibrated."""

_FORMAT: Final = 3  # raised when a converted model of an older osler must not be read any more
_HEADS: Final = "heads"
_NETWORK: Final = "network.xml"
_WEIGHTS: Final = "network.bin"
_COMPILED: Final = "compiled"


def converted_folder(key: str) -> Path:
    """Where the converted model of this key is kept, or will be."""
    return cache_folder() / "models" / f"{key}-{_FORMAT}"


def converted(
    key: str, export: Callable[[], ExportedModel], *, batch_tokens: int, precision: Precision = "auto"
) -> TextModel:
    """The text model kept under this key, converted from `export()` first where it is not there yet, or damaged."""
    folder = converted_folder(key)
    # The weights are not read where the compiled network, which has its own checksum, holds them.
    unread = {_WEIGHTS} if (folder / _COMPILED).is_dir() else ()
    folder = cached_folder(folder, lambda building: _convert(export(), building), unread=unread)
    values = read_json(folder / "spec.json")
    network = Network(folder / _NETWORK, values.pop(_HEADS), precision)
    spec, tokenizer = TextModelSpec.from_json(values), (folder / "tokenizer.json").read_text(encoding="utf-8")
    return TextModel(spec, tokenizer, network.run, batch_tokens=batch_tokens, calibrate=network.calibrated)


@contextmanager
def _runnable() -> Iterator[None]:
    """Turn a failure of OpenVINO into a ModelError with the remedy."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        reason = str(error).strip().rpartition("\n")[2] or type(error).__name__
        remedy = "free some memory, or raise the limits of this shell (ulimit -v, ulimit -n)"
        raise ModelError(f"OpenVINO cannot prepare the network ({reason}): {remedy}.") from error


class Network:
    """A converted network. All cores but one share a single batch; of several batches, each core runs its own.

    With a batch per core no core waits for another, which is faster for many batches but slower for a single query.
    One core is left to what a search does beside it. Each of the two is compiled when it is first needed.
    """

    def __init__(self, path: Path, heads: Sequence[str], precision: Precision = "auto") -> None:
        self.path = path
        self.heads = heads
        self.precision = precision
        if precision == "bf16":  # refused before anything is built on it
            _hint(_import_openvino().Core(), precision)

    def run(self, batches: Sequence[TokenBatch]) -> Iterator[Outputs]:
        """The outputs of each batch, in order; the next batches are computed while the caller reads one."""
        if len(batches) == 1:
            yield self._outputs(self._alone.create_infer_request().infer(_inputs(batches[0])))
            return
        if not batches:
            return
        # As many requests as run at once, and one whose outputs the caller reads. Threads share no requests.
        at_once = self._together.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        idle = [self._together.create_infer_request() for _ in range(at_once + 1)]
        running: deque[Any] = deque()
        for batch in batches:
            if not idle:
                request = running.popleft()
                request.wait()
                yield self._outputs(request.results)
                idle.append(request)
            request = idle.pop()
            request.start_async(_inputs(batch))
            running.append(request)
        for request in running:
            request.wait()
            yield self._outputs(request.results)

    def calibrated(self, batches: Sequence[TokenBatch], name: str) -> Run:
        """What runs this network in 8 bits, calibrated on the batches unless a calibration has this name."""

        def calibrate(building: Path) -> None:
            nncf = import_nncf()
            nncf.set_log_level(logging.ERROR)
            network = _import_openvino().Core().read_model(str(self.path))
            examples = nncf.Dataset([_inputs(batch) for batch in batches])
            with redirect_stdout(StringIO()):  # where its progress bars go, into the middle of ours
                _save(nncf.quantize(network, examples, model_type=nncf.ModelType.TRANSFORMER), building)

        folder = cached_folder(self.path.parent / f"int8-{name}", calibrate)
        return Network(folder / self.path.name, self.heads, self.precision).run

    @cached_property
    def _alone(self) -> Any:
        return self._compile("LATENCY", INFERENCE_NUM_THREADS=max(1, available_cores() - 1))

    @cached_property
    def _together(self) -> Any:
        return self._compile("THROUGHPUT")

    def _outputs(self, results: Any) -> Outputs:
        return {name: results[number] for number, name in enumerate(self.heads)}

    @_runnable()
    def _compile(self, hint: str, **more: int) -> Any:
        core = _import_openvino().Core()
        computed_in = _hint(core, self.precision)
        model = self.path.parent
        # A folder each: OpenVINO 2026.4 reads what it compiled in float32 for bfloat16 too, and fails with it.
        folder = model / _COMPILED / computed_in / hint.lower()
        ready, writable = is_whole(folder), os.access(model, os.W_OK)
        _check_whole(model, unread={_WEIGHTS} if ready else ())
        options: dict[str, str | int] = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": computed_in, **more}
        if not ready and writable:
            for path in (model / _COMPILED, folder.parent, folder):
                if not path.is_dir():
                    path.unlink(missing_ok=True)  # a file where a folder belongs
            shutil.rmtree(folder, ignore_errors=True)
        if ready or writable:  # in a folder of another user, what is there is read, and nothing is added
            options["CACHE_DIR"] = str(folder)
        try:
            compiled = core.compile_model(str(self.path), "CPU", options)
        except RuntimeError:
            _check_whole(model)  # weights that were not read before, since what was compiled was to do without
            raise
        if ready and not compiled.get_property("LOADED_FROM_CACHE"):  # it was of another OpenVINO, or another place
            _check_whole(model)
            ready = False
        if not ready and writable:
            with suppress(OSError):  # a full disk: it is compiled again next time
                write_sums(folder)
        return compiled


def _check_whole(model: Path, *, unread: Collection[str] = ()) -> None:
    """ModelError where a file of this folder is damaged; of unread ones only the size counts. The folder is removed."""
    if not is_whole(model, unread=unread):
        shutil.rmtree(model, ignore_errors=True)
        remedy = "run the same command again, which makes it anew"
        if model.exists():
            remedy = "remove that folder, or name another cache by OSLER_CACHE"
        raise ModelError(f"{model}: the converted model is damaged: {remedy}.")


def _hint(core: Any, precision: Precision) -> str:
    """OpenVINO's name of the precision; auto and int8 (what int8 leaves) take bfloat16 where the processor has it."""
    has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "bf16" and not has_bf16:
        raise ModelError("models.precision = 'bf16' is not possible: this processor has no bfloat16; leave it out.")
    return "bf16" if has_bf16 and precision != "fp32" else "f32"


def _inputs(batch: TokenBatch) -> dict[str, NDArray[np.int64]]:
    return {"input_ids": batch.ids, "attention_mask": batch.mask}


def disable_telemetry() -> None:
    """Make the import of openvino_telemetry fail, for which OpenVINO and nncf are prepared; before they are imported.

    It would report every use of them from a forked process.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def import_nncf() -> Any:
    """The module nncf, without telemetry; MissingDependencyError where it is not installed."""
    disable_telemetry()
    return require("nncf", extra="int8")


def _import_openvino() -> Any:
    disable_telemetry()
    return import_module("openvino")


def _convert(exported: ExportedModel, folder: Path) -> None:
    """Write the network of the model, its tokenizer and its spec into this folder."""
    import torch

    from osler.models.export import quiet

    openvino = _import_openvino()
    example = {"input_ids": torch.ones(2, 16).long(), "attention_mask": torch.ones(2, 16).long()}
    with quiet():
        network = openvino.convert_model(exported.module, example_input=example)
    _save(network, folder)
    (folder / "tokenizer.json").write_text(exported.tokenizer, encoding="utf-8")
    write_json(folder / "spec.json", {**asdict(exported.spec), _HEADS: exported.heads})


def _save(network: Any, folder: Path) -> None:
    try:
        _import_openvino().save_model(network, folder / _NETWORK, compress_to_fp16=False)
    except RuntimeError as error:  # its word for a full disk
        raise OSError(str(error).strip().partition("\n")[0]) from error
