"""XML cut into records by a scan of the bytes, each parsed alone: a damaged one costs only itself.

Memory is bounded by one record; a DOCTYPE with its entities is never parsed. Knows no vocabulary: names are given.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html.entities import html5
from typing import TypeAlias

from lxml import etree

from osler.corpus.streams import CHUNK_BYTES, MAX_RECORD_BYTES, wide_encoding
from osler.records import Damage, Entry

Element: TypeAlias = "etree._Element"

# Prefixes that publishers use and that some tools forget to carry along when they cut a file into pieces.
_USUAL_NAMESPACES = {
    "xlink": "http://www.w3.org/1999/xlink",
    "mml": "http://www.w3.org/1998/Math/MathML",
    "ali": "http://www.niso.org/schemas/ali/1.0/",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
_PROLOG_NOISE = re.compile(rb"<!--.*?-->|<\?.*?\?>|<!DOCTYPE(?:[^\[>]|\[.*?\]\s*(?=>))*>", re.DOTALL)
_START_TAG = re.compile(rb"<([^\s<>/!?]+)((?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*)>")
_NAMESPACE = re.compile(r"xmlns:([\w.-]+)\s*=\s*[\"']([^\"'<&]*)[\"']")
_NAMESPACED = re.compile(rb"\sxmlns|<[\w.-]+:")
_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]*);")
_PROLOG_BYTES = 2**14  # looked at for the root and its namespaces: no tool writes more before the first record
# A root such as <PubmedArticleSet> or <pmc-articleset> without anything in it.
_EMPTY_SET = re.compile(rb"\s*<([\w.:-]*[Ss]et)(?:\s[^<>]*)?(?:/>|>\s*</\1\s*>)\s*")
_TAG_BYTES = 2**10  # no start tag of a record is longer; one that is cut at the end of the window is not lost
_MAX_TAGS = 2**21  # an element takes some 150 bytes of memory, however few its tags take in the file
_TERMINATORS = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
_DECLARED = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)")
_NO_TEXT = ("idna", "punycode", "unicode_escape", "raw-unicode-escape", "undefined")
_HEAD_BYTES = 1024  # where the XML declaration stands
_TAIL_BYTES = 4096  # enough to find the end tag of the root after comments and blank lines


@dataclass(frozen=True, slots=True)
class _Mark:
    """A start or end tag of a record, or (name "") the point where one, or what precedes all, has grown too long."""

    name: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Record:
    content: bytes
    line: int
    byte: int


def read_records(
    stream: io.BufferedIOBase,
    source: str,
    *,
    names: Mapping[str, str],
    convert: Callable[[Element], Iterator[Entry]],
) -> Iterator[Entry]:
    """The entries that `convert` makes of each record, and a `Damage` for each that cannot be read.

    `names` are the elements that are records, each with the other record that it may hold ("" for none).
    `convert` sees names without namespaces, and raises ValueError for a record that makes no document.
    """
    scanner = _Scanner(stream, source, names)
    for piece in scanner.pieces():
        if isinstance(piece, Damage):
            yield piece
            continue
        try:
            yield from convert(_parse(piece, scanner.namespaces))
        except etree.XMLSyntaxError as error:
            yield scanner.damage(piece.line, piece.byte, f"not well-formed XML: {_reason(error, piece.line)}")
        except ValueError as error:
            yield scanner.damage(piece.line, piece.byte, str(error))
        except RecursionError:
            yield scanner.damage(piece.line, piece.byte, "its elements are nested too deeply")


class _Scanner:
    """Finds where records begin and end; `namespaces` are those of the prolog once the first was found."""

    def __init__(self, stream: io.BufferedIOBase, source: str, names: Mapping[str, str]) -> None:
        self.namespaces = dict(_USUAL_NAMESPACES)
        self._window = _Window(stream)
        self._source = source
        self._names = names
        self._known = f"<{'>, <'.join(names)}>"
        self._root = ""
        self._searched: dict[bytes, int] = {}  # terminator -> the offset before which there is none to come

    def damage(self, line: int, byte: int, reason: str) -> Damage:
        return Damage(self._source, f"line {line}, byte {byte}", reason)

    def pieces(self) -> Iterator[_Record | Damage]:
        """The records whose end was found, and what was lost, in the order of the file."""
        begun: _Mark | None = None
        has_records = given_up = False
        for mark in self._marks():
            if mark.kind == "nothing":
                yield self.damage(1, 0, f"holds none of the records {self._known} in its first {mark.start:,} bytes")
                return
            if not has_records:
                self._read_prolog(mark.start)
                has_records = True
            if mark.kind in ("start", "empty"):
                given_up = False
            elif given_up:  # the rest of a record that was told of already
                self._window.release(mark.end)
                continue
            if not (begun and mark.name and mark.name == self._names[begun.name]):
                yield from self._piece(begun, mark)
                given_up = mark.kind == "oversize"
                begun = mark if mark.kind == "start" else None
            self._window.keep = begun.start if begun else None
            self._window.release(begun.start if begun else mark.end)
        yield from self._end(begun, has_records=has_records)

    def _piece(self, begun: _Mark | None, mark: _Mark) -> Iterator[_Record | Damage]:
        """What lies between the record that has begun, if any, and `mark`, which ends or interrupts it."""
        window = self._window
        if mark.kind == "empty":
            begun = begun or mark
        if begun and begun.name == mark.name and mark.kind != "start":
            yield _Record(window.cut(begun.start, mark.end), window.line(begun.start), begun.start)
        elif begun:
            reason = f"<{begun.name}> is not closed before line {window.line(mark.start)}"
            if mark.kind == "oversize":
                reason = f"<{begun.name}> is longer than {MAX_RECORD_BYTES} bytes"
            yield self._damage_at(begun.start, reason)
        elif mark.kind == "end":
            yield self._damage_at(mark.start, f"</{mark.name}> without its start tag")

    def _end(self, begun: _Mark | None, *, has_records: bool) -> Iterator[Damage]:
        window = self._window
        tail = window.cut(window.first, window.end)
        if begun:
            yield self._damage_at(begun.start, f"the file ends within this <{begun.name}>")
        elif not has_records and window.end <= _PROLOG_BYTES and _EMPTY_SET.fullmatch(_PROLOG_NOISE.sub(b"", tail)):
            return
        elif not has_records:
            yield self.damage(1, 0, f"holds none of the records {self._known}")
        elif self._root and f"</{self._root}".encode() not in tail:
            yield self._damage_at(window.end, f"the file ends before </{self._root}>: it may be cut off")

    def _damage_at(self, offset: int, reason: str) -> Damage:
        return self.damage(self._window.line(offset), offset, reason)

    def _marks(self) -> Iterator[_Mark]:
        """The tags of records, save those within comments, CDATA and processing instructions."""
        window, at, has_marks = self._window, 0, False
        attributes = r"(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*?"
        name = rf"(?P<name>(?:[\w.-]+:)?(?:{'|'.join(self._names)}))"
        tag = rf"<(?P<slash>/?){name}(?=[\s/>])(?P<empty>{attributes}/>)?(?:\s*>)?"
        pattern = re.compile(rf"<!--|<!\[CDATA\[|<\?|{tag}".encode())
        while True:
            limit = window.end if window.ended else window.last_tag_end()
            match = window.search(pattern, at, limit)
            if match is None:
                at = max(at, limit)
                if window.ended:
                    return
                if window.end - (at if window.keep is None else window.keep) > MAX_RECORD_BYTES:
                    at = max(at, window.end - _TAG_BYTES)
                    if window.keep is not None:
                        yield _Mark("", "oversize" if has_marks else "nothing", at, at)
                window.release(at)
                window.extend()
                continue
            start, end = match.start() + window.first, match.end() + window.first
            if terminator := _TERMINATORS.get(match.group()):
                at = self._behind(terminator, end)
                continue
            at, has_marks = end, True
            name = match["name"].rpartition(b":")[2].decode()
            kind = "end" if match["slash"] else "empty" if match["empty"] else "start"
            yield _Mark(name, kind, start, end)

    def _behind(self, terminator: bytes, offset: int) -> int:
        """The offset behind the next `terminator`; `offset` itself where none follows, so that little is lost."""
        searched = max(offset, self._searched.get(terminator, 0))
        while (position := self._window.find(terminator, searched)) < 0:
            if self._window.ended or self._window.end - offset > MAX_RECORD_BYTES:
                self._searched[terminator] = max(searched, self._window.end - len(terminator))
                return offset
            searched = max(offset, self._window.end - len(terminator))
            self._window.extend()
        return position + len(terminator)

    def _read_prolog(self, end: int) -> None:
        """The root's name and the namespace prefixes of all that is open where the first record begins."""
        start = max(0, end - _PROLOG_BYTES)
        prolog = _PROLOG_NOISE.sub(b"", self._window.cut(start, end))
        for tag in _START_TAG.finditer(prolog):
            if start == 0:
                self._root = self._root or tag[1].decode(errors="replace")
            self.namespaces.update(_NAMESPACE.findall(tag[2].decode(errors="replace")))


