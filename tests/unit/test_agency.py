"""An agency's figures: added up rightly, and nothing follows from them about fewer than the smallest group."""

import itertools
import random
from collections.abc import Iterable, Sequence
from datetime import date

import bson
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.recommender import disclosure
from services.recommender.agency_report import AgencyGaps, agency_report, first_groups, unclosable_gaps
from services.recommender.disclosure import (
    MAX_BYTES,
    POOL,
    Cohort,
    Officer,
    Release,
    cohorts_of,
    differences,
    released,
    rounded_down,
    token_of,
    tokens_in,
)
from services.recommender.inputs import MICRO
from services.recommender.path_summary import PathSummary, SkillOutcome, rounded_share
from shared.domain import Framework, JobGroup
from shared.paths import CourseCard
from tests.support.builders import FRAMEWORK, framework, text

K = 5
DAY = date(2026, 11, 20)
SKILLS = framework({"reading": 3, "writing": 2})
GROUPS = ("service", "it-ops", "it-dev", "legal")
SKILL_FRAMEWORK: Framework = msgspec.structs.replace(SKILLS, job_groups=[JobGroup(name, text(name)) for name in GROUPS])
CARDS = {name: CourseCard(name, text(name), text("p"), 2, ["th"]) for name in ("read", "write")}


def row(
    skill: str, level: float, *, required: float = 3, reached: float | None = None, cause: str = ""
) -> SkillOutcome:
    return SkillOutcome(
        skill, level, required, required if reached is None else reached, 1.0, assessed=True, cause=cause
    )


def officer(
    group: str = "service", *rows: SkillOutcome, closes: dict[str, int] | None = None, **fields: object
) -> PathSummary:
    whole = {"status": "ready", "job_group": group, "hours": 4.0, "gap": MICRO, "before": 0.5}
    return msgspec.convert(
        whole | {"after": 1.0, "skills": list(rows), "closes": closes or {}} | fields, PathSummary, from_attributes=True
    )


def named(officers: Iterable[PathSummary]) -> list[Officer]:
    return [Officer(number, 1, one) for number, one in enumerate(officers, 1)]


def shown(cohorts: Sequence[Cohort], first: Iterable[str] = (), **frameworks: int) -> AgencyGaps:
    return agency_report(
        cohorts,
        agency="north",
        framework=SKILL_FRAMEWORK,
        frameworks=frameworks,
        min_group=K,
        cards=CARDS,
        first=list(first),
    )


def report(officers: Iterable[PathSummary], first: Iterable[str] = (), **frameworks: int) -> AgencyGaps:
    return shown(cohorts_of(named(officers), K, DAY), first, **frameworks)


def test_the_report_computes_sums_means_and_sizes_of_gaps() -> None:
    found = report(
        [officer("service", row("reading", level), closes={"read": MICRO}) for level in [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]]
    )
    [reading] = found.skills
    assert (reading.officers, reading.level, reading.gap, reading.after) == (10, 1.5, 1.5, 0)
    assert [(size.above, size.up_to, size.officers) for size in reading.sizes] == [
        (None, 0, 0),
        (0, 0.5, 0),
        (0.5, 1, 5),
        (1, 2, 5),
        (2, None, 0),
    ]
    [course] = found.courses
    assert (course.course.id, course.officers) == ("read", 10)
    [group] = found.groups
    assert (group.officers, group.before, group.gap, group.as_of) == (10, 0.5, 1, DAY)


def test_nobody_is_counted_as_complete_who_is_not() -> None:
    behind = officer("service", row("reading", 2.99, reached=2.99, cause="no_course"), before=0.996, after=0.999, gap=9)
    nothing = officer("service", row("reading", 3), before=1.0, after=1.0, gap=0)
    [group] = report([behind] * 9 + [nothing]).groups
    assert (group.before, group.after, group.gap) == (0.99, 0.99, 0.1)
    [reading] = group.skills
    assert (reading.level, reading.required, reading.gap, reading.after) == (2.9, 3, 0.1, 0.1)
    [whole] = report([nothing] * 10).groups
    assert (whole.before, whole.after, whole.gap) == (1, 1, 0)
    assert [(one.level, one.gap, one.after) for one in whole.skills] == [(3, 0, 0)]
    assert [rounded_share(share) for share in (0, 0.001, 0.004, 0.126, 0.996, 1)] == [0, 0.01, 0.01, 0.13, 0.99, 1]


