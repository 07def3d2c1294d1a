"""Files of frameworks in every format: encodings, invalid content, archives, and the real files."""

import json
import os
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest

from services.catalog.frameworks import FORMATS, Options, Reading, Source, read, write
from services.catalog.frameworks.tables import Source as File
from services.catalog.frameworks.tables import unpacked
from services.catalog.frameworks.texts import Given
from shared.domain import LocalizedText, Prose
from shared.errors import InvalidInput, Malformed, Problem, TooLarge, Unsupported
from tests.support.builders import framework

NAMED = Options(id="mine", title=LocalizedText(en="Mine"))


def table(*lines: str, options: Options = NAMED, encoding: str = "utf-8") -> Reading:
    return read("csv", [Source("matrix.csv", "\n".join(lines).encode(encoding))], options)


THAI = ("บทบาท,ทักษะ,ระดับ", "ธุรการ,การจัดเก็บเอกสารราชการ,1", "ผู้อำนวยการ,การบริหารข้อมูลภาครัฐ,3")


ACCENTED = ("role,skill,level", "clerk,café management – début,1", "chef,crème brûlée,2")


@pytest.mark.parametrize(
    ("lines", "encoding", "taken"),
    [
        (THAI, "cp874", "cp874"),
        (THAI, "tis-620", "cp874"),
        (THAI, "utf-8-sig", None),
        (THAI, "utf-16", "utf-16"),
        (THAI, "utf-16-le", "utf-16-le"),
        (THAI, "utf-16-be", "utf-16-be"),
        (ACCENTED, "cp1252", "cp1252"),
        (ACCENTED, "utf-16", "utf-16"),
    ],
)
def test_a_file_is_read_in_its_own_encoding(lines: tuple[str, ...], encoding: str, taken: str | None) -> None:
    for end in ("\n", "\r\n", "\r"):
        reading = read("csv", [Source("matrix.csv", end.join(lines).encode(encoding))], NAMED)
        assert reading.framework == table(*lines).framework
        assert [one for one in reading.assumed if "is read as" in one] == (
            [f"matrix.csv is read as {taken}"] if taken else []
        )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp874"])
def test_json_is_read_in_its_own_encoding(encoding: str) -> None:
    whole = read("csv", [Source("matrix.csv", "\n".join(THAI).encode())], NAMED).framework
    assert whole
    written = write("json", whole, datetime(2026, 1, 1, tzinfo=UTC)).data
    assert read("json", [Source("f.json", written.decode().encode(encoding))], Options()).framework == whole


def test_a_line_that_is_not_text_is_rejected_with_its_number() -> None:
    raw = "\n".join((*THAI, *THAI[1:])).encode()
    broken = raw.replace("ผู้".encode(), "ผู้".encode()[:-1], 1)
    with pytest.raises(Malformed, match=r"matrix.csv: line 3 is not UTF-8"):
        read("csv", [Source("matrix.csv", broken)], NAMED)


def test_a_file_that_breaks_off_within_a_letter_is_rejected() -> None:
    raw = "role,skill,level\nธุรการ,กฎหมาย,2\nธุรการ,การเงิน".encode()[:-1]
    with pytest.raises(Malformed, match="breaks off in line 3"):
        read("csv", [Source("roles.csv", raw)], Options())


def test_a_line_longer_than_the_buffer_is_one_line() -> None:
    name = "ทักษะ" * 20_000
    reading = read("csv", [Source("matrix.csv", f"role,skill,level\nclerk,{name},1\n".encode())], NAMED)
    assert reading.framework
    assert len(reading.framework.skills) == 1


def test_every_fault_of_the_projects_json_is_reported() -> None:
    whole = json.loads(write("json", framework({"a": 2, "b": 3}), datetime(2026, 1, 1, tzinfo=UTC)).data)
    whole["skills"] += [
        {"id": "c", "area": "ghost", "title": {"en": "C"}},
        {"id": "d"},
        {"id": "a", "area": "area", "title": {"en": "Other"}},
    ]
    whole["requirements"] += [
        {"job_group": "service", "skill": "ghost", "level": 1},
        {"job_group": "service", "skill": "a", "level": 99},
    ]
    whole["relations"] = [
        {"kind": "precedes", "origin": "a", "target": "b"},
        {"kind": "precedes", "origin": "b", "target": "a"},
        {"kind": "like"},
    ]
    whole["colour"] = "blue"
    reading = read("json", [Source("f.json", json.dumps(whole).encode())], Options())
    assert reading.framework is None
    assert {(fault.verdict, fault.id, fault.field) for fault in reading.faults} == {
        ("untrue", "d", "skills[3].area"),
        ("untrue", "a", "skills.id"),
        ("refused", "c", "skills.area"),
        ("untrue", "service / ghost", "requirements.skill"),
        ("untrue", "service / a", "level"),
        ("refused", "relations[2]", "relations[2].kind"),
        ("refused", None, "relations"),
    }
    assert [lost.what for lost in reading.not_kept] == ["field 'colour'"]


