"""The peer's end of the pipe: a line of JSON in, a line out. Standard library only; runs in the peer's environment."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any


def answer(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Call functions as they are asked for, until standard input ends: {"call": name, "with": {…}}.

    The reply holds what the function returned and the seconds it took. What else is printed goes to standard error.
    """
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        began = perf_counter()
        result = functions[asked["call"]](**asked["with"])
        seconds = perf_counter() - began
        replies.write(json.dumps({"result": result, "seconds": seconds}) + "\n")
        replies.flush()
