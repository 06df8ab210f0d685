"""Data sets in files: BEIR's layout, and PubMedQA's own. Each becomes a `Dataset`, or is refused in one line.

In BEIR's layout there are `corpus.jsonl`, `queries.jsonl`, and a split's qrels, `qrels_<split>.tsv` or, as BEIR itself
has them, `qrels/<split>.tsv`. Of PubMedQA there are `ori_pqal.json` (labelled by people, 1,000) and `ori_pqaa.json`
(made from titles, 211,269): dictionaries PMID -> question, abstract without its conclusion, and that conclusion.

A data set is taken whole or not at all: training on what is left of a damaged one would be silent.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Final

from osler.corpus import read_documents
from osler.corpus.sources import open_source
from osler.corpus.streams import BrokenStreamError, Line, read_lines
from osler.errors import CorpusError
from osler.records import Damage, Document, Query, Section
from osler.text.identifiers import identifiers

Qrels = dict[str, dict[str, int]]
"""query_id -> doc_id -> relevance."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One split of a data set, with the whole corpus that its queries search.

    documents by doc_id, queries by query_id (those of the split only), qrels: query_id -> doc_id -> relevance, above 0
    only. Every query has a relevant document and every relevant document is there. digest: equal for equal files.
    """

    name: str
    split: str
    documents: Mapping[str, Document]
    queries: Mapping[str, Query]
    qrels: Mapping[str, Mapping[str, int]]
    digest: str

    @property
    def relevant_ids(self) -> list[str]:
        """The doc_ids that the qrels name, each once, in their order."""
        return list(dict.fromkeys(doc_id for docs in self.qrels.values() for doc_id in docs))


def load_beir(folder: Path, split: str) -> Dataset:
    """One split of the data set in `folder`: its queries in the order of their file, and the whole corpus.

    Raises CorpusError for all that `osler.datasets.load_dataset` names.
    """
    corpus_file, queries_file = (_json_file(folder, name) for name in ("corpus.jsonl", "queries.jsonl"))
    qrels_files = _qrels_files(folder)
    if split not in qrels_files:
        raise CorpusError(f"{folder}: has no split {split!r}; {_remedy(folder, split)}.")
    qrels_file = qrels_files[split]
    qrels = read_qrels(qrels_file)
    if not qrels:
        raise CorpusError(f"{qrels_file}: an empty split, no line has a relevance above 0; {_remedy(folder, split)}.")
    queries = read_queries(queries_file)
    require_ids(qrels_file, qrels, queries, where=queries_file)
    documents = read_by_id(corpus_file, format="jsonl")
    require_ids(
        qrels_file, (doc_id for relevant in qrels.values() for doc_id in relevant), documents, where=corpus_file
    )
    return Dataset(
        name=source_name(folder),
        split=split,
        documents=documents,
        queries={query_id: query for query_id, query in queries.items() if query_id in qrels},
        qrels=qrels,
        digest=digest((corpus_file, queries_file, qrels_file)),
    )


def _json_file(folder: Path, name: str) -> Path:
    for file in (folder / name, folder / f"{name}.gz"):
        if file.is_file():
            return file
    raise CorpusError(
        f"{folder}: holds no {name}; name a folder with corpus.jsonl, queries.jsonl and qrels_SPLIT.tsv (BEIR's "
        "layout), or one with ori_pqal.json or ori_pqaa.json (PubMedQA)."
    )


def beir_splits(folder: Path) -> tuple[str, ...]:
    """The splits that there are qrels of."""
    return tuple(sorted(_qrels_files(folder)))


_FLAT, _NESTED = "qrels_*.tsv", "qrels/*.tsv"


def _qrels_files(folder: Path) -> dict[str, Path]:
    """The qrels file of every split, by its name."""
    nested = {file.stem: file for file in sorted(folder.glob(_NESTED))}  # a flat file is taken where both are there
    return nested | {file.stem.removeprefix("qrels_"): file for file in sorted(folder.glob(_FLAT))}


def _remedy(folder: Path, split: str) -> str:
    names = [name for name in beir_splits(folder) if name != split]
    if names:
        return f"name another one: {', '.join(names)}"
    return "mend it" if split in _qrels_files(folder) else f"add {folder.name}/qrels_{split}.tsv"


def read_qrels(file: Path) -> Qrels:
    """The relevance of each judged pair that has one above 0; the file may begin with a line of column names.

    Raises CorpusError for a line that is no judgement, and for a pair that is judged in two ways.
    """
    judged: Qrels = {}
    damages: list[Damage] = []
    for line in _judgement_lines(file):
        reason = line.reason if isinstance(line, Damage) else _judge(line, judged)
        if reason:
            damages.append(line if isinstance(line, Damage) else Damage(str(file), f"line {line.number}", reason))
    refuse_damages(damages)
    relevant = {query_id: {doc_id: n for doc_id, n in docs.items() if n > 0} for query_id, docs in judged.items()}
    return {query_id: docs for query_id, docs in relevant.items() if docs}


_RELEVANCE_HEADS = frozenset({"score", "relevance", "rel", "label"})


def _judgement_lines(file: Path) -> Iterator[Line | Damage]:
    """The lines that say something, column names left out."""
    try:
        with open_source(file) as stream:
            for line in read_lines(io.BufferedReader(stream), str(file)):
                if isinstance(line, Damage):
                    yield line
                    continue
                is_head = line.number == 1 and line.text.rpartition("\t")[2].strip().casefold() in _RELEVANCE_HEADS
                if line.text.strip() and not is_head:
                    yield line
    except BrokenStreamError as error:
        yield Damage(str(file), error.position, error.reason)


def _judge(line: Line, judged: Qrels) -> str:
    """Enter the line's judgement; why that cannot be done, or "" where it was."""
    columns = line.text.split("\t")
    if len(columns) != 3:
        return f"{len(columns)} columns between tabs, but a judgement has query-id, corpus-id and score"
    query_id, doc_id, score = columns
    try:
        relevance = int(score)
    except ValueError:
        return f"the relevance {score!r} is no whole number"
    before = judged.setdefault(query_id, {}).setdefault(doc_id, relevance)
    return "" if before == relevance else f"{query_id}, {doc_id} is judged {relevance}, but {before} in a line before"


