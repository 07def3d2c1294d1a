"""The rules of a session: the effect of an answer, the next item, the end. Pure; the clock is an argument.

A `Sitting` is a session with the estimates from its answers so far. It is derived from the stored session alone, so
every process derives the same one; `answered`, `stopped` and `begun` return a new one and change nothing.

The order of answers is that of their list. Times are stored as the clock gave them; a clock that moves backwards
extends a limit and never makes an answer late.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from services.assessment.item_bank.model import Item
from services.assessment.measurement.posterior import estimate, probability_of, updated
from services.assessment.measurement.response_models import Floats, Mask
from services.assessment.measurement.selection import drawn, most_informative
from services.assessment.measurement.stopping import (
    LEAST_REDUCTION,
    PRECISION,
    StopReason,
    expected_reduction,
    stop_reason,
)
from services.assessment.sessions.item_pool import Exposure, ItemPool
from services.assessment.sessions.model import (
    Session,
    SessionAnswer,
    SessionEnd,
    SessionEnding,
    SessionPlan,
    SessionSkill,
    ShownItem,
    SkillResult,
    SubmitAnswer,
)
from shared.domain import millionths
from shared.errors import Conflict, InvalidInput, Problem


@dataclass(frozen=True)
class SkillState:
    """The state of one skill: its posterior (81,), how many items were shown, and how many of these were answered.

    `open`: a mask of the items that this session may still show; None before the first one is chosen.
    """

    posterior: Floats
    shown: int = 0
    answered: int = 0
    open: Mask | None = None


@dataclass(frozen=True)
class Sitting:
    """A session with the arrays of its bank and the state of each skill.

    `order`: the skills that the job group requires before the others, those of more weight first.
    """

    session: Session
    pool: ItemPool
    skills: Mapping[str, SkillState]
    order: Sequence[SessionSkill]

    @classmethod
    def of(cls, session: Session, pool: ItemPool) -> "Sitting":
        """Return the sitting of a stored session."""
        states = {one.skill: SkillState(pool.grid.prior()) for one in session.plan.skills}
        for answer in session.answers:
            states[answer.skill] = _with_answer(pool, states[answer.skill], answer)
        order = sorted(session.plan.skills, key=lambda one: (one.required is None, -one.weight))
        return cls(session, pool, states, order)

    @property
    def plan(self) -> SessionPlan:
        """The plan that the session started with."""
        return self.session.plan


def begun(plan: SessionPlan, pool: ItemPool, exposure: Exposure) -> Sitting:
    """Return a new session with its first item. Raises InvalidInput if the bank has no item of any of its skills."""
    first = Sitting.of(Session(plan, 1, [], None, {}), pool)
    if not any(one.skill in pool.skills for one in plan.skills):
        raise InvalidInput("the item bank has no item of any of the skills", "skills")
    return _moved_on(first, exposure, plan.started_at)


def answered(
    sitting: Sitting, answer: SubmitAnswer, exposure: Exposure, now: datetime
) -> tuple[Sitting, Problem | None]:
    """Return the sitting after an answer, and a problem if the answer came too late, otherwise None.

    The caller stores the sitting before it raises the problem. Repeating an answer changes nothing and returns the same
    sitting. Raises Conflict or InvalidInput, naming the field, for an answer that does not fit the current item.
    """
    session = sitting.session
    if answer.sequence <= len(session.answers):
        _check_repeated(session.answers[answer.sequence - 1], answer)
        return sitting, None
    if session.end is not None or session.current is None:
        raise Conflict("this session is finished", "sequence")
    if answer.sequence != len(session.answers) + 1:
        raise Conflict(f"the item to answer is number {len(session.answers) + 1}", "sequence")
    if answer.item != session.current.item:
        raise Conflict(f"the item to answer is {session.current.item!r}", "item")
    item = sitting.pool.items[session.current.item]
    if answer.response >= len(item.options):
        raise InvalidInput(f"this item has {len(item.options)} options, counted from 0", "response")
    if is_over(sitting.plan, now):
        return stopped(sitting, "time_limit", now), Conflict("the time of this session has passed", "sequence")
    late = (left := seconds_left(session, now)) is not None and left <= 0
    response = None if late else answer.response
    kept = SessionAnswer(
        item=item.id,
        skill=item.skill,
        shown_at=session.current.shown_at,
        answered_at=now,
        response=response,
        score=None if response is None else _score(item, response),
    )
    states = {**sitting.skills, item.skill: _with_answer(sitting.pool, sitting.skills[item.skill], kept)}
    after = msgspec.structs.replace(session, answers=[*session.answers, kept], current=None)
    moved = _moved_on(Sitting(after, sitting.pool, states, sitting.order), exposure, now)
    return moved, Conflict("the time of this item has passed: it counts as not answered", "item") if late else None


def stopped(sitting: Sitting, ending: SessionEnding, now: datetime) -> Sitting:
    """Return the session after it was ended now, with its results; a session that has ended is returned unchanged."""
    session = sitting.session
    if session.end is not None:
        return sitting
    end = SessionEnd(ending, now, measures(sitting))
    after = msgspec.structs.replace(session, revision=session.revision + 1, current=None, end=end)
    return Sitting(after, sitting.pool, sitting.skills, sitting.order)


def measures(sitting: Sitting) -> list[SkillResult]:
    """Return the current result of each skill."""
    return [_result_of(sitting, one) for one in sitting.plan.skills]


def seconds_left(session: Session, now: datetime) -> float | None:
    """Return the seconds left to answer the current item, negative if it is too late; None without a limit."""
    plan, left = session.plan, []
    if plan.seconds_per_item is not None and session.current is not None:
        left.append(plan.seconds_per_item - max((now - session.current.shown_at).total_seconds(), 0.0))
    if plan.seconds is not None:
        left.append(plan.seconds - max((now - plan.started_at).total_seconds(), 0.0))
    return min(left, default=None)


def is_over(plan: SessionPlan, now: datetime) -> bool:
    """Return whether the time limit of the whole session has passed."""
    return plan.seconds is not None and now >= plan.started_at + timedelta(seconds=plan.seconds)


# --- steps of a session ----------------------------------------------------------------------------------------------


def _check_repeated(before: SessionAnswer, answer: SubmitAnswer) -> None:
    if before.item != answer.item:
        raise Conflict(f"item {answer.sequence} was {before.item!r}", "item")
    if before.response is None:
        raise Conflict("the time of this item has passed: it counts as not answered", "item")
    if before.response != answer.response:
        raise Conflict("this item was answered with another response", "response")


def _score(item: Item, response: int) -> int:
    return response if item.kind == "graded" else int(response == item.key)


def _with_answer(pool: ItemPool, state: SkillState, answer: SessionAnswer) -> SkillState:
    """Return the state of a skill after an item was shown, and answered if in time."""
    of = pool.skills[answer.skill]
    place = of.places[answer.item]
    remaining = state.open
    if remaining is not None:
        remaining = remaining.copy()
        remaining[place] = False
    if answer.score is None:
        return SkillState(state.posterior, state.shown + 1, state.answered, remaining)
    posterior = updated(state.posterior, of.options(place, pool.grid)[answer.score])
    return SkillState(posterior, state.shown + 1, state.answered + 1, remaining)


def _moved_on(sitting: Sitting, exposure: Exposure, now: datetime) -> Sitting:
    """Return the session with its next item, or ended if none is left."""
    session, plan = sitting.session, sitting.plan
    if len(session.answers) >= plan.max_items:
        return stopped(sitting, "item_limit", now)
    states, reasons = dict(sitting.skills), dict(session.stopped)
    while (least := _least_asked(sitting.order, states, reasons)) is not None:
        skill = least.skill
        place, states[skill], reason = _next_of_skill(sitting, least, states[skill], exposure)
        if reason is not None:
            reasons[skill] = reason
            continue
        item = sitting.pool.skills[skill].items[place]
        after = msgspec.structs.replace(
            session,
            revision=session.revision + 1,
            current=ShownItem(item.id, skill, now),
            stopped=reasons,
        )
        return Sitting(after, sitting.pool, states, sitting.order)
    after = msgspec.structs.replace(session, stopped=reasons)
    return stopped(Sitting(after, sitting.pool, states, sitting.order), "complete", now)


def _least_asked(
    order: Sequence[SessionSkill], states: Mapping[str, SkillState], done: Container[str]
) -> SessionSkill | None:
    """Return the skill to ask next: the first in order of those asked least, a required one before all others.

    None if all skills are done.
    """
    found, fewest = None, 0
    for one in order:
        if one.skill in done:
            continue
        if found is not None and found.required is not None and one.required is None:
            break
        shown = states[one.skill].shown
        if found is None or shown < fewest:
            found, fewest = one, shown
    return found


def _next_of_skill(
    sitting: Sitting, one: SessionSkill, state: SkillState, exposure: Exposure
) -> tuple[int, SkillState, StopReason | None]:
    """Return the position of a skill's next item, the state with the items that may be shown, and why there is none."""
    pool = sitting.pool
    of = pool.skills.get(one.skill)
    if of is None:
        return 0, state, "no_items_left"
    if reason := stop_reason(pool.grid, state.posterior, state.answered, one.required):
        return 0, state, reason
    allowed = _drawn(sitting, one.skill, exposure) if state.open is None else state.open
    if state.open is None:
        state = SkillState(state.posterior, state.shown, state.answered, allowed)
    place = most_informative(of.informations, state.posterior, allowed)
    if place is None:
        return 0, state, "no_items_left"
    reduction = expected_reduction(pool.grid, state.posterior, of.options(place, pool.grid))
    return place, state, "little_to_gain" if state.answered and reduction < LEAST_REDUCTION else None


