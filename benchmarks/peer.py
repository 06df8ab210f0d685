"""A peer in its own process, with its own environment, which is made where it is not there. Knows commands, no peer."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

SCRIPTS = Path(__file__).parent / "peers"


class Reply(NamedTuple):
    """What a call returned, and the seconds it took over there."""

    result: Any
    seconds: float


class Peer:
    """A script of benchmarks/peers, running; to be used in a `with`."""

    def __init__(self, script: str, work: Path) -> None:
        python = environment(script, work)
        self._process = subprocess.Popen(
            [python, SCRIPTS / f"{script}.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def call(self, name: str, **arguments: Any) -> Reply:
        """The reply of this function of the script; RuntimeError where the process has ended."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"call": name, "with": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args}: ended during {name!r}; its error stands above.")
        return Reply(**json.loads(line))


def environment(script: str, work: Path) -> Path:
    """The interpreter of an environment that holds the packages that the script names beside it, and what they need."""
    requirements, folder = SCRIPTS / f"{script}.txt", work / "environments" / script
    python, done = folder / "bin" / "python", folder / "requirements.txt"
    if not done.is_file() or done.read_text() != requirements.read_text():
        sys.stderr.write(f"making the environment of {script}: {requirements.read_text().split()}\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-compile", "-r", requirements], check=True)
        shutil.copy(requirements, done)
    return python
