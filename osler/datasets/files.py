"""What the readers of data sets share: files are taken whole or refused in one line, and have a digest.

Knows no layout of a data set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from osler.corpus import read_documents
from osler.errors import CorpusError
from osler.records import Damage, Document

_SHOWN = 3  # ids that an error names


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


def require_ids(file: Path, named: Iterable[str], known: Collection[str], *, where: Path) -> None:
    """Nothing where all ids that `file` names are known in `where`, else a CorpusError with the first three."""
    missing = [one for one in dict.fromkeys(named) if one not in known]
    if missing:
        shown = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
        raise CorpusError(
            f"{file}: names {_count(missing, 'id')} that {where.name} does not hold ({shown}); "
            "add them there or delete their lines here."
        )


def digest(files: Iterable[Path]) -> str:
    """32 hexadecimal digits, equal for files of equal names and bytes, wherever they lie."""
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{file.name}\0{content}\n".encode())
    return whole.hexdigest()[:32]


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'s' if len(things) > 1 else ''}"
