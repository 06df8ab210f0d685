import io
import json
import time

import pytest

from osler.corpus import obo, obo_graphs, read_documents
from osler.corpus.sources import detect_format
from osler.records import Damage, Document, Section

HEADER = """format-version: 1.2
! a comment
synonymtypedef: OLD "discarded names"
default-namespace: diseases
ontology: doid

"""
TERM = r"""[Term]
id: DOID:1 ! a comment
name: Example \"syndrome\" ! another
def: "\"Quoted\", [brackets]\: 50% \{braces\}.\nSecond line!" [PMID:11, x:ncbi.nlm.nih.gov/pubmed/12] {source="PMID:13"}
comment: Note {see "PMID:1"} \! no comment.
alt_id: DOID:9
subset: slim {source="x"}
synonym: "ES" EXACT ABBREVIATION [DOID:1] {http://x#y="http://z ! w"}
synonym: "Wider" BROAD []
synonym: "Bad" EXACT DEPRECATED []
synonym: "Old" EXACT OLD []
xref: MESH:D1 {source="DOID:1"}
is_a: DOID:2 {source="DOID:4"} ! broader disease
relationship: part_of DOID:3 ! other
"""


def read(text: str) -> list:
    return list(obo.read(io.BytesIO(text.encode()), "f.obo"))


def test_a_term_is_a_document_with_all_that_it_tells():
    (document,) = read(HEADER + TERM)
    assert (document.doc_id, document.title) == ("DOID:1", 'Example "syndrome"')
    assert document.sections == (
        Section("Definition", '"Quoted", [brackets]: 50% {braces}. Second line!'),
        Section("Synonyms", "Synonyms: ES; Wider."),
        Section("Parents", "Parents: broader disease."),
    )
    assert document.metadata == {
        "kind": "term",
        "ontology": "doid",
        "namespace": "diseases",
        "broad_synonyms": ["Wider"],
        "alt_ids": ["DOID:9"],
        "xrefs": ["MESH:D1"],
        "subsets": ["slim"],
        "comment": 'Note {see "PMID:1"} ! no comment.',
        "references": ["PMID:11", "PMID:12"],
    }


@pytest.mark.parametrize("value", ["true", "true ! merged", 'true {source="X"}', 'true {a="b"} ! c', " true "])
def test_an_obsolete_term_is_left_out_whatever_follows_the_word(value):
    assert read(f"[Term]\nid: X:1\nname: Old\nis_obsolete: {value}\n") == []
    (document,) = read("[Term]\nid: X:1\nname: New\nis_obsolete: false\n")
    assert document.title == "New"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("name:Fever", "Fever"),
        ("name:   Fever  ", "Fever"),
        ("name: Fever ! hot", "Fever"),
        ("name: Fe\\\nver", "Fever"),
        ("name: Fever\\!", "Fever!"),
        ("name: Fever!", "Fever!"),
        ("name: caf\\u00E9", "café"),
        ('name: 5" disk ! x', '5" disk'),
        ("name: a {b} c", "a {b} c"),
        ('name: Fever {x="y", z="}"}', "Fever"),
        ("name: back\\\\slash", "back\\slash"),
    ],
)
def test_a_line_is_read_as_the_format_says(line, name):
    (document,) = read(f"[Term]\nid:X:1\n{line}\n")
    assert (document.doc_id, document.title) == ("X:1", name)


def test_a_parent_without_comment_has_the_name_of_the_term_before_it_or_its_id():
    *_, last = read("[Term]\nid: X:1\nname: One\n[Term]\nid: X:3\nname: Three\nis_a: X:1\nis_a: X:2\n")
    assert last.text == "Parents: One; X:2."


def test_other_stanzas_and_comments_between_them_are_passed_over():
    found = read(HEADER + "[Typedef]\nid: part_of\nname: part of\n\n! x\n" + TERM + "\n[Instance]\nid: X:2\nname: i\n")
    assert [document.doc_id for document in found] == ["DOID:1"]


@pytest.mark.parametrize("scope", ["exact", "narrow", "broad", "related"])
def test_the_tags_of_obo_1_0_name_synonyms_with_their_scope(scope):
    (document,) = read(f'[Term]\nid: X:1\nname: One\n{scope}_synonym: "Uno" [X:2]\nxref_analog: UMLS:C1\n')
    assert document.text == "Synonyms: Uno."
    assert document.metadata.get(f"{scope}_synonyms") == (None if scope == "exact" else ["Uno"])
    assert document.metadata["xrefs"] == ["UMLS:C1"]


@pytest.mark.parametrize("qualifiers", ['{a="{b}", c="}"}', '{ a="b" , c="\\"}" }', '{a="b" c="d"}'])
def test_qualifiers_may_hold_braces_quotes_and_blanks(qualifiers):
    (document,) = read(f'[Term]\nid: X:1 {qualifiers}\nname: One {{of}} 5" {qualifiers} ! x\n')
    assert (document.doc_id, document.title) == ("X:1", 'One {of} 5"')


