"""What clients send: each refusal names its field, and no date and no text is beyond use."""

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from deploy.local.processes import ROOT
from shared.decoder_messages import PATTERNS
from shared.decoding import convert, decode, decode_patch, faults, stored
from shared.domain import NO_TEXT, Course, Identifier, Level, LocalizedText
from shared.domain.values import Language
from shared.errors import InvalidInput, Malformed, TooLarge
from shared.merge_patch import _merged, patched
from tests.support.builders import course


class Inner(Struct, forbid_unknown_fields=True):
    level: Level
    kind: Literal["test", "self"] = "test"


class Open(Struct):
    level: Level


class Whole(Struct, forbid_unknown_fields=True):
    target: dict[Identifier, Level | Inner] | None = None
    rows: list[Inner] = []
    tables: list[dict[str, Inner]] = []
    on: date | None = None
    at: Annotated[datetime, Meta(tz=True)] | None = None
    days: dict[str, date] = {}
    title: LocalizedText | None = None
    titles: list[LocalizedText] = []
    start: Level | None = msgspec.field(name="from", default=None)


def refused(body: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        decode(msgspec.json.encode(body), Whole)
    return caught.value


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], None),
        ({"target": {"good": 1, "not good": 1}}, "target.not good"),
        ({"target": {"good": 1, "bad": "x"}}, "target.bad"),
        ({"target": {"good": 1, "bad": 101}}, "target.bad"),
        ({"target": {"good": {"level": 1}, "bad": {"level": -1}}}, "target.bad.level"),
        ({"target": {"good": {"level": 1}, "bad": {}}}, "target.bad.level"),
        ({"rows": [{"level": 1}, {"level": 1, "kind": "tset"}]}, "rows[1].kind"),
        ({"tables": [{}, {"a": {"level": 1}, "b": {"level": 1, "kind": "tset"}}]}, "tables[1].b.kind"),
        ({"from": "x"}, "from"),
        ({"form": 1}, "form"),
        ({"": 1}, ""),
        ({"rows": [{"level": 1, "": 1}]}, "rows[0]."),
        ({"a`b": 1}, "a`b"),
        ({"days": {"first": "2026-01-01", "second": "2569-01-01"}}, "days.second"),
        ({"titles": [{"en": "x"}, {"en": "\u200b"}]}, "titles[1]"),
    ],
)
def test_errors_name_the_field(body: Any, field: str | None) -> None:
    assert refused(body).field == field


def test_errors_name_what_is_expected() -> None:
    assert refused({"rows": [{"level": 1, "kind": "tset"}]}).detail.endswith("allowed: test, self")
    assert refused({"target": {"a": {"level": 1, "kind": "tset"}}}).detail.endswith("allowed: test, self")
    assert refused({"rows": [{"level": 1, "knd": "test"}]}).detail.endswith("there are: level, kind")
    assert "there are" not in refused({"rows": [{"kind": "test"}]}).detail  # which lacks a field and has no wrong one
    assert len(refused({"rows": [{"level": 1, "kind": "x" * 100_000}]}).detail) < 400


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + 400 * "0"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"from": NUMBER}', "from"),
        ('{"rows": [{"level": NUMBER}]}', "rows[0].level"),
        ('{"target": {"good": 1, "bad": NUMBER}}', "target.bad"),
        ('{"title": {"en": NUMBER}}', "title.en"),
        ('{"on": NUMBER}', "on"),
    ],
)
def test_a_number_out_of_range_is_rejected_by_field_also_in_a_patch(number: str, body: str, field: str) -> None:
    raw = body.replace("NUMBER", number).encode()
    reads: list[Callable[[], Whole]] = [
        lambda: decode(raw, Whole),
        lambda: patched(Whole(), decode_patch(raw), 10_000),
    ]
    for read in reads:
        with pytest.raises(InvalidInput) as caught:
            read()
        assert caught.value.field == field


def test_a_number_of_too_many_digits_is_malformed_in_a_patch() -> None:
    for raw in (b'{"from": 1' + 5000 * b"0" + b"}", b"1" + 5000 * b"0", b"{", b"\xff", b'{"a":' * 5000):
        with pytest.raises(Malformed):
            decode_patch(raw)


