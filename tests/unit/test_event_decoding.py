"""Decoding is total: any key, headers and value give an event that can be stored and sent again, or Rejected."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bson
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.cloudevents import from_kafka
from shared.errors import Rejected
from shared.events import (
    MAX_JUMP,
    MAX_STAMP_JUMP,
    MAX_VALUE_BYTES,
    PATH_HEADS,
    TOMBSTONE,
    TYPES,
    WITHOUT_COURSES,
    CourseHead,
    CourseName,
    CoursePublished,
    Event,
    FrameworkPart,
    FrameworkPublished,
    PathHead,
    check_jump,
    check_stamps,
)

GOLDEN = Path(__file__).parents[1] / "contract" / "golden"
RECORDS = {name: json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")) for name in TYPES}
ATTRIBUTES = sorted(RECORDS["assessment.completed.v1"]["headers"])
STRUCTURED = ("content-type", b"application/cloudevents+json; charset=utf-8")
WITHDRAWN = "course.withdrawn.v1"

Wire = tuple[bytes, bytes, list[tuple[str, bytes | None]]]


def wire(name: str, change: Mapping[str, str | None] | None = None, value: bytes | None = None) -> Wire:
    record = RECORDS[name]
    texts = {**record["headers"], **(change or {})}
    whole = json.dumps(record["value"], ensure_ascii=False).encode() if value is None else value
    return (
        record["key"].encode(),
        whole,
        [(header, text.encode()) for header, text in texts.items() if text is not None],
    )


def structured(name: str, **attributes: Any) -> Wire:
    key, _, headers = wire(name)
    whole = {header.removeprefix("ce_"): (raw or b"").decode() for header, raw in headers if header.startswith("ce_")}
    whole |= {"data": RECORDS[name]["value"], "datacontenttype": "application/json"}
    return key, json.dumps(whole | attributes).encode(), [STRUCTURED]


def decoded(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> Event | None:
    """Decode, and look at what is promised of the outcome: an event that can be kept, or Rejected with a reason."""
    try:
        event = from_kafka(key, value, headers)
    except Rejected as error:
        reason = str(error)
        assert 0 < len(reason) <= 500
        return None
    assert key is not None
    assert event.subject.encode() == key
    if event.data is not None:
        assert msgspec.json.decode(msgspec.json.encode(event.data), type=TYPES[event.type]) == event.data
    if not isinstance(event.data, FrameworkPart):  # no reader stores one in this form
        bson.encode({"sequence": event.sequence, "stamp": event.catalog_revision, "time": event.time})
        bson.encode({"data": msgspec.to_builtins(event.data)})
    return event


NAMES = st.one_of(st.sampled_from(ATTRIBUTES), st.text(max_size=20), st.text(max_size=8).map("ce_{}".format))
VALUES = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b"1.0", b"-1", b"9223372036854775808", b"1e999", b"seven", b"\xd9\xa3", b"x" * 2000]),
    st.sampled_from([name.encode() for name in TYPES]),
)
JSONS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=2**53, max_value=2**70),
        st.floats(),
        st.text(max_size=12),
        st.sampled_from(
            ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00", "\x00", "$x"]
        ),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    key=st.none() | st.binary(max_size=80) | st.sampled_from([b"shared/svc-design-2", b"agency-demo/o-1001"]),
    value=st.none() | st.binary(max_size=200) | JSONS.map(lambda value: json.dumps(value).encode()),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=12),
)
@settings(max_examples=400, deadline=None)
def test_any_record_gives_an_event_or_is_rejected(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    decoded(key, value, headers)


@given(data=st.data(), name=st.sampled_from(sorted(TYPES)), more=st.lists(st.tuples(NAMES, VALUES), max_size=6))
@settings(max_examples=400, deadline=None)
def test_golden_records_with_other_headers_give_an_event_or_are_rejected(
    data: st.DataObject, name: str, more: list[tuple[str, bytes | None]]
) -> None:
    key, value, headers = wire(name)
    some_headers = data.draw(st.lists(st.sampled_from(headers), unique=True))
    decoded(key, value, data.draw(st.permutations([*some_headers, *more])))


@given(data=st.data(), name=st.sampled_from(sorted(TYPES)), in_one=st.booleans())
@settings(max_examples=600, deadline=None)
def test_golden_records_with_changed_bytes_give_an_event_or_are_rejected(
    data: st.DataObject, name: str, in_one: bool
) -> None:
    key, value, headers = structured(name) if in_one else wire(name)
    at = data.draw(st.integers(0, len(value)))
    cut = data.draw(st.integers(0, 8))
    decoded(key, value[:at] + data.draw(st.binary(max_size=8)) + value[at + cut :], headers)


@pytest.mark.parametrize("sd", [0, -0.0, 1e-9, -0.3, 100.1, "NaN", None])
def test_a_level_without_uncertainty_is_rejected(sd: Any) -> None:
    for name in ("assessment.completed.v1", "officer.changed.v1"):
        key, value, headers = wire(name)
        whole = json.loads(value)
        whole["profile"]["levels"] = [{**RECORDS["assessment.completed.v1"]["value"]["profile"]["levels"][0], "sd": sd}]
        assert decoded(key, json.dumps(whole).encode(), headers) is None
        whole["profile"]["levels"][0]["sd"] = 0.000001
        assert decoded(key, json.dumps(whole).encode(), headers) is not None


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to everything in a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, part in parts for place in places(part, (*path, name)))]


@given(data=st.data(), name=st.sampled_from(sorted(TYPES)), put=JSONS)
@settings(max_examples=800, deadline=None)
def test_golden_records_with_another_value_anywhere_give_an_event_or_are_rejected(
    data: st.DataObject, name: str, put: Any
) -> None:
    whole = {"value": json.loads(json.dumps(RECORDS[name]["value"]))}
    *path, last = data.draw(st.sampled_from(places(whole)[1:]))
    inner: Any = whole
    for part in path:
        inner = inner[part]
    inner[last] = put
    decoded(*wire(name, value=json.dumps(whole["value"]).encode()))


@given(
    depth=st.integers(1, 400),
    opening=st.sampled_from(['{"any":[', '{"all":[', "[", '{"x":']),
    closed=st.booleans(),
)
@example(depth=500_000, opening="[", closed=True)
@example(depth=500_000, opening='{"any":[', closed=False)
@settings(max_examples=50, deadline=None)
def test_nesting_of_any_depth_gives_an_event_or_is_rejected(depth: int, opening: str, closed: bool) -> None:
    closing = "".join({"[": "]", "{": "}"}.get(char, "") for char in reversed(opening))
    deep = opening * depth + '{"course":"a"}' + (closing * depth if closed else "")
    record = json.dumps(RECORDS["course.published.v1"]["value"])
    inside = record.replace('"requires": [', '"requires": [' + deep + ",", 1)
    decoded(*wire("course.published.v1", value=inside.encode()))
    decoded(*wire("course.published.v1", value=b'{"unknown":' + deep.encode() + b"," + record[1:].encode()))


# --- what is taken all the same --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize(
    "more",
    [
        [("x-correlation-id", None)],
        [("x", b"\xff\xfe")],
        [("ce_unknown", None), ("ce_unknown", b"\xff")],
        [("ce_traceparent", None)],
        [("", b"")],
        [(f"h{number}", b"x") for number in range(5000)],
        [("x", b"x" * 900_000)],
        [("Content-Type", b"\xff")],
        [("ce_specversion", b"1.0")],
    ],
    ids=["no value", "bytes", "unknown", "no trace", "no name", "5,000", "900 kB", "content type", "twice the same"],
)
def test_unknown_headers_are_ignored(name: str, more: list[tuple[str, bytes | None]]) -> None:
    key, value, headers = wire(name)
    assert from_kafka(key, value, [*headers, *more]) == from_kafka(key, value, headers)


@pytest.mark.parametrize(
    "change", [{"traceparent": None}, {"traceparent": {}}, {"time": None}, {"catalogrevision": None}, {"later": [1]}]
)
def test_an_attribute_that_is_null_is_absent(change: dict[str, Any]) -> None:
    event = from_kafka(*structured(WITHDRAWN, **change))
    assert event.data == from_kafka(*wire(WITHDRAWN)).data
    assert event.traceparent is None or "traceparent" not in change


def test_a_structured_event_may_carry_its_data_as_base64_and_its_sequence_as_a_number() -> None:
    value = json.dumps(RECORDS[WITHDRAWN]["value"]).encode()
    plain = structured(WITHDRAWN, sequence=3, data=None, data_base64=base64.b64encode(value).decode())
    assert from_kafka(*plain) == from_kafka(*wire(WITHDRAWN))


def test_brackets_in_a_text_do_not_count_as_nesting() -> None:
    value = json.dumps({**RECORDS[WITHDRAWN]["value"], "later": '[{\\"' * 1000}).encode()
    assert from_kafka(*wire(WITHDRAWN, value=value)).data == from_kafka(*wire(WITHDRAWN)).data


def test_an_address_that_an_earlier_release_accepted_is_kept() -> None:
    name, url = "course.published.v1", "https://example.org/a course\r\n"
    value = RECORDS[name]["value"] | {"course": RECORDS[name]["value"]["course"] | {"url": url}}
    data = from_kafka(*wire(name, value=json.dumps(value).encode())).data
    assert isinstance(data, CoursePublished)
    assert data.course.url == url


def test_bad_utf8_in_a_field_that_no_reader_knows_changes_nothing() -> None:
    name = "path.recommended.v2"
    value = b'{"later":"\xff\xfe",' + json.dumps(RECORDS[name]["value"]).encode()[1:]
    key, _, headers = wire(name)
    assert from_kafka(key, value, headers, shapes=PATH_HEADS).data == PathHead("agency-demo", "o-1001", 6)


def test_a_reader_of_frameworks_decodes_only_the_id_of_a_course() -> None:
    name = "course.published.v1"
    whole = json.loads(json.dumps(RECORDS[name]["value"]))
    whole["course"] = {"id": whole["course"]["id"], "hours": "not read"}
    key, value, headers = wire(name, value=json.dumps(whole).encode())
    data: object = from_kafka(key, value, headers, shapes=WITHOUT_COURSES).data
    assert data == CourseHead(whole["tenant"], CourseName(whole["course"]["id"]))
    whole["course"]["id"] = "another"
    with pytest.raises(Rejected, match="the key about"):
        from_kafka(key, json.dumps(whole).encode(), headers, shapes=WITHOUT_COURSES)


def test_reading_attributes_does_not_decode_the_value() -> None:
    key, _, headers = wire(WITHDRAWN)
    assert from_kafka(key, b"\xff", headers, with_data=False).data is None


@pytest.mark.parametrize("headers", [[], [("x", b"1")], [STRUCTURED], [("ce_type", None)]])
def test_no_value_and_no_type_is_a_plain_tombstone(headers: list[tuple[str, bytes | None]]) -> None:
    event = from_kafka(b"t/o-1", None, headers)
    assert (event.type, event.subject, event.sequence, event.data) == (TOMBSTONE, "t/o-1", 0, None)


# --- what is rejected, and why ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", [None, b"", b"\xff", b"t", b"t/", b"t/o\n", b"t/o/p", "t/\u0e01".encode(), b"t/" + b"o" * 9_999]
)
def test_a_tombstone_of_no_subject_is_rejected(key: bytes | None) -> None:
    with pytest.raises(Rejected, match="the key is not"):
        from_kafka(key, None, [])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ce_sequence": "-1"}, "sequence '-1' is not a whole number"),
        ({"ce_sequence": "3.0"}, "is not a whole number"),
        ({"ce_sequence": "\u0663"}, "is not a whole number"),
        ({"ce_sequence": "9223372036854775807"}, "is not a whole number"),
        ({"ce_sequence": "1000000001"}, "is not a whole number from 0 to 1000000000"),
        ({"ce_catalogrevision": "4611686018427387904"}, "catalogrevision '4611686018427387904' is not"),
        ({"ce_time": "2026-01-01T00:00:00"}, "no time zone"),
        ({"ce_time": "0001-01-01T00:00:00+14:00"}, "a year outside"),
        ({"ce_time": "today"}, "datetime"),
        ({"ce_subject": "shared/another"}, "the key is not the subject"),
        ({"ce_id": "x" * 1025}, "attribute id holds 1025 bytes"),
        ({"CE_ID": "another"}, "attribute id is given twice"),
    ],
)
def test_attributes_out_of_range_are_rejected(change: dict[str, str], reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        from_kafka(*wire(WITHDRAWN, change))


@pytest.mark.parametrize("name", TYPES)
def test_an_event_without_data_or_about_another_subject_is_rejected(name: str) -> None:
    key, value, headers = wire(name)
    with pytest.raises(Rejected, match="has no data"):
        from_kafka(key, None, headers)
    other = key + b"1"
    moved = [(header, other if header == "ce_subject" else raw) for header, raw in headers]
    with pytest.raises(Rejected, match="the data is about"):
        from_kafka(other, value, moved)
    with pytest.raises(Rejected, match="the key is not the subject"):
        from_kafka(other, value, headers)


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("officer.changed.v1", '"sequence": 3', '"sequence": 4', "the profile's sequence 4"),
        (
            "officer.changed.v1",
            '"framework_version": 2',
            '"framework_version": 9223372036854775808',
            "framework_version",
        ),
        ("officer.changed.v1", '"framework_version": 2', '"framework_version": -1', "framework_version"),
        ("framework.published.v1", '"version": 2', '"version": 4611686018427387904', "version"),
        ("framework.published.v1", '"provenance": {', '"provenance": {"a\\u0000b": {"status": "sourced"}, ', "regex"),
        ("path.recommended.v2", '"revision": 6', '"revision": 9007199254740993', "revision"),
        ("assessment.completed.v1", '"measured_at": "2026', '"measured_at": "0001', "a year outside"),
        ("assessment.completed.v1", '"level": 1.5', '"level": 1e999', "Number out of range"),
        ("assessment.completed.v1", '"agency": "dept-policy"', '"agency": "\\ud800"', "surrogate"),
    ],
)
def test_data_out_of_range_is_rejected(name: str, old: str, new: str, reason: str) -> None:
    text = json.dumps(RECORDS[name]["value"])
    assert old in text
    with pytest.raises(Rejected, match=reason):
        from_kafka(*wire(name, value=text.replace(old, new, 1).encode()))


@pytest.mark.parametrize("name", RECORDS)
def test_fields_that_only_a_newer_version_knows_are_ignored_at_any_depth(name: str) -> None:
    def with_more(value: Any, *, named: bool = True) -> Any:
        if isinstance(value, dict):  # the names in `provenance` are data, no fields
            more = {key: with_more(item, named=key != "provenance") for key, item in value.items() if key != "content"}
            more |= {
                key: item for key, item in value.items() if key == "content"
            }  # bytes, of which a hash is announced
            return more | {"of_a_newer_version": [{"id": 1}]} if named else more
        return [with_more(item) for item in value] if isinstance(value, list) else value

    whole = RECORDS[name]["value"]
    if whole is not None:
        assert from_kafka(*wire(name, value=json.dumps(with_more(whole)).encode())).data == from_kafka(*wire(name)).data


@pytest.mark.parametrize("name", ["$set", "", "x" * 200, "a.b", "a\nb"])
def test_any_name_that_could_ever_be_stored_is_decoded(name: str) -> None:
    whole = json.loads(json.dumps(RECORDS["framework.published.v1"]["value"]))
    whole["framework"]["provenance"] = {name: {"status": "sourced"}}
    found = from_kafka(*wire("framework.published.v1", value=json.dumps(whole).encode())).data
    assert isinstance(found, FrameworkPublished)
    assert list(found.framework.provenance) == [name]


def test_a_value_that_is_too_large_is_rejected_before_decoding() -> None:
    with pytest.raises(Rejected, match=f"holds {MAX_VALUE_BYTES + 1} bytes"):
        from_kafka(*wire(WITHDRAWN, value=b"[" * (MAX_VALUE_BYTES + 1)))


@pytest.mark.parametrize("value", [b"[1]", b'{"id":1}', b'{"sequence":1.5}', b'{"\xff', b"[" * 100_000, b"", b"null"])
def test_an_invalid_structured_event_is_rejected(value: bytes) -> None:
    with pytest.raises(Rejected):
        from_kafka(b"t/c", value, [STRUCTURED])
    with pytest.raises(Rejected):
        from_kafka(b"t/c", value, [("content-type", b"APPLICATION/CloudEvents+JSON")])


def test_a_rejection_reason_quotes_at_most_a_bounded_word_of_the_record() -> None:
    with pytest.raises(Rejected) as refused:
        from_kafka(*wire(WITHDRAWN, value=b'{"tenant":"' + b"\xff" + b"secret" * 1000))
    assert "secret" not in repr(refused.value)
    assert refused.value.__cause__ is None


# --- what could have happened ----------------------------------------------------------------------------------------


def test_a_sequence_may_be_ahead_by_missed_changes_and_not_by_more() -> None:
    check_jump("t/o", 5, 7)
    check_jump("t/o", 7 + MAX_JUMP, 7)
    with pytest.raises(Rejected, match="revision 100008 of t/o is more than 100000 above 7"):
        check_jump("t/o", 8 + MAX_JUMP, 7, "revision")


def stamped(stamp: int) -> Event:
    return from_kafka(*wire(WITHDRAWN, {"ce_catalogrevision": str(stamp)}))


def test_stamps_may_jump_by_used_ones_and_not_by_more() -> None:
    check_stamps(map(stamped, [10**9, 10**9 + MAX_STAMP_JUMP, 5]), 0)
    check_stamps(map(stamped, [8, 7 + MAX_STAMP_JUMP]), 7)
    with pytest.raises(Rejected, match="above 8"):
        check_stamps(map(stamped, [8, 9 + MAX_STAMP_JUMP]), 7)