@pytest.mark.parametrize(
    "tail", ["{" + 'a="b" ' * 10_000 + "}}", '{a="b",' * 10_000 + "x}", "{" * 100_000 + "}", '{a="' * 10_000 + "}"]
)
def test_braces_that_are_no_qualifiers_are_read_in_linear_time(tail):
    (document,) = read(f"[Term]\nid: X:1\nname: One {tail}\n")
    assert document.title.startswith("One {")


def test_a_synonym_without_its_quote_is_damage_and_the_term_is_read():
    damage, document = read('[Term]\nid: X:1\nname: One\nsynonym: "open EXACT []\nsynonym: "Two" EXACT []\n')
    assert damage == Damage("f.obo", "line 4", "no text within quotes: '\"open EXACT []'")
    assert document.text == "Synonyms: Two."


def test_a_term_without_id_costs_only_itself():
    damage, document = read("[Term]\nname: One\n[Term]\nid: X:2\nname: Two\n")
    assert damage.reason == "a term without `id:` or `name:`"
    assert document.doc_id == "X:2"


@pytest.mark.parametrize("text", [TERM, HEADER + TERM, "\r\n\r\n" + TERM.replace("\n", "\r\n"), "! x\n" * 5000 + TERM])
def test_any_file_with_terms_is_an_ontology(tmp_path, text):
    (tmp_path / "f").write_bytes(text.encode())
    (document,) = read_documents([tmp_path / "f"])
    assert document.doc_id == "DOID:1"


def test_an_ontology_in_utf_16_is_read(tmp_path):
    (tmp_path / "f").write_bytes((HEADER + TERM).encode("utf-16"))
    (document,) = read_documents([tmp_path / "f"], strict=True)
    assert document.doc_id == "DOID:1"


def test_the_format_hpo_reads_any_ontology_too(tmp_path):
    (tmp_path / "f").write_text(HEADER + TERM)
    assert list(read_documents([tmp_path / "f"], format="hpo")) == read(HEADER + TERM)


def test_a_stanza_that_grows_past_all_bounds_is_damage_and_the_next_one_is_read(monkeypatch):
    monkeypatch.setattr(obo, "MAX_RECORD_BYTES", 10_000)
    damage, document = read("[Term]\nid: X:1\nname: One\n" + 'synonym: "x" EXACT []\n' * 500 + TERM)
    assert damage == Damage("f.obo", "line 2", "a stanza longer than 10000 bytes")
    assert document.doc_id == "DOID:1"


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", ["name: a\\\n", 'synonym: "x" EXACT [] ! "\n', "comment: " + '"x' * 50 + "\n", "!" * 90 + "\n"]
)
def test_time_grows_with_the_length_of_a_stanza_no_faster(line):
    def seconds(lines: int) -> float:
        start = time.process_time()
        read("[Term]\nid: X:1\nname: One\n" + line * lines)
        return time.process_time() - start

    seconds(100)
    # the least of three: the garbage of other tests may be collected meanwhile
    assert min(seconds(20_000) for _ in range(3)) < 20 * max(seconds(5_000), 0.01)


NODE = {
    "id": "http://purl.obolibrary.org/obo/DOID_1",
    "lbl": "Fever",
    "type": "CLASS",
    "meta": {
        "definition": {"val": "Being\n hot.", "xrefs": ["PMID:11"]},
        "synonyms": [
            {"pred": "hasExactSynonym", "val": "Pyrexia"},
            {"pred": "hasBroadSynonym", "val": "Heat"},
            {"pred": "hasExactSynonym", "val": "Old", "synonymType": "http://purl.obolibrary.org/obo/x#DEPRECATED"},
        ],
        "xrefs": [{"val": "MESH:D1"}],
    },
}
PARENT = {"id": "http://purl.obolibrary.org/obo/DOID_2", "lbl": "Symptom", "type": "CLASS"}
EDGE = {"sub": NODE["id"], "pred": "is_a", "obj": PARENT["id"]}


def graphs(*nodes, edges=(EDGE,), **others) -> str:
    return json.dumps(
        {"graphs": [{"id": "http://purl.obolibrary.org/obo/doid.json", "nodes": nodes, "edges": edges, **others}]}
    )


def read_json(text: str) -> list:
    return list(obo_graphs.read(io.BytesIO(text.encode()), "f.json"))


def test_a_node_of_a_graph_is_the_document_that_the_term_is():
    text = (
        'ontology: doid\n[Term]\nid: DOID:1\nname: Fever\ndef: "Being hot." [PMID:11]\nsynonym: "Heat" BROAD []\n'
        'synonym: "Old" EXACT DEPRECATED []\nsynonym: "Pyrexia" EXACT []\nxref: MESH:D1\nis_a: DOID:2 ! Symptom\n'
    )
    assert read_json(graphs(NODE, PARENT))[0] == read(text)[0]


def test_deprecated_nodes_properties_and_mere_mentions_are_passed_over():
    old = {**PARENT, "meta": {"deprecated": True}}
    mention = {"id": "http://purl.obolibrary.org/obo/DOID_3"}
    (document,) = read_json(graphs(NODE, old, mention, {**PARENT, "type": "PROPERTY"}, edges=()))
    assert document.doc_id == "DOID:1"


