"""Documents by their ids, journals, authors and states, as a person meets them at the command line."""

from __future__ import annotations

import json

import pytest
from test_cli import main_exits, objects

pytestmark = pytest.mark.slow

FULL_TEXT = """<article><front><article-meta><article-id pub-id-type="pmid">96</article-id>
<article-id pub-id-type="pmc">9600001</article-id><article-id pub-id-type="doi">10.9/Serum</article-id>
<title-group><article-title>Serum for influenza</article-title></title-group></article-meta></front>
<body><p>Serum cured influenza in ninety of one hundred patients.</p></body></article>"""

CITATION = """<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>96</PMID><Article>
<Journal><Title>Lancet (London, England)</Title></Journal><ArticleTitle>Serum for influenza.</ArticleTitle>
<Abstract><AbstractText>Serum cured influenza.</AbstractText></Abstract><PublicationTypeList>
<PublicationType>Retracted Publication</PublicationType></PublicationTypeList></Article></MedlineCitation>
</PubmedArticle></PubmedArticleSet>"""

AUTHORS = ["Osler, William", "Smith, Ann", "van der Berg, Jan", "Jones, Bob"]
LINE = {
    "_id": "line",
    "title": "Dogs",
    "text": "Dogs bark at night.",
    "metadata": {"authors": AUTHORS, "doi": "10.9/dogs"},
}


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> str:
    """A full text, then the citation that retracts it, and a document by several authors."""
    folder = tmp_path_factory.mktemp("find")
    for name, content in (("a.xml", FULL_TEXT), ("b.xml", CITATION), ("c.jsonl", json.dumps(LINE))):
        (folder / name).write_text(content)
        main_exits(["index", str(folder / name), "--index", str(folder / "index")])
    return str(folder / "index")


def test_what_a_citation_retracts_is_left_out_and_shown_with_its_mark(index, capsys):
    main_exits(["search", "does serum cure influenza?", "--index", index, "--json"])
    assert [one["doc_id"] for one in objects(capsys)] == ["line"]
    main_exits(["search", "does serum cure influenza?", "--index", index, "--where", "retracted=any", "--json"])
    marks = {one["doc_id"]: one["metadata"]["retracted"] for one in objects(capsys) if one["doc_id"] != "line"}
    assert marks == {"PMC:PMC9600001": True, "PMID:96": True}


def test_show_and_search_tell_a_reader_of_the_state_beside_the_title(index, capsys, tmp_path):
    main_exits(["show", "PMC9600001", "--index", index])
    assert "Serum for influenza  RETRACTED" in capsys.readouterr().out
    line = {"_id": "n", "title": "Fever", "text": "It fell.", "metadata": {"corrected": True, "concern": "yes"}}
    (tmp_path / "n.jsonl").write_text(json.dumps(line))
    main_exits(["index", str(tmp_path / "n.jsonl"), "--index", str(tmp_path / "index")])
    for command in (["show", "n"], ["search", "n1 fever"]):
        main_exits([*command, "--index", str(tmp_path / "index")])
        assert "EXPRESSION OF CONCERN CORRECTED" in " ".join(capsys.readouterr().out.split())


SPELLINGS = (
    "PMC9600001",
    "pmc:pmc9600001",
    "PMC:PMC9600001#0",
    "https://pmc.ncbi.nlm.nih.gov/articles/PMC9600001/",
    "10.9/serum",
    "https://doi.org/10.9/SERUM",
)


@pytest.mark.parametrize("name", SPELLINGS)
def test_show_takes_an_id_in_any_spelling(index, capsys, name):
    main_exits(["show", name, "--index", index, "--json"])
    [shown] = objects(capsys)
    assert shown["doc_id"] == "PMC:PMC9600001"
    assert shown["metadata"]["retracted"] is True


def test_where_several_documents_have_an_id_show_names_the_others(index, capsys):
    main_exits(["show", "96", "--index", index, "--json"])
    out, err = capsys.readouterr()
    assert json.loads(out)["doc_id"] == "PMID:96"
    assert "note: PMID:96 is shown; this id is also that of PMC:PMC9600001." in " ".join(err.split())


def test_show_names_the_notices_of_a_document(index, capsys, tmp_path):
    line = {"_id": "n", "text": "See the notice.", "metadata": {"notices": {"concern": ["PMID:3", "PMID:4"]}}}
    (tmp_path / "n.jsonl").write_text(json.dumps(line))
    main_exits(["index", str(tmp_path / "n.jsonl"), "--index", str(tmp_path / "index")])
    main_exits(["show", "n", "--index", str(tmp_path / "index")])
    assert "notices: concern: PMID:3, PMID:4" in capsys.readouterr().out


def test_show_of_an_id_that_no_document_has_says_what_to_do(index, capsys):
    main_exits(["show", "PMID: 31588070", "--index", index], code=1)
    assert "'PMID: 31588070' is not in" in (message := capsys.readouterr().err)
    assert "osler index SOURCE" in message


def test_a_search_for_ids_gives_their_documents_and_notes_on_standard_error(index, capsys):
    main_exits(["search", "doi:10.9/dogs, PMID: 31588070, PMC9600001", "--index", index, "--json"])
    out, err = capsys.readouterr()
    assert [json.loads(line)["doc_id"] for line in out.splitlines()] == ["line"]
    assert "note: No document has the id PMID: 31588070." in err
    assert "PMC:PMC9600001 is retracted" in err


def test_a_query_that_the_models_cut_is_told_on_standard_error(index, capsys):
    main_exits(["search", "does serum cure influenza " * 200, "--index", index, "--json"])
    assert "note: The query is too long: the encoder and the re-ranker read it" in capsys.readouterr().err


@pytest.mark.parametrize("condition", ["author=william osler", "author=Berg J"])
def test_authors_are_found_and_shown_in_short(index, capsys, condition):
    main_exits(["search", "dogs", "--index", index, "--where", condition])
    shown = " ".join(capsys.readouterr().out.split())
    assert "Osler, William; Smith, Ann; van der Berg, Jan et al." in shown
    main_exits(["show", "line", "--index", index])
    assert "authors: Osler, William; Smith, Ann; van der Berg, Jan et al." in " ".join(capsys.readouterr().out.split())


def test_a_journal_is_found_without_its_place(index, capsys):
    main_exits(
        ["search", "serum", "--index", index, "--where", "journal=The Lancet", "--where", "retracted=any", "--json"]
    )
    assert [one["doc_id"] for one in objects(capsys)] == ["PMID:96"]


@pytest.mark.parametrize("flags", [["-k", str(2**32)], ["-k", "-3"], ["--num-candidates", str(2**33)]])
def test_a_number_that_no_search_can_give_is_one_line(index, capsys, flags):
    main_exits(["search", "dogs", "--index", index, *flags], code=2)
    assert "is not possible" in capsys.readouterr().err
