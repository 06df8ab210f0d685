from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_fakes import DIM, TOKEN_DIM, document, encode, split, token_vectors_of

from osler import indexing, storable
from osler.index import LanceIndex, Manifest, ModelIdentity, create_index, open_index
from osler.indexing import EncodedPassages, IndexingReport, index_documents
from osler.records import NOT_RETRACTED, Damage, Deletion, Document, Entry, Section
from osler.storable import without_giants

MANIFEST = Manifest(
    encoder=ModelIdentity(name="hash", fingerprint="e1", dim=DIM),
    reranker=ModelIdentity(name="hash", fingerprint="r1", dim=TOKEN_DIM),
)


@pytest.fixture
def index(tmp_path) -> LanceIndex:
    return create_index(tmp_path / "index", MANIFEST)


def run(entries, index, *, commit_passages=4, **options) -> IndexingReport:
    return index_documents(entries, index, split=split, encode=encode, commit_passages=commit_passages, **options)


def corpus(size: int) -> list[Document]:
    """Documents of one to five passages."""
    return [document(f"d{number}", f"word {number} of it " * (number % 5 + 1), year=number) for number in range(size)]


def texts(index: LanceIndex, doc_ids: str) -> list[str | None]:
    documents = [index.snapshot().document(doc_id) for doc_id in doc_ids]
    return [one.text if one else None for one in documents]


def rows(index: LanceIndex) -> list[dict]:
    """Every row with every column, by passage id."""
    stored = index._table.to_arrow().drop_columns(["row_key"])  # which is random
    return sorted(stored.to_pylist(), key=lambda row: row["passage_id"])


def version(index: LanceIndex) -> int:
    return index._table.version


def test_every_document_is_stored_and_counted(index):
    report = run(corpus(12), index)
    expected = sum(len(split(one)) for one in corpus(12))
    assert (report.documents, report.added, report.passages) == (12, 12, expected)
    assert index.statistics().documents == 12
    assert index.statistics().passages == expected
    assert report.passages_per_second > 0


def test_what_is_stored_does_not_depend_on_the_size_of_a_commit(tmp_path):
    small, large = create_index(tmp_path / "small", MANIFEST), create_index(tmp_path / "large", MANIFEST)
    run(corpus(20), small, commit_passages=1)
    run(corpus(20), large, commit_passages=1000)
    assert rows(small) == rows(large)
    assert version(small) > version(large)


def test_indexing_again_changes_nothing_and_encodes_nothing(index):
    run(corpus(12), index)
    index.optimise()
    before = version(index)

    def no_encoding(passages):
        raise AssertionError("there is nothing to encode")

    report = index_documents(corpus(12), index, split=split, encode=no_encoding, commit_passages=4)
    index.optimise()
    assert (report.documents, report.passages, report.unchanged) == (0, 0, 12)
    assert version(index) == before


def test_a_changed_document_is_replaced_and_the_others_are_left(index):
    run([document("a", "one two three four"), document("b", "same")], index)
    report = run([document("a", "one"), document("b", "same"), document("c", "new")], index)
    assert (report.documents, report.replaced, report.added, report.unchanged) == (2, 1, 1, 1)
    assert texts(index, "abc") == ["one", "same", "new"]
    assert index.statistics().passages == 3


@pytest.mark.parametrize("commit_passages", [1, 2, 100])
def test_of_equal_ids_the_last_wins_and_is_counted_however_far_apart(index, commit_passages):
    entries = [document("a", "first"), document("b", "text"), document("a", "second"), document("a", "second")]
    report = run(entries, index, commit_passages=commit_passages)
    assert (report.documents, report.replaced, report.added, report.unchanged) == (3, 1, 2, 1)
    assert texts(index, "ab") == ["second", "text"]


def test_a_source_with_equal_ids_indexed_again_writes_nothing(index):
    entries = [document("a", "first"), document("b", "text"), document("a", "second"), document("a", "third")]
    run(entries, index)
    before = version(index)
    report = run(entries, index)
    assert (report.documents, report.replaced, report.outdated, report.unchanged) == (0, 0, 2, 2)
    assert version(index) == before
    assert texts(index, "ab") == ["third", "text"]


