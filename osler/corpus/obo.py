"""Ontologies in OBO 1.4: a document each term, whatever the ontology; `obo_graphs` makes the same of OBO's JSON.

Knows the lines of the format: stanzas, quoted strings, escapes, comments and qualifiers.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from osler.corpus.streams import LINE_BYTES, MAX_RECORD_BYTES, Line, read_lines
from osler.records import Damage, Document, Entry, Section

Fields = dict[str, list["Value"]]

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*([^\[]*)(?:\[((?:[^\]\\]|\\.)*)\])?')
_TOKEN = re.compile(r'\\.|"(?:[^"\\]|\\.)*"|(?<=\s)!')
_QUALIFIERS = re.compile(r'\{\s*(?:[^\s{}=",]+="(?:[^"\\]|\\.)*"\s*(?:,\s*)?)+\}')
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")
_SCOPES = ("EXACT", "NARROW", "BROAD", "RELATED")
_SYNONYMS = {"synonym": "RELATED", **{f"{scope.lower()}_synonym": scope for scope in _SCOPES}}
"""The tags of synonyms, those of OBO 1.0 among them, and their scopes where the value names none."""
_MAX_NAMES = 2_000_000  # of terms read so far, for parents whose lines do not name them

_PUBMED_ID = re.compile(r"(?:PMID:|(?:ncbi\.nlm\.nih\.gov/pubmed|pubmed\.ncbi\.nlm\.nih\.gov)/)(\d+)")
_LAYPERSON = ("layperson", "OMO:0003003")
_WITHDRAWN = re.compile(r"deprecated|obsolete|discarded", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Synonym:
    """Another name of a term: its scope (EXACT, NARROW, BROAD or RELATED) and its type, as far as it has one."""

    text: str
    scope: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A term as both file formats tell it; `parents` are names, or ids where no name is known."""

    id: str
    name: str
    definitions: Sequence[str] = ()
    definition_xrefs: Sequence[str] = ()
    synonyms: Sequence[Synonym] = ()
    parents: Sequence[str] = ()
    alt_ids: Sequence[str] = ()
    xrefs: Sequence[str] = ()
    subsets: Sequence[str] = ()
    namespace: str = ""
    comment: str = ""
    ontology: str = ""

    def document(self, withdrawn: Iterable[str] = ()) -> Document:
        """The document: definition, synonyms and parents; synonyms that the ontology took back are left out.

        `withdrawn` are the types of synonyms that the ontology itself describes as deprecated or obsolete.

        >>> synonyms = [Synonym("Mice", "EXACT"), Synonym("Rat", "EXACT", "DEPRECATED")]
        >>> Term(id="X:1", name="Mouse", synonyms=synonyms).document().text
        'Synonyms: Mice.'
        """
        kinds = frozenset(withdrawn)
        synonyms = [s for s in self.synonyms if s.kind not in kinds and not _WITHDRAWN.search(s.kind)]
        names = _different(synonym.text for synonym in synonyms)
        names.pop(self.name.casefold(), None)
        sections = [Section("Definition", text) for text in self.definitions if text]
        for heading, items in (("Synonyms", list(names.values())), ("Parents", list(self.parents))):
            if items:
                sections.append(Section(heading, f"{heading}: {'; '.join(items)}."))
        scoped = {
            f"{scope.lower()}_synonyms": [s.text for s in synonyms if s.scope == scope and s.text.casefold() in names]
            for scope in ("NARROW", "BROAD", "RELATED")
        }
        pmids = dict.fromkeys(_PUBMED_ID.findall(" ".join((*self.definitions, *self.definition_xrefs))))
        metadata = {
            "kind": "term",
            "ontology": self.ontology,
            "namespace": self.namespace,
            "layperson": list(_different(s.text for s in synonyms if s.kind in _LAYPERSON).values()),
            **scoped,
            "alt_ids": list(self.alt_ids),
            "xrefs": list(self.xrefs),
            "subsets": list(self.subsets),
            "comment": self.comment,
            "references": [f"PMID:{pmid}" for pmid in pmids],
        }
        return Document(
            self.id, self.name, tuple(sections), metadata={name: value for name, value in metadata.items() if value}
        )