def _parse(record: _Record, namespaces: Mapping[str, str]) -> Element:
    """The record's element, parsed alone, its names without namespaces."""
    if record.content.count(b"<") > _MAX_TAGS:
        raise ValueError(f"more than {_MAX_TAGS:,} tags")
    try:
        element = _parse_bytes(record.content, namespaces)
    except etree.XMLSyntaxError:
        content = _with_characters(record.content)
        if content == record.content:
            raise
        element = _parse_bytes(content, namespaces)
    if _NAMESPACED.search(record.content):
        for node in element.iter("{*}*"):
            node.tag = etree.QName(node).localname
    return element


def _parse_bytes(content: bytes, namespaces: Mapping[str, str]) -> Element:
    declared = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in namespaces.items())
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    return etree.fromstring(f"<records{declared}>".encode() + content + b"</records>", parser)[0]


def _with_characters(content: bytes) -> bytes:
    """The content with HTML's entities, save those within CDATA, as characters."""
    before, *parts = content.split(b"<![CDATA[")
    pieces = [_ENTITY.sub(_html_character, before)]
    for part in parts:
        data, end, text = part.partition(b"]]>")
        pieces.append(data + end + _ENTITY.sub(_html_character, text))
    return b"<![CDATA[".join(pieces)


def _html_character(match: re.Match[bytes]) -> bytes:
    """The character of an HTML entity; any other, and the five of XML, as they are."""
    name = match[1].decode()
    if name in ("amp", "lt", "gt", "quot", "apos"):
        return match[0]
    return html5.get(f"{name};", f"&{name};").encode()


