"""Prepares the texts of courses and skills for comparison: normalised, in pieces of limited length."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain

from msgspec import UNSET, Struct

from shared.domain import Course, LocalizedText, Prerequisite, Skill, courses_named
from shared.texts import fold

PIECE = 300
"""The most characters of a piece; a longer piece would share some n-grams with every skill."""
PIECES = 4
"""The most pieces of a description; its beginning says what a course is about."""
TAGS = 50
"""The most tags that are compared."""
_BRACKETS = re.compile(r"\([^()]*\)")
_ABBREVIATION = re.compile(r"\(\s*(\w*[A-Z]\w*[A-Z]\w*)\s*\)")
_WORD = re.compile(r"[^\W\d_]{3,}")
_KEY = re.compile(r"[0-9a-fA-F-]{8,}")
_LIST = re.compile(r"[,;]")
_BREAK = re.compile(r"(?<=[.!?;:\n])\s+|\n+")


class CourseText(Struct, frozen=True, dict=True):
    """What the matcher reads of a course: title, description, tags, and the facts about its levels.

    `hours` is None if the provider states none, `level` is the level that the provider states. `requires` is
    {skill id of the matched framework: required level}. `after` holds the ids of the courses that the entry conditions
    name, alternatives included. `conditions` are the entry conditions, `framework` is the id of the matched framework.
    """

    id: str
    title: LocalizedText
    description: LocalizedText | None = None
    tags: tuple[str, ...] = ()
    hours: float | None = None
    level: str | None = None
    requires: dict[str, float] = {}
    after: tuple[str, ...] = ()
    conditions: tuple[Prerequisite, ...] = ()
    framework: str = ""

    @classmethod
    def of(cls, course: Course, framework: str, names: Mapping[tuple[str, str], Sequence[str]]) -> "CourseText":
        """Return what the matcher reads of `course` when it is matched to `framework`, an id.

        The names of the skills that the course teaches in other frameworks become tags. `names` is
        {(framework, skill): names of the skill}; for a skill that it lacks, the words of the id are used.
        """
        foreign = [
            name
            for row in course.teaches
            if row.framework != framework
            for name in names.get((row.framework, row.skill)) or words_of_id(row.skill)
        ]
        levels: dict[str, float] = {}
        for one in course.requires:
            if one.framework == framework and one.skill is not UNSET and one.level is not UNSET:
                levels[one.skill] = max(levels.get(one.skill, 0.0), one.level)
        return cls(
            id=course.id,
            title=course.title,
            description=course.description,
            tags=(*foreign, *course.tags),
            hours=None if "hours" in course.assumed else course.hours,
            level=course.educational_level,
            requires=levels,
            after=tuple(dict.fromkeys(courses_named(course.requires))),
            conditions=tuple(course.requires),
            framework=framework,
        )

    def pieces(self) -> tuple[list[str], int]:
        """Return the normalised texts to compare, each once, and how many of them are titles.

        The title in each language comes first, then the tags, then the beginning of the description in pieces.
        """
        titles = self.titles
        description_pieces = [piece for text in languages(self.description) for piece in _pieces(text)]
        rest = dict.fromkeys(filter(None, chain(self.normalised_tags[:TAGS], map(normalised, description_pieces))))
        return [*titles, *(text for text in rest if text not in titles)], len(titles)

    def most_pieces(self) -> int:
        """Return the number of texts that `pieces` returns at most, without reading them."""
        described = PIECES * len(languages(self.description))
        return max(len(languages(self.title)), 1) + min(len(self.tags), TAGS) + described

    @cached_property
    def titles(self) -> list[str]:
        """The normalised title in each of its languages, each text once."""
        return list(dict.fromkeys(map(normalised, languages(self.title)))) or [""]

    @cached_property
    def normalised_tags(self) -> list[str]:
        """The normalised tags, in their order."""
        return [normalised(tag) for tag in self.tags]


def normalised(text: str) -> str:
    """Return a text in the form in which texts are compared: Unicode form NFKC, then `fold`."""
    return fold(unicodedata.normalize("NFKC", text))


def labels_of(skill: Skill) -> list[str]:
    """Return the labels of a skill, normalised: its title, synonyms and descriptors in every language.

    A name in brackets gives further labels: "Internet of things (IoT)" is a label as a whole, without the brackets,
    and as "iot". The items of a comma-separated synonym are labels too. If no text is left, the id is the only label.
    """
    names = [text for both in (skill.title, *skill.synonyms) for text in languages(both)]
    short = [part for name in names for part in (_BRACKETS.sub(" ", name), *_ABBREVIATION.findall(name))]
    listed = [part for both in skill.synonyms for text in languages(both) for part in _LIST.split(text)]
    described = [text for step in skill.descriptors for text in languages(step.title)]
    every = [*names, *(part for part in (*short, *listed) if len(part.strip()) > 1), *described]
    return list(dict.fromkeys(filter(None, map(normalised, every)))) or [skill.id]


def words_of_id(skill: str) -> list[str]:
    """Return the words of a skill's id as a list of one text: `data-analysis` gives `data analysis`.

    The list is empty for an id without words, such as a number or a hexadecimal key.
    """
    if _KEY.fullmatch(skill) or not _WORD.search(skill):
        return []
    return [re.sub(r"[-_.]+", " ", skill).strip()]


def languages(text: LocalizedText | None) -> list[str]:
    """Return the texts of a localized text: the Thai one, then the English one, if they are present."""
    return [] if text is None else [one for one in (text.th, text.en) if one]


def _pieces(text: str) -> Iterator[str]:
    """Yield the first pieces of a text: whole sentences up to the limit, a longer one cut at a space."""
    held, count = "", 0
    for sentence in chain(_BREAK.split(text[: PIECE * PIECES * 2]), [None]):
        if sentence is not None and len(held) + len(sentence) < PIECE:
            held = f"{held} {sentence}".strip()
            continue
        if held:
            yield held
            count += 1
        if sentence is None or count == PIECES:
            return
        held = sentence[:PIECE].rpartition(" ")[0] or sentence[:PIECE] if len(sentence) > PIECE else sentence
