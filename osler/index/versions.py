"""The versions of a table: when each was made, and in a folder the file that lists what it holds. Knows no rows.

Lance reads all of these files when it removes old versions, so one that is damaged keeps every later run from its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Final

import lancedb
from lancedb.table import LanceTable

from osler.index.failures import attempt

_LAST: Final = 2**64 - 1
_SUFFIX: Final = ".manifest"
_MARK: Final = b"LANC"


def history(table: LanceTable) -> list[tuple[int, str]]:
    """The versions of a table that are kept, the last one last, and when they were made."""
    versions = table.list_versions()
    # Lance gives local time without a zone.
    return [(int(one["version"]), one["timestamp"].astimezone(UTC).isoformat()) for one in versions]


def versions_folder(uri: str) -> Path | None:
    """Where the files of the versions lie; None on object storage, where nobody looks at them.

    >>> versions_folder("file:///library/passages.lance"), versions_folder("s3://bucket/passages.lance")
    (PosixPath('/library/passages.lance/_versions'), None)
    """
    local = uri.removeprefix("file://")
    return None if "://" in local else Path(local) / "_versions"


def version_file(folder: Path, version: int) -> Path:
    """The file of a version: Lance counts down, so that the last one comes first in a listing.

    >>> version_file(Path("_versions"), 7).name
    '18446744073709551608.manifest'
    """
    return folder / f"{_LAST - version:020}{_SUFFIX}"


def damaged_versions(table: LanceTable) -> list[int]:
    """The versions before the present one whose files cannot be read, ascending; none on object storage."""
    folder = versions_folder(table.uri)
    if folder is None:
        return []
    files = folder.glob(f"*{_SUFFIX}")
    versions = sorted(_LAST - int(file.stem) for file in files if file.stem.isdecimal())
    past = lancedb.connect(folder.parents[1]).open_table(table.name)
    before = (number for number in versions if number < table.version)
    unread = [number for number in before if attempt(partial(past.checkout, number))[1] or not _ends(folder, number)]
    return [number for number in unread if version_file(folder, number).is_file()]  # others were removed meanwhile


def _ends(folder: Path, version: int) -> bool:
    """Whether the file of a version has Lance's mark at its end: it opens a file of zeros too, but cannot list it."""
    content, _ = attempt(version_file(folder, version).read_bytes)
    return content is not None and content.endswith(_MARK)


def remove_versions(table: LanceTable, versions: Iterable[int]) -> None:
    """Remove the files of these versions; what only they hold goes with the next upkeep."""
    folder = versions_folder(table.uri)
    if folder:
        for version in versions:
            version_file(folder, version).unlink(missing_ok=True)
