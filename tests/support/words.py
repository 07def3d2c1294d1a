"""The sentences of a path, as they are rendered when the path is shown."""

from typing import NamedTuple

from shared.messages import why_not_with_sentences, with_sentences
from shared.paths import AssessFirst, LearningPath, Note, OpenGap, Reason, Step, WhyNot


class Sentences(NamedTuple):
    """One or more sentences, in both languages."""

    th: str
    en: str


def sentences(path: LearningPath, part: Step | OpenGap | AssessFirst | Note | None = None) -> Sentences:
    """Return the sentences of a path, or of a part of it."""
    shown = with_sentences(path)
    if part is None:
        return in_both(shown.reason)
    parts = zip(_parts(path), _parts(shown), strict=True)
    return in_both(next(shown_part.reason for one, shown_part in parts if one is part))


def why_not_sentences(answer: WhyNot) -> Sentences:
    """Return the sentences about a course that is not in a path."""
    return in_both(why_not_with_sentences(answer).reason)


def in_both(reason: Reason) -> Sentences:
    """Return the sentences of a reason that was rendered in both languages."""
    assert reason.th
    assert reason.en
    return Sentences(reason.th, reason.en)


def _parts(path: LearningPath) -> list[Step | OpenGap | AssessFirst | Note]:
    return [*path.steps, *path.open, *path.assess_first, *path.notes]
