"""llama.cpp's server as a process of its own: `python llama_server.py WEIGHTS`.

It finds its key in the environment, tells its address on standard output, and ends when standard input does, so that it
never outlives the program that started it, not even while the weights load. A process, because one that shares the
interpreter crashes it at exit while a reply is being written. Knows xllamacpp; knows nothing of chats, and nothing else
of osler.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from threading import Thread
from typing import Any

KEY = "LLAMA_SERVER_KEY"
"""The variable that holds the key; a command line would show it to every user of the machine."""

CONTEXT_TOKENS = 8192
"""What SmolLM2 was trained for; prompt and reply share it."""

MOST_THREADS = 8
"""For reading the prompt; a model of 135 million parameters gains nothing from more."""

_SILENT = -1  # llama.cpp's verbosity: not even errors, which arrive as replies


def serve(weights: str, key: str) -> None:
    """Serve this file of weights until standard input ends; the first line out is {"url"} or {"error"}, as JSON."""
    watcher = end_with_standard_input()
    import xllamacpp

    try:
        server = xllamacpp.Server(server_parameters(xllamacpp, weights, key))
    except RuntimeError as error:
        _say({"error": str(error)})
        return
    _say({"url": server.listening_address})
    watcher.join()


def end_with_standard_input() -> Thread:
    """End this process when standard input ends: from now on, whatever the main thread does. The thread that waits."""
    if sys.platform == "linux":
        import fcntl

        # Loading holds the interpreter's lock for seconds, so that no thread runs. The kernel needs none: it signals
        # the end of a pipe, and the signal ends the process.
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)

    def wait() -> None:
        os.read(0, 1)  # nothing is ever written there
        os._exit(0)  # closing the server would wait for the reply that is being written

    watcher = Thread(target=wait, daemon=True)
    watcher.start()
    return watcher


def server_parameters(xllamacpp: Any, weights: str, key: str) -> Any:
    """xllamacpp's parameters of a silent server on a free port of 127.0.0.1 that only the holder of the key can use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parameters = xllamacpp.CommonParams()
    parameters.model.path = weights
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    # A token takes too little work to share: more threads gain nothing, and on busy cores they wait for each other.
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = min(cores, MOST_THREADS)
    parameters.verbosity = _SILENT
    parameters.warmup = False
    # A prompt half read from the cache rounds differently: without it one question has one answer.
    parameters.cache_prompt = False
    parameters.cache_ram_mib = 0
    # Whoever else is on this machine, a page in its browser included, has no business here.
    parameters.hostnames = ["127.0.0.1"]
    parameters.api_keys = [key]
    parameters.ui = False
    parameters.endpoint_slots = False
    return parameters


def _say(message: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(sys.argv[1], os.environ[KEY])