@pytest.mark.parametrize("commit_passages", [1, 100])
def test_a_higher_version_wins_whatever_the_order(index, commit_passages):
    entries = [document("a", "v2", version=2), document("a", "v1", version=1), document("b", "v1", version=1)]
    report = run([*entries, document("b", "v3", version="3")], index, commit_passages=commit_passages)
    assert (report.outdated, report.replaced, report.added) == (1, 1, 2)
    assert texts(index, "ab") == ["v2", "v3"]


def test_a_lower_version_than_the_stored_one_is_ignored(index):
    run([document("a", "v2", version=2)], index)
    before = version(index)
    assert run([document("a", "v1")], index).outdated == 1
    assert texts(index, "a") == ["v2"]
    assert version(index) == before


@pytest.mark.parametrize("commit_passages", [1, 2, 100])
def test_deletions_take_effect_in_the_order_of_the_entries(index, commit_passages):
    run([document("a", "old", version=3), document("b", "old"), document("c", "kept")], index)
    entries = [
        Deletion("a"),
        document("a", "again"),
        document("b", "new"),
        Deletion("b"),
        Deletion("never there"),
        document("d", "one"),
        Deletion("d"),
        document("d", "two"),
    ]
    report = run(entries, index, commit_passages=commit_passages)
    assert texts(index, "abcd") == ["again", None, "kept", "two"]
    assert report.deleted == 3


def test_a_document_published_again_with_the_content_it_had_is_stored_again(index):
    run([document("a", "text")], index)
    entries = [Deletion("a"), document("b", "one two three four"), document("a", "text")]
    assert run(entries, index, commit_passages=1).deleted == 1
    assert texts(index, "a") == ["text"]


def test_many_deletions_are_applied_within_bounded_memory(index):
    run(corpus(12), index)
    assert run([Deletion(f"d{number}") for number in range(12)], index, commit_passages=2).deleted == 12
    assert index.statistics().passages == 0


def test_damage_is_counted_and_the_first_hundred_are_kept(index):
    damages = [Damage("file.xml", f"line {number}", "cut off") for number in range(150)]
    report = run([*damages[:75], document("a", "text"), *damages[75:]], index)
    assert (report.skipped, report.documents) == (150, 1)
    assert report.damages == tuple(damages[:100])


def test_an_empty_document_is_skipped_with_its_id_and_one_with_a_title_is_not(index):
    report = run([document("a", " \n"), Document("b", " ", ()), document("c", "", title="Title")], index)
    assert (report.skipped, report.documents) == (2, 1)
    assert str(report.damages[0]) == "a, document: neither a title nor text"
    assert texts(index, "abc") == [None, None, ""]


def test_a_document_that_cannot_be_stored_does_not_stop_the_others(index):
    odd = [document("a", "half \ud83d a pair"), document("\ud83d", "text"), document("b", "text", tags={1})]
    report = run([*odd, document("c", "text")], index)
    assert (report.skipped, report.documents) == (3, 1)
    assert [damage.source for damage in report.damages] == ["a", "?", "b"]
    assert "JSON" in report.damages[2].reason


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "JSON cannot hold"),
        ({"inner": [float("-inf")]}, "JSON cannot hold"),
        (b"bytes", "JSON cannot hold"),
        (np.float32(1), "JSON cannot hold"),
        (10**5000, "JSON cannot hold"),
        (nested(120), "nested more than 100 deep"),
        (nested(970), "nested more than 100 deep"),
        (nested(985), "nested more than 100 deep"),
    ],
    ids=["nan", "inf", "bytes", "numpy", "digits", "120", "970", "985"],
)
def test_metadata_that_could_not_be_read_again_cost_their_document_alone(index, value, reason):
    report = run([document("a", "text", odd=value), document("b", "text", odd=nested(90))], index)
    assert (report.skipped, report.documents) == (1, 1)
    assert reason in report.damages[0].reason
    assert index.snapshot().document("b").metadata["odd"] == nested(90)


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (Document(7, "title", ()), "must be strings, not 7"),
        (Document("a", None, ()), "must be strings, not None"),
        (Document("a", "title", (Section("", b"text"),)), "must be strings, not b'text'"),
        (Document("a", "title", (Section(None, "text"),)), "must be strings, not None"),
        (Document("a", "title", (), {"pmid": {1}}), "JSON cannot hold"),
        (Document("a", "half \ud83d", ()), "half a surrogate pair"),
        (Document("a", "title", (Section("", None),)), "must be strings, not None"),
        (Document("a", "title", "text"), "its sections must be `Section`s, not 'text'"),
        (Document("a", "title", None), "its sections must be `Section`s, not None"),
        (Document("a", "title", (Section("", "text"), "more")), "its sections must be `Section`s"),
        (Document("", "title", ()), "its id is empty"),
        (Document(" \n", "title", ()), "its id is empty"),
    ],
)
def test_a_document_of_other_types_costs_itself_alone(index, damaged, reason):
    entries = without_giants([document("b", "text"), damaged, document("c", "text")], most=100)
    report = run(entries, index)
    assert (report.skipped, report.documents) == (1, 2)
    assert reason in report.damages[0].reason


