import gzip
import io
import sys
import tracemalloc
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from osler.corpus import read_documents, source_bytes
from osler.corpus.streams import BrokenStreamError, SourceStream
from osler.errors import CorpusError, UsageError
from osler.records import Damage, Document

CITATION = "<PubmedArticle><MedlineCitation><PMID>{}</PMID><Article/></MedlineCitation></PubmedArticle>\n"


def line(doc_id: str) -> str:
    return f'{{"_id": "{doc_id}", "text": "Mice."}}\n'


def names(entries) -> list[str]:
    return [entry.doc_id if isinstance(entry, Document) else str(entry) for entry in entries]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_are_read_one_after_another_plain_or_compressed(folder):
    (folder / "a.jsonl").write_text(line("1"))
    (folder / "b.gz").write_bytes(gzip.compress(b"PMID- 2\n"))
    assert names(read_documents([folder / "a.jsonl", "b.gz"])) == ["1", "PMID:2"]


def test_a_folder_is_read_in_the_order_of_its_paths_and_unknown_files_are_damage(folder):
    (folder / "x/b").mkdir(parents=True)
    for name, content in (("b/2.xml", CITATION.format(2)), ("1.jsonl", line("1")), ("c.png", "\x00"), (".hidden", "?")):
        (folder / "x" / name).write_text(content)
    (folder / "x" / "1.jsonl.md5").write_text("MD5(1.jsonl)= 0")
    found = names(read_documents(["x"]))
    assert found[0] == "1"
    assert found[1].startswith("x/c.png, the whole file: has no known format: it looks like a binary file;")
    assert found[2:] == ["PMID:2"]


def test_of_a_folder_in_the_layout_of_beir_the_corpus_alone_is_read(folder):
    (folder / "qrels").mkdir()
    for name in ("corpus.jsonl", "queries.jsonl", "answers.jsonl", "qrels/test.tsv"):
        (folder / name).write_text(line(name))
    assert names(read_documents(["."])) == ["corpus.jsonl"]


