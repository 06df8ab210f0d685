"""Data sets in BEIR's layout: `corpus.jsonl`, `queries.jsonl`, and the qrels of each split. Knows no other layout.

A split's qrels are `qrels_<split>.tsv` or, as BEIR itself has them, `qrels/<split>.tsv`.
"""

from __future__ import annotations

from pathlib import Path

from osler.datasets.dataset import Dataset
from osler.datasets.files import digest, read_by_id, require_ids
from osler.datasets.names import source_name
from osler.datasets.qrels import read_qrels
from osler.datasets.queries import read_queries
from osler.errors import CorpusError

_FLAT, _NESTED = "qrels_*.tsv", "qrels/*.tsv"


def load(folder: Path, split: str) -> Dataset:
    """One split of the data set in `folder`: its queries in the order of their file, and the whole corpus.

    Raises CorpusError for all that `osler.datasets.load_dataset` names.
    """
    corpus_file, queries_file = (_json_lines(folder, name) for name in ("corpus.jsonl", "queries.jsonl"))
    qrels_file = _qrels_file(folder, split)
    qrels = read_qrels(qrels_file)
    if not qrels:
        raise CorpusError(f"{qrels_file}: an empty split, no line has a relevance above 0; {_others(folder, split)}.")
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


def split_names(folder: Path) -> tuple[str, ...]:
    """The splits that there are qrels of."""
    return tuple(sorted(_qrels_files(folder)))


def _json_lines(folder: Path, name: str) -> Path:
    for file in (folder / name, folder / f"{name}.gz"):
        if file.is_file():
            return file
    raise CorpusError(
        f"{folder}: holds no {name}; name a folder with corpus.jsonl, queries.jsonl and qrels_SPLIT.tsv (BEIR's "
        "layout), or one with ori_pqal.json or ori_pqaa.json (PubMedQA)."
    )


def _qrels_file(folder: Path, split: str) -> Path:
    files = _qrels_files(folder)
    if split not in files:
        raise CorpusError(f"{folder}: has no split {split!r}; {_others(folder, split)}.")
    return files[split]


def _qrels_files(folder: Path) -> dict[str, Path]:
    """The qrels file of every split, by its name."""
    nested = {file.stem: file for file in sorted(folder.glob(_NESTED))}
    return nested | {file.stem.removeprefix("qrels_"): file for file in sorted(folder.glob(_FLAT))}


def _others(folder: Path, split: str) -> str:
    others = [name for name in split_names(folder) if name != split]
    if others:
        return f"name another one: {', '.join(others)}"
    return "mend it" if split in _qrels_files(folder) else f"add {folder.name}/qrels_{split}.tsv"