def _different(texts: Iterable[str]) -> dict[str, str]:
    """The texts that differ by more than capital letters, by their small letters."""
    different: dict[str, str] = {}
    for text in texts:
        different.setdefault(text.casefold(), text)
    return different


@dataclass(frozen=True, slots=True)
class Value:
    """What stands behind a tag: without its trailing qualifiers, and the comment behind it apart."""

    text: str
    comment: str
    line: int


@dataclass(slots=True)
class _Ontology:
    """What the header tells, and the names of the terms that were read so far."""

    name: str = ""
    namespace: str = ""
    withdrawn: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)


def read(stream: io.BufferedIOBase, source: str) -> Iterator[Entry]:
    """A document each term that is not obsolete, its id as the ontology spells it, in the order of the file.

    >>> text = b'[Term]\\nid: DOID:1 ! x\\nname: Fever\\nsynonym: "Pyrexia" EXACT []\\nis_a: DOID:2 ! Symptom\\n'
    >>> [(entry.doc_id, entry.text) for entry in read(io.BytesIO(text), "a file")]
    [('DOID:1', 'Synonyms: Pyrexia.\\n\\nParents: Symptom.')]
    """
    return read_terms(read_lines(stream, source), source)


def read_terms(lines: Iterable[Line | Damage], source: str) -> Iterator[Entry]:
    """The documents of the terms in the lines of an OBO file."""
    ontology = _Ontology()
    for stanza in _stanzas(_joined(lines, source), source):
        if isinstance(stanza, Damage):
            yield stanza
        elif stanza.kind == "":
            _read_header(stanza.fields(), ontology)
        elif stanza.kind == "[Term]":
            yield from _term_entries(stanza, source, ontology)


@dataclass(slots=True)
class _Stanza:
    """The lines below a head such as `[Term]`, or (kind "") those of the header; `size` as they take memory."""

    kind: str
    lines: list[Line] = field(default_factory=list)
    size: int = 0

    def fields(self) -> Fields:
        """The values of each tag in their order."""
        fields: Fields = defaultdict(list)
        for line in self.lines:
            tag, colon, text = line.text.partition(":")
            if colon and not tag.startswith("!"):
                fields[tag.strip()].append(_value(text, line.number))
        return fields


def _joined(lines: Iterable[Line | Damage], source: str) -> Iterator[Line | Damage]:
    """The lines, each joined with the next one where it ends in a backslash."""
    parts: list[str] = []
    number = size = 0
    for line in lines:
        if isinstance(line, Damage):
            parts, size = [], 0
            yield line
            continue
        number = number if parts else line.number
        text = line.text.rstrip("\r\n")
        parts.append(text)
        size += len(text) + LINE_BYTES
        if size > MAX_RECORD_BYTES:
            yield Damage(source, f"line {number}", f"goes on over more than {MAX_RECORD_BYTES} bytes")
        elif (len(text) - len(text.rstrip("\\"))) % 2:
            parts[-1] = text[:-1]
            continue
        else:
            yield Line(number, "".join(parts))
        parts, size = [], 0
    if parts:
        yield Line(number, "".join(parts))


def _stanzas(lines: Iterable[Line | Damage], source: str) -> Iterator[_Stanza | Damage]:
    """The header and every stanza behind it; one with a damaged line, or too long, is left out after its damage."""
    stanza: _Stanza | None = _Stanza("")
    for line in lines:
        if isinstance(line, Damage):
            stanza = None
            yield line
        elif line.text.startswith("["):
            if stanza:
                yield stanza
            stanza = _Stanza(line.text.partition("]")[0] + "]")
        elif stanza and line.text.strip():
            stanza.lines.append(line)
            stanza.size += len(line.text) + LINE_BYTES
            if stanza.size > MAX_RECORD_BYTES:
                yield Damage(source, f"line {stanza.lines[0].number}", f"a stanza longer than {MAX_RECORD_BYTES} bytes")
                stanza = None
    if stanza:
        yield stanza


