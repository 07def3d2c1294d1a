"""The rules of adaptive sessions, without a server."""

import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from services.assessment.item_bank.model import Item, parameters_of
from services.assessment.measurement.selection import LIMIT
from services.assessment.sessions.adaptive import Sitting, answered, begun, measures, seconds_left, stopped
from services.assessment.sessions.item_pool import Exposure, ItemPool
from services.assessment.sessions.model import SessionPlan, SessionSkill, SubmitAnswer
from services.assessment.sessions.views import detail_of, step_of
from shared.errors import Conflict, InvalidInput
from tests.support.builders import FRAMEWORK, MOMENT, TENANT
from tests.support.sessions import bank, choice, current, graded, honest, items_of

SCALE = [0.0, 1, 2, 3, 4, 5]
READING, WRITING = SessionSkill("reading", 3, 2.0), SessionSkill("writing", 4, 1.0)


def pool_of(*items: Item) -> ItemPool:
    return ItemPool(bank(*items), SCALE)


def plan(*skills: SessionSkill, seed: int = 1, max_items: int = 60, **limits: int) -> SessionPlan:
    times = (limits.get("seconds_per_item"), limits.get("seconds"))
    about = ("s", TENANT, "o", FRAMEWORK, TENANT, "b", 1)
    return SessionPlan(*about, SCALE, list(skills), seed, max_items, *times, MOMENT, "")


def respond(sitting: Sitting, response: int, pool: ItemPool, now: datetime = MOMENT) -> Sitting:
    answer = SubmitAnswer(current(sitting), response, len(sitting.session.answers) + 1)
    after, problem = answered(sitting, answer, Exposure(pool), now)
    assert problem is None
    return after


def taken(one: SessionPlan, pool: ItemPool, levels: dict[str, float], exposure: Exposure | None = None) -> Sitting:
    """Return a session that somebody with these levels has taken."""
    chance = random.Random(one.seed)  # noqa: S311 - test data
    exposure = exposure or Exposure(pool)
    sitting = begun(one, pool, exposure)
    exposure.started()
    while sitting.session.current is not None:
        shown = sitting.session.current
        exposure.show(shown.skill, shown.item)
        item = pool.items[shown.item]
        answer = SubmitAnswer(item.id, honest(item, levels[shown.skill], chance), len(sitting.session.answers) + 1)
        sitting, problem = answered(sitting, answer, exposure, MOMENT)
        assert problem is None
    return sitting


def test_no_item_is_asked_twice_and_every_skill_is_measured() -> None:
    pool = pool_of(*items_of("reading", 30), *items_of("writing", 30))
    for seed in range(20):
        sitting = taken(plan(READING, WRITING, seed=seed), pool, {"reading": 1.0, "writing": 4.0})
        items = [answer.item for answer in sitting.session.answers]
        assert len(set(items)) == len(items) <= 30
        assert sitting.session.end is not None
        assert sitting.session.end.ending == "complete"
        reading, writing = sitting.session.end.skills
        assert reading.level is not None
        assert writing.level is not None
        assert reading.level < writing.level
        assert reading.reason in ("precise", "decided", "little_to_gain")


def test_required_skills_come_first_and_alternate_by_weight() -> None:
    pool = pool_of(*items_of("reading", 30), *items_of("writing", 30), *items_of("extra", 30))
    extra = SessionSkill("extra")
    sitting = begun(plan(extra, WRITING, READING), pool, Exposure(pool))
    turns = []
    for _ in range(4):
        assert sitting.session.current is not None
        turns.append(sitting.session.current.skill)
        middle = 2 if pool.items[current(sitting)].kind == "graded" else 0
        sitting = respond(sitting, middle, pool)
    assert turns == ["reading", "writing", "reading", "writing"]
    both = taken(plan(extra, READING), pool, {"extra": 2, "reading": 2}).session.answers
    assert {answer.skill for answer in both} == {"reading", "extra"}


def test_the_same_session_chooses_the_same_items_in_every_process() -> None:
    pool, again = (pool_of(*items_of("reading", 40)) for _ in range(2))
    one = taken(plan(READING, seed=5), pool, {"reading": 2.0}).session
    assert taken(plan(READING, seed=5), again, {"reading": 2.0}).session == one
    assert Sitting.of(one, again).skills["reading"].answered == len(one.answers)
    others = [taken(plan(READING, seed=seed), pool, {"reading": 2.0}).session.answers for seed in range(9)]
    shown = {tuple(answer.item for answer in answers) for answers in others}
    assert len(shown) > 5, "other sessions show other items"