@pytest.mark.parametrize("content", [line("1").encode(), gzip.compress(line("1").encode())], ids=["plain", "gzip"])
def test_standard_input_is_read(content, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert names(read_documents(["-"])) == ["1"]


def test_a_truncated_gzip_gives_what_it_holds_and_says_where_it_broke(folder):
    content = "".join(CITATION.format(number) for number in range(1000)).encode()
    whole = gzip.compress(f"<PubmedArticleSet>{content.decode()}</PubmedArticleSet>".encode())
    (folder / "a.xml.gz").write_bytes(whole[: len(whole) // 2])
    *documents, damage = read_documents(["a.xml.gz"])
    assert 100 < len(documents) < 1000
    assert names(documents) == [f"PMID:{number}" for number in range(len(documents))]
    size = len(zlib.decompressobj(31).decompress(whole[: len(whole) // 2]))
    reason = "truncated gzip: the file ends before its compressed data do"
    assert damage == Damage("a.xml.gz", f"after {size} bytes of uncompressed text", reason)


def test_a_corrupt_gzip_gives_what_comes_before_the_damage(folder):
    compressor = zlib.compressobj(wbits=31)
    good = compressor.compress(line("1").encode() * 2000) + compressor.flush(zlib.Z_FULL_FLUSH)
    (folder / "a.jsonl.gz").write_bytes(good + b"\x07" * 9)  # 7: the last block, of a type that does not exist
    *documents, damage = read_documents(["a.jsonl.gz"])
    assert len(documents) == 2000
    assert damage.position == f"after {len(line('1')) * 2000} bytes of uncompressed text"
    assert "corrupt gzip" in damage.reason


def test_a_gzip_with_a_wrong_checksum_gives_everything_and_a_damage(folder):
    whole = gzip.compress(line("1").encode())
    (folder / "a.jsonl.gz").write_bytes(whole[:-8] + b"\0" * 8)
    document, damage = read_documents(["a.jsonl.gz"])
    assert document.doc_id == "1"
    assert "corrupt gzip" in damage.reason


def test_gzip_members_one_after_another_are_one_file_and_padding_is_nothing(folder):
    (folder / "a.gz").write_bytes(gzip.compress(line("1").encode()) + gzip.compress(line("2").encode()) + b"\0" * 9)
    assert names(read_documents(["a.gz"])) == ["1", "2"]


def test_a_gzip_bomb_is_uncompressed_a_chunk_at_a_time():
    reader = io.BufferedReader(SourceStream(io.BytesIO(gzip.compress(bytes(50_000_000)))))
    tracemalloc.start()
    assert len(reader.read1(10)) == 10
    assert sum(len(chunk) for chunk in iter(lambda: reader.read(2**20), b"")) == 50_000_000 - 10
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_damaged_file_does_not_keep_the_next_one_from_being_read(folder):
    (folder / "a.gz").write_bytes(gzip.compress(line("1").encode())[:-4])
    (folder / "b.jsonl").write_text(line("2"))
    found = names(read_documents(["a.gz", "b.jsonl"]))
    assert (found[0], found[-1]) == ("1", "2")


def test_strict_reading_stops_at_the_first_damage_with_its_place(folder):
    (folder / "a.jsonl").write_text(line("1") + "{\n" + line("2"))
    entries = read_documents(["a.jsonl"], strict=True)
    assert next(entries).doc_id == "1"
    with pytest.raises(CorpusError, match=r"a\.jsonl, line 2: not JSON .* without --strict"):
        next(entries)


@pytest.mark.parametrize(
    ("content", "reason"), [("Dear Sir,", "has no known format"), ("", "is empty"), ("<html>", "has no known format")]
)
def test_a_named_file_of_no_known_format_is_one_error_before_anything_is_read(folder, content, reason):
    (folder / "a.jsonl").write_text(line("1"))
    (folder / "b.txt").write_text(content)
    with pytest.raises(CorpusError, match=f"^b.txt: {reason}"):
        read_documents(["a.jsonl", "b.txt"])


def test_a_missing_file_is_one_error_before_anything_is_read():
    with pytest.raises(CorpusError, match="nowhere: no such file or folder"):
        read_documents(["nowhere"])


def test_an_unknown_format_is_an_error_that_names_the_known_ones():
    with pytest.raises(
        UsageError,
        match="unknown format 'pdf'. Known formats: auto, pubmed, jats, medline, jsonl, hpo, obo, obo-json, ris, csv",
    ):
        read_documents([], format="pdf")


def test_one_source_instead_of_a_list_is_an_error():
    with pytest.raises(TypeError, match="must be a list"):
        read_documents("corpus.jsonl")


def test_a_forced_format_is_used_whatever_the_file_looks_like(folder):
    (folder / "a").write_text('{"text": "a"}')
    assert names(read_documents(["a"], format="jsonl")) == [
        "a, line 1: `_id` is None, but must be a string that is not empty"
    ]


def test_the_head_of_a_stream_stays_to_be_read():
    stream = SourceStream(io.BytesIO(b"abcdef"))
    assert (stream.head(3), stream.head(100), io.BufferedReader(stream).read()) == (b"abc", b"abcdef", b"abcdef")


def test_a_stream_that_fails_on_the_way_gives_what_came_before():
    class Failing(io.BytesIO):
        def read1(self, size=-1):
            if self.tell() == 3:
                raise OSError(5, "Input/output error")
            return super().read1(size)

    stream = SourceStream(Failing(b"abc"))
    assert stream.read(10) == b"abc"
    with pytest.raises(BrokenStreamError, match=r"byte 3: cannot be read further \(Input/output error\)"):
        stream.read(10)


def test_reading_holds_one_document_at_a_time(folder):
    """Documents come before the whole file is read: the reader is at most a few chunks ahead."""
    (folder / "a.jsonl").write_text("".join(line(str(number)) for number in range(100_000)))
    entries = read_documents(["a.jsonl"])
    assert next(entries).doc_id == "0"
    (folder / "a.jsonl").write_text("")
    assert sum(1 for _ in entries) < 50_000


def test_the_bytes_read_of_all_files_add_up_to_their_size(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"_id": "1", "text": "Four."}\n')
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"_id": "2", "text": "Five."}\n'))
    sizes: list[int] = []
    assert len(list(read_documents([tmp_path], on_read=sizes.append))) == 2
    assert sum(sizes) == source_bytes([tmp_path])


def test_nobody_knows_the_size_of_standard_input(tmp_path):
    assert source_bytes([tmp_path, "-"]) is None
