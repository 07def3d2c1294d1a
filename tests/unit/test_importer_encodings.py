"""The encoding of a course list is recognised from its bytes, or named."""

import pytest

from services.catalog.importers import Options
from shared.errors import InvalidInput
from shared.imports.encodings import Recoder, eight_bit
from tests.support.course_lists import THAI, courses, read, results_of


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("cp874", "cp874"),
        ("tis-620", "cp874"),
    ],
)
def test_a_thai_file_is_read_in_every_encoding_and_chunking(encoding: str, found: str, size: int) -> None:
    body = f"code,title\nA1,{THAI}\nA2,Plain English\n".encode(encoding)
    reader, rows = read("csv", body, size=size)
    assert reader.encoding == found
    assert [row.content.title.th or row.content.title.en for row in rows if row.content] == [THAI, "Plain English"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_utf_16_of_thai_letters_alone_needs_no_byte_order_mark(encoding: str, size: int) -> None:
    reader, rows = read("csv", f"ชื่อวิชา,ชั่วโมง\n{THAI},3\n".encode(encoding), size=size)
    assert (reader.encoding, [row.content and row.content.title.th for row in rows]) == (encoding, [THAI])


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_western_file_is_read_as_cp1252(size: int) -> None:
    reader, rows = read("csv", "title\nCafé – “naïve”\nMünchen\n".encode("cp1252"), size=size)
    assert (reader.encoding, results_of(rows)) == ("cp1252", [(2, "Café – “naïve”"), (3, "München")])


@pytest.mark.parametrize(("encoding", "word"), [("cp874", THAI), ("cp1252", "Café"), ("utf-8", THAI)])
def test_an_ascii_start_of_any_length_does_not_decide(encoding: str, word: str) -> None:
    for lines in (1, 1_000, 100_000):
        text = "title\n" + "plain\n" * lines + word
        body, recoder = text.encode(encoding), Recoder()
        pieces = [body[at : at + 4096] for at in range(0, len(body), 4096)]
        decoded = b"".join([part for piece in pieces for part in recoder.feed(piece)] + list(recoder.end()))
        assert (recoder.found, decoded.decode()) == (encoding, text)
    [*_, last] = courses("csv", ("title\n" + "plain\n" * 1_000 + word).encode(encoding), size=4096)
    assert word in (last.title.th, last.title.en)


def test_single_faults_in_utf_8_do_not_turn_the_file_into_another_encoding() -> None:
    _, rows = read("csv", f"title\n{THAI}\n".encode() + b"Caf\xe9\n" + f"{THAI} 2\n".encode())
    assert [row.content.title.th for row in rows if row.content] == [THAI, None, f"{THAI} 2"]
    assert rows[1].content
    assert (rows[1].content.title.en, any("cp1252" in one.detail for one in rows[1].warnings)) == ("Café", True)


def test_an_encoding_may_be_named_and_an_unknown_one_is_rejected() -> None:
    body = "title\nก\n".encode("cp874")  # one letter is no evidence
    assert eight_bit(body) == "cp1252"
    for name in ("TIS-620", "cp874", "windows-874", "ISO_8859-11"):
        assert courses("csv", body, Options(columns="guess", encoding=name))[0].title.th == "ก"
    assert (
        courses("csv", "title\né\n".encode("cp1252"), Options(columns="guess", encoding="latin-1"))[0].title.en == "é"
    )
    with pytest.raises(InvalidInput) as refused:
        Recoder("klingon")
    assert refused.value.field == "encoding"


@pytest.mark.parametrize("size", [7, 1000, 100_000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("encoding", "lines"),
    [
        ("cp874", ["หลักสูตรการจัดการข้อมูล,กรมการปกครอง", "เขต,เนต", "เก,ก", "plain"]),
        ("cp1252", ["Café à la carte,naïve", "résumé", "plain"]),
    ],
)
def test_lines_of_utf_8_among_lines_of_eight_bits_are_read(
    encoding: str, lines: list[str], size: int, end: str
) -> None:
    written = [(line, encoding) for line in lines * 2] + [(lines[0], "utf-8"), (lines[1], encoding)]
    written += [(lines[0], encoding), (lines[0], encoding), (lines[0], "utf-8")] * 40
    recoder, raw = Recoder(), end.encode().join(line.encode(name) for line, name in written)
    read_again = b"".join(part for at in range(0, len(raw), size) for part in recoder.feed(raw[at : at + size]))
    read_again += b"".join(recoder.end())
    assert read_again.decode().split(end) == [line for line, _ in written]
    assert recoder.found == f"{encoding}, utf-8"


def test_a_line_of_eight_bits_that_might_be_utf_8_is_not_taken_for_it() -> None:
    raw = "\n".join([*["หลักสูตรการจัดการข้อมูล"] * 20, "เขต", "เนต", "เก"]).encode("cp874")
    recoder = Recoder()
    assert b"".join([*recoder.feed(raw), *recoder.end()]) == raw.decode("cp874").encode()
    assert recoder.found == "cp874"


def test_a_named_encoding_holds_for_every_line() -> None:
    recoder, raw = Recoder("cp1252"), "Café à la carte\n".encode()
    assert b"".join([*recoder.feed(raw), *recoder.end()]).decode() == "CafÃ© Ã\xa0 la carte\n"
    assert recoder.found == "cp1252"


def test_a_row_of_utf_8_that_is_cut_within_a_letter_keeps_its_other_letters() -> None:
    body = f"code,title\nA1,{THAI}\nA2,{THAI}".encode()[:-1]
    _, rows = read("csv", body)
    assert [row.content.title.th for row in rows if row.content] == [THAI, f"{THAI[:-1]}\ufffd"]
    assert rows[1].warnings[-1].detail == "some bytes of the row are no UTF-8; each is read as \ufffd"
    _, rows = read("csv", "code,title\nA1,วิชา\n".encode() + f"A2,{THAI}\n".encode("cp874"))
    assert [row.content.title.th for row in rows if row.content] == ["วิชา", THAI]