def test_counts_of_some_officers_are_rounded_down() -> None:
    assert [rounded_down(number, K) for number in (0, 1, 4, 5, 9, 10, 14)] == [0, None, None, 5, 5, 10, 10]
    rows = [row("reading", 1, reached=1, cause="no_course")] * 8 + [row("reading", 1, cause="")] * 4
    found = report([officer("service", one, closes={"read": 1}) for one in rows], fw=12)
    assert (found.skills[0].open, found.courses[0].officers, found.frameworks) == ({"no_course": 5}, 10, {"fw": 10})


def test_nothing_is_published_of_an_agency_below_the_smallest_group() -> None:
    found = report([officer("service", row("reading", 1)) for _ in range(4)])
    assert (found.officers, found.skills, found.groups, found.without_path) == (None, [], [], {})


def test_a_course_in_fewer_paths_than_the_smallest_group_is_not_published() -> None:
    officers = [officer("service", closes={"read": 1, "write": 1} if i < 4 else {"read": 1}) for i in range(8)]
    assert [row.course.id for row in report(officers).courses] == ["read"]


def test_small_job_groups_form_one_cohort_or_are_not_published() -> None:
    small = [officer("legal") for _ in range(2)] + [officer("it-dev") for _ in range(4)]
    large = [officer() for _ in range(9)]
    assert {one.job_group: one.officers for one in report(small + large).groups} == {POOL: 6, "service": 9}
    assert {one.job_group: one.officers for one in report(small[:4] + large).groups} == {"service": 9}


def test_a_skill_is_published_for_cohorts_that_all_need_it() -> None:
    officers = [officer("service", row("reading", 1)) for _ in range(9)]
    officers += [officer("legal", row("reading", 3), row("writing", 0, required=2)) for _ in range(4)]
    officers += [officer("it-dev", row("reading", 2)) for _ in range(3)]
    found = report(officers)
    assert {one.job_group: one.officers for one in found.groups} == {POOL: 7, "service": 9}
    assert [(one.skill, one.officers) for one in found.skills] == [("reading", 16)]


def test_officers_of_one_job_group_with_other_requirements_form_another_cohort() -> None:
    early = [officer("service", row("reading", 1)) for _ in range(6)]
    late = [officer("service", row("reading", 1), row("writing", 1)) for _ in range(7)]
    found = report(early + late)
    assert [(one.job_group, one.officers) for one in found.groups] == [("service", 13)]
    assert {one.skill: one.officers for one in found.skills} == {"reading": 13, "writing": 7}


def test_each_job_group_lists_its_skills_with_its_own_requirements() -> None:
    service = [officer("service", row("reading", 1), row("writing", 2, required=2)) for _ in range(6)]
    it = [officer("it-ops", row("reading", 1, required=2, reached=2)) for _ in range(5)]
    few = [officer("legal", row("reading", 0)) for _ in range(4)]
    groups = {one.job_group: one.skills for one in report([*service, *it, *few]).groups}
    assert {
        name: [(one.skill, one.officers, one.level, one.required) for one in found] for name, found in groups.items()
    } == {
        "service": [("reading", 6, 1, 3), ("writing", 6, 2, 2)],
        "it-ops": [("reading", 5, 1, 2)],
    }
    assert [(one.gap, one.after) for one in groups["it-ops"]] == [(1, 0)]


def test_a_requested_job_group_is_listed_first() -> None:
    assert first_groups(SKILL_FRAMEWORK, ["it-*", "service"]) == ["it-ops", "it-dev", "service"]
    officers = [officer(name, gap=gap) for name, gap in (("service", 9), ("it-dev", 1)) for _ in range(6)]
    assert [one.job_group for one in report(officers, ["it-ops", "it-dev"]).groups] == ["it-dev", "service"]


