"""Data sets in BEIR's layout, and how data sets are named."""

import gzip
import json
from pathlib import Path

import pytest

from osler.datasets import load_dataset, parse_name
from osler.errors import CorpusError, UsageError
from osler.records import Query

HEAD = "query-id\tcorpus-id\tscore\n"


def json_lines(*ids: str) -> str:
    return "".join(json.dumps({"_id": id_, "title": f"Title {id_}", "text": f"Text {id_}."}) + "\n" for id_ in ids)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Documents a b c, queries p q r; train: p -> a, b and q -> c; dev: r -> c."""
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text(json_lines("a", "b", "c"))
    (folder / "queries.jsonl").write_text(json_lines("p", "q", "r"))
    (folder / "qrels_train.tsv").write_text(HEAD + "p\ta\t1\np\tb\t2\np\tc\t0\nq\tc\t1\n")
    (folder / "qrels_dev.tsv").write_text(HEAD + "r\tc\t1\n")
    return folder


def error(folder: Path, split: str = "train") -> str:
    """The one line that loading fails with, without the path of the folder."""
    with pytest.raises(CorpusError) as raised:
        load_dataset(folder, split)
    assert "\n" not in str(raised.value)
    return str(raised.value).replace(str(folder), "DIR")


def test_a_split_has_its_own_queries_and_the_whole_corpus(folder):
    dataset = load_dataset(folder)
    assert (dataset.name, dataset.split) == ("letters", "train")
    assert dataset.queries == {"p": Query("p", "Text p."), "q": Query("q", "Text q.")}
    assert list(dataset.documents) == ["a", "b", "c"]
    assert dataset.documents["a"].title == "Title a"


def test_a_relevance_of_zero_or_below_is_dropped(folder):
    (folder / "qrels_train.tsv").write_text(HEAD + "p\ta\t1\np\tb\t2\np\tc\t0\nq\tc\t-1\n")
    dataset = load_dataset(folder)
    assert dataset.qrels == {"p": {"a": 1, "b": 2}}
    assert list(dataset.queries) == ["p"]


def test_the_header_may_be_missing(folder):
    (folder / "qrels_train.tsv").write_text("p\ta\t1\n\nq\tc\t1\n")
    assert load_dataset(folder).qrels == {"p": {"a": 1}, "q": {"c": 1}}


def test_the_qrels_may_lie_where_beir_has_them(folder):
    (folder / "qrels").mkdir()
    (folder / "qrels_dev.tsv").rename(folder / "qrels" / "test.tsv")
    assert load_dataset(folder, "test").qrels == {"r": {"c": 1}}


def test_corpus_and_queries_may_be_compressed(folder):
    for name in ("corpus.jsonl", "queries.jsonl"):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        (folder / name).unlink()
    assert list(load_dataset(folder).documents) == ["a", "b", "c"]


def test_the_digest_is_that_of_the_files_used(folder, tmp_path):
    before = load_dataset(folder).digest
    folder = folder.rename(tmp_path / "renamed")
    (folder / "qrels_dev.tsv").write_text(HEAD + "r\ta\t1\n")
    assert load_dataset(folder).digest == before
    (folder / "qrels_train.tsv").write_text(HEAD + "p\ta\t1\n")
    assert load_dataset(folder).digest != before


def test_a_folder_is_found_below_the_one_that_osler_data_names(folder, monkeypatch):
    monkeypatch.setenv("OSLER_DATA", str(folder.parent))
    assert load_dataset("letters").name == "letters"


def test_a_folder_that_is_missing_names_the_way_to_find_it(monkeypatch, tmp_path):
    monkeypatch.delenv("OSLER_DATA", raising=False)
    with pytest.raises(CorpusError, match="^nowhere: no such data set; set OSLER_DATA to the folder that it lies in"):
        load_dataset("nowhere")
    monkeypatch.setenv("OSLER_DATA", str(tmp_path))
    with pytest.raises(CorpusError, match=f"nor is there one below OSLER_DATA={tmp_path}"):
        load_dataset("nowhere")


def test_a_split_that_is_missing_names_those_that_are_there(folder):
    assert error(folder, "test") == "DIR: has no split 'test'; name another one: dev, train."


@pytest.mark.parametrize("qrels", ["", HEAD, HEAD + "p\ta\t0\n"])
def test_an_empty_split_is_refused(folder, qrels):
    (folder / "qrels_train.tsv").write_text(qrels)
    assert error(folder) == (
        "DIR/qrels_train.tsv: an empty split, no line has a relevance above 0; name another one: dev."
    )


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
def test_a_file_that_is_missing_is_named(folder, name):
    (folder / name).unlink()
    assert error(folder).startswith(f"DIR: holds no {name}; name a folder with corpus.jsonl, queries.jsonl and ")


def test_qrels_that_name_missing_documents_are_refused_with_their_number_and_the_first_three(folder):
    (folder / "qrels_train.tsv").write_text(HEAD + "".join(f"p\tx{n}\t1\nq\tx{n}\t1\n" for n in range(4)))
    assert error(folder) == (
        "DIR/qrels_train.tsv: names 4 ids that corpus.jsonl does not hold (x0, x1, x2, …); "
        "add them there or delete their lines here."
    )


def test_qrels_that_name_a_missing_query_are_refused(folder):
    (folder / "qrels_train.tsv").write_text(HEAD + "p\ta\t1\nx\ta\t1\n")
    assert error(folder).startswith("DIR/qrels_train.tsv: names 1 id that queries.jsonl does not hold (x); ")


def test_a_pair_that_does_not_count_may_name_a_missing_document(folder):
    (folder / "qrels_train.tsv").write_text(HEAD + "p\ta\t1\np\tx\t0\n")
    assert load_dataset(folder).qrels == {"p": {"a": 1}}


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
def test_ids_that_come_twice_are_refused(folder, name):
    (folder / name).write_text(json_lines("a", "b", "c", "p", "q", "b", "b", "a"))
    assert error(folder) == f"DIR/{name}: 3 ids that came before, the first 'b'; keep one of each."


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
def test_a_damaged_line_is_refused(folder, name):
    (folder / name).write_text(json_lines("a", "p") + '{"_id": "b"}\n[]\n')
    assert error(folder) == (
        f"DIR/{name}, line 3: `text` is NoneType, but must be a string; "
        "2 damages in all: mend or delete what is damaged."
    )


def test_a_query_without_words_is_refused(folder):
    (folder / "queries.jsonl").write_text(json_lines("p", "q") + '{"_id": "r", "text": " "}')
    assert error(folder) == "DIR/queries.jsonl: the `text` of 'r' is blank (1 in all); write or delete it."


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("p a 1", "1 columns between tabs, but a judgement has query-id, corpus-id and score"),
        ("p\t0\ta\t1", "4 columns between tabs, but a judgement has query-id, corpus-id and score"),
        ("p\ta\tyes", "the relevance 'yes' is no whole number"),
        ("q\tc\t2", "q, c is judged 2, but 1 in a line before"),
    ],
)
def test_a_line_that_is_no_judgement_is_refused(folder, line, reason):
    (folder / "qrels_train.tsv").write_text(f"{HEAD}q\tc\t1\n{line}\n")
    assert error(folder).startswith(f"DIR/qrels_train.tsv, line 3: {reason}; 1 damage in all")


def test_a_first_line_that_is_damaged_is_no_header(folder):
    (folder / "qrels_train.tsv").write_text("p\ta\t1x\nq\tc\t1\n")
    assert "line 1: the relevance '1x' is no whole number" in error(folder)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "split", "counts", "first", "last"),
    [
        (
            "scifact",
            "train",
            (809, 5183, 919),
            (Query("0", "0-dimensional biomaterials lack inductive properties."), "4983"),
            (Query("1407", "β1/Ketel is able to bind microtubules."), "198309074"),
        ),
        (
            "bioasq",
            "train",
            (3274, 53701, 41956),
            (
                Query(
                    "511979b04eab811676000003", "How could we infer functional associations from gene fusion events?"
                ),
                "23365410-d1637f6045",
            ),
            (
                Query("51404dd723fec90375000002", "What is the methyl donor of DNA (cytosine-5)-methyltransferases?"),
                "15273274-c96c4db6d5",
            ),
        ),
        (
            "bioasq",
            "dev",
            (600, 53701, 4923),
            (
                Query("5e48e0e0f8b2df0d49000001", "Are gut microbiota profiles altered by irradiation?"),
                "23365410-d1637f6045",
            ),
            (
                Query(
                    "604b8cf71cb411341a000171",
                    "List characteristics of Developmental and Epileptic Encephalopathies (DEEs).",
                ),
                "15273274-c96c4db6d5",
            ),
        ),
        (
            "medquad",
            "train",
            (11513, 16350, 13052),
            (Query("q:1:0000001_1-1", "What is (are) Adult Acute Lymphoblastic Leukemia ?"), "1:0000001_1-1"),
            (Query("q:9:0000440-7", "How to prevent Parasites - Zoonotic Hookworm ?"), "9:0000440-7"),
        ),
        (
            "pubmedqa",
            "train",
            (500, 1000, 500),
            (Query("q1571683", "Storage of vaccines in the community: weak link in the cold chain?"), "1571683"),
            (
                Query(
                    "q28407529",
                    "Resection of colorectal liver metastases after second-line chemotherapy: is it worthwhile?",
                ),
                "29112560",
            ),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_real_sets_are_read_whole(data_folder: Path, name, split, counts, first, last):
    dataset = load_dataset(data_folder / name, split)
    queries, documents = list(dataset.queries.values()), list(dataset.documents)
    assert (len(queries), len(documents), sum(map(len, dataset.qrels.values()))) == counts
    assert (queries[0], documents[0]) == first
    assert (queries[-1], documents[-1]) == last


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("scifact", ("scifact", "train")),
        ("scifact:dev", ("scifact", "dev")),
        ("/data/a:b/scifact", ("/data/a:b/scifact", "train")),
        ("/data/a:b/scifact:dev", ("/data/a:b/scifact", "dev")),
        ("builtin:hpo-lay", ("builtin:hpo-lay", "train")),
        ("builtin:hpo-lay:test", ("builtin:hpo-lay", "test")),
    ],
)
def test_a_name_is_a_folder_and_a_split(name, expected):
    assert parse_name(name) == expected


@pytest.mark.parametrize("name", ["", ":dev", "scifact:", "builtin:", "builtin::dev"])
def test_a_name_that_lacks_a_half_is_refused(name):
    with pytest.raises(UsageError, match="names no data set: write DIR or DIR:split"):
        parse_name(name)


def test_an_unknown_built_in_set_names_the_known_ones():
    with pytest.raises(UsageError, match=r"^builtin:x: no such data set. Known: builtin:hpo-lay\.$"):
        load_dataset("builtin:x")
