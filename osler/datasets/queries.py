"""A file of queries: JSON lines as in BEIR, or a query a line. Knows nothing of qrels or corpora."""

from __future__ import annotations

from pathlib import Path

from osler.datasets.files import read_by_id
from osler.errors import CorpusError
from osler.records import Query


def read_queries(file: Path) -> dict[str, Query]:
    """The queries of a `.jsonl` file by their `_id`; of any other file its lines, by their number from 1.

    Lines of a text file with nothing on them are left out. CorpusError for a file that cannot be read, for two queries
    of one id, for a blank query of a JSON line, and for a file without a query.

    >>> size = Path("questions.txt").write_text("What causes scurvy?\\n\\nIs aspirin safe?\\n")
    >>> {query_id: query.text for query_id, query in read_queries(Path("questions.txt")).items()}
    {'1': 'What causes scurvy?', '3': 'Is aspirin safe?'}
    """
    queries = _json_lines(file) if ".jsonl" in file.suffixes else _text_lines(file)
    if not queries:
        raise CorpusError(f"{file}: holds no query; write one a line.")
    return queries


def _json_lines(file: Path) -> dict[str, Query]:
    """Their lines have the fields of a document's, so they are read as one."""
    queries = {query_id: Query(query_id, line.text) for query_id, line in read_by_id(file, format="jsonl").items()}
    blank = [query_id for query_id, query in queries.items() if not query.text.strip()]
    if blank:
        raise CorpusError(f"{file}: the `text` of {blank[0]!r} is blank ({len(blank)} in all); write or delete it.")
    return queries


def _text_lines(file: Path) -> dict[str, Query]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise CorpusError(f"{file}: cannot be read ({reason}); name a text file of queries, one a line.") from error
    numbered = ((str(number), line.strip()) for number, line in enumerate(lines, start=1))
    return {number: Query(number, text) for number, text in numbered if text}
