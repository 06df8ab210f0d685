"""When a run whose questions get no reply ends. Knows the reasons only, neither questions nor replies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from osler.errors import GeneratorError

_MOST_WITHOUT_REPLY: Final = 10
"""So many questions without a reply, and none with one, are no matter of the question any more."""


def require_replies(failures: Sequence[str], remedy: str) -> None:
    """Return where a question got a reply, or fewer than ten were asked; else GeneratorError with the remedy.

    failures: of each question so far, why it got no reply, "" where it got one.

    >>> require_replies(["the request was refused."] * 9 + [""], "ask again")
    """
    if len(failures) >= _MOST_WITHOUT_REPLY and all(failures):
        reason = failures[-1].rstrip(".")
        raise GeneratorError(f"None of the first {len(failures)} questions got a reply ({reason}): {remedy}.")
