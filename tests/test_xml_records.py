import io

import pytest

from osler.corpus import streams, xml_records
from osler.corpus.markup import flat_text
from osler.corpus.xml_records import read_records
from osler.records import Damage, Document


def convert(element):
    text = flat_text(element)
    if not text:
        raise ValueError("an empty record")
    yield Document(text, element.tag, ())


class Dripping(io.BytesIO):
    """A stream that gives at most so many bytes at a time."""

    def __init__(self, content: bytes, most: int) -> None:
        super().__init__(content)
        self.most = most

    def read(self, size: int = -1) -> bytes:
        return super().read(min(size, self.most))

    read1 = read


def read(content: str | bytes, chunk_bytes: int = 2**18, **names: str):
    """The ids of the documents of <a> records, and the damages as text."""
    data = content.encode() if isinstance(content, str) else content
    entries = read_records(Dripping(data, chunk_bytes), "f.xml", names=names or {"a": ""}, convert=convert)
    return [str(entry) if isinstance(entry, Damage) else entry.doc_id for entry in entries]


@pytest.fixture(params=[1, 7, 2**18])
def chunk_bytes(request) -> int:
    """Small chunks cut tags, comments and characters apart."""
    return request.param


def test_records_are_found_wherever_chunks_are_cut(chunk_bytes):
    assert read("<r><a x='1>2'>one</a><ab>no</ab>\n<a\n>two β</a ></r>", chunk_bytes) == ["one", "two β"]


def test_a_tag_in_a_comment_or_in_cdata_is_text(chunk_bytes):
    assert read("<r><!-- <a> --><a>one<!-- </a> --><![CDATA[ </a>]]></a><a>two</a></r>", chunk_bytes) == [
        "one </a>",
        "two",
    ]


def test_a_damaged_record_costs_only_itself(chunk_bytes):
    found = read("<r>\n<a>one</a>\n<a>\n<b>two</a>\n<a>three</a></r>", chunk_bytes)
    reason = "not well-formed XML: Opening and ending tag mismatch: b line 4 and a, line 4"
    assert found == ["one", f"f.xml, line 3, byte 15: {reason}", "three"]


def test_a_record_without_its_end_does_not_swallow_the_next(chunk_bytes):
    assert read("<r>\n<a>one\n<a>two</a></r>", chunk_bytes) == [
        "f.xml, line 2, byte 4: <a> is not closed before line 3",
        "two",
    ]


def test_an_end_without_its_start_is_damage(chunk_bytes):
    assert read("<r><aa>one</a><a>two</a></r>", chunk_bytes) == [
        "f.xml, line 1, byte 10: </a> without its start tag",
        "two",
    ]


def test_a_record_may_hold_another_one(chunk_bytes):
    assert read("<r><a><b>one</b></a><b>two</b></r>", chunk_bytes, a="b", b="") == ["one", "two"]


def test_an_empty_record_is_read(chunk_bytes):
    assert read("<r><a/><a>one</a></r>", chunk_bytes) == ["f.xml, line 1, byte 3: an empty record", "one"]


def test_a_file_that_ends_within_a_record_is_damage(chunk_bytes):
    assert read("<r><a>one</a><a>tw", chunk_bytes) == ["one", "f.xml, line 1, byte 13: the file ends within this <a>"]


def test_a_file_that_ends_between_records_is_damage(chunk_bytes):
    assert read("<r><a>one</a>", chunk_bytes) == [
        "one",
        "f.xml, line 1, byte 13: the file ends before </r>: it may be cut off",
    ]


def test_a_file_without_records_is_damage(chunk_bytes):
    assert read("<r></r>", chunk_bytes) == ["f.xml, line 1, byte 0: holds none of the records <a>"]


def test_prefixes_declared_outside_a_record_are_known_in_it(chunk_bytes):
    assert read("<r xmlns:p='urn:p'><p:a p:x='1'><p:b>one</p:b></p:a></r>", chunk_bytes) == ["one"]


@pytest.mark.parametrize("before", ["", "x"])  # one of the two has a character that lies in two chunks
@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "utf-8-sig"])
def test_the_encoding_of_the_file_is_used(encoding, before):
    declared, text = encoding.removesuffix("-sig"), before + "ü" * streams.CHUNK_BYTES
    assert read(f"<?xml version='1.0' encoding='{declared}'?><r><a>{text}</a></r>".encode(encoding)) == [text]


def test_html_entities_become_their_characters_and_unknown_ones_are_damage():
    found = read("<r><a>&beta;-cells &amp; <![CDATA[&beta;]]></a><a>&osler;</a><a>one</a></r>")
    assert found[0] == "β-cells & &beta;"
    assert "Entity 'osler' not defined" in found[1]
    assert found[2] == "one"


def test_entities_that_a_doctype_defines_are_never_expanded():
    bomb = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    found = read(f'<!DOCTYPE r [<!ENTITY l0 "lol">{bomb}]><r><a>one</a><a>&l9;</a></r>')
    assert found[0] == "one"
    assert "Entity 'l9' not defined" in found[1]


def test_a_file_that_an_entity_names_is_never_read():
    found = read('<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><a>&x;</a><a>one</a></r>')
    assert "Entity 'x' not defined" in found[0]
    assert found[1:] == ["one"]


def test_a_doctype_within_a_record_is_damage():
    (found,) = read('<a><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>&x;</a>')
    assert "not well-formed XML" in found


def test_a_record_that_grows_past_all_bounds_is_given_up(monkeypatch):
    monkeypatch.setattr(xml_records, "MAX_RECORD_BYTES", 1000)
    monkeypatch.setattr(xml_records, "CHUNK_BYTES", 100)
    found = read(f"<r><a>{'<b>x</b>' * 1000}<a>one</a></r>")
    assert found == ["f.xml, line 1, byte 3: <a> is longer than 1000 bytes", "one"]


def test_a_comment_that_never_ends_costs_only_its_record():
    found = read("<r><a>one</a><a><!-- two</a><a>three</a></r>")
    assert (found[0], found[2]) == ("one", "three")
    assert "not well-formed XML" in found[1]


def test_a_hundred_thousand_comments_that_never_end_take_no_time():
    found = read(f"<r><a>one</a>{'<!-- ' * 100_000}<a>two</a></r>")
    assert found == ["one", "two"]


def test_the_bounds_of_one_record_are_far_beyond_any_article():
    assert streams.MAX_RECORD_BYTES > 10_000_000
