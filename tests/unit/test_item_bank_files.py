"""Item banks as JSON, CSV and QTI 3: what is written is read again, and faults are reported item by item."""

import io
import re
import zipfile
from typing import Any

import msgspec
import pytest

from services.assessment.item_bank import formats
from services.assessment.item_bank.formats import MEDIA_TYPES, FormatName, qti
from services.assessment.item_bank.formats.qti_texts import texts_of
from services.assessment.item_bank.formats.reading import ItemDefaults
from services.assessment.item_bank.formats.xml import parse
from services.assessment.item_bank.model import ITEMS_LIMIT, Item, ItemBank, StemText
from shared.domain import LocalizedText
from shared.errors import InvalidInput, Malformed, Problem, TooLarge

NONE = ItemDefaults()
TEXT = {"th": 'ก <ข> & "ค"', "en": "a <b> & 'c'"}
ITEMS = msgspec.convert(
    [
        {
            "id": "c1",
            "skill": "reading",
            "kind": "choice",
            "level": 1.5,
            "stem": TEXT,
            "options": [
                TEXT,
                {"th": "=1+1", "en": "'=SUM(A1)"},
                {"th": "-ลบ", "en": "-minus"},
                {"th": "＝1", "en": "' @a"},
            ],
            "key": 2,
            "parameters": {"discrimination": 1.25, "difficulty": -0.4, "answers": 321},
            "label": "starter",
            "source": "@agency",
        },
        {
            "id": "g1",
            "skill": "writing",
            "kind": "graded",
            "level": 2,
            "stem": TEXT,
            "options": [{"th": f"ระดับ {n}", "en": f"grade {n}"} for n in range(10)],
            "parameters": {"discrimination": 2, "thresholds": [n / 4 - 1 for n in range(9)]},
        },
        {
            "id": "g2",
            "skill": "writing",
            "kind": "graded",
            "level": 0,
            "stem": TEXT,
            "options": [{"th": "ไม่", "en": "no"}, {"th": "ใช่", "en": "yes"}],
        },
    ],
    list[Item],
)
BANK = ItemBank("b", "fw", LocalizedText(th="คลัง", en="bank"), "published", 3, 1, ITEMS, "starter")


@pytest.mark.parametrize("form", list(MEDIA_TYPES))
def test_a_written_bank_is_read_again(form: FormatName) -> None:
    raw = formats.write(form, BANK)
    reading = formats.read(form, raw, NONE)
    assert [(one.item, one.faults) for one in reading.items] == [(item, []) for item in ITEMS]
    assert formats.write(form, BANK) == raw


@pytest.mark.parametrize("form", list(MEDIA_TYPES))
@pytest.mark.parametrize("raw", [b"", b"\x00\xff\xfe", b"{", b"PK\x03\x04nothing", b"[1, 2]", b"<a>"])
def test_a_file_of_another_format_is_rejected(form: FormatName, raw: bytes) -> None:
    try:
        reading = formats.read(form, raw, NONE)
    except Problem:
        return
    assert all(one.faults for one in reading.items)


# --- CSV -------------------------------------------------------------------------------------------------------------

HEADER = "id;skill;kind;level;stem_th;stem_en;option1_th;option1_en;option2_th;option2_en;right"


def test_a_table_is_read_with_any_delimiter_and_with_defaults() -> None:
    header = "id kind stem_en stem_th option1_th option1_en option2_th option2_en right"
    raw = f"{header}\nx choice S ค ก a ข b 2".replace(" ", "\t")
    (one,) = formats.read("csv", raw.encode(), ItemDefaults("reading", 2)).items
    assert one.item is not None
    assert (one.item.skill, one.item.level, one.item.key) == ("reading", 2.0, 1)


@pytest.mark.parametrize(("before", "delimiter"), [("sep=;\n", ";"), ("sep=|\r\n", "|"), ("", "|")])
def test_a_table_may_state_its_delimiter(before: str, delimiter: str) -> None:
    raw = f"{HEADER}\nx;reading;choice;1;ค;S;ก;a;ข;b;2\n".replace(";", delimiter)
    (one,) = formats.read("csv", f"{before}{raw}".encode(), NONE).items
    assert one.item is not None, one.faults
    assert one.item.options[1].th == "ข"


