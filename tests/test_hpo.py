import io
from collections import Counter
from pathlib import Path

import pytest

from osler.corpus import hpo, read_documents
from osler.corpus.hpo import frequency_class
from osler.records import Damage, Document, Section

TERM = r"""format-version: 1.2

[Term]
id: HP:0001698
name: Pericardial effusion
alt_id: HP:0000001
def: "Fluid \"around\" the heart." [PMID:12, https://orcid.org/0]
synonym: "Fluid around heart" EXACT layperson []
synonym: "pericardial effusion" RELATED []
synonym: "Wet heart" EXACT obsolete_synonym []
xref: UMLS:C0031039 {source="x"}
is_a: HP:0001697 ! Abnormal pericardium morphology

[Term]
id: HP:0000002
name: Old
is_obsolete: true

[Typedef]
id: part_of
name: part of
"""
COLUMNS = "database_id disease_name qualifier hpo_id reference evidence onset frequency sex modifier aspect biocuration"
HEAD = "#description: x\n" + "\t".join(COLUMNS.split()) + "\n"


def read(text: str, source: str = "hp.obo"):
    return list(hpo.read(io.BytesIO(text.encode()), source))


@pytest.fixture
def read_diseases(tmp_path: Path):
    """Reads annotations, given as (disease, qualifier, phenotype, reference, frequency, aspect), beside an hp.obo."""
    names = {"HP:0000001": "Deafness", "HP:0000002": "Uveitis", "HP:0000003": "Dominant", "HP:0000004": "Late"}
    terms = "".join(f"[Term]\nid: {term}\nname: {name}\n\n" for term, name in names.items())
    (tmp_path / "hp.obo").write_text(terms)

    def read_rows(*rows: tuple[str, ...]):
        lines = ["\t".join((d, f"Disease {d}", q, p, r, "PCS", "", f, "", "", a, "")) for d, q, p, r, f, a in rows]
        return read(HEAD + "\n".join(lines), str(tmp_path / "phenotype.hpoa"))

    return read_rows


def test_a_term_is_a_document_of_its_definition_synonyms_and_parents():
    (document,) = read(TERM)
    assert (document.doc_id, document.title) == ("HP:0001698", "Pericardial effusion")
    assert document.sections == (
        Section("Definition", 'Fluid "around" the heart.'),
        Section("Synonyms", "Synonyms: Fluid around heart."),
        Section("Parents", "Parents: Abnormal pericardium morphology."),
    )
    assert document.metadata == {
        "kind": "term",
        "layperson": ["Fluid around heart"],
        "alt_ids": ["HP:0000001"],
        "xrefs": ["UMLS:C0031039"],
        "references": ["PMID:12"],
    }


def test_a_term_without_name_is_damage_and_the_next_one_is_read():
    damage, document = read("[Term]\nid: HP:1\n\n[Term]\nid: HP:2\nname: Two\n")
    assert damage == Damage("hp.obo", "line 2", "a term without `id:` or `name:`")
    assert (document.doc_id, document.sections) == ("HP:2", ())


def test_a_disease_groups_its_phenotypes_by_how_frequent_they_are(read_diseases):
    (document,) = read_diseases(
        ("OMIM:1", "", "HP:0000002", "PMID:5", "", "P"),
        ("OMIM:1", "", "HP:0000001", "PMID:5;PMID:6", "3/5", "P"),
        ("OMIM:1", "", "HP:0000003", "OMIM:1", "", "I"),
        ("OMIM:1", "", "HP:0000004", "PMID:5", "", "C"),
    )
    text = "Frequent: Deafness. Frequency not stated: Uveitis. Inheritance: Dominant. Onset and course: Late."
    assert document == Document(
        "OMIM:1",
        "Disease OMIM:1",
        (Section("Phenotypes", text),),
        metadata={"kind": "disease", "database": "OMIM", "references": ["PMID:5", "PMID:6"]},
    )


