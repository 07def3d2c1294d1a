"""How decisions change matches, and which decisions a new matching retains."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from services.catalog.matches import (
    DECISIONS,
    LEAST_CHANGE,
    Match,
    MatchDecision,
    MatchName,
    SkillSpan,
    Status,
    announced,
    decide,
    given_rows,
    proposed,
    rows_of,
    text_of,
    with_confirmed,
    with_decisions,
)
from services.catalog.matching import Proposal
from shared.domain import LocalizedText, Teaches
from shared.errors import NotFound
from tests.support.builders import FRAMEWORK, course

NOW = datetime(2026, 11, 1, tzinfo=UTC)
READING = MatchName(FRAMEWORK, "reading")
_READING = {"framework": FRAMEWORK, "skill": "reading", "from_level": 0.0, "confidence": 0.6}


def match(skill: str, status: Status = "proposed", text: str = "t") -> Match:
    rejected_for = [text] if status == "rejected" else []
    return Match(FRAMEWORK, skill, 0.0, 2.0, 0.7, status=status, text=text, rejected_for=rejected_for)


def found(*skills: str) -> dict[str, list[Proposal]]:
    return {FRAMEWORK: [Proposal(skill, 0.0, 1.0, 0.6, 0.5, 0.5, 0.1, ["word"], None) for skill in skills]}


def by(status: Status) -> MatchDecision:
    return MatchDecision(status, "key", NOW)


def statuses(matches: list[Match]) -> dict[str, str]:
    return {one.skill: one.status for one in matches}


def test_a_new_matching_replaces_undecided_matches() -> None:
    before = [match("reading"), match("writing", "confirmed"), match("sums", "rejected")]
    after = proposed(before, found("maps", "writing", "sums"), "t", [])
    assert statuses(after) == {"writing": "confirmed", "sums": "rejected", "maps": "proposed"}


def test_a_rejected_match_returns_only_after_a_text_change_and_keeps_its_decision() -> None:
    rejected = decide([match("sums")], MatchName(FRAMEWORK, "sums"), by("rejected"))
    assert statuses(proposed(rejected, found("sums"), "t", [])) == {"sums": "rejected"}
    (again,) = proposed(rejected, found("sums"), "another", [])
    assert (again.status, [one.status for one in again.decisions]) == ("proposed", ["rejected"])
    assert statuses(proposed([again], found("sums"), "t", [])) == {"sums": "rejected"}
    (unseen,) = proposed([again], found(), "third", [])
    assert (unseen.status, unseen.rejected_for) == ("rejected", again.rejected_for)
    (third,) = proposed([unseen], found("sums"), "third", [])
    both = decide([third], MatchName(FRAMEWORK, "sums"), by("rejected"))
    for text in ("t", "third"):
        assert statuses(proposed(both, found("sums"), text, [])) == {"sums": "rejected"}
    assert decide(both, MatchName(FRAMEWORK, "sums"), by("confirmed"))[0].rejected_for == []


def test_skills_that_a_course_teaches_are_not_proposed() -> None:
    assert proposed([], found("reading"), "t", [Teaches(FRAMEWORK, "reading", 0, 1)]) == []


@pytest.mark.parametrize(
    ("confidence", "entry", "product"), [(0.8, 0.5, 0.4), (0.8, 1.0, 0.8), (1.0, 1.0, 0.999_999), (0.5, 0.0, 0.000_001)]
)
def test_a_match_is_announced_with_the_probability_of_its_skill_and_its_entry(
    confidence: float, entry: float, product: float
) -> None:
    one = replace(match("reading"), confidence=confidence, entry_confidence=entry)
    (row,) = announced(course("c"), [one]).matched
    assert row.confidence == product


@pytest.mark.parametrize("entry", [1.0, 0.73, 0.5, 1 / 3, 0.001])
@pytest.mark.parametrize(
    ("confidence", "threshold", "counts"),
    [
        (0.6, 0.55, True),
        (0.55, 0.55, True),
        (1.0, 0.55, True),
        (0.4, 0.55, False),
        (1.0, 1.0, False),
        (0.6, 1.0, False),
    ],
)
def test_the_confidence_of_the_skill_alone_decides_whether_a_match_is_announced_above_its_threshold(
    confidence: float, threshold: float, counts: bool, entry: float
) -> None:
    one = replace(match("reading"), confidence=confidence, threshold=threshold, entry_confidence=entry)
    (row,) = announced(course("c"), [one]).matched
    assert (row.confidence >= row.threshold) == counts


def test_a_new_matching_keeps_the_confidence_of_the_entry() -> None:
    (one,) = proposed([], {FRAMEWORK: [replace(found("reading")[FRAMEWORK][0], entry_confidence=0.7)]}, "t", [])
    assert (one.confidence, one.entry_confidence) == (0.6, 0.7)


def test_a_match_keeps_its_levels_where_another_estimate_differs_little() -> None:
    one = replace(match("reading"), entry_confidence=0.7)
    assert one.with_levels(0.0, 2.0, 0.0, 0.7 + 0.9 * LEAST_CHANGE) is one
    assert one.with_levels(0.0, 2.0, 0.0, 0.7 + 1.1 * LEAST_CHANGE).entry_confidence == 0.7 + 1.1 * LEAST_CHANGE
    moved = one.with_levels(1.0, 2.0, 1.0, 0.7)
    assert (moved.from_level, moved.to_level, moved.entry_level, moved.entry_confidence) == (1.0, 2.0, None, 0.7)
    lower = moved.with_levels(1.0, 2.0, 0.0, 0.7)
    assert (lower.from_level, lower.entry_level) == (1.0, 0.0)


def test_a_match_is_announced_from_the_level_of_its_entry_and_confirmed_from_its_own() -> None:
    one = replace(match("reading"), from_level=1.0, entry_level=0.0)
    (row,) = announced(course("c"), [one]).matched
    assert (row.from_level, row.to_level) == (0.0, 2.0)
    (decided,) = rows_of(decide([one], READING, by("confirmed")))
    assert (decided.from_level, decided.to_level) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("known", "confidence"),
    [({}, 0.7), ({"to_level": 2.0}, 0.9), ({"source": "mapped"}, 0.9), ({"status": "rejected", "text": "u"}, 0.9)],
)
def test_a_new_matching_with_the_same_levels_keeps_the_stored_entry(
    known: dict[str, object], confidence: float
) -> None:
    before = Match(**{"to_level": 1.0, "text": "t", **known, **_READING}, entry_level=0.0, entry_confidence=0.7)  # type: ignore[arg-type]
    again = replace(found("reading")[FRAMEWORK][0], entry_confidence=0.9)
    (one,) = proposed([before], {FRAMEWORK: [again]}, "t", [])
    assert (one.entry_level, one.entry_confidence) == (
        0.0 if confidence == before.entry_confidence else None,
        confidence,
    )


def test_a_decision_on_an_unknown_match_is_rejected() -> None:
    with pytest.raises(NotFound):
        decide([match("writing")], READING, by("confirmed"))


def test_the_same_decision_again_changes_nothing() -> None:
    once = decide([match("reading")], READING, by("confirmed"))
    later = MatchDecision("confirmed", "another", NOW + timedelta(days=1))
    assert decide(once, READING, later) == once


def test_the_last_decisions_are_kept() -> None:
    matches = [match("reading")]
    for n in range(DECISIONS + 5):
        matches = decide(matches, READING, by("rejected" if n % 2 else "confirmed"))
    assert len(matches[0].decisions) == DECISIONS
    assert matches[0].decisions[-1].status == matches[0].status == "confirmed"


def test_decisions_add_and_remove_their_rows_and_others_stay() -> None:
    given = course("c", ("sums", 0, 1))
    before = [match("reading"), match("writing")]
    both = decide(decide(before, READING, by("confirmed")), MatchName(FRAMEWORK, "writing"), by("confirmed"))
    taught = with_decisions(given, before, both)
    assert [row.skill for row in taught.teaches] == ["sums", "reading", "writing"]
    assert [row.skill for row in given_rows(taught, both)] == ["sums"]
    without = decide(both, READING, by("rejected"))
    assert [row.skill for row in with_decisions(taught, both, without).teaches] == ["sums", "writing"]


def test_a_decision_does_not_revert_levels_that_the_provider_changed() -> None:
    before = [match("reading", "confirmed"), match("writing")]
    put = replace(course("c"), teaches=[Teaches(FRAMEWORK, "reading", 1, 3)])
    after = decide(before, MatchName(FRAMEWORK, "writing"), by("confirmed"))
    levels = {row.skill: (row.from_level, row.to_level) for row in with_decisions(put, before, after).teaches}
    assert levels == {"reading": (1, 3), "writing": (0, 2)}


def test_a_correction_to_a_skill_that_is_taught_already_leaves_one_row_the_last_decided() -> None:
    right = SkillSpan("writing", 1.0, 2.0)
    before = [match("reading"), match("writing", "confirmed")]
    taught = with_confirmed(course("c"), before)
    after = decide(before, READING, by("corrected"), right)
    rows = [row for row in with_decisions(taught, before, after).teaches if row.skill == "writing"]
    assert [(row.from_level, row.to_level) for row in rows] == [(1, 2)]


def test_a_course_put_without_skills_keeps_the_confirmed_ones_and_one_with_skills_its_own() -> None:
    confirmed = [match("reading", "confirmed"), match("writing", "rejected")]
    assert [row.skill for row in with_confirmed(course("c"), confirmed).teaches] == ["reading"]
    assert [row.skill for row in with_confirmed(course("c", ("sums", 0, 1)), confirmed).teaches] == ["sums"]
    elsewhere = course("c", ("sums", 0, 1), of="another")
    assert [row.skill for row in with_confirmed(elsewhere, confirmed).teaches] == ["sums", "reading"]


def test_fields_that_only_the_catalog_sets_are_ignored_in_a_put() -> None:
    shown = replace(course("c"), teaches=[Teaches(FRAMEWORK, "reading", 0, 1, "another/read")])
    assert with_confirmed(shown, []).teaches == []


def test_the_digest_of_a_course_ignores_case_and_the_order_of_tags() -> None:
    one, other, third = (
        text_of(replace(course("c"), title=LocalizedText(en=title), tags=tags, description=LocalizedText(en=words)))
        for title, tags, words in (
            ("Data for all", ["SQL", "R"], "First. Second."),
            ("DATA FOR ALL!", ["r", "Sql"], "First - second"),
            ("Data for all", ["SQL"], "First. Second."),
        )
    )
    assert one == other != third


def test_the_digest_of_a_course_ignores_spelling_variants_and_taught_skills() -> None:
    def text(title: str, *rows: tuple[str, float, float]) -> str:
        return text_of(replace(course("c", *rows), title=LocalizedText(th=title)))

    assert text("น้ำ  ใจ") == text("น\u0e4d\u0e49\u0e32 ใจ") == text("(น้ำใจ)") != text("น้ำ")
    assert text("น้ำใจ", ("reading", 0, 1)) == text("น้ำใจ")
