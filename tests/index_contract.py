"""What every `PassageIndex` must do, as tests over the fixture `index`, which each backend's test file defines.

The index it makes is empty and has the dimensions `DIM` and `TOKEN_DIM` of the stand-ins.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_fakes import (
    DIM,
    TOKEN_DIM,
    document,
    encoded,
    hashed,
    passages_of,
    token_vectors_of,
    vectors_of,
)

from osler.index.states import Described, effective_metadata
from osler.late_interaction.token_vectors import dequantise
from osler.protocols import PassageIndex
from osler.records import (
    NOT_RETRACTED,
    Document,
    DocumentVersion,
    EncodedDocument,
    Filter,
    Section,
)

EVERYTHING = Filter(include_retracted=True)


def stored_ids(index: PassageIndex, where: Filter = EVERYTHING) -> list[str]:
    return sorted(
        candidate.passage_id for candidate in index.snapshot().nearest(hashed("any", DIM), k=1000, where=where)
    )


def found(index: PassageIndex, query: str, where: Filter = EVERYTHING) -> list[str]:
    return [candidate.passage_id for candidate in index.snapshot().lexical(query, k=10, where=where)]


# Writing


def test_a_document_that_shrinks_loses_its_old_passages(index):
    index.upsert([encoded(document("a", "one two three four five six seven")), encoded(document("b", "other"))])
    assert stored_ids(index) == ["a#0", "a#1", "a#2", "b#0"]
    index.upsert([encoded(document("a", "one two"))])
    assert stored_ids(index) == ["a#0", "b#0"]
    assert index.snapshot().document("a").text == "one two"


def test_one_call_may_replace_some_documents_and_add_others(index):
    index.upsert([encoded(document("a", "old words"))])
    index.upsert([encoded(document("a", "new words")), encoded(document("b", "more words"))])
    assert [index.snapshot().document(doc_id).text for doc_id in "ab"] == ["new words", "more words"]


def test_two_documents_of_one_id_in_a_call_are_refused(index):
    with pytest.raises(ValueError, match="same id, a:"):
        index.upsert([encoded(document("a", "one")), encoded(document("a", "two"))])
    assert stored_ids(index) == []


def test_passages_that_leave_text_out_are_refused(index):
    whole = encoded(document("a", "one two three four"))
    with pytest.raises(ValueError, match="do not make up its text"):
        index.upsert([replace(whole, passages=whole.passages[1:])])


def test_writing_nothing_changes_nothing(index):
    index.upsert([])
    assert index.delete([]) == 0
    assert index.fingerprints([]) == {}
    assert passages_of(index, []) == []
    assert token_vectors_of(index, []) == {}


def test_a_deleted_document_is_gone_and_the_others_stay(index):
    index.upsert([encoded(document(doc_id, f"text of {doc_id}")) for doc_id in ("a", "b", "it's")])
    assert index.delete(["a", "it's", "never there"]) == 2
    assert index.snapshot().document("a") is None
    assert stored_ids(index) == ["b#0"]
    assert index.delete(["a"]) == 0


def test_taking_back_a_citation_takes_its_full_text_along(index):
    full_text = Document("PMC:PMC1", "", (Section("", "text"),), identifiers={"pmid": "7"})
    index.upsert([encoded(full_text), encoded(document("PMID:7", "abstract")), encoded(document("PMID:8", "other"))])
    assert index.delete(["PMID:7"]) == 2
    assert stored_ids(index) == ["PMID:8#0"]


def test_fingerprint_and_version_are_those_of_the_document(index):
    second = document("a", "one two three four", version=2)
    index.upsert([encoded(second)])
    assert index.fingerprints(["a", "b"]) == {"a": DocumentVersion(second.fingerprint, 2)}


# States of publications


def paper(doc_id: str, text: str = "a heart", *, metadata: dict | None = None, **identifiers: str) -> EncodedDocument:
    return encoded(Document(doc_id, "", (Section("", text),), identifiers, metadata or {}))


def notice(doc_id: str, kind: str, *about: str) -> EncodedDocument:
    return paper(doc_id, "a notice", metadata={"notice_of": {kind: list(about)}})


def states(index: PassageIndex, doc_id: str) -> dict[str, object]:
    """What the metadata say of states; those of its passages are the same."""
    metadata = index.snapshot().document(doc_id).metadata
    assert passages_of(index, [f"{doc_id}#0"])[0].metadata == metadata
    return {name: metadata[name] for name in ("retracted", "concern", "corrected", "notices") if metadata.get(name)}


RETRACTED = {"retracted": True}

SHARED = [
    ({"pmid": "7"}, "PMID:7", {}),
    ({"pmid": "7"}, "b", {"pmid": "7"}),
    ({"pmid": "PMID: 007"}, "b", {"pmid": 7}),
    ({"doi": "10.1/X"}, "b", {"doi": "https://doi.org/10.1/x"}),
    ({"doi": "10.1/x"}, "doi:10.1/X", {}),
    ({"pmcid": "PMC9"}, "PMC:PMC9", {}),
    ({"pmcid": "9"}, "b", {"pmcid": "pmc9"}),
]


@pytest.mark.parametrize("retracted_first", [True, False])
@pytest.mark.parametrize(("ids", "doc_id", "other_ids"), SHARED)
def test_a_retraction_holds_for_every_document_of_a_publication_in_either_order(
    index, ids, doc_id, other_ids, retracted_first
):
    documents = [paper("a", metadata=RETRACTED, **ids), paper(doc_id, **other_ids), paper("other", pmid="70")]
    for one in documents if retracted_first else reversed(documents):
        index.upsert([one])
    assert states(index, doc_id) == RETRACTED
    assert stored_ids(index, Filter()) == found(index, "heart", Filter()) == ["other#0"]
    assert len(stored_ids(index)) == 3


@pytest.mark.parametrize("together", [True, False])
def test_a_retraction_goes_along_a_chain_of_shared_ids(index, together):
    chain = [paper("c", pmcid="PMC9"), paper("b", doi="10.1/x", pmcid="PMC9"), paper("a", pmid="7", doi="10.1/x")]
    chain.append(paper("d", pmcid="PMC9", metadata=RETRACTED))
    for documents in [chain] if together else [[one] for one in chain]:
        index.upsert(documents)
    assert stored_ids(index, Filter()) == []
    index.delete(["b"])
    assert stored_ids(index, Filter()) == ["a#0"]


def test_what_is_stated_of_one_pmid_never_holds_for_another_one(index):
    index.upsert([paper("PMID:1", doi="10.1/meeting", metadata=RETRACTED), paper("PMID:2", doi="10.1/meeting")])
    index.upsert([paper("text", doi="10.1/meeting")])
    assert stored_ids(index, Filter()) == ["PMID:2#0"]


@pytest.mark.slow
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("kind", "mark"), [("retraction", "retracted"), ("concern", "concern"), ("correction", "corrected")]
)
@pytest.mark.parametrize("about", ["PMID:7", "doi:10.1/X", "PMC:PMC9", "10.1/x", "7"])
def test_a_notice_alone_puts_the_publication_in_its_state(index, kind, mark, about, first):
    documents = [notice("PMID:8", kind, about), paper("PMC:PMC9", pmid="7", doi="10.1/x")]
    for one in documents if first else reversed(documents):
        index.upsert([one])
    assert states(index, "PMC:PMC9") == {mark: True, "notices": {kind: ["PMID:8"]}}
    assert states(index, "PMID:8") == {}
    assert stored_ids(index, Filter()) == ["PMID:8#0"] if kind == "retraction" else ["PMC:PMC9#0", "PMID:8#0"]


@pytest.mark.parametrize("first", [True, False])
def test_a_notice_under_the_doi_of_what_it_is_about_is_not_in_that_state(index, first):
    told = encoded(
        Document("n", "", (Section("", "a notice"),), {"doi": "10.1/x"}, {"notice_of": {"retraction": ["7"]}})
    )
    documents = [told, paper("PMID:7", doi="10.1/x", metadata=RETRACTED), paper("PMC:PMC9", doi="10.1/x")]
    for one in documents if first else reversed(documents):
        index.upsert([one])
    assert stored_ids(index, Filter()) == ["n#0"]
    assert states(index, "n") == {}


def test_a_notice_is_listed_once_whatever_names_it_has(index):
    listed = {"retracted": True, "notices": {"retraction": ["PMID:8"]}}
    text = paper("PMC:PMC8", pmid="8", metadata={"notice_of": {"retraction": ["PMID:7"]}})
    index.upsert(
        [paper("PMID:7", metadata=listed), text, notice("PMID:8", "retraction", "PMID:7"), paper("x", pmid="7")]
    )
    assert states(index, "PMID:7") == states(index, "x") == listed


def test_states_of_several_documents_add_up(index):
    index.upsert([paper("PMID:7"), notice("n1", "correction", "PMID:7"), notice("n2", "correction", "PMID:7")])
    index.upsert([paper("PMC:PMC9", pmid="7", metadata={"concern": True, "notices": {"concern": ["PMID:3"]}})])
    expected = {"concern": True, "corrected": True, "notices": {"correction": ["n1", "n2"], "concern": ["PMID:3"]}}
    assert states(index, "PMID:7") == states(index, "PMC:PMC9") == expected


def test_a_state_goes_away_with_what_stated_it(index):
    index.upsert([paper("PMID:7", metadata=RETRACTED), paper("PMC:PMC9", pmid="7"), notice("n", "concern", "PMID:7")])
    index.upsert([paper("PMID:7")])
    assert states(index, "PMC:PMC9") == states(index, "PMID:7") == {"concern": True, "notices": {"concern": ["n"]}}
    assert index.delete(["n"]) == 1
    assert states(index, "PMC:PMC9") == states(index, "PMID:7") == {}
    assert len(stored_ids(index, Filter())) == 2


def test_a_document_that_is_retracted_by_itself_and_by_a_notice_stays_so_without_the_notice(index):
    index.upsert([paper("PMID:7", metadata=RETRACTED), notice("n", "retraction", "PMID:7")])
    index.delete(["n"])
    assert states(index, "PMID:7") == RETRACTED


@pytest.mark.parametrize(
    ("said", "mark"),
    [
        ({"publication_types": ["Retracted Publication"]}, "retracted"),
        ({"publication_types": "retracted article"}, "retracted"),
        ({"retracted": "yes"}, "retracted"),
        ({"is_retracted": True}, "retracted"),
        ({"notices": {"retraction": ["PMID:8"]}}, "retracted"),
        ({"notices": {"concern": "PMID:8"}}, "concern"),
        ({"corrected": "1"}, "corrected"),
    ],
)
def test_a_state_reads_as_true_however_the_document_says_it(index, said, mark):
    index.upsert([paper("a", pmid="7", metadata=said), paper("b", pmid="7")])
    assert index.snapshot().document("a").metadata[mark] is index.snapshot().document("b").metadata[mark] is True
    assert index.fingerprints(["a"])["a"].fingerprint == paper("a", pmid="7", metadata=said).document.fingerprint


def test_a_mark_that_says_no_reads_as_false(index):
    index.upsert([paper("a", metadata={"retracted": "no", "concern": None, "corrected": "False"})])
    metadata = index.snapshot().document("a").metadata
    assert metadata["retracted"] is metadata["concern"] is metadata["corrected"] is False


def test_a_document_that_changes_its_ids_takes_its_states_along(index):
    index.upsert([paper("a", pmid="7", metadata=RETRACTED), paper("b", pmid="7"), paper("c", pmid="8")])
    assert stored_ids(index, Filter()) == ["c#0"]
    index.upsert([paper("a", pmid="8", metadata=RETRACTED)])
    assert stored_ids(index, Filter()) == ["b#0"]


def test_what_others_state_of_a_document_leaves_its_fingerprint(index):
    whole = paper("PMC:PMC9", pmid="7")
    index.upsert([whole, notice("n", "retraction", "PMID:7")])
    assert index.fingerprints(["PMC:PMC9"]) == {"PMC:PMC9": DocumentVersion(whole.document.fingerprint, 1)}


def test_a_document_whose_state_changes_keeps_all_else(index):
    whole = encoded(Document("a", "Title", (Section("AIM", "one two three four"),), {"pmid": "7"}, {"year": 2001}))
    index.upsert([whole])
    index.upsert([notice("n", "correction", "PMID:7")])
    metadata = {"year": 2001, "corrected": True, "notices": {"correction": ["n"]}}
    assert index.snapshot().document("a") == replace(whole.document, metadata=metadata)
    assert passages_of(index, ["a#0", "a#1"]) == [replace(one, metadata=metadata) for one in whole.passages]
    assert np.array_equal(vectors_of(index, ["a#1"])["a#1"], whole.vectors[1].astype(np.float32))
    assert token_vectors_of(index, ["a#1"])["a#1"].lengths.tolist() == [1]
    assert found(index, "four", Filter(year_to=2001)) == ["a#1"]


ODD = [
    {"notice_of": odd} for odd in (None, "PMID:7", ["PMID:7"], {"retraction": None}, {"retraction": ["", "n/a", {}]})
]


@pytest.mark.parametrize(
    "metadata", [*ODD, {"notices": 5, "publication_types": 3}, {"notice_of": {"praise": "PMID:7"}}]
)
def test_metadata_that_make_no_sense_state_nothing(index, metadata):
    index.upsert([paper("a", metadata=metadata), paper("PMID:7"), paper("b", pmid="n/a", doi="none")])
    assert len(stored_ids(index, Filter())) == 3
    assert states(index, "PMID:7") == {}


NAMES = ("PMID:1", "PMID:2", "doi:10.1/a", "PMC:PMC1")
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("abcd"), st.just(None), st.booleans(), st.just(())),
        st.tuples(
            st.sampled_from("abcd"),
            st.fixed_dictionaries({}, optional={"pmid": st.sampled_from("12"), "doi": st.just("10.1/a")}),
            st.booleans(),
            st.lists(st.sampled_from(NAMES), max_size=1),
        ),
    ),
    max_size=6,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_states_are_those_of_what_is_stored_whatever_came_before(index, changes):
    index.delete(list("abcd"))
    stored = {}
    for doc_id, identifiers, retracted, about in changes:
        stored.pop(doc_id, None)
        if identifiers is None:
            index.delete([doc_id])
        else:
            metadata = {"retracted": retracted, "notice_of": {"concern": about}}
            stored[doc_id] = paper(doc_id, metadata=metadata, **identifiers)
            index.upsert([stored[doc_id]])
    expected = effective_metadata([Described.of(one.document) for one in stored.values()])
    assert {doc_id: index.snapshot().document(doc_id).metadata for doc_id in stored} == expected


# Reading


def test_passages_come_back_in_the_order_asked_and_as_they_went_in(index):
    whole = encoded(document("a", "one two three four five six seven", title="Title", year=2001))
    index.upsert([whole])
    assert passages_of(index, ["a#2", "missing#0", "a#0"]) == [whole.passages[2], whole.passages[0]]


def test_token_vectors_come_back_to_the_bit(index):
    whole = encoded(document("a", "one two three four"))
    index.upsert([whole])
    stored = token_vectors_of(index, ["a#1", "missing#0", "a#0"])
    assert sorted(stored) == ["a#0", "a#1"]
    last, first = stored["a#1"], stored["a#0"]
    for part, written in zip((first, last), whole.token_vectors, strict=True):
        assert np.array_equal(part.codes, written.codes)
        assert np.array_equal(part.scales, written.scales)
    assert (first.lengths.tolist(), last.lengths.tolist()) == ([3], [1])
    assert dequantise(last).shape == (1, TOKEN_DIM)


def test_passages_come_back_with_the_spans_of_their_tokens(index):
    whole = encoded(document("a", "one  two three four", title="Title"))
    index.upsert([whole])
    stored = index.snapshot().read(["a#1", "missing#0", "a#0"])
    assert stored.passages == list(reversed(whole.passages))
    assert [spans.tolist() for spans in stored.token_spans] == [[[0, 4]], whole.token_spans[0].tolist()]


def test_what_is_read_can_be_taken_apart(index):
    index.upsert([encoded(document("a", "one two three four five six seven"))])
    stored = index.snapshot().read(["a#0", "a#1", "a#2"]).take([2, 0])
    assert stored.passage_ids == [passage.passage_id for passage in stored.passages] == ["a#2", "a#0"]
    assert np.array_equal(stored.vectors[1], vectors_of(index, ["a#0"])["a#0"])
    assert stored.token_vectors.lengths.tolist() == [1, 3]
    assert stored.take([]).passages == []


def test_a_document_without_the_token_vectors_that_the_index_keeps_is_refused(index):
    index.upsert([encoded(document("b", "tokens"))])
    whole = encoded(document("a", "no tokens"))
    with pytest.raises(ValueError, match="token vectors"):
        index.upsert([replace(whole, token_vectors=None)])
    assert stored_ids(index) == ["b#0"]


def test_vectors_come_back_as_they_went_in_and_unknown_passages_are_left_out(index):
    whole = encoded(document("a", "one two three four"))
    index.upsert([whole, encoded(document("b", "other"))])
    vectors = vectors_of(index, ["a#1", "missing#0", "a#0", "a#1"])
    assert sorted(vectors) == ["a#0", "a#1"]
    assert np.array_equal(np.stack([vectors["a#0"], vectors["a#1"]]), whole.vectors.astype(np.float32))
    assert vectors["a#0"].dtype == np.float32


@pytest.mark.parametrize("passage_ids", [[], ["missing#0"]])
def test_no_passage_has_nothing(index, passage_ids):
    stored = index.snapshot().read(passage_ids)
    assert (list(stored.passage_ids), list(stored.passages), len(stored.vectors)) == ([], [], 0)
    assert len(stored.token_vectors) == 0


def test_the_cosine_of_a_stored_vector_is_the_score_of_the_dense_search(index):
    index.upsert([encoded(document("a", "one two three four"))])
    query = hashed("any", DIM)
    scores = {one.passage_id: one.score for one in index.snapshot().nearest(query, k=2, where=NOT_RETRACTED)}
    vectors = vectors_of(index, sorted(scores))
    assert {passage_id: float(row @ query) for passage_id, row in vectors.items()} == pytest.approx(scores, abs=1e-6)


def test_a_passage_without_scored_tokens_has_no_rows(index):
    index.upsert([encoded(document("a", "", title="Only a title"))])
    stored = token_vectors_of(index, ["a#0"])["a#0"]
    assert stored.codes.shape == (0, TOKEN_DIM)
    assert stored.lengths.tolist() == [0]


def test_a_document_comes_back_with_sections_identifiers_and_metadata(index):
    sections = (Section("METHODS", "We  counted.\n"), Section("", ""), Section("RÉSUMÉ", "Four 🫀 hearts."))
    whole = Document("PMID:1", "Counting", sections, {"pmid": "1"}, {"year": "2001 Spring", "mesh": ["Humans"]})
    index.upsert([encoded(whole)])
    assert index.snapshot().document("PMID:1") == whole
    assert index.snapshot().document("PMID:2") is None


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3, unique=True), texts=st.lists(st.text()))
def test_any_text_under_any_id_is_rebuilt_to_the_character(index, ids, texts):
    sections = tuple(Section(text[:3], text) for text in texts)
    index.upsert([encoded(Document(doc_id, "title", sections)) for doc_id in ids])
    for doc_id in ids:
        assert index.snapshot().document(doc_id) == Document(doc_id, "title", sections)
        assert [one.doc_id for one in passages_of(index, [f"{doc_id}#0"])] == [doc_id]
    assert index.delete(ids) == len(ids)


# Snapshots


def test_a_snapshot_stays_as_it_is_and_the_next_one_has_what_was_committed_since(index):
    index.upsert([encoded(document("a", "old words")), encoded(document("b", "old things"))])
    before = index.snapshot()
    index.upsert([encoded(document("a", "new words"))])
    index.delete(["b"])
    after = index.snapshot()
    everything = {"k": 10, "where": EVERYTHING}
    assert [one.passage_id for one in before.lexical("old", **everything)] == ["a#0", "b#0"]
    assert before.document("a").text == "old words"
    assert [passage.text for passage in before.read(["a#0", "b#0"]).passages] == ["old words", "old things"]
    assert len(before.nearest(hashed("any", DIM), **everything)) == 2
    assert after.lexical("old", **everything) == []
    assert [passage.text for passage in after.read(["a#0", "b#0"]).passages] == ["new words"]
    assert after.version > before.version


# Documents by their names


@pytest.mark.parametrize(
    ("name", "doc_ids"),
    [
        ("PMID:7", ["PMID:7", "PMC:PMC9"]),
        ("pmid: 7", ["PMID:7", "PMC:PMC9"]),
        ("https://pubmed.ncbi.nlm.nih.gov/7/", ["PMID:7", "PMC:PMC9"]),
        ("PMID:7#0", ["PMID:7", "PMC:PMC9"]),
        ("PMC9", ["PMC:PMC9", "x#1"]),
        ("x#1", ["x#1"]),
        ("x#1#0", ["x#1"]),
        ("https://doi.org/10.1/A", ["PMC:PMC9"]),
        ("7", ["7", "PMC:PMC9", "PMID:7"]),
        ("hp:0001698", ["HP:0001698"]),
        ("HP:0001698#12", ["HP:0001698"]),
        ("A", ["A"]),
        ("a", ["a"]),
        ("'; DROP TABLE passages; --", []),
        ("PMID:70", []),
        ("", []),
    ],
)
def test_a_name_means_the_document_of_that_id_then_those_of_its_publication(index, name, doc_ids):
    index.upsert([paper("PMID:7"), paper("PMC:PMC9", pmid="7", doi="10.1/a"), paper("7"), paper("x#1", pmcid="PMC9")])
    index.upsert([paper("HP:0001698"), paper("a"), paper("A")])
    assert index.snapshot().find_documents([name, "nothing"]) == ({name: doc_ids} if doc_ids else {})


def test_the_passages_of_documents_come_in_their_order_as_far_as_the_filter_lets_them_through(index):
    index.upsert([paper("a", "one two three four"), paper("b"), paper("c", metadata={"retracted": True})])
    assert index.snapshot().passage_ids(["c", "b", "missing", "a"], where=NOT_RETRACTED) == ["b#0", "a#0", "a#1"]
    assert index.snapshot().passage_ids(["c"], where=EVERYTHING) == ["c#0"]
    assert index.snapshot().passage_ids([], where=EVERYTHING) == []
    assert index.snapshot().find_documents([]) == {}


# Dense search


def test_dense_search_equals_a_scan_by_hand(index):
    documents = [encoded(document(f"d{number}", f"text number {number}")) for number in range(50)]
    index.upsert(documents[:30])
    index.upsert(documents[30:])
    query = hashed("query", DIM)
    cosines = {f"d{number}#0": float(one.vectors[0] @ query) for number, one in enumerate(documents)}
    candidates = index.snapshot().nearest(query, k=7, where=NOT_RETRACTED)
    assert [one.passage_id for one in candidates] == sorted(cosines, key=lambda id_: -cosines[id_])[:7]
    assert [one.score for one in candidates] == pytest.approx(sorted(cosines.values(), reverse=True)[:7], abs=1e-5)
    assert [one.rank for one in candidates] == [1, 2, 3, 4, 5, 6, 7]


def test_equal_scores_are_ordered_by_id_also_at_the_edge(index):
    index.upsert([encoded(document(f"d{number:02}", "the same text")) for number in reversed(range(40))])
    dense = index.snapshot().nearest(hashed("any", DIM), k=3, where=NOT_RETRACTED)
    lexical = index.snapshot().lexical("same text", k=3, where=NOT_RETRACTED)
    assert [one.passage_id for one in dense] == ["d00#0", "d01#0", "d02#0"]
    assert [one.passage_id for one in lexical] == ["d00#0", "d01#0", "d02#0"]


@pytest.mark.parametrize("k", [0, 1, 100])
def test_no_more_than_k_come_back_and_an_empty_index_gives_none(index, k):
    assert index.snapshot().nearest(hashed("any", DIM), k=k, where=NOT_RETRACTED) == []
    assert index.snapshot().lexical("any", k=k, where=NOT_RETRACTED) == []
    index.upsert([encoded(document("a", "any")), encoded(document("b", "any"))])
    assert len(index.snapshot().nearest(hashed("any", DIM), k=k, where=NOT_RETRACTED)) == min(k, 2)
    assert len(index.snapshot().lexical("any", k=k, where=NOT_RETRACTED)) == min(k, 2)


# Lexical search


def test_words_are_found_in_title_and_text_whatever_their_case(index):
    index.upsert([encoded(document("a", "swollen ankles", title="Oedema")), encoded(document("b", "kidney"))])
    assert found(index, "ANKLES") == ["a#0"]
    assert sorted(found(index, "oedema of kidney")) == ["a#0", "b#0"]


def test_the_passage_with_more_of_the_words_comes_first(index):
    index.upsert([encoded(document("a", "kidney stone")), encoded(document("b", "kidney"))])
    index.upsert([encoded(document("c", "gall stone")), encoded(document("d", "liver"))])
    candidates = index.snapshot().lexical("kidney stone", k=10, where=NOT_RETRACTED)
    assert candidates[0].passage_id == "a#0"
    assert [one.rank for one in candidates] == [1, 2, 3]
    assert candidates[0].score > candidates[1].score >= candidates[2].score > 0


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("hepa\u00adrin", "heparin"),
        ("heparin", "hepa\u00adrin"),
        ("the e\ufb03cacy", "efficacy"),
        ("con\ufb01rmed \uff30\uff23\uff32", "PCR"),
        ("2 × 10⁶ cells", "10(6)"),
        ("anti\u200bbody", "antibody"),
    ],
)
def test_words_are_found_however_they_are_spelled_and_shown_as_they_are(index, text, query):
    index.upsert([encoded(document("a", text)), encoded(document("b", "kidney of 106"))])
    assert found(index, query) == ["a#0"]
    assert index.snapshot().document("a").text == text


ODD_QUERIES = ["", "   ", "the of and", "***", "()[]{}", "\x00", "\\", "~^:", "' OR 1=1 --", '"', "🫀", "a" * 5000]


@pytest.mark.parametrize("query", ODD_QUERIES)
def test_a_query_without_words_that_count_finds_nothing(index, query):
    index.upsert([encoded(document("a", "kidney stones"))])
    assert found(index, query) == []


@pytest.mark.parametrize(
    "query", ['"kidney', "kidney AND (", "text:kidney", "+kidney -stones", "kid* kidney~2", "kidney\x00"]
)
def test_characters_of_query_languages_are_plain_text(index, query):
    index.upsert([encoded(document("a", "kidney disease"))])
    assert found(index, query) == ["a#0"]


# Filters


LIBRARY = (
    document(
        "a",
        "heart",
        year=2001,
        language="eng",
        publication_types=["Review"],
        mesh=["Humans", "Heart"],
        journal="Lancet (London, England)",
        journal_abbreviations=["Lancet"],
        authors=["Osler, William", "van der Berg, J"],
    ),
    document(
        "b", "heart", year="2010 Jan", language=["fre", "eng"], publication_types=["Journal Article"], mesh=["Mice"]
    ),
    document("c", "heart", year=2020, mesh=["Crohn's Disease", "A\\B"], journal="J. O'Neill", authors="Müller J"),
    document("d", "heart", retracted=True, year=2020, mesh=["Humans"]),
)

CASES = [
    (Filter(), "abc"),
    (Filter(include_retracted=True), "abcd"),
    (Filter(year_from=2010), "bc"),
    (Filter(year_to=2010), "ab"),
    (Filter(year_from=2002, year_to=2019), "b"),
    (Filter(year_from=2020, include_retracted=True), "cd"),
    (Filter(publication_types=("review",)), "a"),
    (Filter(publication_types=("Review", "JOURNAL ARTICLE")), "ab"),
    (Filter(languages=("fre",)), "b"),
    (Filter(languages=("Eng",)), "ab"),
    (Filter(mesh=("humans",)), "a"),
    (Filter(mesh=("Human",)), ""),
    (Filter(mesh=("crohn's disease",)), "c"),
    (Filter(mesh=("a\\b",)), "c"),
    (Filter(mesh=("Humans", "Mice"), year_from=2005), "b"),
    (Filter(journals=("lancet", "J. O'Neill")), "ac"),
    (Filter(journals=("The Lancet",)), "a"),
    (Filter(journals=("Lancet (London, England)", "J ONeill")), "ac"),
    (Filter(journals=("nowhere",)), ""),
    (Filter(authors=("osler",)), "a"),
    (Filter(authors=("William Osler", "Muller")), "ac"),
    (Filter(authors=("Van Der Berg, Jan",), year_to=2005), "a"),
    (Filter(authors=("Osler, Walter",)), ""),
    (Filter(authors=("%",)), ""),
    (Filter(authors=("x') OR ('1' = '1",)), ""),
    (Filter(mesh=("x']) OR true --",)), ""),
    (Filter(journals=("x') OR ('1' = '1",)), ""),
    (Filter(journals=("'; DROP TABLE passages; --",)), ""),
    (Filter(publication_types=("",)), ""),
]


@pytest.mark.parametrize(("where", "expected"), CASES)
def test_a_filter_lets_through_what_it_names_in_both_searches(index, where, expected):
    index.upsert([encoded(one) for one in LIBRARY])
    assert stored_ids(index, where) == [f"{letter}#0" for letter in expected]
    assert sorted(found(index, "heart", where)) == [f"{letter}#0" for letter in expected]


def test_filters_come_before_the_choice_of_the_best(index):
    index.upsert([encoded(document(f"d{number}", "heart", year=1990)) for number in range(30)])
    index.upsert([encoded(document("late", "something about a heart", year=2020))])
    where = Filter(year_from=2000)
    (nearest,) = index.snapshot().nearest(hashed("heart", DIM), k=1, where=where)
    assert nearest.passage_id == "late#1"
    assert found(index, "heart", where) == ["late#1"]


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(min_size=1, max_size=12).filter(str.strip))
def test_a_filter_finds_any_value_that_was_stored_and_only_that(index, value):
    index.upsert([encoded(document("a", "heart", mesh=[value], journal=value)), encoded(document("b", "heart"))])
    assert stored_ids(index, Filter(mesh=(value,), journals=(value,))) == ["a#0"]