def _drawn(sitting: Sitting, skill: str, exposure: Exposure) -> Mask:
    """Return a mask of a skill's items that the session may show and has not shown."""
    of = sitting.pool.skills[skill]
    allowed = drawn(exposure.eligibility(skill), sitting.plan.seed, of.number)
    for answer in sitting.session.answers:
        if answer.skill == skill:
            allowed[of.places[answer.item]] = False
    return allowed


def _result_of(sitting: Sitting, one: SessionSkill) -> SkillResult:
    state, grid = sitting.skills[one.skill], sitting.pool.grid
    reason = sitting.session.stopped.get(one.skill)
    if not state.answered:
        return SkillResult(one.skill, 0, one.required, reason=reason)
    found = estimate(grid, state.posterior)
    reached = None if one.required is None else probability_of(grid, state.posterior, one.required)
    return SkillResult(
        skill=one.skill,
        answered=state.answered,
        required=one.required,
        level=millionths(found.level),
        sd=millionths(found.sd),
        low_68=millionths(found.low_68),
        high_68=millionths(found.high_68),
        low_95=millionths(found.low_95),
        high_95=millionths(found.high_95),
        reached=None if reached is None else millionths(reached),
        precise=found.sd <= PRECISION * grid.step,
        reason=reason,
    )
