"""Documents of one publication within the table, and what a write changes for them. Knows columns of ids, no vectors.

The ids of a publication, and those that a notice is about, stand on the row of position 0 alone. Scalar indexes cover
them, so a commit looks up all of its documents at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from lancedb.table import LanceTable

from osler.index.filters import filter_columns, one_of, quoted
from osler.index.schema import dumped, loaded, with_new_keys
from osler.index.states import Described, Ids, effective_metadata
from osler.records import Document, Metadata
from osler.text.identifiers import KINDS, Identifier, doc_id_spellings, parse_identifier, without_position

_COLUMNS = ["doc_id", *KINDS, "metadata", "own_metadata"]


@dataclass(frozen=True, slots=True)
class StateChange:
    """What a write means for states.

    metadata: of documents written, where stored ones state something of them; told: of stored documents for which the
    write changes them, both by doc_id; replaces: whether it takes the place of stored documents.
    """

    metadata: Mapping[str, Metadata]
    told: Mapping[str, Metadata]
    replaces: bool


def state_change(table: LanceTable, written: Sequence[Document], *, removed: Collection[str] = ()) -> StateChange:
    """What it changes to write these documents and to remove those of these ids, in one commit."""
    new = {document.doc_id: Described.of(document) for document in written}
    old = _stored(table, f"{one_of('doc_id', [*new, *removed])} AND position = 0")
    linked, ids = _linked(table, [*new.values(), *(described for described, _ in old.values())])
    others = {doc_id: stored for doc_id, stored in linked.items() if doc_id not in new and doc_id not in removed}
    holds = effective_metadata([*new.values(), *(described for described, _ in others.values())])
    # Of a notice that is here only for what it is about, not all that others state of it is known.
    whole = {doc_id: metadata for doc_id, (described, metadata) in others.items() if described.ids & ids}
    told = {doc_id: holds[doc_id] for doc_id, metadata in whole.items() if holds[doc_id] != metadata}
    metadata = {doc_id: holds[doc_id] for doc_id, described in new.items() if holds[doc_id] != described.metadata}
    return StateChange(metadata, told, replaces=bool(old))


def with_metadata(rows: pa.Table, metadata: Mapping[str, Metadata]) -> pa.Table:
    """The rows with these metadata, by doc_id, in place of their own; rows of other documents as they are."""
    if not metadata:
        return rows
    changed = rows.select(["doc_id", "position", "metadata", "own_metadata", "retracted"]).to_pylist()
    for row in changed:
        if (holds := metadata.get(row["doc_id"])) is not None:
            came = row["own_metadata"] or row["metadata"]
            row["metadata"] = dumped(holds)
            row["own_metadata"] = came if row["position"] == 0 and came != row["metadata"] else None
            row["retracted"] = filter_columns(holds)["retracted"]
    for name in ("metadata", "own_metadata", "retracted"):
        column = rows.schema.field(name)
        values = pa.array([row[name] for row in changed], column.type)
        rows = rows.set_column(rows.schema.get_field_index(name), column, values)
    return rows


def replace_documents(
    table: LanceTable, rows: pa.Table, doc_ids: Collection[str], told: Mapping[str, Metadata]
) -> None:
    """Put these rows in place of all those of these documents, in one commit; told: metadata that hold of others."""
    if told:
        stored = table.search().where(one_of("doc_id", told)).select(table.schema.names).to_arrow()
        rows = pa.concat_tables([rows, with_new_keys(with_metadata(stored.cast(table.schema), told))])
    merge = table.merge_insert("passage_id").when_matched_update_all().when_not_matched_insert_all()
    merge.when_not_matched_by_source_delete(one_of("doc_id", doc_ids)).execute(rows)


def documents_named(table: LanceTable, names: Sequence[str]) -> dict[str, list[str]]:
    """The documents that each name means, as `PassageIndex.find_documents` gives them."""
    spellings = {name: doc_id_spellings(name) for name in names}
    if not spellings:
        return {}
    asked = sorted({spelling for spelled in spellings.values() for spelling in spelled})
    rows = table.search().where(f"{one_of('doc_id', asked)} AND position = 0").select(["doc_id"]).to_list()
    stored = {row["doc_id"] for row in rows}
    ids = {name: parse_identifier(without_position(name)) for name in names}
    carriers = _documents_with(table, filter(None, ids.values()))
    found = {
        name: [*[one for one in spelled if one in stored][:1], *(one for one in carriers if ids[name] in carriers[one])]
        for name, spelled in spellings.items()
    }
    return {name: list(dict.fromkeys(doc_ids)) for name, doc_ids in found.items() if doc_ids}


def documents_taken_back(table: LanceTable, doc_ids: Sequence[str]) -> list[str]:
    """The stored documents of these ids, and of `PMID:1` all documents whose pmid is 1."""
    if not doc_ids:
        return []
    rows = table.search().where(f"{one_of('doc_id', doc_ids)} AND position = 0").select(["doc_id"]).to_list()
    pmids = [parse_identifier(doc_id) for doc_id in doc_ids if doc_id.startswith("PMID:")]
    return sorted({*(row["doc_id"] for row in rows), *_documents_with(table, filter(None, pmids))})


def passages_of(table: LanceTable, doc_ids: Sequence[str], condition: str) -> list[str]:
    """The passages of these documents that meet the condition, none being "", in their order."""
    if not doc_ids:
        return []
    of_documents = " AND ".join(filter(None, [one_of("doc_id", doc_ids), condition]))
    rows = table.search().where(of_documents).select(["passage_id", "doc_id", "position"]).to_list()
    order = {doc_id: place for place, doc_id in enumerate(doc_ids)}
    return [row["passage_id"] for row in sorted(rows, key=lambda row: (order[row["doc_id"]], row["position"]))]


def _documents_with(table: LanceTable, ids: Iterable[Identifier]) -> dict[str, Ids]:
    """The documents that carry one of these ids, with all of their own, by doc_id in its order."""
    condition = _carrying(list(ids))
    if not condition:
        return {}
    rows = table.search().where(condition).select(["doc_id", *KINDS]).to_list()
    return {row["doc_id"]: _ids(row) for row in sorted(rows, key=lambda row: str(row["doc_id"]))}


def _linked(table: LanceTable, documents: Iterable[Described]) -> tuple[dict[str, tuple[Described, Metadata]], Ids]:
    """The stored documents of the publications that these belong to or are about, with all notices about them.

    Also the ids of these publications. A further look-up is made only where a document brings ids that are new.
    """
    linked: dict[str, tuple[Described, Metadata]] = {}
    ids: Ids = frozenset()
    new = frozenset().union(*(described.ids | described.notice_of for described in documents))
    while new:
        about = f"array_has_any(notice_of, [{quoted(map(str, new))}])"
        linked |= _stored(table, f"{_carrying(new)} OR {about}")
        ids |= new
        # The ids of a notice are of another publication: it is not followed.
        carriers = (described.ids for described, _ in linked.values() if described.ids & ids)
        new = frozenset().union(*carriers) - ids
    return linked, ids


def _stored(table: LanceTable, condition: str) -> dict[str, tuple[Described, Metadata]]:
    """The documents that meet the condition, as they came, with the metadata that hold, by doc_id."""
    stored = {}
    for row in table.search().where(condition).select(_COLUMNS).to_list():
        holds = loaded(row, "metadata")
        came = loaded(row, "own_metadata") if row["own_metadata"] else holds
        stored[row["doc_id"]] = Described(row["doc_id"], _ids(row), came), holds
    return stored


def _ids(row: Mapping[str, str]) -> Ids:
    return frozenset(Identifier(kind, row[kind]) for kind in KINDS if row[kind])


def _carrying(ids: Collection[Identifier]) -> str:
    """The condition for the documents that carry one of these ids, "" where there are none."""
    by_kind = {kind: sorted(one.value for one in ids if one.kind == kind) for kind in KINDS}
    return " OR ".join(one_of(kind, values) for kind, values in by_kind.items() if values)