RUBBISH = [b"", b"[]", b"null", b"{}", b"{", b"\xff", b"[" * 100_000, b'{"CFDocument": {}}', b'{"@graph": 3}']
RUBBISH += [b'{"@graph": [{"@type": 5, "@id": null}]}', b'{"CFDocument": {"title": 5}, "CFItems": [1, null]}']
RUBBISH += [b"PK\x03\x04rubbish", b"a,b\n", b"\0\0\0", b"x" * 200_000, b"a,b\n" + b"x" * 200_000, b"\xff\xfe\0"]


@pytest.mark.parametrize("raw", RUBBISH)
@pytest.mark.parametrize("name", FORMATS)
def test_invalid_content_is_rejected_with_a_message_in_every_format(name: str, raw: bytes) -> None:
    reading = None
    with suppress(Problem):  # which describes in words what is wrong with the whole
        reading = read(name, [Source("rubbish", raw)], Options())
    assert reading is None or (reading.framework is None and reading.faults)


def packed(**files: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "member"), [("case-1.0", "a__json"), ("case-1.1", "a__json"), ("digcomp", "a__jsonld")]
)
def test_json_in_an_archive_is_read_as_it_is_alone(name: str, member: str) -> None:
    data = write(name, framework({"a": 2, "b": 3}), datetime(2026, 1, 1, tzinfo=UTC)).data
    alone, inside = (
        read(name, [Source(*one)], Options(id="f"))
        for one in (("a", data), ("a.zip", packed(**{member: data, "b__pdf": b""})))
    )
    assert inside.framework is not None
    assert inside == alone
    assert "application/zip" in FORMATS[name].accepts


def test_an_archive_is_decompressed_up_to_a_limit_whatever_sizes_it_declares() -> None:
    small = packed(a__csv=b"x" * 100, b__txt=b"y", c__pdf=b"no table")
    assert [one.name for one in unpacked([File("a.zip", small)])] == ["a.zip/a.csv", "a.zip/b.txt"]
    with pytest.raises(TooLarge):
        unpacked([File("bomb.zip", packed(a__csv=b"0" * 1_000_000, b__csv=b"0" * 1_000_000))], limit=1_500_000)
    with pytest.raises(TooLarge):
        unpacked([File("many.zip", packed(**{f"f{n}__csv": b"" for n in range(101)}))])
    with pytest.raises(Unsupported, match="Excel"):
        unpacked([File("book.xlsx", packed(**{"[Content_Types]__xml": b"", "a__csv": b""}))])
    with pytest.raises(InvalidInput, match="no table and no JSON"):
        unpacked([File("a.zip", packed(c__pdf=b""))])
    broken = bytearray(small)
    broken[40:60] = b"\0" * 20
    with pytest.raises(Malformed):
        unpacked([File("a.zip", bytes(broken))])


def test_a_text_in_several_languages_is_kept_in_thai_and_english() -> None:
    assert (Given("ขับเคลื่อน (Digital)").th(), Given("ขับเคลื่อน (Digital)").en()) == ("ขับเคลื่อน (Digital)", "")
    assert Given("", {"fr": "Données", "th": "ข้อมูล"}).en() == "Données"
    assert Given("R&amp;D\u0000").en() == "R&D"


def test_letters_of_a_badly_converted_file_are_restored() -> None:
    written = "the clerk\u2019s file".encode().decode("latin-1")
    found = table("role,skill,level,skill description", f"clerk,filing,1,{written}\u009d of Ã©tudes").framework
    assert found
    assert found.skills[0].description == Prose(en="the clerk\u2019s file of Ã©tudes")


DATA = Path(os.environ.get("DATASETS_DIR", "/nowhere"))


real = pytest.mark.skipif(not DATA.exists(), reason="DATASETS_DIR is not set")


def of_file(name: str, *files: str, options: Options = NAMED) -> Reading:
    return read(name, [Source(file, (DATA / file).read_bytes()) for file in files], options)


@real
def test_the_real_files_are_imported_completely() -> None:
    digcomp = of_file("digcomp", "digcomp_3.0/digcomp3_data_supplement_2025-11-24.jsonld").framework
    assert digcomp
    assert (len(digcomp.areas), len(digcomp.skills), len(digcomp.scale)) == (5, 21, 9)
    case = of_file("case-1.0", "samples_case/cfpackage_smartlevel.json").framework
    assert case
    assert (len(case.areas), len(case.skills)) == (2, 12)
    columns = {"job_group": "Role + Role Level", "job_group_description": "Role Level Description"}
    options = Options(id="uk", title=LocalizedText(en="UK"), columns=columns)
    matrix = of_file("csv", "uk_gdad_capability_framework/roles.csv", options=options)
    assert matrix.framework
    assert (matrix.rows, len(matrix.framework.skills), len(matrix.framework.job_groups)) == (1825, 188, 205)
    requirements, unused = len(matrix.framework.requirements), matrix.not_kept[-1].count
    assert requirements + unused + len(matrix.faults) == matrix.rows
    assert {fault.verdict for fault in matrix.faults} == {"changed"}
    meanings = of_file("csv", "uk_gdad_capability_framework/skills.csv").framework
    assert meanings
    assert (len(meanings.skills), len(meanings.scale)) == (188, 5)
    for found in (matrix.framework, meanings):
        assert not [one.id for one in found.skills for step in one.descriptors if step.title.en == "You can:"]
    assert {one.id for one in meanings.skills if one.descriptors} == {
        one.id for one in matrix.framework.skills if one.descriptors
    }
