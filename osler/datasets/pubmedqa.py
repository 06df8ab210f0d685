"""PubMedQA's own files: a dictionary PMID -> question, abstract without its conclusion, and that conclusion.

`ori_pqal.json` (labelled by people, 1,000) and `ori_pqaa.json` (made from titles, 211,269). A question is the title of
its abstract or made from it, so the title is no part of the document. Knows nothing of the answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Final

from osler.datasets.beir import Dataset, digest, refuse_damages, refuse_duplicates, source_name
from osler.errors import CorpusError
from osler.records import Damage, Document, Query, Section
from osler.text.identifiers import identifiers

_FILES: Final = ("ori_pqal.json", "ori_pqaa.json")

# PubMedQA's authors put the answers of their test half, which benchmarks such as MIRAGE ask, beside ori_pqal.json.
_TEST: Final = "test_ground_truth.json"

SPLITS: Final = ("train", "test")

_Records = dict[str, dict[str, Any]]


def holds(source: Path) -> bool:
    """Whether this is a file of PubMedQA, or a folder of such files that is in no other layout."""
    return source.is_file() or (bool(_files(source)) and not any(source.glob("corpus.jsonl*")))


def load(source: Path, split: str) -> Dataset:
    """Every question with its abstract as the one relevant document, from all files of PubMedQA that are there.

    The split `test` are the PMIDs of `test_ground_truth.json` where that lies beside, `train` all others. Records
    without an abstract are left out. Query ids are PMIDs, as in PubMedQA's own files; documents are `PMID:…`.

    Raises CorpusError for a file that is not PubMedQA's, a PMID in both files, and a split that is not there.
    """
    files = _files(source)
    records: _Records = {}
    for file in files:
        read = _object(file)
        refuse_damages(list(_damages(file, read)))
        more = {pmid: record for pmid, record in read.items() if any(text.strip() for text in record["CONTEXTS"])}
        refuse_duplicates(file, [pmid for pmid in more if pmid in records])
        records |= more
    chosen = _split(source, records, split)
    test = _test_file(source)
    documents = {}
    for pmid, record in records.items():
        headings = chain(record.get("LABELS", []), repeat(""))
        sections = tuple(Section(heading, text) for heading, text in zip(headings, record["CONTEXTS"], strict=False))
        documents[_doc_id(pmid)] = Document(_doc_id(pmid), "", sections, identifiers(pmid=pmid))
    return Dataset(
        name=source_name(source),
        split=split,
        documents=documents,
        queries={pmid: Query(pmid, records[pmid]["QUESTION"]) for pmid in chosen},
        qrels={pmid: {_doc_id(pmid): 1} for pmid in chosen},
        digest=digest([*files, test] if test.is_file() else files),
    )


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    return [source / name for name in _FILES if (source / name).is_file()]


def _test_file(source: Path) -> Path:
    return (source.parent if source.is_file() else source) / _TEST


def _split(source: Path, records: _Records, split: str) -> list[str]:
    test = _test_file(source)
    held_out = set(_object(test)) if test.is_file() else set()  # without the file there is no test half to keep apart
    splits = {
        "train": [pmid for pmid in records if pmid not in held_out],
        "test": [pmid for pmid in records if pmid in held_out],
    }
    names = [name for name, pmids in splits.items() if pmids]
    if split not in names:
        raise CorpusError(f"{source}: has no split {split!r}; name another one: {', '.join(names) or 'none is there'}.")
    return splits[split]


def _object(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_bytes())
    except OSError as error:
        raise CorpusError(f"{file}: cannot be opened ({error.strerror}); mend its permissions.") from error
    except (ValueError, RecursionError) as error:
        raise CorpusError(
            f"{file}: not JSON ({error}); name a data set's folder, or a whole file of PubMedQA."
        ) from error
    if not isinstance(values, dict):
        raise CorpusError(f"{file}: an object PMID -> record is expected, not {type(values).__name__}; see PubMedQA.")
    return values


def _damages(file: Path, records: dict[str, Any]) -> Iterator[Damage]:
    for pmid, record in records.items():
        if not isinstance(record, dict):
            yield Damage(str(file), f"PMID {pmid}", f"a record is expected, not {type(record).__name__}")
        elif not isinstance(record.get("QUESTION"), str) or not record["QUESTION"].strip():
            yield Damage(str(file), f"PMID {pmid}", f"`QUESTION` is {record.get('QUESTION')!r}")
        elif not _is_texts(record.get("CONTEXTS")):
            yield Damage(str(file), f"PMID {pmid}", "`CONTEXTS` is no list of texts")
        elif not _is_texts(record.get("LABELS", [])):
            yield Damage(str(file), f"PMID {pmid}", "`LABELS` is no list of texts")


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _doc_id(pmid: str) -> str:
    return f"PMID:{pmid}"
