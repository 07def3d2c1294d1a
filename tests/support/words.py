"""The sentences of a path, as they are rendered where it is shown."""

from typing import NamedTuple

from shared.messages import told, told_why_not
from shared.paths import AssessFirst, LearningPath, Note, OpenGap, Reason, Step, WhyNot


class Said(NamedTuple):
    """A sentence or two in both languages."""

    th: str
    en: str


def said(path: LearningPath, part: Step | OpenGap | AssessFirst | Note | None = None) -> Said:
    """Return the sentences of a path, or of a part of it."""
    shown = told(path)
    if part is None:
        return in_both(shown.reason)
    parts = zip(_parts(path), _parts(shown), strict=True)
    return in_both(next(told_part.reason for one, told_part in parts if one is part))


def said_why_not(answer: WhyNot) -> Said:
    """Return the sentences about a course that is not in a path."""
    return in_both(told_why_not(answer).reason)


def in_both(reason: Reason) -> Said:
    """Return the sentences of a reason that was rendered in both languages."""
    assert reason.th
    assert reason.en
    return Said(reason.th, reason.en)


def _parts(path: LearningPath) -> list[Step | OpenGap | AssessFirst | Note]:
    return [*path.steps, *path.open, *path.assess_first, *path.notes]
