"""Ontologies in OBO's JSON (OBO Graphs): the same documents as of the same ontology in OBO, in constant memory.

A graph names the parents of its terms behind all terms: these wait in a temporary file until their parents are known.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from typing import IO, Any

from osler.corpus.obo import Synonym, Term
from osler.corpus.streams import CHUNK_BYTES, MAX_RECORD_BYTES, BrokenStreamError
from osler.records import Damage, Entry

_OBO = "http://purl.obolibrary.org/obo/"
_OBO_IN_OWL = "http://www.geneontology.org/formats/oboInOwl#"
_LOCAL_ID = re.compile(r"[#/]([A-Za-z][A-Za-z0-9.]*)_([\w.-]+)$")
_SCOPES = {
    "hasExactSynonym": "EXACT",
    "hasNarrowSynonym": "NARROW",
    "hasBroadSynonym": "BROAD",
    "hasRelatedSynonym": "RELATED",
}
_STUB = {"id", "type"}  # of another ontology, which is only referred to
_IN_MEMORY = 2**24


def read(stream: io.BufferedIOBase, source: str) -> Iterator[Entry]:
    """A document each class that is not deprecated, in the order of the file.

    >>> node = {"id": "http://purl.obolibrary.org/obo/DOID_1", "lbl": "Fever", "type": "CLASS"}
    >>> file = io.BytesIO(json.dumps({"graphs": [{"nodes": [node]}]}).encode())
    >>> [(entry.doc_id, entry.title) for entry in read(file, "a file")]
    [('DOID:1', 'Fever')]
    """
    text = _JsonText(stream)
    graph = None
    try:
        for key in text.object_keys():
            if key != "graphs":
                text.value()
                continue
            for _ in text.array_items():
                graph = _Graph()
                for part in text.object_keys():
                    _read_part(text, part, graph)
                complete, graph = graph, None
                yield from complete.entries(source)
    except (ValueError, RecursionError, BrokenStreamError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        damage = Damage(source, f"character {text.offset}", f"not the JSON of an ontology ({reason})")
        yield from graph.entries(source) if graph else ()
        if isinstance(error, BrokenStreamError):
            raise
        yield damage


def _read_part(text: _JsonText, part: str, graph: _Graph) -> None:
    """Take what stands under one key of a graph."""
    if part == "nodes":
        for _ in text.array_items():
            graph.add_node(text.value())
    elif part == "edges":
        for _ in text.array_items():
            graph.add_edge(text.value())
    elif part == "id":
        graph.ontology = re.sub(r"\.(?:json|owl|obo)$", "", str(text.value()).removeprefix(_OBO))
    else:
        text.value()


class _Graph:
    """The nodes of a graph, in a file; in memory, the names of the terms and who is whose parent."""

    def __init__(self) -> None:
        self.ontology = ""
        self._nodes: IO[str] = tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8")  # noqa: SIM115
        self._names: dict[str, str] = {}
        self._parents: dict[str, list[str]] = defaultdict(list)

    def add_node(self, node: Any) -> None:
        if isinstance(node, dict) and node.get("type", "CLASS") == "CLASS" and not node.keys() <= _STUB:
            self._nodes.write(json.dumps(node) + "\n")
            if isinstance(node.get("lbl"), str):
                self._names[str(node.get("id"))] = node["lbl"]

    def add_edge(self, edge: Any) -> None:
        if isinstance(edge, dict) and edge.get("pred") == "is_a":
            self._parents[str(edge.get("sub"))].append(str(edge.get("obj")))

    def entries(self, source: str) -> Iterator[Entry]:
        """The documents of all nodes; afterwards the graph is empty."""
        with self._nodes:
            self._nodes.seek(0)
            for line in self._nodes:
                node = json.loads(line)
                meta = node.get("meta")
                meta = meta if isinstance(meta, dict) else {}
                if meta.get("deprecated") is True:
                    continue
                try:
                    parents = self._parents.get(str(node.get("id")), ())
                    names = [self._names.get(parent) or _short_id(parent) for parent in parents]
                    yield _term(node, meta, names, self.ontology).document()
                except (ValueError, TypeError, AttributeError, LookupError) as error:
                    yield Damage(source, f"node {node.get('id')!r}", f"not a term ({error})")


def _term(node: dict[str, Any], meta: dict[str, Any], parents: list[str], ontology: str) -> Term:
    if not isinstance(node.get("id"), str) or not node.get("lbl"):
        raise ValueError("it has no `id` or no `lbl`")
    definition = meta.get("definition") or {}
    properties = meta.get("basicPropertyValues", ())

    def values(name: str) -> list[str]:
        return [_line(value["val"]) for value in properties if value.get("pred") == _OBO_IN_OWL + name]

    return Term(
        id=_short_id(node["id"]),
        name=_line(node["lbl"]),
        definitions=[_line(definition["val"])] if definition else [],
        definition_xrefs=[" ".join(definition.get("xrefs", ()))],
        # In OBO they stand in the order of their letters, whatever their scopes.
        synonyms=sorted(map(_synonym, meta.get("synonyms", ())), key=lambda synonym: synonym.text.casefold()),
        parents=parents,
        alt_ids=values("hasAlternativeId"),
        xrefs=[_line(xref["val"]) for xref in meta.get("xrefs", ())],
        subsets=sorted(map(_fragment, meta.get("subsets", ())), key=str.casefold),
        namespace=next(iter(values("hasOBONamespace")), ""),
        comment=" ".join(map(_line, meta.get("comments", ()))),
        ontology=ontology,
    )


def _synonym(synonym: dict[str, Any]) -> Synonym:
    kind = synonym.get("synonymType", "")
    return Synonym(_line(synonym["val"]), _SCOPES.get(synonym["pred"], "RELATED"), _fragment(kind) if kind else "")


def _short_id(iri: str) -> str:
    """The id as OBO spells it.

    >>> _short_id("http://purl.obolibrary.org/obo/DOID_0014667")
    'DOID:0014667'
    """
    match = _LOCAL_ID.search(iri)
    return f"{match[1]}:{match[2]}" if match else iri


def _fragment(iri: str) -> str:
    """The name behind the last `#`; else the short id."""
    _, mark, name = iri.rpartition("#")
    return name if mark else _short_id(iri)


def _line(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{type(text).__name__} where a string belongs")
    return " ".join(text.encode(errors="replace").decode().split())


class _JsonText:
    """JSON read a value at a time: `object_keys` and `array_items` walk into it, `value` takes what comes next."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")(errors="replace").decode
        self._decoder = json.JSONDecoder()
        self._buffer = ""
        self._at = 0
        self._before = 0

    @property
    def offset(self) -> int:
        """How many characters were read before what comes next."""
        return self._before + self._at

    def object_keys(self) -> Iterator[str]:
        """The keys of the object that comes next; the value of each must be taken before the next key."""
        for _ in self._walk("{", "}"):
            key = self.value()
            if not isinstance(key, str) or self._next() != ":":
                raise ValueError("a key and `:` are expected")
            self._at += 1
            yield key

    def array_items(self) -> Iterator[None]:
        """One turn for each item of the array that comes next; each must be taken before the next turn."""
        return self._walk("[", "]")

    def _walk(self, opening: str, closing: str) -> Iterator[None]:
        if self._next() != opening:
            raise ValueError(f"`{opening}` is expected")
        self._at += 1
        if self._next() == closing:
            self._at += 1
            return
        while True:
            yield
            mark = self._next()
            self._at += 1
            if mark == closing:
                return
            if mark != ",":
                raise ValueError(f"`,` or `{closing}` is expected")

    def value(self) -> Any:
        """The value that comes next, whatever it is."""
        self._next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if not self._extend():
                    raise ValueError(error.msg) from error
                continue
            if end == len(self._buffer) and self._extend():  # a number may go on
                continue
            self._at = end
            return value

    def _next(self) -> str:
        """The next character that is not blank."""
        while True:
            while self._at < len(self._buffer):
                if not self._buffer[self._at].isspace():
                    return self._buffer[self._at]
                self._at += 1
            if not self._extend():
                raise ValueError("the file ends within it")

    def _extend(self) -> bool:
        """Read as much again as waits, so that a long value is not tried too often; False at the end."""
        waiting = len(self._buffer) - self._at
        if waiting > MAX_RECORD_BYTES:
            raise ValueError(f"a value longer than {MAX_RECORD_BYTES} characters")
        data = self._stream.read(max(CHUNK_BYTES, waiting))
        more = self._decode(data, final=not data)
        if more:
            self._before += self._at
            self._buffer, self._at = self._buffer[self._at :] + more, 0
        return bool(more)