def test_a_sitting_rebuilt_from_the_stored_session_equals_the_original() -> None:
    pool = pool_of(*items_of("reading", 40))
    sitting = begun(plan(SessionSkill("reading")), pool, Exposure(pool))
    for response in (2, 1):
        stored = msgspec.convert(msgspec.to_builtins(sitting.session), type(sitting.session))
        assert measures(Sitting.of(stored, pool)) == measures(sitting)
        sitting = respond(sitting, response, pool)


def test_a_session_ends_at_its_maximum_number_of_items() -> None:
    pool = pool_of(*items_of("reading", 30), *items_of("writing", 30))
    sitting = taken(plan(READING, WRITING, max_items=3), pool, {"reading": 2, "writing": 2})
    assert len(sitting.session.answers) == 3
    assert sitting.session.end is not None
    assert sitting.session.end.ending == "item_limit"


def test_a_session_reports_skills_that_the_bank_cannot_measure_precisely() -> None:
    pool = pool_of(choice("only", "reading", 2.0, discrimination=0.5))
    sitting = taken(plan(SessionSkill("reading"), WRITING), pool, {"reading": 2})
    result = step_of(sitting, MOMENT).result
    assert result is not None
    assert result.not_precise == ["reading", "writing"]
    assert {one.skill: (one.reason, one.answered) for one in result.skills} == {
        "reading": ("no_items_left", 1),
        "writing": ("no_items_left", 0),
    }
    assert "too few items to measure 2" in str(result.explanation.en)
    assert "ไม่พอ" in str(result.explanation.th)
    assert result.skills[1].level is None


def test_uninformative_items_end_a_skill_early() -> None:
    pool = pool_of(*(choice(f"i{n}", "reading", 2.0, discrimination=0.01) for n in range(40)))
    sitting = taken(plan(SessionSkill("reading")), pool, {"reading": 2})
    assert len(sitting.session.answers) == 1
    assert measures(sitting)[0].reason == "little_to_gain"


def test_an_item_without_parameters_has_the_starting_values_of_its_level() -> None:
    bare = [msgspec.structs.replace(item, parameters=None) for item in items_of("reading", 12)]
    given = [msgspec.structs.replace(item, parameters=parameters_of(item)) for item in bare]
    pools = [pool_of(*items).skills["reading"] for items in (bare, given)]
    assert (pools[0].informations == pools[1].informations).all()
    assert begun(plan(READING), pool_of(*bare), Exposure(pool_of(*bare))).session.current is not None


def test_a_bank_without_items_of_the_skills_starts_no_session() -> None:
    pool = pool_of(*items_of("other", 3))
    with pytest.raises(InvalidInput) as raised:
        begun(plan(READING), pool, Exposure(pool))
    assert raised.value.field == "skills"


def test_a_late_answer_is_reported_and_counts_as_not_answered() -> None:
    pool = pool_of(*items_of("reading", 30))
    sitting = begun(plan(READING, seconds_per_item=30), pool, Exposure(pool))
    late = MOMENT + timedelta(seconds=31)
    first = SubmitAnswer(current(sitting), 1, 1)
    after, problem = answered(sitting, first, Exposure(pool), late)
    assert isinstance(problem, Conflict)
    assert problem.field == "item"
    assert (after.session.answers[0].response, after.session.answers[0].score) == (None, None)
    assert after.skills["reading"].answered == 0
    assert (after.skills["reading"].posterior == pool.grid.prior()).all()
    assert current(after) != first.item
    assert seconds_left(after.session, late) == 30
    with pytest.raises(Conflict) as raised:
        answered(after, first, Exposure(pool), late)
    assert raised.value.field == "item"
    in_time = SubmitAnswer(current(after), 0, 2)
    again, problem = answered(after, in_time, Exposure(pool), late + timedelta(seconds=29))
    assert problem is None
    assert again.skills["reading"].answered == 1


def test_a_session_past_its_time_limit_ends_with_its_results() -> None:
    pool = pool_of(*items_of("reading", 30))
    sitting = respond(begun(plan(READING, seconds=60), pool, Exposure(pool)), 1, pool)
    answer = SubmitAnswer(current(sitting), 1, 2)
    after, problem = answered(sitting, answer, Exposure(pool), MOMENT + timedelta(seconds=60))
    assert isinstance(problem, Conflict)
    assert after.session.end is not None
    assert (after.session.end.ending, after.session.end.skills[0].answered) == ("time_limit", 1)


