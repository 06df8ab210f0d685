"""Text on its way to a person or a program: no stranger's control sequence, whatever the terminal can show.

Titles, ids, file names and replies are strangers' text. A control sequence in one of them could clear the screen, set
its title or the clipboard; a bidi override could make a sentence read as another. Knows characters, streams and Rich;
knows no record.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self, cast

from rich import text as rich_text
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.style import Style

from osler.errors import OslerError

_UNSAFE: Final = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and line feed, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # what reorders text, or changes how it is shaped
    "\u2028\u2029\ufff9-\ufffb"  # line and paragraph separators, annotations
    "\ud800-\udfff"  # halves of a surrogate pair, which no encoding has
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"  # invisible tags, which can hold whole sentences
    "]"
)
_REPLACEMENT: Final = "\ufffd"
_CARRIAGE_RETURN: Final = re.compile(r"\r(?=\n)")

_LEGIBLE: Final = {
    **dict.fromkeys("─━═╌", "-"),
    **dict.fromkeys("│┃║", "|"),
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛┡┩╇", "+"),
    **dict.fromkeys("‐‑‒–−", "-"),
    **dict.fromkeys("‘’‚′", "'"),
    **dict.fromkeys("“”„″«»", '"'),
    **{"—": "--", "…": "...", "·": "-", "•": "*", "≤": "<=", "≥": ">=", "→": "->", "×": "x"},
    **dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True)),
    **dict.fromkeys("\u00a0\u2002\u2003\u2009\u202f", " "),
    **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),
}
_SUPERSCRIPTS: Final = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ]+")
_RAISED: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ", "0123456789+-()n")
_NARROW: Final = "osler-legible"
"""The name of the error handler of streams that cannot show every character."""

_READER_HAS_GONE: Final = 141
"""What a shell reports of a program that SIGPIPE ended, such as `yes | head -1`."""


def printable(text: str) -> str:
    """The text with U+FFFD for each character that would control a terminal or reorder what is read; as long as before.

    Joiners, soft hyphens and other characters without width stay: several scripts need them, and they move nothing.

    >>> printable("Aspirin\\x1b[2J after\\u202e stroke") == "Aspirin\\ufffd[2J after\\ufffd stroke"
    True
    """
    return _UNSAFE.sub(_REPLACEMENT, _CARRIAGE_RETURN.sub(" ", text))


def json_line(values: Mapping[str, Any], *, encoding: str = "utf-8") -> str:
    """The object as a line of JSON: what `printable` replaces is escaped, and all but ASCII where that is no UTF.

    >>> json_line({"title": "Ménière\\u202e"})
    '{"title": "Ménière\\\\u202e"}\\n'
    >>> json_line({"title": "Ménière"}, encoding="latin-1")
    '{"title": "M\\\\u00e9ni\\\\u00e8re"}\\n'
    """
    line = json.dumps(values, ensure_ascii=not _is_utf(encoding), allow_nan=False)
    return _UNSAFE.sub(lambda match: json.dumps(match[0])[1:-1], line) + "\n"


class Text(rich_text.Text):
    """Rich's text, of what is printable: as long as the string that it is made of, and measured as it is shown."""

    def __init__(self, plain: str = "", style: str | Style = "", **options: Any) -> None:
        super().__init__(printable(plain), style, **options)

    def append(self, text: rich_text.Text | str, style: str | Style | None = None) -> Self:
        """Add to the end, as Rich does."""
        super().append(printable(text) if isinstance(text, str) else text, style)
        return self

    @classmethod
    def assemble(cls, *parts: Any, **options: Any) -> Self:
        """The parts one after the other, each a string, a text, or a string with its style."""
        return cast(Self, super().assemble(*parts, **options))


class SafeConsole(Console):
    """A Rich console that shows strings as they are: no markup, no emoji codes, no control sequences but Rich's own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, **options})

    def render_str(self, text: str, **options: Any) -> rich_text.Text:
        """The string as text, measured as it is shown."""
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of what is shown; Rich keeps its own control sequences apart from their text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


def prepare_streams() -> None:
    """Make standard input, output and error of this process usable, whatever the shell has made of them.

    A closed one becomes /dev/null, which no file that is opened later can then take the place of. What an encoding
    lacks is written legibly. An output that ends early is told as `_Output` says.
    """
    for descriptor, flag in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):  # writing output fails, as it should
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flag)  # takes the lowest number that is free
    codecs.register_error(_NARROW, _legible)
    sys.stdin = sys.stdin or io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.stdout = _Output(1, getattr(sys.stdout, "encoding", "utf-8"))
    sys.stderr = _Output(2, getattr(sys.stderr, "encoding", "utf-8"))


class _Output(io.TextIOWrapper):
    """Standard output or error, from which no write ends in a traceback.

    If the reader of standard output has gone, the program ends as others do; if a disk is full, in one sentence.
    Without standard error the work goes on unseen.
    """

    def __init__(self, descriptor: int, encoding: str) -> None:
        raw = io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False))
        super().__init__(raw, encoding=encoding, errors=_NARROW, line_buffering=descriptor == 2 or raw.isatty())
        self._descriptor, self._narrow = descriptor, not _is_utf(encoding)

    def write(self, text: str, /) -> int:
        """Write the text as any stream does; where not every exponent can be shown, each is written as in 10^6."""
        if self._narrow:
            text = _SUPERSCRIPTS.sub(lambda match: "^" + match[0].translate(_RAISED), text)
        try:
            return super().write(text)
        except OSError as error:
            self._end(error)
            return len(text)

    def flush(self) -> None:
        """Write what waits as any stream does."""
        try:
            super().flush()
        except OSError as error:
            self._end(error)

    def _end(self, error: OSError) -> None:
        """Give up the stream: what waits, and what Python writes when it ends, goes nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._descriptor)
        os.close(nowhere)
        if self._descriptor == 2:
            return
        if isinstance(error, BrokenPipeError):
            raise SystemExit(_READER_HAS_GONE) from None
        raise OslerError(f"standard output cannot be written ({error.strerror}): send it elsewhere.") from error


def _legible(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that the encoding lacks: a letter without accents, ASCII of the same look, or ?."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = unicodedata.normalize("NFD", error.object[error.start : error.end])
    bases = (character for character in lacking if not unicodedata.combining(character))
    return "".join(_LEGIBLE.get(base, base if base.isascii() else "?") for base in bases), error.end


def _is_utf(encoding: str) -> bool:
    return codecs.lookup(encoding).name.startswith("utf")


OUT: Final = SafeConsole()
ERR: Final = SafeConsole(stderr=True)