def called_at(depth: int, work: Callable[[], object]) -> object:
    """Do the work that much further down in the stack, as a handler does."""
    return work() if depth == 0 else called_at(depth - 1, work)


@pytest.mark.parametrize("stack", range(2))
def test_conditions_inside_conditions_are_read_or_rejected_at_every_depth(stack: int) -> None:
    present = course("a", ("s", 0, 1))
    whole = msgspec.json.encode(present)
    refused = 0
    for depth in range(440, 500):
        requires = b'"requires":[' + b'{"any":[' * depth + b'{"course":"b"}' + b"]}" * depth + b"]}"
        for read in (
            lambda requires=requires: decode(whole[:-1] + b"," + requires, Course),
            lambda requires=requires: patched(present, decode_patch(b"{" + requires), 10**6),
        ):
            try:
                called_at(stack, read)
            except Malformed:
                refused += 1
    assert 0 < refused < 120


def test_a_value_with_two_faults_is_rejected() -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(b'{"target": {"a b": 1}, ', Whole)
    assert caught.value.field == "target...."  # the key cannot be determined from half a body
    for raw in (b"", b"{", b"\xff", b"[" * 100_000):
        with pytest.raises((Malformed, InvalidInput)):
            decode(raw, Whole)


@pytest.mark.parametrize("year", [1900, 2026, 2199])
def test_dates_in_range_are_accepted(year: int) -> None:
    body = {"on": f"{year}-12-31", "at": f"{year}-12-31T23:59:59+07:00"}
    assert decode(msgspec.json.encode(body), Whole).on == date(year, 12, 31)


@pytest.mark.parametrize("text", ["2026", "46352", "1764115200.5", "1e9", "+2026", "-1", "", "now", "2569", "nan"])
def test_a_number_is_not_accepted_as_a_time(text: str) -> None:
    """A year, or the day number of a spreadsheet, would be read as seconds since 1970."""
    for given, shape, field in (({"at": text}, Whole, "at"), (text, datetime, None)):
        with pytest.raises(InvalidInput) as caught:
            convert(given, shape, strict=False)
        assert caught.value.field == field
    assert [fault.field for fault in faults({"at": text}, Whole, strict=False)] == ["at"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2570-01-31", "is 2027 meant"),
        ("2443-01-01", "is 1900 meant"),
        ("2742-01-01", "is 2199 meant"),
        ("0001-01-01", "between 1900 and 2199"),
        ("1899-12-31", "between 1900 and 2199"),
        ("2200-01-01", "between 1900 and 2199"),
        ("9999-12-31", "between 1900 and 2199"),
    ],
)
def test_dates_out_of_range_are_rejected(text: str, expected: str) -> None:
    zones = ("Z", "+07:00", "-07:00", "+23:59", "-23:59")
    for field, value in [("on", text), *(("at", f"{text}T00:00:00{zone}") for zone in zones)]:
        problem = refused({field: value})
        assert (problem.field, expected in problem.detail) == (field, True), value
        with pytest.raises(InvalidInput) as caught:
            convert({field: value}, Whole, strict=False)
        assert caught.value.field == field


@pytest.mark.parametrize(
    "blank", [" ", "\t", "\u00a0", "\u200b", "\u3164", "\u2800", "\u0e34", "\u202e\u2066", "\ue000"]
)
def test_a_text_without_visible_characters_counts_as_missing(blank: str) -> None:
    for here, there in (("th", "en"), ("en", "th")):
        found = decode(msgspec.json.encode({"title": {here: blank, there: "Real"}}), Whole).title
        assert found == LocalizedText(**{there: "Real"})
        assert refused({"title": {here: blank}}).field == "title"
        assert refused({"title": {here: blank, there: blank}}).field == "title"


def test_a_stored_text_without_visible_characters_is_read_and_replaced_by_a_note() -> None:
    assert msgspec.json.decode('{"th": "\u200b"}'.encode(), type=LocalizedText) == LocalizedText(*NO_TEXT)
    assert decode(b'{"title": {"en": "-"}}', Whole).title == LocalizedText(en="-")


