"""Files that would fill the memory, take hours or never end: every reader gives up in time, and says where."""

import gzip
import io
import os
import socket
import sys
import threading
import time
import tracemalloc
from itertools import chain
from types import SimpleNamespace

import pytest

from osler.corpus import READERS, read_documents, source_bytes, streams
from osler.corpus.streams import ChunkStream, text_stream
from osler.errors import CorpusError, UsageError
from osler.records import Damage

GOOD = b"<PubmedArticle><MedlineCitation><PMID>1</PMID><Article/></MedlineCitation></PubmedArticle>"
MEGABYTE = 10**6


def read(format_: str, chunks) -> list:
    """The entries of one format; each chunk is made when it is asked for, so that none of them weighs."""
    return list(READERS[format_](io.BufferedReader(ChunkStream(iter(chunks))), "f"))


def repeated(unit: bytes, size: int):
    piece = unit * (2**16 // len(unit))
    return (piece for _ in range(size // len(piece) + 1))


def peak(function, *arguments) -> int:
    tracemalloc.start()
    try:
        function(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        b"<PubmedArticle ",
        b"<PubmedArticle>\n",
        b"</PubmedArticle>\n",
        b"<PubmedArticle a='",
        b"<!-- ",
        b"<![CDATA[",
        b"<?x ",
    ],
    ids=str,
)
def test_time_grows_with_the_size_of_broken_xml_no_faster(unit):
    def seconds(size: int) -> float:
        start = time.process_time()
        read("pubmed", repeated(unit, size))
        return time.process_time() - start

    seconds(MEGABYTE // 10)
    # the least of three: the garbage of other tests may be collected meanwhile
    assert min(seconds(MEGABYTE) for _ in range(3)) < 12 * max(seconds(MEGABYTE // 4), 0.05)


@pytest.mark.slow
def test_a_record_of_100_mb_is_damage_the_next_one_is_read_and_the_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("osler.corpus.xml_records.MAX_RECORD_BYTES", 4 * MEGABYTE)

    def chunks():
        yield b"<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>2</PMID><Article>"
        yield from repeated(b"a", 100 * MEGABYTE)
        yield b"</Article></MedlineCitation></PubmedArticle>" + GOOD + b"</PubmedArticleSet>"

    found = []
    assert peak(lambda: found.extend(read("pubmed", chunks()))) < 20 * MEGABYTE
    damage, document = found
    assert damage == Damage("f", "line 1, byte 18", "<PubmedArticle> is longer than 4000000 bytes")
    assert document.doc_id == "PMID:1"


def test_a_record_of_millions_of_tags_is_damage_before_it_is_parsed():
    found = read("pubmed", [b"<PubmedArticle>", b"<a/>" * (2**21 + 1), b"</PubmedArticle>", GOOD])
    assert found[0].reason == "more than 2,097,152 tags"
    assert found[1].doc_id == "PMID:1"


def test_xml_without_a_record_is_damage_however_long_it_is(monkeypatch):
    monkeypatch.setattr("osler.corpus.xml_records.MAX_RECORD_BYTES", MEGABYTE)
    chunks = (b"<PubmedArticleSet>", *repeated(b"<x>y</x>\n", 5 * MEGABYTE), b"</PubmedArticleSet>")
    (damage,) = read("pubmed", chunks)
    assert damage.reason.startswith("holds none of the records <PubmedArticle>, ")


@pytest.mark.slow
@pytest.mark.parametrize("format_", READERS)
def test_endless_zeros_end(monkeypatch, format_):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=open("/dev/zero", "rb", buffering=0)))  # noqa: PTH123, SIM115
    with sys.stdin.buffer:
        entries = list(read_documents(["-"], format=format_))
    assert isinstance(entries[-1], Damage)


def test_a_text_with_a_few_zeros_is_read_to_its_end():
    assert text_stream(ChunkStream(iter([b"abcd", bytes(1000), b"e"]))).read() == b"abcd" + bytes(1000) + b"e"


def test_a_device_is_no_source():
    with pytest.raises(CorpusError, match="/dev/zero: is a device; name a file or a folder, or `-`"):
        read_documents(["/dev/zero"], format="pubmed")


@pytest.mark.parametrize("source", ["", " "])
def test_an_empty_source_is_wrong_usage(source):
    with pytest.raises(UsageError, match="a source is empty; name a file, a folder"):
        read_documents([source])


@pytest.mark.parametrize("source", ["x" * 300, "a\0b"])
def test_a_name_that_no_file_can_have_is_one_sentence(source):
    with pytest.raises(CorpusError, match="cannot be read"):
        read_documents([source])


def test_a_pipe_and_a_socket_in_a_folder_are_damage_and_never_wait(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("a")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("b")
        (tmp_path / "c").write_text('{"_id": "1", "text": "Four."}')
        pipe, listening, document = read_documents(["."])
    assert str(pipe) == "a, the whole file: is a pipe, socket or device, not a file"
    assert listening.source == "b"
    assert document.doc_id == "1"
    assert source_bytes(["."]) == len('{"_id": "1", "text": "Four."}')


def test_a_pipe_that_is_named_is_read_like_standard_input(tmp_path):
    os.mkfifo(tmp_path / "a")
    writer = threading.Thread(target=(tmp_path / "a").write_text, args=('{"_id": "1", "text": "Four."}',))
    entries = read_documents([tmp_path / "a"])
    assert source_bytes([tmp_path / "a"]) is None
    writer.start()
    assert [entry.doc_id for entry in entries] == ["1"]
    writer.join()


def test_a_subfolder_that_cannot_be_read_is_damage(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x/closed").mkdir(parents=True)
    (tmp_path / "x/open.jsonl").write_text('{"_id": "1", "text": "Four."}')
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    document, damage = read_documents(["x"])
    assert document.doc_id == "1"
    assert str(damage) == "x/closed, the whole folder: cannot be read (Permission denied); mend its permissions"
    with pytest.raises(CorpusError, match="x/closed"):
        list(read_documents(["x"], strict=True))
    with pytest.raises(CorpusError, match=r"^x/closed: cannot be read \(Permission denied\); mend its permissions"):
        read_documents(["x/closed"])


def test_a_socket_that_is_named_is_called_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("b")
        with pytest.raises(CorpusError, match="b: is a socket; name a file or a folder"):
            read_documents(["b"])


def test_a_strict_run_names_the_remedy_of_a_file_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x/empty.jsonl").write_text("")
    says = r"^x/empty.jsonl, the whole file: is empty; leave it out; mend it, or read without --strict to skip it\.$"
    with pytest.raises(CorpusError, match=says):
        list(read_documents(["x"], strict=True))


def test_linked_folders_are_read_once_and_circles_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.jsonl").write_text('{"_id": "1", "text": "Four."}')
    (tmp_path / "x").mkdir()
    (tmp_path / "x/link").symlink_to(tmp_path / "data")
    (tmp_path / "data/circle").symlink_to(tmp_path / "x")
    assert [str(entry.doc_id) for entry in read_documents(["x"])] == ["1"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format_", "begin", "unit"),
    [
        ("obo", b"[Term]\nid: X:1\nname: One\n", b'synonym: "x" EXACT []\n'),
        ("obo", b"[Term]\nid: X:1\nname: ", b"a\\\n"),
        ("ris", b"TY  - JOUR\n", b"KW  - x\n"),
        ("ris", b"TY  - JOUR\nAB  - ", b"a\n"),
        ("csv", b'PMID,Title,Abstract\n7,Mice,"', b"x\n"),
        ("ris", b"TY  - JOUR\nTI  - ", b"x" * 100),
        ("csv", b"PMID,Title,Abstract\n7,Mice,", b"x" * 100),
        ("obo-json", b'{"graphs": [{"nodes": ["', b"x" * 100),
    ],
)
def test_the_memory_for_a_record_that_never_ends_is_bounded(monkeypatch, format_, begin, unit):
    bound = MEGABYTE
    for module in ("obo", "ris", "citation_table", "streams", "obo_graphs"):
        monkeypatch.setattr(f"osler.corpus.{module}.MAX_RECORD_BYTES", bound)
    stream = io.BufferedReader(ChunkStream(chain([begin], repeated(unit, 12_000 * len(unit)))))
    damages = 0

    def run():
        nonlocal damages
        damages = sum(isinstance(entry, Damage) for entry in READERS[format_](stream, "f"))

    assert peak(run) < 6 * bound
    assert damages


def test_a_corrupt_archive_in_gzip_that_unpacks_to_zeros_ends(tmp_path):
    (tmp_path / "f.gz").write_bytes(gzip.compress(b'{"_id": "1", "text": "Four."}\n' + bytes(20 * MEGABYTE)))
    document, damage = read_documents([tmp_path / "f.gz"])
    assert document.doc_id == "1"
    assert "zero bytes from here on" in str(damage)


def test_the_bound_of_a_record_is_what_the_guide_says():
    assert streams.MAX_RECORD_BYTES == 32 * 2**20
