"""What the figures of the other scripts were measured on.

python benchmarks/machine.py
"""

from __future__ import annotations

import argparse
import platform
import re
from importlib.metadata import version
from pathlib import Path

from osler.cores import available_cores

FAST = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
"""Instructions that decide how fast a network is."""

PACKAGES = ("lancedb", "numkong", "numpy", "openvino", "sentence-transformers", "torch", "transformers")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    processor = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    name = re.search(r"model name\s*: (.*)", processor)
    has = [one for one in FAST if re.search(rf"\b{one}\b", processor)]
    print(f"{name[1] if name else platform.processor()} ({', '.join(has)}), {available_cores()} cores; Python", end=" ")
    print(f"{platform.python_version()}, {', '.join(f'{one} {version(one)}' for one in PACKAGES)}.")


if __name__ == "__main__":
    main()