def _read_header(fields: Fields, ontology: _Ontology) -> None:
    ontology.name = _first(fields, "ontology").removesuffix(".obo").removesuffix(".owl")
    ontology.namespace = _first(fields, "default-namespace")
    for value in fields["synonymtypedef"]:
        kind, _, description = value.text.partition(" ")
        if _WITHDRAWN.search(description):
            ontology.withdrawn.add(kind)


def _term_entries(stanza: _Stanza, source: str, ontology: _Ontology) -> Iterator[Entry]:
    """The document of a term, none for an obsolete one; and a damage for each line of it that cannot be read."""
    fields = stanza.fields()
    if _first(fields, "is_obsolete").casefold() == "true":
        return
    term_id, name = _first(fields, "id"), _unescape(_first(fields, "name"))
    if not term_id or not name:
        number = stanza.lines[0].number if stanza.lines else 0
        yield Damage(source, f"line {number}", "a term without `id:` or `name:`")
        return
    for value in chain(fields["def"], *(fields[tag] for tag in _SYNONYMS)):
        if not _QUOTED.match(value.text):
            yield Damage(source, f"line {value.line}", f"no text within quotes: {value.text[:40]!r}")
    definitions = [match for value in fields["def"] if (match := _QUOTED.match(value.text))]
    term = Term(
        id=_unescape(term_id),
        name=name,
        definitions=[_unescape(match[1]) for match in definitions],
        definition_xrefs=[_unescape(match[3] or "") for match in definitions],
        synonyms=[
            _synonym(match, scope)
            for tag, scope in _SYNONYMS.items()
            for value in fields[tag]
            if (match := _QUOTED.match(value.text))
        ],
        parents=[_parent(value, ontology) for value in fields["is_a"]],
        alt_ids=[_unescape(value.text) for value in fields["alt_id"]],
        xrefs=[_unescape(value.text.split(" ")[0]) for value in (*fields["xref"], *fields["xref_analog"])],
        subsets=[value.text for value in fields["subset"]],
        namespace=_first(fields, "namespace") or ontology.namespace,
        comment=_unescape(_first(fields, "comment")),
        ontology=ontology.name,
    )
    if len(ontology.names) < _MAX_NAMES:
        ontology.names[term.id] = name
    yield term.document(ontology.withdrawn)


def _synonym(match: re.Match[str], scope: str) -> Synonym:
    words = match[2].split()
    scope = next((word for word in words if word in _SCOPES), scope)
    return Synonym(_unescape(match[1]), scope, next((word for word in words if word not in _SCOPES), ""))


def _parent(value: Value, ontology: _Ontology) -> str:
    """The name that the comment gives, else that of a term which was read before, else the id."""
    term_id = value.text.split(" ")[0]
    return _unescape(value.comment) or ontology.names.get(term_id, term_id)


def _value(text: str, line: int) -> Value:
    """The value of a line: a comment begins at a `!` behind a blank that stands outside quotes.

    >>> _value(' MONDO:2 {source="DOID:4!"} ! broader disease', 1)
    Value(text='MONDO:2', comment='broader disease', line=1)
    """
    text, comment = text.strip(), ""
    if "!" in text:
        mark = next((token for token in _TOKEN.finditer(text) if token[0] == "!"), None)
        if mark:
            text, comment = text[: mark.start()].rstrip(), text[mark.end() :].strip()
    begin = text.rfind("{") if text.endswith("}") else -1
    while begin >= 0:  # from the right, since a qualifier may hold a brace within its quotes
        if _QUALIFIERS.fullmatch(text, begin):
            text = text[:begin].rstrip()
            break
        begin = text.rfind("{", 0, begin)
    return Value(text, comment, line)


def _first(fields: Fields, tag: str) -> str:
    return fields[tag][0].text if fields[tag] else ""


def _unescape(text: str) -> str:
    """The text with its escapes read, in one line: `\\n`, `\\t` and `\\W` are blanks, `\\u00e9` is é."""
    if "\\" in text:
        text = _ESCAPE.sub(_unescaped, text)
    return " ".join(text.split())


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 5:
        character = chr(int(code[1:], 16))
        return "" if "\ud800" <= character <= "\udfff" else character
    return " " if code in "ntW" else code
