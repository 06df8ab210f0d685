"""The last few values, by name. Knows nothing of what they are."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """The values that were put or asked for last, up to `most` of them.

    >>> recent = Recent[int](2)
    >>> for number, name in enumerate("abac"):
    ...     recent.put(name, number)
    >>> recent.get("a"), recent.get("b")
    (2, None)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[str, T] = {}

    def get(self, name: str) -> T | None:
        """The value of this name, None where it is gone."""
        if name in self._values:
            self._values[name] = self._values.pop(name)
        return self._values.get(name)

    def put(self, name: str, value: T) -> None:
        """Keep the value, and let go of the one that nobody has asked for the longest."""
        self._values.pop(name, None)
        self._values[name] = value
        if len(self._values) > self._most:
            del self._values[next(iter(self._values))]

    def clear(self) -> None:
        """Let go of all."""
        self._values.clear()