def _reason(error: etree.XMLSyntaxError, line: int) -> str:
    """The parser's words, with the lines counted in the file."""
    message = re.sub(r"\bline (\d+)", lambda match: f"line {int(match[1]) + line - 1}", error.msg or "")
    return re.sub(r", column \d+$", "", message)


class _Window:
    """Bytes of a stream, addressed by their offset in it; those released in front are forgotten but counted.

    `keep` is the offset from which nothing may be forgotten, or None.
    """

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._chunks = _utf8_chunks(stream)
        self._data = bytearray()
        self._counted = (0, 1)  # an offset, and the line of the byte there
        self._last_tag_end = 0
        self.first = 0
        self.ended = False
        self.keep: int | None = 0

    @property
    def end(self) -> int:
        """The offset behind the last byte read."""
        return self.first + len(self._data)

    def extend(self) -> None:
        """Read on; at the end of the stream, `ended` becomes true."""
        chunk = next(self._chunks, b"")
        self.ended = not chunk
        if (last := chunk.rfind(b">")) >= 0:
            self._last_tag_end = self.end + last + 1
        self._data += chunk

    def release(self, offset: int) -> None:
        """Forget the bytes before `offset`, save those to keep and a short tail."""
        offset = min(offset, self.end - _TAIL_BYTES, offset if self.keep is None else self.keep)
        if offset > self.first:
            self.line(max(offset, self._counted[0]))
            del self._data[: offset - self.first]
            self.first = offset

    def line(self, offset: int) -> int:
        """The line of the byte at `offset`, from 1; what was counted before is not counted again."""
        counted, line = self._counted
        if offset >= counted:
            line += self._data.count(b"\n", counted - self.first, offset - self.first)
            self._counted = (offset, line)
            return line
        return line - self._data.count(b"\n", offset - self.first, counted - self.first)

    def cut(self, start: int, end: int) -> bytes:
        """The bytes between two offsets."""
        return bytes(self._data[max(start - self.first, 0) : end - self.first])

    def search(self, pattern: re.Pattern[bytes], start: int, end: int) -> re.Match[bytes] | None:
        """The first match between two offsets; its own numbers count from `first`."""
        return pattern.search(self._data, max(start - self.first, 0), end - self.first)

    def find(self, needle: bytes, start: int) -> int:
        """The offset of `needle` in what was read, at or after `start`; -1 where it is not."""
        position = self._data.find(needle, max(start - self.first, 0))
        return position if position < 0 else position + self.first

    def last_tag_end(self) -> int:
        """The offset behind the last `>` that was read; `first` where there is none."""
        return max(self._last_tag_end, self.first)


def _utf8_chunks(stream: io.BufferedIOBase) -> Iterator[bytes]:
    head = stream.read(_HEAD_BYTES)
    encoding = _encoding(head) if head else "utf-8"
    if encoding in ("utf-8", "ascii"):
        yield head.removeprefix(codecs.BOM_UTF8)
        while chunk := stream.read1(CHUNK_BYTES):
            yield chunk
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    chunk = head
    while chunk:
        if text := decoder.decode(chunk):
            yield text.encode()
        chunk = stream.read1(CHUNK_BYTES)


def _encoding(head: bytes) -> str:
    """The encoding that a byte order mark or the XML declaration names; UTF-8 where none of text is known by that name.

    A declaration that can be read byte by byte is in no encoding of wider characters, whatever it says: files that were
    converted to UTF-8 often say so.
    """
    if wide := wide_encoding(head):
        return wide
    declared = _DECLARED.match(head)
    try:
        name = codecs.lookup(declared.group(1).decode() if declared else "utf-8").name
        "".encode(name)  # refuses what is no encoding of text, such as zlib
    except (LookupError, UnicodeError):
        return "utf-8"
    return "utf-8" if name.startswith(("utf-16", "utf-32")) or name in _NO_TEXT else name
