"""What the disk and Lance do wrong is one sentence with its remedy; what our own code does wrong stays what it is."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pytest
from index_fakes import DIM, TOKEN_DIM, document, encoded

from osler.errors import StoreError
from osler.index import LanceIndex, Manifest, ModelIdentity, create_index, failures, open_index, publications
from osler.index.schema import to_table
from osler.records import NOT_RETRACTED

pytestmark = pytest.mark.slow

MANIFEST = Manifest(
    encoder=ModelIdentity(name="hash", fingerprint="e1", dim=DIM),
    reranker=ModelIdentity(name="hash", fingerprint="r1", dim=TOKEN_DIM),
)
GUARDS = [failures.opening, failures.reading, failures.writing]


@pytest.fixture
def index(tmp_path) -> LanceIndex:
    index = create_index(tmp_path / "index", MANIFEST)
    index.upsert([encoded(document("a", "heart failure"))])
    return index


@contextmanager
def limited(kind: int, most: int) -> Iterator[None]:
    """This process with a lower limit, such as RLIMIT_NOFILE."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def raise_again(error: BaseException) -> None:
    raise error


OWN_ERRORS = [KeyError("year"), IndexError("3"), TypeError("k"), ValueError("k = -1"), RuntimeError("no state")]
OWN_CALLS = {type(error).__name__: lambda error=error: raise_again(error) for error in OWN_ERRORS}
OWN_CALLS |= {
    "json": lambda: json.loads("{"),
    "a column that a table lacks": lambda: pa.table({"x": [1]})["y"],
}


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("name", OWN_CALLS)
def test_an_error_of_our_own_code_passes_through_unchanged(guard, name):
    with pytest.raises(Exception) as outside:  # noqa: PT011  # whichever it is
        OWN_CALLS[name]()
    with pytest.raises(type(outside.value)) as inside, guard("index"):
        OWN_CALLS[name]()
    assert not isinstance(inside.value, StoreError)
    assert str(inside.value) == str(outside.value)


def test_a_mistake_of_ours_within_a_write_is_no_damaged_table(index, monkeypatch):
    monkeypatch.setattr(publications, "state_change", lambda *_, **__: [].pop())
    with pytest.raises(IndexError, match="pop from empty list"):
        index.upsert([encoded(document("b", "text"))])


def test_a_wrong_call_of_lancedb_is_a_type_error(index):
    with pytest.raises(TypeError, match="'str' and 'int'"), failures.reading("index"):
        index._table.search().limit("many")


def test_a_full_disk_is_told_as_one_and_what_was_committed_is_kept(index, tmp_path):
    long = encoded(document("b", "heart failure " * 1000))
    says = r"cannot be written \(.*File too large.*\): check the free space and the rights there; what was committed"
    with limited(resource.RLIMIT_FSIZE, 2000):
        for write in (lambda: index.upsert([long]), lambda: index.delete(["a"]), index.optimise):
            with pytest.raises(StoreError, match=says):
                write()
        with pytest.raises(StoreError, match=says):
            create_index(tmp_path / "another", MANIFEST)
    assert open_index(tmp_path / "index").snapshot().document("a").text == "heart failure"


def test_too_many_open_files_are_told_as_the_limit_of_this_shell(index, tmp_path):
    says = r"\(.*Too many open files.*\): raise the limits of this shell \(ulimit -n, ulimit -v\)"
    with limited(resource.RLIMIT_NOFILE, 5):
        with pytest.raises(StoreError, match=f"cannot be read {says}"):
            open_index(tmp_path / "index")
        with pytest.raises(StoreError, match=f"cannot be written {says}"):
            index.delete(["a"])


@pytest.mark.parametrize("guard", GUARDS)
def test_memory_that_lance_is_not_given_is_told_as_the_limit_of_this_shell(guard):
    with pytest.raises(StoreError, match="raise the limits of this shell"), guard("index"):
        raise RuntimeError("lance error: LanceError(IO): Cannot allocate memory (os error 12), /x/y.rs:1:2")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_missing_rights_are_told_as_those(index, tmp_path):
    data = tmp_path / "index" / "passages.lance" / "data"
    data.chmod(0o500)
    with pytest.raises(StoreError, match=r"Permission denied.*check the free space and the rights there"):
        index.upsert([encoded(document("b", "text"))])
    data.chmod(0o700)


@pytest.mark.parametrize("folder", ["index", "concurrent", "invalid", "not found"])
def test_a_commit_conflict_is_told_as_another_writer_wherever_the_index_lies(tmp_path, folder):
    path = tmp_path / folder
    create_index(path, MANIFEST).upsert([encoded(document("a", "heart"))])
    stale, other = open_index(path)._table, open_index(path)._table
    other.checkout(1)
    other.restore()
    rows = to_table([encoded(document("b", "text"))], stale.schema)
    says = r"another process writes this index too \(Incompatible transaction: .* run the same command again"
    with pytest.raises(StoreError, match=says), failures.writing(str(path)):
        stale.add(rows)


@pytest.mark.parametrize("folder", ["concurrent", "invalid", "not found"])
def test_the_name_of_an_index_says_nothing_about_its_failures(tmp_path, folder):
    index = create_index(tmp_path / folder, MANIFEST)
    with limited(resource.RLIMIT_FSIZE, 2000), pytest.raises(StoreError, match="check the free space") as told:
        index.upsert([encoded(document("b", "heart failure " * 1000))])
    assert not isinstance(told.value, failures.DamageError)


@pytest.mark.parametrize("pattern", ["data/*", "_indices/*/*.lance", "_versions/*"])
@pytest.mark.parametrize("damage", ["cut", "overwritten", "gone"])
def test_damaged_files_of_every_kind_are_a_store_error_or_do_no_harm(index, tmp_path, pattern, damage):
    index.optimise()
    for path in (tmp_path / "index" / "passages.lance").glob(pattern):
        size = path.stat().st_size
        path.write_bytes(path.read_bytes()[: size // 2] if damage == "cut" else b"damaged" * size)
        if damage == "gone":
            path.unlink()
    told = []
    for use in (
        lambda reader: reader.snapshot(),
        lambda reader: reader.snapshot().lexical("heart", k=1, where=NOT_RETRACTED),
        lambda reader: reader.upsert([encoded(document("a", "new"))]),
        lambda reader: reader.delete(["a"]),
        lambda reader: reader.optimise(),
    ):
        try:
            use(open_index(tmp_path / "index"))
        except StoreError as error:
            told.append(str(error))
    assert told
    assert all(text.endswith(".") for text in told)


@pytest.mark.parametrize("column", ["metadata", "outline", "identifiers"])
def test_json_that_was_damaged_is_told_as_damage_with_its_document(index, tmp_path, column):
    index._table.update(where="doc_id = 'a'", values={column: '{"year'})
    reader = open_index(tmp_path / "index")
    with pytest.raises(failures.DamageError, match=f"a: its {column} cannot be read .* `osler check --index"):
        reader.snapshot().document("a")


def test_token_vectors_that_were_cut_are_told_as_damage(index, tmp_path):
    index._table.update(where="doc_id = 'a'", values={"token_vectors": b"\2\0\0\0"})
    with pytest.raises(failures.DamageError, match="Token vectors of a passage take 20 bytes, and 4 are stored: see"):
        _ = open_index(tmp_path / "index").snapshot().read(["a#0"]).token_vectors
