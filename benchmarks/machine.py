"""What the figures of the other scripts were measured on.

python benchmarks/machine.py
"""

from __future__ import annotations

import argparse
import platform
import re
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np

from osler.parallel import available_cores

FAST = (
    *("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_int8", "amx_bf16", "amx_fp16"),
)
"""Instructions that decide how fast a network is."""

SIDE = 2048
"""Of the matrices whose product shows what the processor can do."""

PRODUCT = 2 * SIDE**3
"""The operations of their product."""

PACKAGES = ("lancedb", "numkong", "numpy", "openvino", "sentence-transformers", "torch", "transformers")


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--processor", action="store_true", help="the processor alone, and how fast it is just now")
    if made.parse_args().processor:
        print(f"{processor()}, which multiplied matrices at {speed():.0f} billion operations a second")
        return
    packages = ", ".join(f"{one} {version(one)}" for one in PACKAGES)
    print(f"{processor()}; Python {platform.python_version()}, {packages}.")


def processor() -> str:
    """The processor's name, those of its instructions that matter here, and how many cores of it can be used."""
    name = re.search(r"model name\s*: (.*)", _told())
    has = ", ".join(one for one in FAST if _has(one))
    return f"{name[1] if name else platform.processor()} ({has}), {available_cores()} cores"


def speed() -> float:
    """Billions of operations a second in numpy's product of two large float32 matrices, the best of ten.

    A virtual machine has its neighbours: what it gives changes from one hour to the next.
    """
    matrix, seconds = np.ones((SIDE, SIDE), dtype=np.float32), []
    for _ in range(10):
        began = perf_counter()
        matrix @ matrix
        seconds.append(perf_counter() - began)
    return 1e-9 * PRODUCT / min(seconds)


def precisions() -> dict[str, str]:
    """torch's types that a peer is run in, by what its name ends in: float32, and bfloat16 where the processor has it.

    One that has to imitate bfloat16 takes a hundred times as long.
    """
    has_bfloat16 = _has("avx512_bf16") or _has("amx_bf16")
    return {"": "float32"} | ({", bf16": "bfloat16"} if has_bfloat16 else {})


def _has(instructions: str) -> bool:
    return re.search(rf"\b{instructions}\b", _told()) is not None


def _told() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.is_file() else ""


if __name__ == "__main__":
    main()