def test_all_faults_of_a_row_are_reported_and_other_rows_are_accepted() -> None:
    rows = [
        "x;reading;choice;1;ค;S;ก;a;ข;b;2",
        "y;reading;essay;high;;S;ก;a;ข;b;9x",
        "z;reading;choice;1;ค;S;ก;a;ข;b;1;more",
    ]
    raw = "\n".join([HEADER, *rows])
    good, bad, long = formats.read("csv", raw.encode(), NONE).items
    assert good.item
    assert {fault.field for fault in bad.faults} == {"kind", "level", "stem.th", "right"}
    assert "12 cells" in long.faults[0].detail


@pytest.mark.parametrize(("raw", "field"), [(b"id,colour\n", "colour"), (b"id,id\n", "id"), (b"skill,kind\n", "id")])
def test_an_invalid_header_is_rejected_by_column(raw: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        formats.read("csv", raw, NONE)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("level", "right", "fields"),
    [
        ("2.0", "2.0", set()),
        ("nan", "2", {"level"}),
        ("inf", "2", {"level"}),
        ("1_0", "1_0", {"level", "right"}),
        ("-1", "0", {"level", "right"}),
        ("1e2", "1.5", {"right"}),
        ("1", "11", {"right"}),
    ],
)
def test_a_number_in_a_cell_is_accepted_or_reported(level: str, right: str, fields: set[str]) -> None:
    raw = f"{HEADER}\nx;reading;choice;{level};ค;S;ก;a;ข;b;{right}"
    (one,) = formats.read("csv", raw.encode(), NONE).items
    assert {fault.field for fault in one.faults} == fields
    assert (one.item is None) == bool(fields)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp874"])
def test_a_table_is_read_in_its_own_encoding(encoding: str) -> None:
    raw = f"{HEADER}\nx;reading;choice;1;คำถามข้อใดถูก;Which;กลางวัน;a;กลางคืน;b;1".encode(encoding)
    (one,) = formats.read("csv", raw, NONE).items
    assert one.item is not None
    assert one.item.stem.th == "คำถามข้อใดถูก"


# --- QTI -------------------------------------------------------------------------------------------------------------

FOREIGN = """<?xml version="1.0"?>
<qti-assessment-item xmlns="http://www.imsglobal.org/xsd/imsqtiasi_v3p0" identifier="q1" title="T" xml:lang="{language}"
 adaptive="false" time-dependent="false">
  <qti-response-declaration identifier="R" cardinality="single" base-type="identifier">
    <qti-correct-response><qti-value>{right}</qti-value></qti-correct-response></qti-response-declaration>
  <qti-item-body><div><p>{before}</p>
    <qti-choice-interaction response-identifier="R" max-choices="1"><qti-prompt>{prompt} <em>!</em></qti-prompt>
      <qti-simple-choice identifier="A">{a}
        <qti-feedback-inline identifier="A" outcome-identifier="F">no</qti-feedback-inline>
      </qti-simple-choice><qti-simple-choice identifier="B">{b}</qti-simple-choice>
    </qti-choice-interaction></div></qti-item-body></qti-assessment-item>"""
THAI = FOREIGN.format(language="th-TH", right="B", before="ก่อน", prompt="ข้อใด", a="ก", b="ข")
ENGLISH = FOREIGN.format(language="en", right="B", before="Before", prompt="Which", a="a", b="b")


BOTH = {"th.xml": THAI, "en.xml": ENGLISH}
DEFAULTS = ItemDefaults("reading", 2)


def mapped(scores: str, language: str = "th") -> str:
    """Return an item with a mapping in place of a correct response, of three choices where three are scored."""
    entries = "".join(
        f'<qti-map-entry map-key="{name}" mapped-value="{score}"/>'
        for name, score in (one.split("=") for one in scores.split())
    )
    item = THAI if language == "th" else ENGLISH
    right = re.search(r"<qti-correct-response>.*</qti-correct-response>", item)
    assert right
    end = "</qti-choice-interaction>"
    third = f'<qti-simple-choice identifier="C">{"ค" if language == "th" else "c"}</qti-simple-choice>{end}'
    item = item.replace(right[0], f'<qti-mapping default-value="0">{entries}</qti-mapping>')
    return item if scores == "A=1 B=1" else item.replace(end, third)