def read_queries(file: Path) -> dict[str, Query]:
    """The queries of a `.jsonl` file by their `_id`; of any other file its lines, by their number from 1.

    Lines of a text file with nothing on them are left out. CorpusError for a file that cannot be read, for two queries
    of one id, for a blank query of a JSON line, and for a file without a query.

    >>> size = Path("questions.txt").write_text("What causes scurvy?\\n\\nIs aspirin safe?\\n")
    >>> {query_id: query.text for query_id, query in read_queries(Path("questions.txt")).items()}
    {'1': 'What causes scurvy?', '3': 'Is aspirin safe?'}
    """
    queries = _json_queries(file) if ".jsonl" in file.suffixes else _text_queries(file)
    if not queries:
        raise CorpusError(f"{file}: holds no query; write one a line.")
    return queries


def _json_queries(file: Path) -> dict[str, Query]:
    """Their lines have the fields of a document's, so they are read as one."""
    queries = {query_id: Query(query_id, line.text) for query_id, line in read_by_id(file, format="jsonl").items()}
    blank = [query_id for query_id, query in queries.items() if not query.text.strip()]
    if blank:
        raise CorpusError(f"{file}: the `text` of {blank[0]!r} is blank ({len(blank)} in all); write or delete it.")
    return queries


def _text_queries(file: Path) -> dict[str, Query]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise CorpusError(f"{file}: cannot be read ({reason}); name a text file of queries, one a line.") from error
    numbered = ((str(number), line.strip()) for number, line in enumerate(lines, start=1))
    return {number: Query(number, text) for number, text in numbered if text}


PUBMEDQA_SPLITS: Final = ("train", "test")

_PUBMEDQA_FILES: Final = ("ori_pqal.json", "ori_pqaa.json")

# PubMedQA's authors put the answers of their test half, which benchmarks such as MIRAGE ask, beside ori_pqal.json.
_PUBMEDQA_TEST: Final = "test_ground_truth.json"


def holds_pubmedqa(source: Path) -> bool:
    """Whether this is a file of PubMedQA, or a folder of such files that is in no other layout."""
    return source.is_file() or (bool(_pubmedqa_files(source)) and not any(source.glob("corpus.jsonl*")))