def test_officers_without_a_path_are_counted_by_cause() -> None:
    officers = [officer("it-ops", closes={"read": 1}) for _ in range(6)]
    officers += [officer("service", row("reading", 1, reached=1, cause="no_course")) for _ in range(5)]
    officers += [officer("service", row("reading", 3)) for _ in range(7)]
    officers += [officer("legal", status="waiting_for_framework") for _ in range(5)]
    assert report(officers).without_path == {"no_course": 5, "none_needed": 5, "waiting_for_framework": 5}


def test_gaps_that_training_cannot_close_recommend_hiring_or_more_time() -> None:
    sample = [officer("service", row("reading", 0, reached=1, cause="no_course")) for _ in range(6)]
    sample += [officer("service", row("writing", 0, required=2, reached=0, cause="budget")) for _ in range(11)]
    found = unclosable_gaps(sample, SKILL_FRAMEWORK, K)
    assert [(one.skill, one.short, one.unreachable, one.insufficient_time, one.recommendation) for one in found] == [
        ("writing", 10, 0, 10, "more_time"),
        ("reading", 5, 5, 0, "hire"),
    ]


def test_a_gap_that_an_unconfirmed_match_may_close_is_neither_closed_nor_a_reason_to_hire() -> None:
    guessed = [officer("service", row("reading", 0, reached=0, cause="unconfirmed")) for _ in range(9)]
    assert unclosable_gaps(guessed, SKILL_FRAMEWORK, K) == []
    assert all(one.skills[0].reached == 0 for one in guessed)


def test_a_gap_of_too_few_officers_is_not_published_and_neither_is_a_part_of_it() -> None:
    few = [officer("service", row("reading", 0, reached=1, cause="no_course")) for _ in range(2)]
    many = [officer("service", row("reading", 0, reached=1, cause="budget")) for _ in range(6)]
    done = [officer("service", row("reading", 3)) for _ in range(9)]
    assert unclosable_gaps([*few, *done], SKILL_FRAMEWORK, K) == []
    [found] = unclosable_gaps([*few, *many, *done], SKILL_FRAMEWORK, K)
    assert (found.short, found.unreachable, found.insufficient_time) == (5, None, 5)


def test_a_token_identifies_one_officer_and_depends_on_the_key() -> None:
    assert token_of(b"key", "t/a") == token_of(b"key", "t/a") != token_of(b"key", "t/b")
    assert token_of(b"key", "t/a") != token_of(b"other", "t/a")
    assert 0 <= token_of(b"key", "t/a") < 2**64


# --- on different days -----------------------------------------------------------------------------------------------


def test_figures_stay_until_enough_officers_have_changed() -> None:
    officers = named(officer("service", row("reading", 1)) for _ in range(10))
    first = released(Release(), cohorts_of(officers, K, DAY), K)
    later = date(2026, 12, 1)
    for changed in range(1, K):
        officers[changed - 1] = Officer(changed, 2, officer("service", row("reading", 3)))
        assert released(first, cohorts_of(officers, K, later), K) is first
    officers[K - 1] = Officer(K, 2, officer("service", row("reading", 3)))
    second = released(first, cohorts_of(officers, K, later), K)
    [group] = shown(second.cohorts).groups
    assert (group.as_of, shown(second.cohorts).skills[0].level) == (later, 2)


def test_a_change_of_every_plan_reveals_no_level_of_the_only_officer_assessed() -> None:
    officers = named(officer("service", row("reading", 1), row("writing", 1, required=2)) for _ in range(9))
    first = released(Release(), cohorts_of(officers, K, DAY), K)
    later = date(2026, 12, 1)

    def replanned(assessed: int) -> list[Officer]:
        """Return the officers after a course was withdrawn, with so many of them assessed since."""
        levels = [3.0] * assessed + [1.0] * (len(officers) - assessed)
        return [
            Officer(one.token, 2, officer("service", row("reading", level), row("writing", 1, required=2), hours=9))
            for one, level in zip(officers, levels, strict=True)
        ]

    for assessed in range(1, K):
        found = released(first, cohorts_of(replanned(assessed), K, later), K)
        assert shown(found.cohorts).skills == shown(first.cohorts).skills
    for assessed in (0, K, len(officers)):
        [group] = shown(released(first, cohorts_of(replanned(assessed), K, later), K).cohorts).groups
        assert (group.as_of, group.hours) == (later, 9)