def test_a_clock_that_moves_backwards_makes_no_answer_late_and_keeps_the_order() -> None:
    pool = pool_of(*items_of("reading", 30))
    before = MOMENT - timedelta(days=3)
    sitting = begun(plan(READING, seconds_per_item=30, seconds=600), pool, Exposure(pool))
    assert seconds_left(sitting.session, before) == 30
    first = current(sitting)
    sitting = respond(sitting, 1, pool, before)
    second = current(sitting)
    sitting = respond(sitting, 0, pool, before - timedelta(days=400))
    assert [answer.item for answer in sitting.session.answers] == [first, second]
    assert [one.sequence for one in detail_of(sitting, before).asked] == [1, 2]
    again = SubmitAnswer(first, 1, 1)
    assert answered(sitting, again, Exposure(pool), datetime(1990, 1, 1, tzinfo=UTC))[0] is sitting


def test_an_invalid_answer_is_rejected_by_field_and_changes_nothing() -> None:
    pool = pool_of(*items_of("reading", 30))
    sitting = respond(begun(plan(READING), pool, Exposure(pool)), 0, pool)
    first, second = sitting.session.answers[0].item, current(sitting)
    wrong = {
        SubmitAnswer(first, 1, 1): "response",
        SubmitAnswer(second, 0, 1): "item",
        SubmitAnswer(first, 0, 2): "item",
        SubmitAnswer("absent", 0, 2): "item",
        SubmitAnswer(second, 0, 3): "sequence",
        SubmitAnswer(second, 9, 2): "response",
    }
    for answer, field in wrong.items():
        with pytest.raises((Conflict, InvalidInput)) as raised:
            answered(sitting, answer, Exposure(pool), MOMENT)
        assert raised.value.field == field
    assert answered(sitting, SubmitAnswer(first, 0, 1), Exposure(pool), MOMENT) == (sitting, None)
    ended = stopped(sitting, "stopped", MOMENT)
    with pytest.raises(Conflict) as raised:
        answered(ended, SubmitAnswer(second, 0, 2), Exposure(pool), MOMENT)
    assert raised.value.field == "sequence"
    assert answered(ended, SubmitAnswer(first, 0, 1), Exposure(pool), MOMENT) == (ended, None)
    assert stopped(ended, "left", MOMENT) is ended


def test_answers_never_reveal_the_right_option() -> None:
    pool = pool_of(*(choice(f"c{n}", "reading", n / 4) for n in range(16)))
    sitting = begun(plan(SessionSkill("reading")), pool, Exposure(pool))
    for _ in range(3):
        sitting = respond(sitting, 2, pool)
    hidden = {"key", "score", "parameters", "difficulty", "discrimination", "thresholds"}
    ended = stopped(sitting, "left", MOMENT)
    for shown in (step_of(sitting, MOMENT), detail_of(sitting, MOMENT), detail_of(ended, MOMENT)):
        assert not hidden & _names(msgspec.to_builtins(shown))


def _names(found: object) -> set[str]:
    if isinstance(found, dict):
        return set(found).union(*map(_names, found.values()))
    return set().union(*map(_names, found)) if isinstance(found, list) else set()


@pytest.mark.parametrize("level", [0.2, 2.5, 4.8])
def test_no_item_is_shown_to_more_than_the_limit_of_officers_who_are_all_alike(level: float) -> None:
    pool = pool_of(*items_of("reading", 16))
    exposure = Exposure(pool)
    for seed in range(700):
        taken(plan(SessionSkill("reading"), seed=seed), pool, {"reading": level}, exposure)
    shares = dict(exposure.shares())
    assert max(shares.values()) <= LIMIT
    assert min(shares.values()) >= 0


def test_scales_with_another_origin_or_wide_steps_are_supported() -> None:
    for scale in ([1.0, 2, 3], [0.0, 10, 20, 30]):
        top, step = scale[-1], (scale[-1] / 3)
        items = [graded(f"g{n}", "reading", top * n / 20, discrimination=3 / step) for n in range(20)]
        pool = ItemPool(bank(*items), scale)
        sitting = begun(plan(SessionSkill("reading")), pool, Exposure(pool))
        while sitting.session.current is not None:
            sitting = respond(sitting, 4, pool)
        [found] = measures(sitting)
        assert found.level is not None
        assert found.high_95 is not None
        assert top * 0.7 < found.level <= top
        assert found.high_95 <= top
