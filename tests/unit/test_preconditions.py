"""Preconditions by RFC 9110, 13: every form of the two headers, against what is there and what is not."""

import pytest

from shared.errors import Malformed, PreconditionFailed
from shared.preconditions import Preconditions, Tag

SEVEN = Tag("7")


def failed(preconditions: Preconditions, present: Tag | None) -> str | None:
    try:
        preconditions.check(present)
    except PreconditionFailed as problem:
        return problem.field
    return None


@pytest.mark.parametrize("present", [SEVEN, None, Tag("shared-7"), Tag("7", weak=True)])
def test_without_headers_everything_is_allowed(present: Tag | None) -> None:
    preconditions = Preconditions.of([], [])
    assert not preconditions.given
    assert failed(preconditions, present) is None


@pytest.mark.parametrize(
    ("lines", "present", "holds"),
    [
        (["*"], SEVEN, True),
        (["*"], Tag("7", weak=True), True),
        (["*"], None, False),
        (['"7"'], SEVEN, True),
        (['"6", "7"'], SEVEN, True),
        (['"6"', '"7"'], SEVEN, True),
        ([', "6" ,, "7" ,'], SEVEN, True),
        (['"6"\t,"7"'], SEVEN, True),
        (['"6,7"'], SEVEN, False),
        (['"6"'], SEVEN, False),
        (['"7"'], None, False),
        (['W/"7"'], SEVEN, False),  # the comparison is strong
        (['"7"'], Tag("7", weak=True), False),
        (['W/"7", "7"'], SEVEN, True),
        (['"a b"'.replace(" ", "\udcff")], SEVEN, False),  # obs-text is a tag like any other
        (['""'], SEVEN, False),
        (['""'], Tag(""), True),
    ],
)
def test_if_match_compares_strongly(lines: list[str], present: Tag | None, holds: bool) -> None:
    assert failed(Preconditions.of(lines, []), present) == (None if holds else "If-Match")


@pytest.mark.parametrize(
    ("lines", "present", "same"),
    [
        (["*"], SEVEN, True),
        (["*"], None, False),
        (['"7"'], SEVEN, True),
        (['W/"7"'], SEVEN, True),
        (['"7"'], Tag("7", weak=True), True),
        (['"6", W/"7"'], SEVEN, True),
        (['"6"'], SEVEN, False),
        (['"7"'], Tag("shared-7"), False),
        (['"7"'], None, False),
    ],
)
def test_if_none_match_compares_weakly(lines: list[str], present: Tag | None, same: bool) -> None:
    preconditions = Preconditions.of([], lines)
    assert failed(preconditions, present) == ("If-None-Match" if same else None)
    if present is not None:
        assert preconditions.unchanged(present) is same


def test_if_match_is_checked_first() -> None:
    assert failed(Preconditions.of(['"6"'], ["*"]), SEVEN) == "If-Match"
    with pytest.raises(PreconditionFailed):
        Preconditions.of(['"6"'], ['"7"']).unchanged(SEVEN)


@pytest.mark.parametrize(
    "line",
    ["", " ", ",", "7", "W/7", 'w/"7"', '"7', '7"', '"7" "8"', '*, "7"', "**", '"7";', '"a b"', "\udcff", "None"],
)
def test_an_invalid_tag_is_malformed_and_the_header_is_named(line: str) -> None:
    for name, headers in (("If-Match", ([line], [])), ("If-None-Match", ([], [line]))):
        with pytest.raises(Malformed) as caught:
            Preconditions.of(*headers)
        assert caught.value.field == name
        assert "\udcff" not in caught.value.detail