def test_the_only_officer_assessed_in_a_skill_is_not_revealed_by_others_assessed_in_another() -> None:
    officers = named(officer("service", row("reading", 1), row("writing", 1, required=2)) for _ in range(12))
    first = released(Release(), cohorts_of(officers, K, DAY), K)

    def later(reading: int, writing: int) -> Release:
        """Return the next release after so many officers were assessed in each skill."""
        people = [
            officer(
                "service",
                row("reading", 3 if place < reading else 1),
                row("writing", 2 if place >= 12 - writing else 1, required=2),
            )
            for place in range(12)
        ]
        changed = [
            Officer(one.token, one.revision + (new != one.summary), new)
            for one, new in zip(officers, people, strict=True)
        ]
        return released(first, cohorts_of(changed, K, date(2026, 12, 1)), K)

    for writing in range(1, K):
        assert later(K, writing) is first
    assert shown(later(K, 0).cohorts).skills[0].level == 1.8
    assert later(K, K) is not first


def test_a_new_requirement_for_everybody_does_not_reveal_the_only_officer_assessed_or_gone() -> None:
    before = named(officer("service", row("reading", 1)) for _ in range(12))
    first = released(Release(), cohorts_of(before, K, DAY), K)

    def later(assessed: int, gone: int = 0) -> Release:
        levels = [3.0] * assessed + [1.0] * (12 - assessed - gone)
        people = (officer("service", row("reading", level), row("writing", 0, required=2)) for level in levels)
        present = [Officer(one.token, 2, one.summary) for one in named(people)]
        return released(first, cohorts_of(present, K, date(2026, 12, 1)), K)

    for assessed, gone in ((1, 0), (K - 1, 0), (0, 1), (1, 2)):
        assert later(assessed, gone).cohorts == []  # the former requirement's cohort is gone, the present one waits
    for assessed, gone in ((0, 0), (K, 0), (0, K)):
        assert len(shown(later(assessed, gone).cohorts).skills) == 2


def test_what_a_path_reaches_is_not_revealed_of_the_only_officer_whose_path_changed_in_a_skill() -> None:
    officers = named(officer("service", row("reading", 1), row("writing", 1, required=2)) for _ in range(12))
    first = released(Release(), cohorts_of(officers, K, DAY), K)
    declined = officer("service", row("reading", 1, reached=1), row("writing", 1, required=2, reached=1))
    others = officer("service", row("reading", 1), row("writing", 1, required=2, reached=1))
    people = [Officer(one.token, 2, others if one.token > 1 else declined) for one in officers]
    assert released(first, cohorts_of(people, K, DAY), K) is first


def test_figures_of_another_agency_or_framework_are_compared_too() -> None:
    """Nine of ten officers move to another agency: its figures would tell of the tenth."""
    everyone = named(officer("service", row("reading", 1)) for _ in range(12))
    first = released(Release(), cohorts_of(everyone, K, DAY), K)
    for moved in range(K, 12):
        present = cohorts_of([Officer(one.token, 2, one.summary) for one in everyone[:moved]], K, DAY)
        found = released(Release(), present, K, elsewhere=first.cohorts)
        assert (found.cohorts == []) == (0 < 12 - moved < K)


def test_stored_versions_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    release = Release()
    for revision in range(1, 12):
        people = [Officer(token, revision, officer("service", row("reading", revision % 3))) for token in range(100)]
        release = released(release, cohorts_of(people, K, DAY), K)
    assert len(release.past) == 10
    monkeypatch.setattr(disclosure, "MAX_BYTES", 4 * release.cohorts[0].size)
    people = [Officer(token, 99, officer("service", row("reading", 2.5))) for token in range(100)]
    after = released(release, cohorts_of(people, K, DAY), K)
    assert (len(after.cohorts), len(after.past)) == (1, 3)


