"""A published bank as arrays, and how often its items were shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.assessment.item_bank.model import Item, ItemBank, parameters_of
from services.assessment.measurement.posterior import Grid
from services.assessment.measurement.response_models import Floats, information, option_probabilities, padded
from services.assessment.measurement.selection import eligibility

COUNTED_SESSIONS = 1000
"""Exposure is counted over this many of the newest sessions of a bank version."""

_HELD_OPTIONS = 100


@dataclass(frozen=True)
class SkillItems:
    """The items of one skill. `number`: the index of the skill in the bank. `places`: {item id: index in `items`}.

    Row i of an array is item i: `discrimination` (items,), `thresholds` (items, K), `informations` (items, 81). `held`:
    a cache of option probabilities for up to 100 items; an answer needs those of two or three, which most sessions
    share.
    """

    number: int
    items: Sequence[Item]
    places: Mapping[str, int]
    discrimination: Floats
    thresholds: Floats
    informations: Floats
    held: dict[int, Floats] = field(default_factory=dict)

    def options(self, place: int, grid: Grid) -> Floats:
        """Return the option probabilities of an item on the grid: (options, 81)."""
        found = self.held.get(place)
        if found is None:
            one = slice(place, place + 1)
            found = np.asarray(option_probabilities(self.discrimination[one], self.thresholds[one], grid.points)[0])
            if len(self.held) >= _HELD_OPTIONS:
                self.held.clear()
            self.held[place] = found
        return found


class ItemPool:
    """The items of a bank version; items without a calibration have the starting values of their level."""

    def __init__(self, bank: ItemBank, scale: Sequence[float]) -> None:
        self.grid = Grid.over(scale)
        self.items = {item.id: item for item in bank.items}
        self.skills: dict[str, SkillItems] = {}
        by_skill: dict[str, list[Item]] = {}
        for item in self.items.values():
            by_skill.setdefault(item.skill, []).append(item)
        for number, (skill, items) in enumerate(by_skill.items()):
            self.skills[skill] = self._arrays(number, items)

    def _arrays(self, number: int, items: list[Item]) -> SkillItems:
        parameters = [parameters_of(item) for item in items]
        discrimination = np.array([one.discrimination for one in parameters])
        thresholds = padded([one.boundaries for one in parameters])
        places = {item.id: place for place, item in enumerate(items)}
        informations = information(discrimination, thresholds, self.grid.points)
        return SkillItems(number, items, places, discrimination, thresholds, informations)


class Exposure:
    """How many of the newest sessions showed each item: as counted in the database, and by this process since then."""

    def __init__(self, pool: ItemPool, sessions: int = 0, shown: Mapping[str, int] | None = None) -> None:
        self.sessions = sessions
        self._shown = {
            skill: np.array([float((shown or {}).get(item.id, 0)) for item in of.items])
            for skill, of in pool.skills.items()
        }
        self._places = {skill: of.places for skill, of in pool.skills.items()}

    def started(self) -> None:
        """Count a session that has begun."""
        self.sessions += 1

    def show(self, skill: str, item: str) -> None:
        """Count one display of an item."""
        self._shown[skill][self._places[skill][item]] += 1

    def eligibility(self, skill: str) -> Floats:
        """Return (items,) the probability with which each item of a skill may be shown in one session."""
        return eligibility(self._shown[skill], self.sessions)

    def shares(self) -> Iterable[tuple[str, float]]:
        """Yield (item id, share of the counted sessions that showed the item)."""
        for skill, places in self._places.items():
            for item, place in places.items():
                yield item, float(self._shown[skill][place]) / max(self.sessions, 1)
