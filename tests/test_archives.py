import bz2
import gzip
import io
import lzma
import sys
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from osler.corpus import archives, read_documents, source_bytes
from osler.corpus.streams import SourceStream
from osler.errors import CorpusError
from osler.records import Damage, Document

ARTICLE = (
    "<article><front><article-meta><article-id pub-id-type='pmc'>{}</article-id></article-meta></front>"
    "<body><p>Mice.</p></body></article>"
)
LINE = '{{"_id": "{}", "text": "Mice."}}\n'
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(100)


def tar(files: dict[str, bytes | str], mode: str = "w", **settings) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, **settings) as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def packed(files: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def streamed(files: dict[str, str]) -> bytes:
    """A zip as it is written into a pipe: the sizes stand behind the files."""

    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise OSError("a pipe")

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return pipe.getvalue()


@pytest.fixture
def read(tmp_path: Path, monkeypatch):
    """The ids of the documents of a file with this content, and the damages as text."""
    monkeypatch.chdir(tmp_path)

    def read_file(content: bytes, name: str = "a", **settings) -> list[str]:
        Path(name).write_bytes(content)
        return shown(read_documents([name], **settings))

    return read_file


def shown(entries) -> list[str]:
    return [entry.doc_id if isinstance(entry, Document) else str(entry) for entry in entries]


TWO = {"PMC000xxxxxx/PMC1.xml": ARTICLE.format(1), "PMC000xxxxxx/PMC2.xml": ARTICLE.format(2)}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_package_of_pmc_is_read_file_by_file_however_it_is_packed(read, mode, form):
    assert read(tar(TWO, mode, format=form)) == ["PMC:PMC1", "PMC:PMC2"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_is_read_file_by_file(read, method):
    assert read(packed(TWO, method)) == ["PMC:PMC1", "PMC:PMC2"]


def test_a_zip_that_was_written_into_a_pipe_is_read(read):
    assert read(streamed(TWO)) == ["PMC:PMC1", "PMC:PMC2"]


@pytest.mark.parametrize("make", [tar, packed, streamed])
def test_an_archive_is_read_from_standard_input(make, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(make(TWO))))
    assert shown(read_documents(["-"])) == ["PMC:PMC1", "PMC:PMC2"]


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress, gzip.compress])
def test_a_compressed_file_is_read_and_so_are_several_one_after_another(read, compress):
    assert read(compress(LINE.format(1).encode()) + compress(LINE.format(2).encode())) == ["1", "2"]


@pytest.mark.slow
@pytest.mark.parametrize(("compress", "kind"), [(bz2.compress, "bzip2"), (lzma.compress, "xz")])
def test_a_compressed_file_that_breaks_off_gives_what_it_holds(read, compress, kind):
    content = "".join(LINE.format(number) + " " * (number * 7919 % 1009) + "\n" for number in range(50_000)).encode()
    *documents, damage = read(compress(content)[: -30_000 if kind == "xz" else -50_000])
    assert documents[:2] == ["0", "1"]
    assert f"truncated {kind}: the file ends before its compressed data do" in damage


def test_messages_name_the_archive_and_the_file_in_it(read):
    found = read(tar({"x/a.jsonl": LINE.format(1) + "{\n"}), "b.tar")
    assert found[0] == "1"
    assert found[1].startswith("b.tar:x/a.jsonl, line 2: not JSON")


def test_the_format_of_each_file_is_that_of_its_content(read):
    files = {"a": LINE.format(1), "b": "PMID- 2\n", "c": "TY  - JOUR\nTI  - Mice\nDO  - 10.1000/3\nER  - \n"}
    assert read(packed(files)) == ["1", "PMID:2", "doi:10.1000/3"]


def test_pictures_and_pdfs_and_lists_of_a_package_are_passed_over(read):
    others = {
        "PMC1/g001.jpg": b"\xff\xd8\xff\xe0" + bytes(50),
        "PMC1/a.pdf": b"%PDF-1.4\n",
        "PMC1/table.xlsx": packed({"[Content_Types].xml": "<a/>", "xl/workbook.xml": "<a/>"}),
        "oa_comm_xml.PMC000xxxxxx.filelist.csv": "Article File,Accession ID\n",
        "__MACOSX/._PMC1.nxml": b"\0\5\x16\7",
        "PMC1/PMC1.nxml": ARTICLE.format(1),
    }
    assert read(tar(others)) == ["PMC:PMC1"]


def test_any_other_file_of_an_archive_is_damage(read):
    assert read(tar({"a.txt": "Dear Sir,", "b": LINE.format(1)}))[0].startswith("a:a.txt, the whole file: has no known")


def test_an_archive_that_holds_nothing_to_read_is_damage(read):
    assert read(tar({"a.png": PICTURE})) == ["a, the whole file: holds no file that osler reads"]