def test_a_parent_that_has_no_node_is_its_id():
    (document,) = read_json(graphs(NODE))
    assert document.text.endswith("Parents: DOID:2.")


@pytest.mark.parametrize(
    "node",
    [
        {"id": "x", "type": "CLASS", "meta": {"comments": ["no label"]}},
        {"id": "x", "lbl": None},
        {"id": 1, "lbl": 2},
        {"id": "x", "lbl": "y", "meta": {"xrefs": [3]}},
    ],
)
def test_a_damaged_node_costs_only_itself(node):
    damage, document = read_json(graphs(node, PARENT))
    assert isinstance(damage, Damage)
    assert document.doc_id == "DOID:2"


def test_a_node_of_another_ontology_that_is_only_referred_to_is_left_out():
    assert [entry.doc_id for entry in read_json(graphs({"id": "x", "type": "CLASS"}, PARENT))] == ["DOID:2"]


@pytest.mark.parametrize("line", ["", 'def: "Text." []\n'])
def test_a_term_without_name_is_damage_since_the_file_may_be_cut_off(line):
    (damage,) = read(f"[Term]\nid: X:1\n{line}")
    assert str(damage).endswith("line 2: a term without `id:` or `name:`")


def test_a_graph_that_breaks_off_gives_the_terms_before():
    text = graphs(NODE, PARENT, edges=())
    first, damage = read_json(text[: text.index("DOID_2")])
    assert first.doc_id == "DOID:1"
    assert "not the JSON of an ontology" in damage.reason


def test_a_value_that_grows_past_all_bounds_is_damage(monkeypatch):
    monkeypatch.setattr(obo_graphs, "MAX_RECORD_BYTES", 1000)
    monkeypatch.setattr(obo_graphs, "CHUNK_BYTES", 100)
    *_, damage = read_json(graphs(PARENT, {**NODE, "lbl": "x" * 9000}))
    assert "a value longer than 1000 characters" in damage.reason


def test_graphs_nested_too_deep_are_damage():
    (damage,) = read_json('{"graphs": ' + "[" * 100_000)
    assert isinstance(damage, Damage)


def test_a_graph_is_found_wherever_chunks_are_cut(monkeypatch):
    whole = read_json(graphs(NODE, PARENT))
    monkeypatch.setattr(obo_graphs, "CHUNK_BYTES", 1)
    assert read_json(graphs(NODE, PARENT)) == whole


def test_graphs_are_known_by_their_content():
    assert detect_format(graphs(NODE).encode(), "x") == "obo-json"
    assert detect_format(b'{"_id": "1", "text": "graphs nodes"}', "x") == "jsonl"


FILES = {
    # file: documents, the first one's id and name, the last one's, and the parent of the last one
    "DO_AGR_slim.obo": (28, "DOID:0014667", "disease of metabolism", "DOID:934", "viral infectious disease", None),
    "DO_AGR_slim.json": (28, "DOID:0014667", "disease of metabolism", "DOID:934", "viral infectious disease", None),
    "DO_cancer_slim.obo": (
        730 - 1,
        "DOID:0001816",
        "angiosarcoma",
        "DOID:9953",
        "acute biphenotypic leukemia",
        "acute leukemia",
    ),
    "DO_infectious_disease_slim.obo": (
        536,
        "DOID:0040083",
        "Chlamydia pneumonia",
        "DOID:9988",
        "tertiary neurosyphilis",
        "tertiary syphilis",
    ),
    "goslim_generic.obo": (
        148,
        "GO:0000003",
        "reproduction",
        "GO:0071941",
        "nitrogen cycle metabolic process",
        "biological_process",
    ),
    "pronto_hp.obo": (2, "HP:0009381", "Short finger", "HP:0009882", "Short distal phalanx of finger", "Short finger"),
    "pronto_pato.obo": (2661 - 892, "PATO:0000001", "quality", "PATO:0060003", "female-specific", "sex-specific"),
}


@pytest.mark.data
@pytest.mark.parametrize("name", FILES)
def test_the_ontologies_are_read_whole(data_folder, name):
    documents = list(read_documents([data_folder / "formats" / "obo" / name], strict=True))
    number, first, first_name, last, last_name, parent = FILES[name]
    assert len(documents) == number
    assert (documents[0].doc_id, documents[0].title) == (first, first_name)
    assert (documents[-1].doc_id, documents[-1].title) == (last, last_name)
    assert parent is None or documents[-1].sections[-1] == Section("Parents", f"Parents: {parent}.")


@pytest.mark.data
def test_an_ontology_gives_the_same_documents_in_both_of_its_formats(data_folder):
    def documents(name: str) -> dict[str, Document]:
        return {entry.doc_id: entry for entry in read_documents([data_folder / "formats" / "obo" / name], strict=True)}

    assert documents("DO_AGR_slim.obo") == documents("DO_AGR_slim.json")
