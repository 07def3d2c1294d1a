"""A rule that estimates the levels before and after a course from the course's own texts.

It applies if the provider states a level, or no hours; otherwise `level_model` estimates. The first of these decides:
the level that the provider states; level words in the title, the tags and the description, in Thai and English; the
names of the framework's levels; the descriptor of the skill that is most similar to the title. If there is none, the
course leads from the lowest level to the middle of the scale, or one level up if it is short. Entry conditions can
raise both levels.
"""

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache

from services.catalog.matching.texts import CourseText, languages, normalised
from shared.domain import ScaleLevel, Skill

SHORT_HOURS = 6.0
"""One day. A course of at most these hours raises a beginner by one level, not to the middle of the scale."""


class LevelBand(IntEnum):
    """The part of a scale to which a word such as `beginner` refers."""

    LOW = 0
    MIDDLE = 1
    HIGH = 2


WORDS = {
    LevelBand.HIGH: re.compile(
        r"ขั้นสูง|ระดับสูง|เชี่ยวชาญ|เจาะลึก|เชิงลึก|มืออาชีพ|"
        r"\b(?:advanced|expert|mastering|masterclass|professional|in[- ]depth|deep dive)\b"
    ),
    LevelBand.MIDDLE: re.compile(
        r"ระดับกลาง|ขั้นกลาง|ประยุกต์|เชิงปฏิบัติการ|\b(?:intermediate|applied|in practice|hands-on)\b"
    ),
    LevelBand.LOW: re.compile(
        r"เบื้องต้น|พื้นฐาน|เริ่มต้น|มือใหม่|ขั้นต้น|ทำความรู้จัก|\b(?:beginners?|basics?|introduction|introductory|intro|"
        r"fundamentals?|foundations?|essentials|getting started|for everyone|101)\b"
    ),
}
_STATED = {
    "beginner": [LevelBand.LOW],
    "intermediate": [LevelBand.MIDDLE],
    "advanced": [LevelBand.HIGH],
    "mixed": [LevelBand.LOW, LevelBand.HIGH],
}


def span(course: CourseText, skill: Skill, scale: Sequence[ScaleLevel]) -> tuple[float, float]:
    """Return the levels of a skill before and after a course, on the framework's scale; the second is the higher."""
    steps = sorted({step.level for step in scale})
    edges = _edges(len(steps) - 1)
    low, high = 0, edges[0]
    texts = [
        *course.titles,
        *course.normalised_tags,
        *(normalised(text) for text in languages(course.description)),
    ]
    bands = _STATED.get(course.level or "") or [
        band for band, words in WORDS.items() if any(words.search(text) for text in texts)
    ]
    if bands:
        low = 0 if LevelBand.LOW in bands else edges[min(bands) - 1]
        high = edges[max(bands)]
    elif named := _named(texts, steps, scale):
        low, high = named - 1, named
    elif found := described(course, skill, steps):
        low, high = found[0] - 1, found[0]
    if low == 0 and high == edges[0] and course.hours is not None and course.hours <= SHORT_HOURS:
        high = 1
    low = min(low, high - 1)
    required = course.requires.get(skill.id)
    if required is not None:
        reached = max((place for place, step in enumerate(steps) if step <= required), default=0)
        low = max(low, min(reached, len(steps) - 2))
        high = max(high, low + 1)
    return steps[low], steps[high]


def _edges(count: int) -> tuple[int, int, int]:
    """Return the indices of the steps at which the low, the middle and the high part of a scale end."""
    low = max(round(count / 2), 1)
    middle = max(round(count * 3 / 4), min(low + 1, count))
    return low, middle, count


def _named(texts: Sequence[str], steps: Sequence[float], scale: Sequence[ScaleLevel]) -> int | None:
    """Return the index of the highest level whose whole name is in the texts."""
    found = [
        steps.index(step.level)
        for step in scale
        if step.level > steps[0]
        for name in map(_name, languages(step.title))
        if any(
            re.search(rf"(?<!\w){re.escape(name)}(?!\w)" if name.isascii() else re.escape(name), text) for text in texts
        )
    ]
    return max(found, default=None)


def described(course: CourseText, skill: Skill, steps: Sequence[float]) -> tuple[int, float] | None:
    """Return (index in `steps`, share) of the level whose descriptor is most similar to the title.

    The share is the part of the descriptor's runs of four characters that the title has too: above 0, at most 1.
    Returns None if no descriptor shares a run. The lowest level is never returned.
    """
    if not skill.descriptors:
        return None
    titles = [_runs(title) for title in course.titles]
    best, most = None, 0.0
    for step in skill.descriptors:
        for text in map(_name, languages(step.title)):
            runs = _runs(text)
            shared = max((len(runs & title) / max(len(runs), 1) for title in titles), default=0.0)
            if step.level in steps and step.level > steps[0] and shared > most:
                best, most = steps.index(step.level), shared
    return None if best is None else (best, most)


@lru_cache(maxsize=4096)
def _name(text: str) -> str:
    """Return `normalised(text)`, cached: for the names and descriptors of levels, which repeat."""
    return normalised(text)


def _runs(text: str) -> set[str]:
    return {text[place : place + 4] for place in range(len(text) - 3)}
