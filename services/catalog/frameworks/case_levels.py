"""The levels of a CASE package: its scale, and what somebody at a level of a skill can do.

The scale is that of the options, of the extension or of the rubrics, or else that of the items that are levels of the
item above them. Descriptors are the levels of a rubric that is about a skill, and items of the type `Level`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

from services.catalog.frameworks.builder import Builder
from services.catalog.frameworks.level_words import known_scale, numbered_level, place_of
from services.catalog.frameworks.own import mapping_of, string_of
from services.catalog.frameworks.texts import Given, decimal
from shared.domain import ScaleLevel
from shared.texts import folded

_TYPES = frozenset((
    "level", "proficiency level", "competency level", "competence level", "skill level", "performance level",
    "achievement level", "mastery level", "level descriptor", "ระดับ", "ระดับความสามารถ", "ระดับสมรรถนะ", "ระดับความชำนาญ",
))  # fmt: skip


class ScoredLevel(NamedTuple):
    """A level of a criterion. `words`: what it describes beside its name, perhaps empty."""

    score: float
    name: str
    words: str


@dataclass(frozen=True)
class LevelItem:
    """An item that is a level of the item above it. `name`: its title. `words`: its description, perhaps empty."""

    key: str
    code: str
    name: Given
    words: Given

    @property
    def number(self) -> float | None:
        """The number that its code or its title states: 2 for `L2` and `ระดับ 2 - ปฏิบัติงานได้`."""
        stated = (numbered_level(words) for words in (self.code, self.name.en(), self.name.th()) if words)
        return next((found[0] for found in stated if found), None)

    @property
    def is_named(self) -> bool:
        """Whether its title is the name of a level, and not what somebody at this level can do."""
        return bool(self.words.th() or self.words.en()) or not (self.descriptor.th() or self.descriptor.en())

    @property
    def descriptor(self) -> Given:
        """What somebody at this level can do: its description, or else its title without the level in it."""
        if self.words.th() or self.words.en():
            return self.words
        return Given("", {"th": _without_level(self.name.th()), "en": _without_level(self.name.en())})


def is_level_type(kind: str) -> bool:
    """Return whether a type of items is that of levels of the item above."""
    return folded(kind) in _TYPES


def criteria_of(rubrics: Any, builder: Builder) -> list[tuple[Any, list[ScoredLevel]]]:
    """Return the criteria of rubrics: the link to the item that each is about, None without one, and its levels.

    A criterion without two levels is left out and reported.
    """
    found: list[tuple[Any, list[ScoredLevel]]] = []
    for rubric in rubrics if isinstance(rubrics, list) else []:
        criteria = mapping_of(rubric).get("CFRubricCriteria")
        for criterion in criteria if isinstance(criteria, list) else []:
            levels = mapping_of(criterion).get("CFRubricCriterionLevels")
            listed = [made for level in (levels if isinstance(levels, list) else []) if (made := _rubric_level(level))]
            if len(listed) > 1 and len({level.score for level in listed}) == len(listed):
                found.append((mapping_of(criterion).get("CFItemURI"), sorted(listed)))
                continue
            reason = "criterion of a rubric without two levels that have a score of their own and a name"
            builder.not_kept(reason, string_of(criterion, "description") or string_of(criterion, "category"))
    return found


def _rubric_level(level: Any) -> ScoredLevel | None:
    """Return a level of a rubric, whose score may be written as a text; None without a finite score or a name."""
    quality, words = string_of(level, "quality"), string_of(level, "description")
    try:
        score = float(string_of(level, "score"))
    except ValueError:
        return None
    is_level = isfinite(score) and (quality or words)
    return ScoredLevel(score, quality or words, words if quality else "") if is_level else None


def scale_of(skills: Collection[Sequence[LevelItem]], builder: Builder) -> dict[float, Given]:
    """Return the scale of the items that are levels of skills: their numbers, or else their places from 1 on.

    A level has the name that it has under every skill, or else its number. Without such items, 1 is reached.
    """
    scale = {0.0: Given("", {"th": "ยังไม่บรรลุ", "en": "Not reached"})}
    if not skills:
        builder.assume("the package names no levels: 0 is not reached, 1 is reached")
        return scale | {1.0: Given("", {"th": "บรรลุ", "en": "Reached"})}
    names: dict[float, set[tuple[str, str]]] = {}
    for items in skills:
        for level, item in zip(_numbers(items, builder), items, strict=True):
            names.setdefault(level, set()).add((item.name.th(), item.name.en()) if item.is_named else ("", ""))
    for level, given in sorted(names.items()):
        number = {"th": f"ระดับ {decimal(level)}", "en": f"Level {decimal(level)}"}
        th, en = given.pop()
        scale[level] = Given("", number if given or not (th or en) else {"th": th, "en": en})
    return scale


def descriptors_of(items: Sequence[LevelItem], scale: Mapping[float, Given], builder: Builder) -> list[ScaleLevel]:
    """Return the descriptors of a skill; report as a fault an item that is no level of the scale."""
    found: list[ScaleLevel] = []
    for level, item in zip(_on(scale, items, builder), items, strict=True):
        if level is None:
            builder.fault("is no level of the scale", id=item.key, field="CFItems")
        else:
            found += builder.descriptors(level, item.descriptor)
    return found


def _on(scale: Mapping[float, Given], items: Sequence[LevelItem], builder: Builder) -> list[float | None]:
    """Return the levels of a scale that items are: by their names, or else by their numbers; None for another one."""
    levels = [*scale]
    places = [_place(item, [*scale.values()]) for item in items]
    if None not in places and len({*places}) == len(items):
        return [levels[place] for place in places if place is not None]
    return [level if level in scale else None for level in _numbers(items, builder)]


def _place(item: LevelItem, scale: Sequence[Given]) -> int | None:
    """Return the place in a scale of the level that has the name or the code of an item; None without one."""
    for names in ([one.en() for one in scale], [one.th() for one in scale]):
        for words in filter(None, (item.name.en(), item.name.th(), item.code)):
            if (place := place_of(words, names)) is not None:
                return place
    return None


def _numbers(items: Sequence[LevelItem], builder: Builder) -> list[float]:
    """Return the numbers of the levels of a skill; if not each one states its own, their places from 1 on."""
    stated = [number for item in items if (number := item.number) is not None]
    if len(stated) == len({*stated}) == len(items):
        return stated
    builder.assume("levels of an item without numbers of their own are numbered from 1 on, in their order")
    return [float(place) for place in range(1, len(items) + 1)]


def _without_level(title: str) -> str:
    """Return a title without the number of a level before it; empty if it is the name of a level."""
    numbered = numbered_level(title) if title else None
    words = numbered[1] if numbered else title
    return "" if not words or known_scale([words]) else words