RIGHT = "<qti-correct-response><qti-value>{}</qti-value></qti-correct-response>"


def compared(value: str = "", kind: str = "") -> str:
    """Return a condition of a response processing, that the answer is the correct response or a value of a type."""
    other = f'<qti-base-value base-type="{kind}">{value}</qti-base-value>' if kind else '<qti-correct identifier="R"/>'
    return f'<qti-match><qti-variable identifier="R"/>{other}</qti-match>'


def processed(condition: str, *, right: str = "B") -> str:
    """Return an item that gives a point where a condition holds; `right`: the correct response, empty without one."""
    point = '<qti-set-outcome-value identifier="SCORE"><qti-base-value base-type="float">1</qti-base-value>'
    rule = f"<qti-response-if>{condition}{point}</qti-set-outcome-value></qti-response-if>"
    processing = f"<qti-response-condition>{rule}</qti-response-condition>"
    whole = f"<qti-response-processing>{processing}</qti-response-processing></qti-assessment-item>"
    stated = RIGHT.format(right) if right else ""
    return THAI.replace(RIGHT.format("B"), stated).replace("</qti-assessment-item>", whole)


def package(files: dict[str, str], *, listed: dict[str, str] | None = None) -> bytes:
    resources = "".join(
        f'<resource identifier="{name}" type="imsqti_item_xmlv3p0" href="{name}"/>' for name in listed or files
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("imsmanifest.xml", f"<manifest><resources>{resources}</resources></manifest>")
        for name, content in files.items():
            opened.writestr(name, content)
    return packed.getvalue()


def test_an_item_of_a_package_in_two_languages_becomes_one() -> None:
    (one,) = formats.read("qti", package({"th/q1.xml": THAI, "en/q1.xml": ENGLISH}), ItemDefaults("reading", 2)).items
    assert one.item is not None
    fields: dict[str, Any] = msgspec.to_builtins(one.item)
    assert fields["stem"] == {"th": "ก่อน ข้อใด !", "en": "Before Which !"}
    assert (fields["options"], fields["key"]) == ([{"th": "ก", "en": "a"}, {"th": "ข", "en": "b"}], 1)


@pytest.mark.parametrize(
    ("scores", "kind", "key", "options"),
    [
        ("A=0 B=1 C=2", "graded", None, ["ก", "ข", "ค"]),
        ("A=2 B=0 C=1", "graded", None, ["ข", "ค", "ก"]),
        ("B=1", "choice", 1, ["ก", "ข", "ค"]),
        ("A=0 B=0 C=0.5", "choice", 2, ["ก", "ข", "ค"]),
    ],
)
def test_a_mapping_orders_the_options_or_names_the_right_one(
    scores: str, kind: str, key: int | None, options: list[str]
) -> None:
    (one,) = formats.read("qti", package({"th.xml": mapped(scores), "en.xml": mapped(scores, "en")}), DEFAULTS).items
    assert one.item is not None, one.faults
    assert (one.item.kind, one.item.key, [option.th for option in one.item.options]) == (kind, key, options)


def test_an_item_with_prefixes_and_literal_text_is_read() -> None:
    prefixed = (
        re.sub(r"<(/?)qti-", r"<\1q:qti-", THAI).replace("xmlns=", "xmlns:q=").replace("ก่อน", "<![CDATA[ก่อน <b>]]>")
    )
    (one,) = formats.read("qti", package({"th.xml": prefixed, "en.xml": ENGLISH}), DEFAULTS).items
    assert one.item is not None, one.faults
    assert (one.item.stem.th, one.item.key) == ("ก่อน <b> ข้อใด !", 1)


def test_the_declaration_of_the_interaction_counts_if_there_are_several() -> None:
    other = (
        '<qti-response-declaration identifier="OTHER" cardinality="multiple" base-type="identifier">'
        "<qti-correct-response><qti-value>A</qti-value></qti-correct-response></qti-response-declaration>"
    )
    files = {name: item.replace("<qti-response", f"{other}<qti-response", 1) for name, item in BOTH.items()}
    (one,) = formats.read("qti", package(files), DEFAULTS).items
    assert one.item is not None, one.faults
    assert one.item.key == 1


@pytest.mark.parametrize(
    "before",
    [
        "<h2>ก่อน</h2>หลัง",
        "<blockquote>ก่อน</blockquote>หลัง",
        "ก่อน<p>หลัง</p>",
        "<dl><dt>ก่อน</dt><dd>หลัง</dd></dl>",
        "ก่อน<br/>หลัง",
    ],
)
def test_texts_of_different_lines_are_not_joined(before: str) -> None:
    files = {**BOTH, "th.xml": THAI.replace("<p>ก่อน</p>", f"<section>{before}</section>")}
    (one,) = formats.read("qti", package(files), DEFAULTS).items
    assert one.item is not None, one.faults
    assert one.item.stem.th == "ก่อน หลัง ข้อใด !"


def test_a_manifest_lists_files_by_their_addresses() -> None:
    """Relative to `xml:base`, and with characters that an address escapes."""
    raw = package({"items/ข้อ 1.xml": THAI, "items/a%201.xml": ENGLISH}, listed={})
    listed = '<resources xml:base="items/">' + "".join(
        f'<resource identifier="r" type="imsqti_item_xmlv3p0" href="{name}"/>'
        for name in ("%E0%B8%82%E0%B9%89%E0%B8%AD%201.xml", "a%201.xml")
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as opened, zipfile.ZipFile(packed, "w") as written:
        for info in opened.infolist():
            content = opened.read(info)
            if info.filename == "imsmanifest.xml":
                content = f"<manifest>{listed}</resources></manifest>".encode()
            written.writestr(info.filename, content)
    (one,) = formats.read("qti", packed.getvalue(), DEFAULTS).items
    assert one.item is not None, one.faults


def test_an_item_in_one_language_lacks_the_other() -> None:
    (one,) = formats.read("qti", ENGLISH.encode(), ItemDefaults("reading", 2)).items
    assert {fault.field for fault in one.faults} == {"stem.th", "options[0].th", "options[1].th"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (THAI.replace("choice-interaction", "text-entry-interaction"), "one choice interaction"),
        (THAI.replace("qti-assessment-item", "assessmentItem"), "older version"),
        (THAI.replace("<p>", '<p><img src="http://example.org/x.png" alt="x"/>'), "<img>"),
        (THAI.replace("<qti-value>B", "<qti-value>C"), "no choice"),
        (THAI.replace('cardinality="single"', 'cardinality="multiple"'), "not several"),
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', "DOCTYPE"),
        ("<x>" * 100, "deep"),
        (THAI.replace("<em>!</em>", "2<sup>3</sup>"), "<sup>"),
        (THAI.replace("<em>!</em>", '<qti-printed-variable identifier="X"/>'), "<qti-printed-variable>"),
        (
            THAI.replace(
                "<qti-item-body>", '<qti-assessment-stimulus-ref identifier="S" href="s.xml"/><qti-item-body>'
            ),
            "stimulus",
        ),
        (mapped("A=1 B=1"), "same score"),
        (THAI.replace('identifier="B"', 'identifier="A"'), "same identifier"),
        (
            THAI.replace("<em>!</em>", '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="stem.xml"/>'),
            "<include>",
        ),
        (
            THAI.replace("<em>!</em>", '<m:math xmlns:m="http://www.w3.org/1998/Math/MathML"><m:mi>x</m:mi></m:math>'),
            "<math>",
        ),
        ("<x><y></x>", "cannot be read"),
        (THAI.replace("<em>!</em>", "<script>f()</script>"), "<script>"),
        (THAI.replace("<em>!</em>", "<del>ไม่</del>"), "<del>"),
        (THAI.replace("<p>", '<ol type="A"><li>ก</li></ol><p>'), "numbers of its own"),
        (THAI.replace(' xml:lang="th-TH"', ""), "the language of a text is not stated"),
        (THAI.replace('adaptive="false"', 'adaptive="true"'), "with each attempt"),
        (processed(compared("B", "identifier"), right="A"), "a rule of its own"),
        (processed(f"<qti-not>{compared()}</qti-not>"), "a rule of its own"),
        (processed(compared("B", "identifier"), right=""), "a rule of its own"),
        (mapped("A=0 B=1 C=2").replace("<qti-mapping", f"{RIGHT.format('B')}<qti-mapping"), "more points"),
    ],
)
def test_content_that_forms_no_item_is_reported(content: str, expected: str) -> None:
    (one,) = formats.read("qti", package({"q.xml": content}), ItemDefaults("reading", 2)).items
    assert one.item is None
    assert any(expected in fault.detail for fault in one.faults), one.faults


@pytest.mark.parametrize(
    ("before", "stem"),
    [
        ("<ol><li>หนึ่ง</li><li>สอง</li></ol>", "1. หนึ่ง 2. สอง ก่อน ข้อใด !"),
        ("<style>p {color: red}</style>", "ก่อน ข้อใด !"),
        ('<div><qti-rubric-block use="scoring" view="scorer"><p>ตอบ ข</p></qti-rubric-block></div>', "ก่อน ข้อใด !"),
        ("ข้อความ <b>ไม่</b>อยู่ใน p", "ข้อความ ไม่อยู่ใน p ก่อน ข้อใด !"),
    ],
)
def test_the_stem_is_the_text_for_officers_in_the_order_of_the_item(before: str, stem: str) -> None:
    files = BOTH | {"th.xml": THAI.replace("<p>", f"{before}<p>", 1)}
    (one,) = formats.read("qti", package(files), DEFAULTS).items
    assert one.item, one.faults
    assert one.item.stem.th == stem


def test_what_follows_an_interaction_follows_its_prompt() -> None:
    files = {name: one.replace("</div>", "<p>!!</p></div>") for name, one in BOTH.items()}
    (one,) = formats.read("qti", package(files), DEFAULTS).items
    assert one.item, one.faults
    assert one.item.stem == StemText(th="ก่อน ข้อใด ! !!", en="Before Which ! !!")


def test_lines_of_another_language_than_that_of_the_item_are_divided() -> None:
    line = '<p><span xml:lang="th">{}</span><span xml:lang="en">{}</span></p>'
    body = parse(f"<x>{line.format('หนึ่ง', 'one')}{line.format('สอง', 'two')}</x>".encode())
    assert texts_of(body, "th") == texts_of(body, "en") == {"th": "หนึ่ง สอง", "en": "one two"}


def test_a_response_processing_that_compares_with_the_correct_response_is_taken() -> None:
    choice = '<qti-not><qti-is-null><qti-variable identifier="R"/></qti-is-null></qti-not>'
    for rule in (compared(), f"<qti-and>{choice}{compared()}</qti-and>", compared("B", "identifier")):
        (one,) = formats.read("qti", package({"th.xml": processed(rule), "en.xml": ENGLISH}), DEFAULTS).items
        assert one.item, one.faults
        assert one.item.key == 1


def test_the_bounds_of_a_mapping_hold_for_each_option() -> None:
    files = {
        f"{one}.xml": mapped("A=-5 B=1 C=-3", one).replace("<qti-mapping", '<qti-mapping lower-bound="0"')
        for one in ("th", "en")
    }
    (one,) = formats.read("qti", package(files), DEFAULTS).items
    assert one.item, one.faults
    assert (one.item.kind, one.item.key) == ("choice", 1)


def test_two_languages_of_an_item_with_different_right_options_are_refused() -> None:
    files = {"th.xml": THAI, "en.xml": ENGLISH.replace("<qti-value>B", "<qti-value>A")}
    (one,) = formats.read("qti", package(files), DEFAULTS).items
    assert [(fault.field, fault.detail[:7]) for fault in one.faults] == [("key", "differs")]


def test_an_item_in_windows_874_is_read() -> None:
    head = '<?xml version="1.0" encoding="windows-874"?>'
    raw = (head + THAI.partition("?>")[2]).encode("cp874")
    (one,) = formats.read("qti", raw, DEFAULTS).items
    assert {fault.field for fault in one.faults} == {"stem.en", "options[0].en", "options[1].en"}


def test_a_fault_of_an_item_in_two_files_is_reported_once() -> None:
    files = {name: content.replace("<qti-value>B", "<qti-value>C") for name, content in BOTH.items()}
    (one,) = formats.read("qti", package(files), DEFAULTS).items
    assert [fault.detail for fault in one.faults] == ["the correct response 'C' is no choice"]


@pytest.mark.parametrize("number", ["1_0", "nan", "1" * 5000, "0x2", "two"])
def test_an_invalid_number_of_an_item_is_reported(number: str) -> None:
    names = {"LEVEL": "level", "DISCRIMINATION": "parameters.discrimination", "ANSWERS": "parameters.answers"}
    declared = "".join(
        f'<qti-outcome-declaration identifier="{name}" base-type="float"><qti-default-value>'
        f"<qti-value>{number}</qti-value></qti-default-value></qti-outcome-declaration>"
        for name in names
    )
    content = THAI.replace("<qti-item-body>", f"{declared}<qti-item-body>")
    (one,) = formats.read("qti", package({"q.xml": content}), ItemDefaults("reading", 2)).items
    assert set(names.values()) <= {fault.field for fault in one.faults}


def test_a_bank_of_the_maximum_size_survives_a_package() -> None:
    """Its manifest is larger than an item may be."""
    item = THAI.replace("q1", "{name}")
    ids = [f"{'x' * 58}{n:05}" for n in range(ITEMS_LIMIT)]
    raw = package({f"items/{name}.xml": item.replace("{name}", name) for name in ids})
    with zipfile.ZipFile(io.BytesIO(raw)) as opened:
        assert opened.getinfo("imsmanifest.xml").file_size > 2 * 1024 * 1024
    listed = qti._unpacked(raw)
    assert [name for name, _ in listed] == [f"items/{name}.xml" for name in ids]


def test_entities_are_never_expanded() -> None:
    laughs = "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]><l>&b;</l>"
    (one,) = formats.read("qti", laughs.encode(), NONE).items
    assert "DOCTYPE" in one.faults[0].detail


@pytest.mark.parametrize(
    ("raw", "kind", "expected"),
    [
        (package({}, listed={"../../etc/passwd": ""}), Malformed, "not in the package"),
        (package({"big.xml": " " * 3_000_000}), TooLarge, "holds more"),
        (package({f"f{n}.xml": " " * 1_900_000 for n in range(40)}), TooLarge, "when it is decompressed"),
        (package({"q.xml": THAI})[:-30], Malformed, "cannot be opened"),
    ],
)
def test_a_package_is_bounded_and_refers_to_no_outside_file(raw: bytes, kind: type[Problem], expected: str) -> None:
    with pytest.raises(kind, match=expected):
        formats.read("qti", raw, NONE)


def test_a_package_without_a_manifest_is_rejected() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        opened.writestr("q.xml", THAI)
    with pytest.raises(Malformed, match="imsmanifest"):
        formats.read("qti", packed.getvalue(), NONE)


def test_an_encrypted_file_of_a_package_is_rejected_with_a_message() -> None:
    raw = bytearray(package({"q.xml": THAI}))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = raw.find(header)
        while place >= 0:
            raw[place + flags] |= 1
            place = raw.find(header, place + 1)
    with pytest.raises(Malformed, match=r"is encrypted$") as found:
        formats.read("qti", bytes(raw), NONE)
    assert "ZipInfo" not in found.value.detail


@pytest.mark.parametrize("cut", [30, 60, -1, -30])
def test_a_truncated_package_is_rejected_with_a_message(cut: int) -> None:
    with pytest.raises(Malformed, match=r"it is damaged$"):
        formats.read("qti", package({"q.xml": THAI})[:cut], NONE)


def test_a_damaged_file_of_a_package_is_rejected() -> None:
    raw = bytearray(package({"q.xml": THAI * 20}))
    place = raw.index(b"q.xml") + 200
    raw[place : place + 40] = bytes(40)
    with pytest.raises(Malformed, match="cannot be decompressed"):
        formats.read("qti", bytes(raw), NONE)