def test_compressed_files_and_packages_within_an_archive_are_read_but_no_deeper(read):
    inner = tar({"c.xml.gz": gzip.compress(ARTICLE.format(3).encode())}, "w:gz")
    deep = packed({"1.zip": packed({"2.zip": packed({"a": LINE.format(9)})})})
    files = {"a.xml.gz": gzip.compress(ARTICLE.format(1).encode()), "b.tar.gz": inner, "d.zip": deep}
    assert read(tar(files)) == [
        "PMC:PMC1",
        "PMC:PMC3",
        "a:d.zip:1.zip, the whole file: is an archive within two others; unpack it first",
    ]


def test_of_beir_in_an_archive_the_corpus_alone_is_read(read):
    names = ("scifact/corpus.jsonl", "scifact/queries.jsonl", "scifact/qrels/test.tsv")
    assert read(packed({name: LINE.format(name) for name in names})) == ["scifact/corpus.jsonl"]


def test_a_truncated_tar_gives_what_it_holds(read):
    whole = tar({"a": LINE.format(1), "b": LINE.format(2) * 100})
    found = read(whole[: 512 * 3 + 500])
    assert found[0] == "1"
    assert "the archive ends within this file" in found[-1]


@pytest.mark.parametrize("make", [packed, streamed])
def test_a_truncated_zip_gives_what_it_holds(read, make):
    files = {"a": LINE.format(1), "b": "".join(LINE.format(number * number) for number in range(5000))}
    found = read(make(files)[:5000])
    assert found[:3] == ["1", "0", "1"]
    assert "the archive ends within this file" in found[-1]
    assert sum("the archive ends" in entry for entry in found) == 1


def test_a_truncated_tar_gz_gives_what_it_holds(read):
    files = {"a": LINE.format(1), "b": "".join(LINE.format(number * number) for number in range(50_000))}
    found = read(tar(files, "w:gz")[:40_000])
    assert found[:3] == ["1", "0", "1"]
    assert "a:b, " in found[-1]
    assert "truncated gzip" in found[-1]


def test_a_corrupt_header_of_a_tar_costs_only_its_file(read):
    whole = bytearray(tar({"a": LINE.format(1), "b": LINE.format(2), "c": LINE.format(3)}))
    whole[1024 + 10] ^= 255
    found = read(bytes(whole))
    assert found == ["1", "a, byte 1536 of the archive: corrupt tar: no header where the next file should begin", "3"]