def test_a_phenotype_that_was_looked_for_in_vain_is_absent(read_diseases):
    (document,) = read_diseases(
        ("ORPHA:1", "NOT", "HP:0000001", "ORPHA:1", "", "P"), ("ORPHA:1", "", "HP:0000002", "ORPHA:1", "0/4", "P")
    )
    assert document.text == "Absent: Deafness; Uveitis."


def test_a_phenotype_that_several_reports_state_is_named_once(read_diseases):
    row = ("OMIM:1", "", "HP:0000001", "PMID:5")
    (document,) = read_diseases((*row, "1/1", "P"), (*row, "0/4", "P"), (*row, "0/4", "P"))
    assert document.text == "Occasional: Deafness."


@pytest.mark.parametrize(
    ("frequency", "group"),
    [
        ("HP:0040280", "Obligate"),
        ("4/4", "Obligate"),
        ("4/5", "Very frequent"),
        ("79.9%", "Frequent"),
        ("5%", "Occasional"),
        ("1/100", "Very rare"),
        ("0/3", "Absent"),
        ("HP:0040285", "Absent"),
        ("often", "Frequency not stated"),
        ("0/0", "Frequency not stated"),
    ],
)
def test_every_way_to_state_a_frequency_has_its_class(frequency, group):
    assert frequency_class((frequency,)) == group


def test_damaged_rows_are_reported_and_do_not_part_a_disease(read_diseases):
    row = ("OMIM:1", "", "HP:0000001", "PMID:5", "", "P")
    entries = read_diseases(row, ("OMIM:1", "", "HP:9999999", "", "", "P"), ("OMIM:1", "", "HP:0000002", "", "", "P"))
    assert [str(entry).split(", ", 1)[1] for entry in entries if isinstance(entry, Damage)] == [
        "line 4: 'HP:9999999' is not a term of the hp.obo in use"
    ]
    assert entries[-1].text == "Frequency not stated: Deafness; Uveitis."


def test_rows_of_a_disease_that_come_again_later_are_damage(read_diseases):
    rows = [(disease, "", "HP:0000001", "PMID:5", "", "P") for disease in ("OMIM:1", "OMIM:2", "OMIM:1")]
    entries = read_diseases(*rows)
    assert [entry.doc_id for entry in entries[:2]] == ["OMIM:1", "OMIM:2"]
    assert entries[2].position == "line 5"
    assert "sort the file by its first column" in entries[2].reason


def test_a_row_with_too_few_columns_is_damage(read_diseases, tmp_path):
    read_diseases()
    (damage,) = read(HEAD + "OMIM:1\tDisease", str(tmp_path / "phenotype.hpoa"))
    assert damage.reason == "2 columns, but an annotation has 11 or more"


@pytest.fixture(scope="module")
def ontology() -> dict[str, Document]:
    entries = list(read_documents(["hpo"], strict=True))
    return {entry.doc_id: entry for entry in entries if isinstance(entry, Document)}


@pytest.mark.slow
def test_the_installed_ontology_is_read_whole(ontology):
    assert Counter(document.metadata["kind"] for document in ontology.values()) == {"term": 19034, "disease": 12687}
    defined = [d for d in ontology.values() if any(section.heading == "Definition" for section in d.sections)]
    assert len(defined) == 16454 - 5  # as many lines begin with "def:", and five of those terms are obsolete


@pytest.mark.slow
def test_a_real_term_and_a_real_disease_read_well(ontology):
    assert ontology["HP:0001698"].text == (
        "Accumulation of fluid within the pericardium.\n\n"
        "Synonyms: Fluid around heart; Pericardial effusions.\n\n"
        "Parents: Abnormal pericardium morphology."
    )
    marfan = ontology["OMIM:154700"]
    assert marfan.title == "Marfan syndrome"
    assert marfan.text.startswith("Very frequent: Dural ectasia. Frequent: ")
    assert marfan.text.endswith(" Inheritance: Autosomal dominant inheritance.")
    assert "PMID:31772430" in marfan.metadata["references"]