def load_pubmedqa(source: Path, split: str) -> Dataset:
    """Every question with its abstract as the one relevant document, from all files of PubMedQA that are there.

    A question is the title of its abstract or made from it, so the title is no part of the document.
    The split `test` are the PMIDs of `test_ground_truth.json` where that lies beside, `train` all others. Records
    without an abstract are left out. Query ids are PMIDs, as in PubMedQA's own files; documents are `PMID:…`.

    Raises CorpusError for a file that is not PubMedQA's, a PMID in both files, and a split that is not there.
    """
    files = _pubmedqa_files(source)
    records: _Records = {}
    for file in files:
        read = _records(file)
        refuse_damages(list(_damages(file, read)))
        more = {pmid: record for pmid, record in read.items() if any(text.strip() for text in record["CONTEXTS"])}
        refuse_duplicates(file, [pmid for pmid in more if pmid in records])
        records |= more
    chosen = _pmids_of_split(source, records, split)
    test = _test_file(source)
    documents = {}
    for pmid, record in records.items():
        headings = chain(record.get("LABELS", []), repeat(""))
        sections = tuple(Section(heading, text) for heading, text in zip(headings, record["CONTEXTS"], strict=False))
        doc_id = f"PMID:{pmid}"
        documents[doc_id] = Document(doc_id, "", sections, identifiers(pmid=pmid))
    return Dataset(
        name=source_name(source),
        split=split,
        documents=documents,
        queries={pmid: Query(pmid, records[pmid]["QUESTION"]) for pmid in chosen},
        qrels={pmid: {f"PMID:{pmid}": 1} for pmid in chosen},
        digest=digest([*files, test] if test.is_file() else files),
    )


def _pubmedqa_files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    return [source / name for name in _PUBMEDQA_FILES if (source / name).is_file()]


def _test_file(source: Path) -> Path:
    return (source.parent if source.is_file() else source) / _PUBMEDQA_TEST


_Records = dict[str, dict[str, Any]]


def _pmids_of_split(source: Path, records: _Records, split: str) -> list[str]:
    test = _test_file(source)
    held_out = set(_records(test)) if test.is_file() else set()  # without the file there is no test half to keep apart
    splits = {
        "train": [pmid for pmid in records if pmid not in held_out],
        "test": [pmid for pmid in records if pmid in held_out],
    }
    names = [name for name, pmids in splits.items() if pmids]
    if split not in names:
        raise CorpusError(f"{source}: has no split {split!r}; name another one: {', '.join(names) or 'none is there'}.")
    return splits[split]


def _records(file: Path) -> dict[str, Any]:
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


def source_name(source: Path) -> str:
    """The name of the data set in this folder or file."""
    return source.resolve().name.removesuffix(".json")


def read_by_id(file: Path, *, format: str) -> dict[str, Document]:
    """The documents of a corpus file by id, in its order.

    Raises CorpusError where a part of it is damaged or an id comes twice: training on what is left would be silent.
    """
    documents: dict[str, Document] = {}
    twice: list[str] = []
    damages: list[Damage] = []
    for entry in read_documents([file], format=format):
        if isinstance(entry, Damage):
            damages.append(entry)
        elif isinstance(entry, Document):
            if entry.doc_id in documents:
                twice.append(entry.doc_id)
            documents[entry.doc_id] = entry
    refuse_damages(damages)
    refuse_duplicates(file, twice)
    return documents


def refuse_damages(damages: Sequence[Damage]) -> None:
    """Nothing where there are none, else a CorpusError with the first of them and their number."""
    if damages:
        raise CorpusError(f"{damages[0]}; {_count(damages, 'damage')} in all: mend or delete what is damaged.")


def refuse_duplicates(file: Path, twice: Sequence[str]) -> None:
    """Nothing where no id comes twice, else a CorpusError with the first one and their number."""
    if twice:
        raise CorpusError(f"{file}: {_count(twice, 'id')} that came before, the first {twice[0]!r}; keep one of each.")


_SHOWN = 3  # ids that an error names


def require_ids(file: Path, ids: Iterable[str], defined: Collection[str], *, where: Path) -> None:
    """Nothing where all ids that `file` names are defined in `where`, else a CorpusError with the first three."""
    missing = [entry_id for entry_id in dict.fromkeys(ids) if entry_id not in defined]
    if missing:
        shown = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
        raise CorpusError(
            f"{file}: names {_count(missing, 'id')} that {where.name} does not hold ({shown}); "
            "add them there or delete their lines here."
        )


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'s' if len(things) > 1 else ''}"


def digest(files: Iterable[Path]) -> str:
    """32 hexadecimal digits, equal for files of equal names and bytes, wherever they lie."""
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{file.name}\0{content}\n".encode())
    return whole.hexdigest()[:32]