@pytest.mark.parametrize("cut", [1024, 2048])
def test_a_tar_that_breaks_off_between_two_files_says_so(read, cut):
    whole = tar({"a": LINE.format(1), "b": LINE.format(2), "c": LINE.format(3)})
    *documents, damage = read(whole[:cut])
    assert documents == ["1", "2"][: cut // 1024]
    assert damage == f"a, byte {cut} of the archive: the archive ends without an end mark: it may be cut off"


def test_two_tars_one_behind_the_other_are_read(read):
    assert read(tar({"a": LINE.format(1)}) + tar({"b": LINE.format(2)})) == ["1", "2"]


def posix(attributes: bytes, info: tarfile.TarInfo) -> bytes:
    """A header of POSIX with these attributes, and that of the file behind it."""
    before = tarfile.TarInfo("before")
    before.type, before.size = tarfile.XHDTYPE, len(attributes)
    return before.tobuf() + attributes + bytes(-len(attributes) % 512) + info.tobuf()


def test_a_size_that_stands_before_the_header_is_that_of_the_file(read):
    content = LINE.format(1).encode()
    whole = posix(b"11 size=%d\n" % len(content), tarfile.TarInfo("a")) + content.ljust(512, b"\0") + bytes(1024)
    assert read(whole) == ["1"]


@pytest.mark.parametrize("attributes", [b"", b"22 GNU.sparse.major=1\n"])
def test_a_sparse_file_is_damage_and_the_next_one_is_read(read, attributes):
    info = tarfile.TarInfo("a")
    info.type = tarfile.REGTYPE if attributes else tarfile.GNUTYPE_SPARSE
    found = read(posix(attributes, info) + tar({"b": LINE.format(2)}))
    assert found[0].endswith("a sparse file, which osler does not read; pack it without --sparse")
    assert found[1:] == ["2"]


@pytest.mark.parametrize(
    "attributes", [b"9999 path=x\n", b"0 path=x\n", b"3 path=x\n", b"x\n", b"11 size=-1\n", b"8 size=\n", b"9" * 5000]
)
def test_attributes_that_are_none_leave_the_file_as_its_header_says(read, attributes):
    content = LINE.format(1).encode()
    info = tarfile.TarInfo("a")
    info.size = len(content)
    assert read(posix(attributes, info) + content.ljust(512, b"\0") + bytes(1024)) == ["1"]


def test_a_corrupt_file_of_a_zip_costs_only_itself(read):
    whole = packed({"a": LINE.format(1), "b": LINE.format(2), "c": LINE.format(3)}, zipfile.ZIP_STORED)
    found = read(whole.replace(b'"2"', b'"4"'))
    assert found == ["1", "4", "a:b, the end of the file: corrupt zip (its checksum differs)", "3"]


def test_a_zip_that_describes_its_files_before_and_behind_them_is_read(read):
    whole = bytearray(streamed({"a": LINE.format(1), "b": LINE.format(2)}))
    behind = whole.index(b"PK\7\10")
    whole[18:26] = whole[behind + 8 : behind + 16]
    assert read(bytes(whole)) == ["1", "2"]


def test_rubbish_between_two_files_of_a_zip_is_told_and_the_next_one_is_read(read):
    whole = packed({"a": LINE.format(1), "b": LINE.format(2)})
    second = whole.index(b"PK\3\4", 4)
    first, damage, last = read(whole[:second] + b"rubbish" + whole[second:])
    assert (first, last) == ("1", "2")
    assert damage.endswith("corrupt zip: no header where the next file should begin")


def test_an_encrypted_zip_is_one_damage(read):
    whole = bytearray(packed({"a": LINE.format(1), "b": LINE.format(2)}))
    for start in (0, whole.index(b"PK\3\4", 4)):
        whole[start + 6] |= 1
    assert [entry.rpartition(": ")[2] for entry in read(bytes(whole))] == [
        "is encrypted; unzip the archive with its password"
    ]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_file_packed_in_another_way_costs_only_itself(read, method):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", LINE.format(1), compress_type=method)
        archive.writestr("b", LINE.format(2))
    found = read(buffer.getvalue())
    assert f"a:a, byte {31} of the archive: is packed by method {method}" in found[0]
    assert found[1:] == ["2"]


def test_names_that_lead_out_of_the_archive_lead_nowhere(read, tmp_path):
    found = read(tar({"../../evil.jsonl": LINE.format(1), "/etc/passwd": LINE.format(2)}))
    assert found == ["1", "2"]
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_links_and_folders_are_passed_over(read):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (("d", tarfile.DIRTYPE), ("l", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("d/a")
        info.size = len(LINE.format(1))
        archive.addfile(info, io.BytesIO(LINE.format(1).encode()))
    assert read(buffer.getvalue()) == ["1"]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_those_of_the_file(read, form):
    name = "/".join(["folder-with-a-long-name"] * 9) + "/é.jsonl"
    assert read(tar({name: "{\n"}, format=form))[0].startswith(f"a:{name}, line 1: not JSON")


def test_a_long_name_that_has_no_end_is_given_up_before_it_fills_the_memory(read):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**30
    (found,) = read(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(2**21)))
    assert found.endswith("a name longer than 1 MB")


def test_a_bomb_of_an_archive_is_unpacked_a_chunk_at_a_time():
    stream = SourceStream(io.BytesIO(packed({"a": bytes(50_000_000)})))
    tracemalloc.start()
    member = next(archives.read_members(stream, "a", "zip"))
    assert len(member.content.read(10)) == 10
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_folder_with_archives_in_it_reads_them_and_its_size_is_known(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(tar(TWO, "w:gz"))
    (tmp_path / "b.zip").write_bytes(packed({"c": LINE.format(3)}))
    (tmp_path / "c.jsonl").write_text(LINE.format(4))
    sizes: list[int] = []
    assert shown(read_documents([tmp_path], on_read=sizes.append)) == ["PMC:PMC1", "PMC:PMC2", "3", "4"]
    assert sum(sizes) == source_bytes([tmp_path])


def test_strict_reading_stops_at_a_damaged_archive(read):
    with pytest.raises(CorpusError, match="a:b.jsonl, line 1: not JSON"):
        read(tar({"b.jsonl": "{\n"}), strict=True)


def test_a_forced_format_holds_for_all_files_of_an_archive_but_pictures(read):
    found = read(tar({"a.png": PICTURE, "b": "PMID- 1\n", "c": "Dear Sir,"}), format="medline")
    assert found[0] == "PMID:1"
    assert all(entry.startswith("a:c, ") for entry in found[1:])


def test_a_document_of_word_is_no_archive(read):
    with pytest.raises(CorpusError, match="a: has no known format: it looks like a Word document"):
        read(packed({"[Content_Types].xml": "<a/>", "word/document.xml": "<a/>"}))


def test_the_last_of_two_documents_with_one_id_comes_last(read):
    assert read(tar({"a": LINE.format(1), "b": LINE.format(1)})) == ["1", "1"]


def test_reading_an_archive_gives_documents_before_its_end():
    stream = SourceStream(io.BytesIO(tar({"a": LINE.format(1), "b": "x"})[:1536]))
    first = next(archives.read_members(stream, "t", "tar"))
    assert not isinstance(first, Damage)
    assert first.content.read() == LINE.format(1).encode()
