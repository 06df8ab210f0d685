import pytest

from osler.records import Document, Section, is_retracted


@pytest.mark.parametrize(
    ("told", "version"),
    [({}, 1), ({"version": 3}, 3), ({"version": "2"}, 2), ({"version": "draft"}, 1), ({"version": "9" * 20}, 1)],
)
def test_the_version_is_what_the_metadata_tell_if_that_is_a_number(told, version):
    assert Document("a", "", (), metadata=told).version == version


def test_the_spans_of_the_sections_cut_them_out_of_the_text():
    document = Document("a", "", (Section("AIM", "We ask."), Section("", ""), Section("END", " x\n")))
    assert [document.text[start:end] for start, end in document.section_spans] == ["We ask.", "", " x\n"]
    assert Document("a", "", ()).section_spans == ()


def test_the_fingerprint_changes_with_a_heading_but_not_with_the_order_of_the_metadata():
    plain = Document("a", "", (Section("", "x"),), metadata={"year": 1, "journal": "J"})
    assert plain.fingerprint == Document("a", "", (Section("", "x"),), metadata={"journal": "J", "year": 1}).fingerprint
    assert (
        plain.fingerprint != Document("a", "", (Section("AIM", "x"),), metadata={"year": 1, "journal": "J"}).fingerprint
    )


@pytest.mark.parametrize("said", [True, 1, 1.0, "true", "Yes", "1"])
def test_a_document_is_retracted_however_its_metadata_say_so(said):
    assert is_retracted({"retracted": said})


@pytest.mark.parametrize("said", [False, 0, 0.0, "", "f", "no", None, [], float("nan")])
def test_a_document_is_not_retracted_by_what_means_no(said):
    assert not is_retracted({"retracted": said})


def test_a_document_is_retracted_by_its_publication_type():
    assert is_retracted({"publication_types": ["Journal Article", "Retracted Publication"]})
    assert is_retracted({"publication_types": "retracted publication"})


@pytest.mark.parametrize(
    "kind", ["Retracted Article", "retracted-article", "Withdrawn Publication", "RETRACTED", "Withdrawn"]
)
def test_every_word_for_a_retracted_publication_is_understood(kind):
    assert is_retracted({"publication_types": [kind]})


@pytest.mark.parametrize(
    "kind", ["Retraction of Publication", "Retraction Notice", "", None, 7, True, 1.5, ["x"], {"a": 1}]
)
def test_other_publication_types_and_what_is_none_say_nothing_of_retraction(kind):
    assert not is_retracted({"publication_types": kind})
    assert not is_retracted({"publication_types": [kind]})