@pytest.mark.parametrize("types", [7, True, None, 1.5, {"a": 1}, [[1]], "Review"])
def test_publication_types_of_any_shape_are_stored(index, types):
    assert run([document("a", "text", publication_types=types)], index).documents == 1
    assert index.snapshot().document("a").metadata["publication_types"] == types


def test_a_document_in_which_the_splitter_finds_nothing_is_skipped(index):
    report = index_documents([document("a", "x")], index, split=lambda _: (), encode=encode, commit_passages=1)
    assert report.skipped == 1
    assert "no passage" in report.damages[0].reason


def test_passages_are_encoded_in_slices_of_like_length_and_stored_in_order(index, monkeypatch):
    monkeypatch.setattr(indexing, "_SLICE", 16)
    seen: list[list[int]] = []

    def watch(passages):
        seen.append([len(passage.text) for passage in passages])
        return encode(passages)

    documents = [document(f"d{number:03}", "x" * (number * 37 % 101 + 1)) for number in range(100)]
    index_documents(documents, index, split=split, encode=watch, commit_passages=1000)
    first, *others = seen
    assert len(first) > 10
    assert max(first) - min(first) > 90  # of all lengths
    assert {len(part) for part in (first, *others[:-1])} == {16}  # however long a slice takes
    lengths = [length for part in others for length in part]
    assert lengths == sorted(lengths, reverse=True)
    for one in documents:
        (stored,) = token_vectors_of(index, [f"{one.doc_id}#0"]).values()
        made = encode(split(one))
        assert np.array_equal(stored.codes, made.token_vectors[0].codes)
        assert index.snapshot().nearest(made.vectors[0], k=1, where=NOT_RETRACTED)[0].score == pytest.approx(1.0)
        (spans,) = index.snapshot().read([f"{one.doc_id}#0"]).token_spans
        assert np.array_equal(spans, made.token_spans[0])


def test_an_encoder_without_token_vectors_is_enough_where_the_index_keeps_none(tmp_path):
    def dense(passages):
        return EncodedPassages(encode(passages).vectors)

    index = create_index(tmp_path / "dense", MANIFEST.model_copy(update={"token_vectors": False}))
    report = index_documents(corpus(3), index, split=split, encode=dense, commit_passages=4)
    assert report.documents == 3
    assert not index.snapshot().read(["d0#0"]).has_token_vectors


def test_progress_moves_within_a_commit_and_ends_at_the_total(index):
    reports: list[IndexingReport] = []
    last = run(corpus(60), index, commit_passages=1000, on_progress=reports.append)
    moved = [report.passages for report in reports]
    assert moved == sorted(moved)
    assert 0 < moved[1] < last.passages
    assert moved[-1] == last.passages


def test_entries_are_streamed(index):
    """At no time has the run taken more entries than its look-ahead beyond what it has written."""
    taken = 0

    def entries():
        nonlocal taken
        for number in range(2000):
            taken += 1
            yield document(f"d{number}", "one two")

    ahead = []
    run(entries(), index, commit_passages=100, on_progress=lambda report: ahead.append(taken - report.documents))
    assert taken == 2000
    assert max(ahead) <= 512


def test_stopped_between_commits_the_index_is_good_and_the_run_resumes(index):
    def interrupted():
        yield from corpus(20)[:12]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index_documents(interrupted(), index, split=split, encode=encode, commit_passages=4)
    report = run(corpus(20), index)
    assert report.documents + report.unchanged == 20
    assert index.statistics().documents == 20


KILLED_RUN = """
import sys, time
sys.path[:0] = sys.argv[2:]
from index_fakes import encode, split
from osler.index import open_index
from osler.indexing import index_documents
from test_indexing import corpus

def slow(passages):
    time.sleep(0.02)
    return encode(passages)

def tell(report):
    print(report.passages, flush=True)

index_documents(corpus(60), open_index(sys.argv[1]), split=split, encode=slow, commit_passages=10, on_progress=tell)
"""