def test_a_cohort_that_exceeds_what_a_document_may_hold_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [officer(group, row("reading", 1)) for group in ("first", "second", "third") for _ in range(20)]
    present = cohorts_of([Officer(token, 1, one) for token, one in enumerate(people)], K, DAY)
    monkeypatch.setattr(disclosure, "MAX_BYTES", 2 * present[0].size)
    assert [one.job_group for one in released(Release(), present, K).cohorts] == ["first", "second"]


@pytest.mark.parametrize("skills", [1, 30])
def test_the_largest_release_fits_in_a_document_of_mongodb(skills: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a tenth of the size, as all of it grows with the number of officers."""
    most = MAX_BYTES // 10
    monkeypatch.setattr(disclosure, "MAX_BYTES", most)
    summary = officer("service", *(row(f"a-skill-with-a-long-name-{n}", 1) for n in range(skills)))
    [one] = cohorts_of([Officer(token, 1, summary) for token in range(100)], K, DAY)
    officers = most * 100 // one.size
    release = released(Release(), cohorts_of([Officer(2**63 + n, 1, summary) for n in range(officers)], K, DAY), K)
    [cohort] = release.cohorts
    assert cohort.size > most * 0.99
    stored = {"release": msgspec.json.encode(release), "officers": [token - 2**63 for token in tokens_in(release)]}
    assert 10 * len(bson.encode(stored)) < 15 * 2**20


def test_versions_of_another_key_are_not_compared_and_nothing_new_is_published() -> None:
    everyone = [officer("service", row("reading", 1)) for _ in range(9)]

    def cohorts(key: bytes, people: Sequence[PathSummary]) -> list[Cohort]:
        return cohorts_of([Officer(token_of(key, str(i)), 1, one) for i, one in enumerate(people)], K, DAY)

    first = released(Release(), cohorts(b"old", everyone), K, token_of(b"old", ""))
    changed = [officer("service", row("reading", 3)), *everyone[1:]]
    assert released(first, cohorts(b"new", changed), K, token_of(b"new", "")) is first


def test_a_job_group_that_leaves_the_pool_reveals_no_officer() -> None:
    pool = [officer("legal") for _ in range(4)] + [officer("it-dev")]
    first = released(Release(), cohorts_of(named(pool), K, DAY), K)
    assert [cohort.name for cohort in first.cohorts] == [POOL]
    grown = named([*pool, officer("legal")])  # five in legal now: all but one of them are in the pool's figures
    assert released(first, cohorts_of(grown, K, DAY), K).cohorts == []


def test_figures_of_past_days_are_kept_in_the_history() -> None:
    officers = named([officer("service", before=0.2) for _ in range(6)] + [officer("it-ops", before=0.4)] * 6)
    release = released(Release(), cohorts_of(officers, K, DAY), K)
    same_day = [Officer(one.token, 2, officer(one.summary.job_group, before=0.6)) for one in officers[:6]]
    release = released(release, cohorts_of([*same_day, *officers[6:]], K, DAY), K)
    later = date(2027, 1, 4)
    grown = [Officer(one.token, 3, officer(one.summary.job_group, before=1.0)) for one in officers[:6]]
    release = released(release, cohorts_of([*grown, *officers[6:]], K, later), K)
    found = agency_report(
        release.cohorts,
        agency="north",
        framework=SKILL_FRAMEWORK,
        frameworks={},
        min_group=K,
        cards=CARDS,
        history=release.history,
    ).history
    assert [(one.day, one.officers, one.before) for one in found] == [(DAY, 12, 0.5), (later, 12, 0.7)]
    assert [(one.job_group, one.before) for one in found[1].groups] == [("it-ops", 0.4), ("service", 1.0)]
    assert (found[1].after, found[1].gap) == (1, 1)


class Agency:
    """Officers who come, go, move and change, a few each day."""

    def __init__(self, seed: int, size: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.numbers = itertools.count(1)
        self.officers: dict[int, Officer] = {}
        for _ in range(size):
            self.join()

    def measures(self) -> PathSummary:
        draw = self.random
        group = draw.choices(GROUPS, [8, 3, 1, 1])[0]
        rows = [row("reading", draw.choice([0, 1, 2.5, 3]), cause=draw.choice(["", "no_course", "budget"]))]
        if group == "it-ops" or draw.random() < 0.3:
            rows.append(row("writing", draw.choice([0, 1, 2]), required=2))
        return officer(group, *rows, closes={name: 1 for name in CARDS if draw.random() < 0.5})

    def join(self) -> None:
        number = next(self.numbers)
        self.officers[number] = Officer(number, 1, self.measures())

    def change(self) -> None:
        number = self.random.choice(sorted(self.officers))
        old = self.officers[number]
        again = self.measures() if self.random.random() < 0.3 else old.summary
        self.officers[number] = Officer(number, old.revision + 1, again)

    def leave(self) -> None:
        if len(self.officers) > 1:
            del self.officers[self.random.choice(sorted(self.officers))]

    def require_more(self) -> None:
        """Require another skill of everybody, with one level for all."""
        for number, old in self.officers.items():
            rows = [*(it for it in old.summary.skills if it.skill != "writing"), row("writing", 1, required=2)]
            self.officers[number] = Officer(number, old.revision + 1, msgspec.structs.replace(old.summary, skills=rows))

    def day(self) -> None:
        if self.random.random() < 0.1:
            self.require_more()
        for _ in range(self.random.randrange(2 * K)):
            self.random.choice([self.join, self.change, self.change, self.leave])()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_the_difference_of_two_published_sums_concerns_at_least_the_smallest_group(seed: int, size: int) -> None:
    agency, release = Agency(seed, size), Release()
    versions: dict[bytes, frozenset[tuple[int, int]]] = {}
    levels: dict[bytes, dict[str, set[tuple[int, float]]]] = {}
    for _ in range(25):
        present = cohorts_of(agency.officers.values(), K, DAY)
        people = {cohort.members: members_of(cohort, agency.officers.values()) for cohort in present}
        release = released(release, present, K)
        versions |= {one.members: people[one.members] for one in release.cohorts if one.members in people}
        for cohort in release.cohorts:
            if cohort.members in people:
                levels[cohort.members] = {
                    skill: {
                        (
                            token,
                            next((it.level for it in agency.officers[token].summary.skills if it.skill == skill), -1.0),
                        )
                        for token, _ in people[cohort.members]
                    }
                    for skill in cohort.figures.skills
                }
        assert all(one.figures.officers >= K for one in release.cohorts)
        agency.day()
    for one, other in itertools.combinations(versions.values(), 2):
        assert about(one, other) >= K
    for held, others in itertools.combinations(levels.values(), 2):
        for skill in held.keys() & others.keys():
            assert len({token for token, _ in held[skill] ^ others[skill]}) not in range(1, K)
    stored = {version.members: version for version in [*release.cohorts, *release.past]}
    for first, second in itertools.combinations(stored, 2):
        assert differences(stored[first], stored[second])[0] == about(versions[first], versions[second])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(10, 40))
def test_past_figures_are_published_only_while_their_versions_are_remembered(seed: int, size: int) -> None:
    agency, release = Agency(seed, size), Release()
    published: dict[int, list[bytes]] = {}
    longest = 0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(disclosure, "RETAINED_VERSIONS", 4)
        for number in range(40):
            today = date.fromordinal(DAY.toordinal() + number)
            release = released(release, cohorts_of(agency.officers.values(), K, today), K)
            published.setdefault(release.number, [one.members for one in release.cohorts])
            known = {version.members for version in [*release.cohorts, *release.past]}
            assert len(release.past) <= 4
            for one in release.history:
                assert set(published[one.number]) <= known
                assert all(group.officers >= K for group in one.groups)
            longest = max(longest, len(release.history))
            agency.day()
    assert longest >= 1 or not any(published.values())


def members_of(cohort: Cohort, officers: Iterable[Officer]) -> frozenset[tuple[int, int]]:
    """Return the officers of a cohort by the rule of its name, and not from what it has packed."""
    groups: dict[tuple[str, tuple[tuple[str, float], ...]], list[Officer]] = {}
    for one in officers:
        groups.setdefault(key_of(one), []).append(one)
    if cohort.name == POOL:
        chosen = [one for members in groups.values() if len(members) < K for one in members]
    else:
        large = [members for members in groups.values() if len(members) >= K]
        [chosen] = [members for members in large if cohorts_of(members, K, DAY)[0].name == cohort.name]
    assert len(chosen) == cohort.figures.officers
    return frozenset((one.token, one.revision) for one in chosen)


def key_of(one: Officer) -> tuple[str, tuple[tuple[str, float], ...]]:
    return one.summary.job_group, tuple(sorted((it.skill, it.required) for it in one.summary.skills))


def about(one: frozenset[tuple[int, int]], other: frozenset[tuple[int, int]]) -> int:
    return len({token for token, _ in one ^ other})


def numbers_of(found: AgencyGaps) -> list[int | None]:
    """Return every count of some officers, not of whole cohorts, that an answer holds."""
    counts = [size.officers for skill in found.skills for size in skill.sizes]
    counts += [number for skill in found.skills for number in skill.open.values()]
    counts += [one.officers for one in found.courses]
    return counts + list(found.without_path.values()) + list(found.frameworks.values())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60))
def test_counts_of_officers_and_their_differences_never_concern_too_few(seed: int, size: int) -> None:
    found = shown(cohorts_of(Agency(seed, size).officers.values(), K, DAY), fw=size)
    counts = [number for number in numbers_of(found) if number is not None]
    assert all(abs(one - other) % K == 0 for one, other in itertools.combinations([0, *counts], 2))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60))
def test_differences_of_sums_in_one_answer_never_concern_too_few(seed: int, size: int) -> None:
    """Subtracting sums of job groups and skills from those of the agency never leaves a small group of officers."""
    people = list(Agency(seed, size).officers.values())
    cohorts = cohorts_of(people, K, DAY)
    found = shown(cohorts)
    members = [(cohort, {token for token, _ in members_of(cohort, people)}) for cohort in cohorts]

    def who(group: str | None = None, skill: str | None = None) -> set[int]:
        chosen = [
            officers
            for cohort, officers in members
            if group in (None, cohort.job_group) and (skill is None or skill in cohort.figures.skills)
        ]
        return set().union(*chosen)

    sums = [(found.officers or 0, who())]
    sums += [(skill.officers, who(skill=skill.skill)) for skill in found.skills]
    sums += [(group.officers, who(group.job_group)) for group in found.groups]
    sums += [(one.officers, who(group.job_group, one.skill)) for group in found.groups for one in group.skills]
    assert all(number == len(officers) for number, officers in sums)
    assert all(number == 0 or number >= K for number, _ in sums)
    for (_, one), (_, other) in itertools.permutations(sums, 2):
        assert not 0 < len(one - other) < K
        for _, third in sums:
            assert not 0 < len(one - other - third) < K
            assert not 0 < len(one & other - third) < K


def test_removing_one_officer_reveals_no_course_and_no_skill() -> None:
    """Seventeen officers: a skill of one group of ten, and a course that one officer of the pool takes, too."""
    officers = [officer("service", row("reading", 1), closes={"read": 2 * MICRO}) for _ in range(10)]
    officers += [officer("legal", row("writing", 0, required=2), closes={"read": MICRO})]
    officers += [officer("it-dev", row("writing", 1, required=2)) for _ in range(4)]
    officers += [officer("it-ops") for _ in range(2)]
    found = report(officers)
    [read] = found.courses
    assert (found.skills[0].skill, found.skills[0].officers, read.officers) == ("reading", 10, 10)
    assert not hasattr(read, "closes")


@pytest.mark.parametrize("others", range(K))
def test_officers_who_change_the_framework_leave_the_report(others: int) -> None:
    officers = named(officer("service", row("reading", 1)) for _ in range(12))
    found = shown(cohorts_of(officers, K, DAY), fw=12, other=others)
    assert (found.officers, found.frameworks[FRAMEWORK]) == (12, 10)
    assert not found.frameworks["other"]
