"""The messages of a path: template codes with values, derived from the fields of the path alone.

    with_sentences(path, languages)    -> the path with every reason as messages and rendered in these languages
    why_not_with_sentences(answer, languages)
    step_messages(path), open_messages(path), ...   -> the messages alone, for checks and statistics

Templates are in `shared/templates.json`.
"""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from shared.paths import (
    MICRO,
    AssessFirst,
    Gap,
    LearningPath,
    Message,
    Note,
    OpenGap,
    Reason,
    Step,
    Succession,
    UnlockCondition,
    Value,
    WhyNot,
)
from shared.templates import LANGUAGES, Language, render

NAMED_UNLOCKS = 2
NAMED_SUCCESSIONS = 5
OFTEN_LEFT = 10
"""If the two `shares` of a path differ by more percentage points than this, both are shown."""

NOTABLY = 1.25
"""A weight of at least this many times the mean of the requirements counts as high, and of at most the mean divided by
this as low."""


def with_sentences(path: LearningPath, languages: Sequence[Language] = LANGUAGES) -> LearningPath:
    """Return the path with every reason rendered in these languages."""

    def worded(messages: Iterator[Message]) -> Reason:
        return reason_of(list(messages), languages)

    gaps = {gap.skill: gap for gap in path.gaps}
    courses = {step.course.id: step for step in path.steps}
    mean = _mean_weight(path)
    return replace(
        path,
        reason=worded(path_messages(path)),
        steps=[replace(step, reason=worded(_step(step, gaps, courses, mean))) for step in path.steps],
        open=[replace(row, reason=worded(open_messages(path, row))) for row in path.open],
        assess_first=[replace(one, reason=worded(assess_messages(one, gaps[one.skill]))) for one in path.assess_first],
        notes=[replace(note, reason=worded(note_messages(note))) for note in path.notes],
    )


def why_not_with_sentences(answer: WhyNot, languages: Sequence[Language] = LANGUAGES) -> WhyNot:
    """Return the answer with its reason rendered in these languages."""
    return replace(answer, reason=reason_of(list(why_not_messages(answer)), languages))


def reason_of(messages: list[Message], languages: Sequence[Language]) -> Reason:
    """Return a reason from messages, rendered in these languages."""
    sentences = [render(message.code, message.values, languages) for message in messages]
    words = {language: " ".join([one[i] for one in sentences]) for i, language in enumerate(languages)}
    return Reason(th=words.get("th"), en=words.get("en"), messages=messages)


def _mean_weight(path: LearningPath) -> float:
    return sum(gap.weight for gap in path.gaps) / len(path.gaps) if path.gaps else 0.0


# --- steps -----------------------------------------------------------------------------------------------------------


def step_messages(path: LearningPath) -> Iterator[tuple[Step, list[Message]]]:
    """Yield every step with its messages: why it is included, which gaps it closes, what it unlocks, and its hours."""
    gaps = {gap.skill: gap for gap in path.gaps}
    courses, mean = {step.course.id: step for step in path.steps}, _mean_weight(path)
    for step in path.steps:
        yield step, list(_step(step, gaps, courses, mean))


def _step(step: Step, gaps: dict[str, Gap], courses: dict[str, Step], mean: float) -> Iterator[Message]:
    if step.origin:
        yield Message(step.origin)
    for row in step.closes:
        gap = gaps[row.skill]
        values: dict[str, Value] = {
            "skill": row.title,
            "from": row.from_level,
            "to": row.to_level,
            "required": row.required,
            "importance": _importance(gap.weight, mean),
            "assessed": gap.assessed,
        }
        source: dict[str, Value] = {"framework": row.mapped_from.partition("/")[0]} if row.mapped_from else {}
        if row.confidence is not None and source:
            yield Message("may_close_mapped", values | source)
        elif row.confidence is not None:
            yield Message("may_close", {**values, "confidence": percent(row.confidence)})
        else:
            yield Message("closes" if row.to_level >= row.required else "narrows", values)
            if source:
                yield Message("mapped", {"skill": row.title, **source})
    named = sorted(step.unlocks, key=lambda course: course not in step.unlock_conditions)[:NAMED_UNLOCKS]
    for course in named:
        needs = _needs(step, step.unlock_conditions.get(course))
        yield Message("unlocks", {"course": courses[course].course.title, **needs})
    if len(step.unlocks) > len(named):
        yield Message("unlocks_more", {"courses": len(step.unlocks) - len(named)})
    yield Message("takes", {"hours": step.course.hours})