@pytest.mark.slow
@pytest.mark.parametrize("passages", [30, 95])
def test_a_killed_run_leaves_an_index_that_opens_and_the_same_run_finishes_it(tmp_path, passages):
    create_index(tmp_path / "killed", MANIFEST)
    here = Path(__file__).parent
    command = [sys.executable, "-c", KILLED_RUN, str(tmp_path / "killed"), str(here), str(here.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) >= passages:
                time.sleep(0.003 * (passages % 7))  # so that it dies at different places of a commit
                os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL

    killed = open_index(tmp_path / "killed")
    stored = killed.statistics().documents
    assert 0 < stored < 60
    assert stored == sum(killed.snapshot().document(one.doc_id) == one for one in corpus(60))
    report = run(corpus(60), killed, commit_passages=10)
    assert (report.unchanged, report.documents) == (stored, 60 - stored)

    whole = create_index(tmp_path / "whole", MANIFEST)
    run(corpus(60), whole, commit_passages=10)
    assert rows(killed) == rows(whole)


IDS = st.sampled_from(["a", "b", "c"])
ENTRIES = st.lists(
    st.one_of(
        st.builds(
            lambda id_, text, number: document(id_, text, version=number),
            IDS,
            st.text("xy ", max_size=9),
            st.integers(1, 2),
        ),
        st.builds(Deletion, IDS),
    ),
    max_size=8,
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=ENTRIES, commit_passages=st.integers(1, 6))
def test_any_order_of_documents_and_deletions_ends_as_if_applied_one_by_one(index, entries, commit_passages):
    index.delete(["a", "b", "c"])
    run(entries, index, commit_passages=commit_passages)
    assert {doc_id: index.snapshot().document(doc_id) for doc_id in "abc"} == applied_one_by_one(entries)


def applied_one_by_one(entries: list[Entry]) -> dict[str, Document | None]:
    stored: dict[str, Document | None] = dict.fromkeys("abc")
    for entry in entries:
        before = stored[entry.doc_id]
        if isinstance(entry, Deletion):
            stored[entry.doc_id] = None
        elif entry.text.strip() and (before is None or entry.version >= before.version):
            stored[entry.doc_id] = entry
    return stored


def test_a_document_beyond_the_bound_is_damage_and_the_others_are_stored(index):
    entries = [document("a", "one two"), document("huge", "x" * 101), document("b", "three")]
    report = run(without_giants(entries, most=100), index)
    assert (report.documents, report.skipped) == (2, 1)
    assert str(report.damages[0]) == (
        "huge, document: it has 101 characters, and at most 100 are taken: "
        "divide it, or raise the setting index.max_characters"
    )
    assert texts(index, "ab") == ["one two", "three"]


@pytest.mark.parametrize(
    ("large", "says"),
    [
        (document("large", "one", title="x" * 98), "it has 101 characters"),
        (Document("large", "", (Section("x" * 98, "one"),)), "it has 101 characters"),
        (document("large", "one", title="x" * 51), "a title or heading has 51 characters: make it shorter"),
        (Document("large", "", (Section("x" * 51, "one"),)), "a title or heading has 51 characters: make it shorter"),
    ],
)
def test_titles_and_headings_are_bounded_too(index, monkeypatch, large, says):
    monkeypatch.setattr(storable, "_LONGEST_TITLE", 50)
    report = run(without_giants([large, document("b", "three")], most=100), index)
    assert (report.documents, report.skipped) == (1, 1)
    assert says in report.damages[0].reason


def test_metadata_may_be_nested_a_hundred_deep(index):
    odd = nested(98)  # of 99 lists; the metadata are a level themselves
    assert run([document("a", "text", odd=odd)], index).documents == 1
    assert run([document("b", "text", odd=nested(99))], index).skipped == 1
    assert index.snapshot().document("a").metadata["odd"] == odd


def test_what_came_before_a_long_document_is_committed_before_it_is_taken_apart(index, monkeypatch):
    monkeypatch.setattr(indexing, "_LONG", 50)

    def fail_at_long(one):
        if len(one.text) > 50:
            raise MemoryError
        return split(one)

    entries = [document("a", "one two"), document("long", "word " * 20)]
    with pytest.raises(MemoryError):
        index_documents(entries, index, split=fail_at_long, encode=encode, commit_passages=100)
    assert texts(index, "a") == ["one two"]