@pytest.mark.parametrize(
    ("present", "patch", "result"),
    [  # RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_changes_only_what_it_names(present: Any, patch: Any, result: Any) -> None:
    assert _merged(present, patch) == result


def test_a_patched_value_is_checked_like_a_sent_one() -> None:
    whole = Whole(target={"a": 1.0}, on=date(2027, 1, 1), title=LocalizedText(th="ก", en="A"), start=2.0)
    assert patched(whole, {}, 10_000) == whole
    found = patched(whole, {"target": {"b": 2}, "title": {"en": None}, "on": "2028-01-01", "from": None}, 10_000)
    assert found == Whole(target={"a": 1.0, "b": 2.0}, on=date(2028, 1, 1), title=LocalizedText(th="ก"))
    for patch, field in [
        ({"target": {"b": "x"}}, "target.b"),
        ({"title": {"th": None, "en": None}}, "title"),
        ({"title": {"th": " ", "en": "\u200b"}}, "title"),
        ({"on": "2570-01-01"}, "on"),
        ({"form": 1}, "form"),
        ([], None),
        (None, None),
    ]:
        with pytest.raises(InvalidInput) as caught:
            patched(whole, patch, 10_000)
        assert caught.value.field == field
    with pytest.raises(TooLarge):
        patched(whole, {"title": {"en": "x" * 300}}, 200)
    deep: Any = {}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(Malformed):
        patched(whole, deep, 10**9)


def test_a_patch_is_not_refused_for_a_stored_value_that_it_leaves_out() -> None:
    stored_before = Whole(target={"a": 500.0}, title=LocalizedText(en="\u200b"), start=500.0, on=date(2570, 1, 1))
    found = patched(stored_before, {"rows": [{"level": 2}], "titles": None}, 10_000)
    assert found == Whole(
        target={"a": 500.0}, title=stored_before.title, start=500.0, on=date(2570, 1, 1), rows=[Inner(level=2)]
    )
    assert patched(stored_before, {"from": None, "on": None, "target": None}, 10_000) == Whole(title=found.title)
    for patch, field in [
        ({"from": 600}, "from"),
        ({"rows": [{"level": 2}], "from": 600}, "from"),
        ({"target": {"b": 1}}, "target.a"),  # the whole field is sent
        ({"title": {"th": " ", "en": "\u200b"}}, "title"),
        ({"rows": [{"level": -1}]}, "rows[0].level"),
        ({"form": 1}, "form"),
    ]:
        with pytest.raises(InvalidInput) as caught:
            patched(stored_before, patch, 10_000)
        assert caught.value.field == field, patch


class Span(Struct, forbid_unknown_fields=True):
    least: Level
    most: Level
    weight: Level = 1.0

    def __post_init__(self) -> None:
        if self.least > self.most:
            raise ValueError("`least` is above `most`")


def test_fields_of_a_patch_and_stored_ones_are_checked_together() -> None:
    stored_before = Span(1.0, 3.0, 500.0)
    assert patched(stored_before, {"least": 2}, 10_000) == Span(2.0, 3.0, 500.0)
    for patch in ({"least": 4}, {"least": None}):
        with pytest.raises(InvalidInput):
            patched(stored_before, patch, 10_000)


@pytest.mark.parametrize("char", ["\0", "\b", "\f", "\x1b", "\x1f", "\x7f", "\x80", "\x9f"])
def test_no_text_holds_a_control_character_at_any_depth(char: str) -> None:
    for body, field in [
        ({"title": {"th": f"ก{char}"}}, "title.th"),
        ({"titles": [{"en": "a"}, {"en": f"b{char}"}]}, "titles[1].en"),
        ({"days": {f"a{char}": "2026-01-01"}}, "days"),
    ]:
        for raw in (msgspec.json.encode(body), json.dumps(body).encode()):
            with pytest.raises(InvalidInput) as caught:
                decode(raw, Whole)
            assert caught.value.field == field
        with pytest.raises(InvalidInput):
            convert(body, Whole)


def test_tabs_line_ends_and_literal_escapes_are_kept() -> None:
    for text in ("a\tb\r\nc", "back\\slash \\u0000 \\b", "\u200b visible", "ก\u0e48"):
        found = decode(json.dumps({"title": {"en": text}}).encode(), Whole)
        assert found.title is not None
        assert found.title.en == text


@pytest.mark.parametrize("given", ["2026-03-01T00:00:00 07:00", "2026-03-01 00:00:00.5 0700", "2026-03-01T00:00:00 07"])
def test_a_plus_decoded_as_a_space_is_explained(given: str) -> None:
    class Body(Struct):
        at: datetime

    with pytest.raises(InvalidInput, match="%2B") as found:
        convert({"at": given}, Body, strict=False)
    assert found.value.field == "at"
    for right in ("2026-03-01T00:00:00+07:00", "2026-03-01 00:00:00+07:00", "2026-03-01T00:00:00Z"):
        assert convert({"at": right}, Body, strict=False).at.tzinfo


@pytest.mark.parametrize("given", ["2026-11-02", "2026-11-02T09:00:00", "2026-02-30T00:00:00Z", "2026-11-02T24:00:00Z"])
def test_an_invalid_time_is_answered_with_an_example(given: str) -> None:
    class Body(Struct):
        at: Annotated[datetime, Meta(tz=True)]
        on: date = date(2026, 1, 1)

    with pytest.raises(InvalidInput, match="such as 2026-11-02T09:00:00") as found:
        decode(json.dumps({"at": given}).encode(), Body)
    assert found.value.field == "at"
    with pytest.raises(InvalidInput, match="such as 2026-11-02T09:00:00"):
        convert({"at": given}, Body)
    with pytest.raises(InvalidInput, match=r"is to be a date, such as 2026-11-02$"):
        decode(b'{"at": "2026-11-02T09:00:00Z", "on": "2026-02-30"}', Body)


class Row(Struct, forbid_unknown_fields=True):
    a: int


class InOrder(Struct, array_like=True, forbid_unknown_fields=True):
    b: int
    inner: Row


class Outer(Struct, forbid_unknown_fields=True):
    one: Row
    many: list[Row]
    by_name: dict[str, Row]
    row: InOrder
    maybe: Row | None = None


def test_stored_fields_of_another_version_are_ignored_at_any_depth() -> None:
    later = {"a": 1, "later": 2}
    given = {
        "one": later,
        "many": [later, later],
        "by_name": {"k": later},
        "maybe": later,
        "later": 3,
        "row": [4, later, "later"],
    }
    inner = Row(1)
    assert stored(given, Outer) == Outer(inner, [inner, inner], {"k": inner}, InOrder(4, inner), inner)
    with pytest.raises(msgspec.ValidationError):
        stored(given | {"many": [{"later": 2}]}, Outer)


@pytest.mark.parametrize(
    ("shape", "given", "expected"),
    [
        (Identifier, "กรม", "is to be 1 to 64 of the characters A-Z"),
        (Identifier, "a\n", "is to be 1 to 64 of the characters A-Z"),
        (Language, "Thai", "is to be the code of a language"),
    ],
)
def test_a_text_of_other_characters_is_refused_in_plain_words(shape: Any, given: str, expected: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode(msgspec.json.encode({"name": given}), msgspec.defstruct("Named", [("name", shape)]))
    assert (refused.value.field, refused.value.detail[: len(expected)]) == ("name", expected)


def test_every_pattern_of_a_request_has_its_plain_words() -> None:
    patterns = {
        found
        for path in [*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")]
        if path.name != "events.py"  # what other services send
        for found in re.findall(r'pattern=r"([^"]+)"', path.read_text(encoding="utf-8"))
    }
    assert patterns - {r"^[^\x00]*$(?!\n)"} == set(PATTERNS)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"id": "a", "id": "b"}', "id"),
        (b'{"a": [{"x": 1}, {"x": 1, "y": 2, "x": 3}]}', "a[1].x"),
        (b'{"\\u0069d": 1, "id": 2}', "id"),
        (b'{"id": ":", "n": {"id": "a:b", "id": ":"}}', "n.id"),
        (b'{"a": {"b": {"c": 1, "c": 2}}, "a": 1}', "a"),
        (b'{"a": [[{"c": 1}, {"c": {"d": 1}, "e": 2, "c": 3}]]}', "a[0][1].c"),
        (b'{"id": 1, "id": 2, "text": "\\u003a"}', "id"),
        (b'{"id": 1, "id": 2, "text": "\\u003A"}', "id"),
    ],
)
def test_a_field_that_is_given_twice_is_refused_by_name(body: bytes, field: str) -> None:
    for read in (decode_patch, lambda raw: decode(raw, dict)):
        with pytest.raises(InvalidInput, match="is given twice") as error:
            read(body)
        assert error.value.field == field


@pytest.mark.parametrize(
    "value",
    [b"1" * 5000, b'"\xed\xa0\x80"', b'"\\ud800"', b'["\xff"]'],
    ids=["digits", "surrogate", "escaped", "bytes"],
)
def test_values_of_unknown_fields_are_read_too(value: bytes) -> None:
    """A struct type that ignores unknown fields does not read their values."""
    with pytest.raises((Malformed, InvalidInput)):
        decode(b'{"level": 1, "new": ' + value + b"}", Open)


@pytest.mark.parametrize("body", [b'{"a":{"x":1},"b":{"x":":"}}', b'{"a": "\\u003a", "b": [{"a": 1e400}]}', b'"::"'])
def test_equal_names_in_different_objects_are_no_repetition(body: bytes) -> None:
    decode_patch(body)


@pytest.mark.parametrize("given", [{"name": ""}, {"items": []}, {"rows": {}}])
def test_an_empty_value_is_reported_without_a_number(given: Any) -> None:
    class Lists(Struct):
        name: Annotated[str, Meta(min_length=1)] = "x"
        items: Annotated[list[int], Meta(min_length=1)] = []
        rows: Annotated[dict[str, int], Meta(min_length=1, max_length=3)] = {}

    with pytest.raises(InvalidInput) as decoded:
        decode(json.dumps(given).encode(), Lists)
    assert decoded.value.detail == "is empty"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"level": "high"}, "is to be a number"),
        ({"more": "high"}, "is to be a whole number"),
        ({"level": "-1"}, "is to be a number of at least 0"),
    ],
)
def test_where_every_value_is_a_text_no_message_compares_it_with_a_text(given: Any, expected: str) -> None:
    class Cells(Struct):
        level: Annotated[float, Meta(ge=0)] = 0
        more: int | None = None

    with pytest.raises(InvalidInput) as converted:
        convert(given, Cells, strict=False)
    assert converted.value.detail == expected
    assert [one.detail for one in faults(given, Cells, strict=False)] == [expected]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "is missing"),
        ({"level": 1, "x": 1}, "is not a known field; there are: level, kind"),
        ({"level": "1"}, "is to be a number, not a text"),
        ({"level": None}, "is to be a number, not null"),
        ({"level": -1}, "is to be a number of at least 0"),
        ({"level": 1, "kind": ""}, "is none of the allowed values; allowed: test, self"),
        ({"level": 1, "kind": "x"}, "is none of the allowed values; allowed: test, self"),
        ([], "is to be an object, not a list"),
    ],
)
def test_what_the_decoder_reports_is_told_in_our_own_words(given: Any, expected: str) -> None:
    with pytest.raises(InvalidInput) as decoded:
        decode(json.dumps(given).encode(), Inner)
    assert [decoded.value.detail, *(fault.detail for fault in faults(given, Inner))] == [expected] * 2


@pytest.mark.parametrize("decoder", [lambda raw: decode(raw, Whole), decode_patch])
def test_half_of_a_surrogate_pair_is_refused_with_its_field(decoder: Callable[[bytes], Any]) -> None:
    for raw, field in (
        (rb'{"title":{"th":"\ud800"}}', "title.th"),
        (rb'{"titles":[{"en":"b"},{"en":"a\uDC00 b"}]}', "titles[1].en"),
    ):
        with pytest.raises(InvalidInput, match="holds the unpaired surrogate") as caught:
            decoder(raw)
        assert caught.value.field == field


@pytest.mark.parametrize("raw", [b"", b" \n"])
def test_an_empty_body_is_called_empty(raw: bytes) -> None:
    with pytest.raises(Malformed, match="the body is empty"):
        decode(raw, Whole)


def test_a_body_that_is_not_utf_8_is_named_so_with_its_byte() -> None:
    for read in (decode_patch, lambda raw: decode(raw, dict)):
        with pytest.raises(Malformed, match=re.escape("the body is not UTF-8 (byte 9)")):
            read(b'{"name": \xe9"}')