def percent(confidence: float) -> int:
    """Return a confidence in whole per cent, rounded down, so that it is never overstated."""
    return round(MICRO * confidence) // (MICRO // 100)


def _importance(weight: float, mean: float) -> str:
    """Return the code for the importance of a weight, relative to the officer's other requirements."""
    return "high" if weight >= NOTABLY * mean else "low" if weight * NOTABLY <= mean else "usual"


def _needs(step: Step, condition: UnlockCondition | None) -> dict[str, Value]:
    if condition is None:
        return {"need": "otherwise"}
    if condition.skill is None or condition.level is None:
        return {"need": "course"}
    if condition.framework is None and [row.skill for row in step.closes] == [condition.skill]:
        return {"need": "level", "level": condition.level}
    return {"need": "skill", "skill": condition.title or condition.skill, "level": condition.level}


# --- the whole -------------------------------------------------------------------------------------------------------


def path_messages(path: LearningPath) -> Iterator[Message]:
    """Yield the messages that summarise the path."""
    if path.status == "waiting_for_framework":
        framework, _, version = path.versions.framework.rpartition("@")
        yield Message("waiting", {"framework": framework, "version": version})
    elif path.status == "refused":
        if not any(_ends_the_path(one, path) for one in path.successions):
            yield Message("refused", {"cause": path.refusal or ""})
    elif not path.gaps:
        yield Message("no_requirement")
    else:
        yield from _outcome(path)
        yield from _remarks(path)
    yield from _successions(path)


def _ends_the_path(one: Succession, path: LearningPath) -> bool:
    """Return whether no path can be planned because of what became of a job group or a stage."""
    return not one.successors and (one.kind == "job_group" or (one.kind == "stage" and one.id == path.stage))


def _successions(path: LearningPath) -> Iterator[Message]:
    """Yield a message for each skill or group that the framework no longer has: its successor, or what to do."""
    for one in path.successions:
        if one.kind != "skill":
            former: dict[str, Value] = {"former": one.title or one.id}
            if one.successors:
                yield Message("job_group_moved", {**former, "present": one.successors[0].title})
            else:
                ended = "stage_gone" if _ends_the_path(one, path) else "stage_ended"
                yield Message("job_group_gone" if one.kind == "job_group" else ended, former)
    skills = [one for one in path.successions if one.kind == "skill"]
    for one in skills[:NAMED_SUCCESSIONS]:
        former = {"former": one.title or one.id}
        for successor in one.successors:
            present: dict[str, Value] = {**former, "present": successor.title}
            if successor.id in one.surpassed:
                yield Message("skill_surpassed", present)
            else:
                yield Message("skill_moved", {**present, "match": successor.match})
        if not one.successors:
            yield Message("skill_gone", former)
    if len(skills) > NAMED_SUCCESSIONS:
        yield Message("skills_moved_more", {"skills": len(skills) - NAMED_SUCCESSIONS})


def _outcome(path: LearningPath) -> Iterator[Message]:
    small = sum(row.cause == "too_small" for row in path.open)
    left, courses = len(path.open) - small, len(path.steps)
    if not left and not courses:
        yield Message("small_gaps_only" if small else "no_gap")
    else:
        if path.status == "provisional":
            yield Message("provisional")
        if courses:
            share, usually = shares(path)
            whole: dict[str, Value] = {"courses": courses, "hours": path.hours, "share": share}
            if share - usually > OFTEN_LEFT:
                yield Message("closes_share_usually", {**whole, "usually": usually})
            else:
                yield Message("closes_share", whole)
            if left:
                yield Message("skills_left", {"skills": left})
            elif not small:
                yield Message("all_reached")
        else:
            yield Message("finished" if path.finishing else "no_course", {"skills": left})
    if small:
        yield Message("skills_small", {"skills": small})


def _remarks(path: LearningPath) -> Iterator[Message]:
    if path.over_budget_hours is not None:
        yield Message("over_budget", {"hours": path.over_budget_hours})
    if path.short_hours is not None:
        yield Message("short_of_hours", {"hours": path.short_hours, "at_most": path.short_at_most})
    if unconfirmed := sum(any(row.confidence is not None for row in step.closes) for step in path.steps):
        yield Message("unconfirmed_courses", {"courses": unconfirmed})
    if path.kept:
        yield Message("path_kept")
    if path.limited:
        yield Message("search_limited")


def shares(path: LearningPath) -> tuple[int, int]:
    """Return two shares of the gap, in whole per cent, that a path closes.

    The first is closed if all courses are completed, the second if they are completed as often as usual.
    """
    coverage = path.coverage
    parts = coverage.gained, coverage.expected
    every, usually = (100 * part // coverage.gap if coverage.gap else 100 for part in parts)
    return every, usually


# --- what stays open, what to assess, what is not there -------------------------------------------------------------


def open_messages(path: LearningPath, row: OpenGap) -> Iterator[Message]:
    """Yield why a requirement stays open, with the levels and hours that are missing."""
    if row.cause == "too_small":
        yield Message("too_small", {"skill": row.title, "missing": round(row.required - row.reached, 6)})
        return
    above: dict[str, Value] = {"skill": row.title, "reached": row.reached, "required": row.required}
    if row.nearest is None:
        yield Message("none_teaches", above)
        return
    if row.confidence is not None and row.level is not None:
        of = {"level": row.level, "confidence": percent(row.confidence), "here": row.cause == "unconfirmed"}
        yield Message("may_raise", {"course": row.nearest.title, **above, **of})
    else:
        yield Message("teaches", {"course": row.nearest.title, **above})
    if row.cause == "unconfirmed":
        return
    if row.cause == "excluded":
        yield Message(row.exclusion or "excluded")
    elif row.cause == "prerequisite":
        yield Message("unreachable")
    elif row.hours is not None:
        missing = row.missing_hours or 0.0
        yield Message(
            "too_long",
            {"hours": row.hours, "left": round(row.hours - missing, 6), "missing": missing, "at_most": row.at_most},
        )
    elif row.cause == "kept":
        yield Message("stays_as_promised")
    elif row.cause == "budget":
        yield Message("too_many_courses")
    else:
        yield Message("adds_little_kept" if path.kept else "adds_little")


def assess_messages(one: AssessFirst, gap: Gap) -> Iterator[Message]:
    """Yield the reasons to assess a skill."""
    values: dict[str, Value] = {"skill": one.title, "level": gap.level, "sd": gap.sd}
    if one.kind == "matched":
        to, confidence = one.level or 0.0, percent(one.confidence or 0.0)
        yield Message("confirm_matched", {"skill": one.title, "level": to, "confidence": confidence})
    elif one.kind == "first":
        yield Message("assess_first", {**values, "required": gap.required})
    elif one.measured is None:
        yield Message("confirm", {**values, "assessed": False})
    else:
        yield Message("confirm", {**values, "assessed": gap.assessed, "measured": one.measured})


def note_messages(note: Note) -> Iterator[Message]:
    """Yield the reasons why a requested course is not in the path."""
    if note.kind == "does_not_fit":
        yield _does_not_fit(note.missing_hours, at_most=note.at_most)
    else:
        yield Message("completed_unknown" if note.completed else note.kind)


def why_not_messages(answer: WhyNot) -> Iterator[Message]:
    """Yield the reasons why a course is not in a path."""
    if answer.cause == "does_not_fit":
        yield _does_not_fit(answer.hours, at_most=answer.at_most)
    elif answer.cause in ("lower_value", "worse_overall"):
        values: dict[str, Value] = {"step": answer.step or 0, "hours": answer.hours or 0.0, "at_most": answer.at_most}
        if answer.cause == "lower_value":
            values["little"] = not answer.taken_score  # no course was chosen there, or neither is worth anything
        yield Message(answer.cause, values)
    elif answer.cause != "unsure":
        yield Message(answer.cause)
    if answer.confidence is not None:
        yield Message("only_matched", {"confidence": percent(answer.confidence)})
    if answer.cause == "unsure":
        yield Message("unsure")


def _does_not_fit(hours: float | None, *, at_most: bool) -> Message:
    if hours is None:
        return Message("too_many_courses")
    return Message("does_not_fit", {"hours": hours, "at_most": at_most})
