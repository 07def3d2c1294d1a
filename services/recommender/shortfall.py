"""What training cannot close until a deadline, and so calls for hiring or a contract. No I/O."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date

from msgspec import Struct

from services.recommender.measures import Measures
from services.recommender.tally import withheld
from shared.skills import Framework, Text


class Shortfall(Struct, frozen=True):
    """A skill that training does not bring to the requirement before the deadline, in a sample of the officers.

    `short` of `officers` stay below: `no_way` because no course that they may take closes it, at any pace; `no_time`
    because the hours do not suffice. `levels`: the weighted levels that they lack then, in all. Counts below the
    smallest group are null. `call`: `hire` (or contract) where most of it no course closes, `more_time` where hours are
    what is missing.
    """

    skill: str
    title: Text
    officers: int
    short: int | None
    no_way: int | None
    no_time: int | None
    levels: float
    share: float
    call: str


class InTime(Struct, frozen=True):
    """What training cannot close until the deadline, from a sample of officers planned for this question alone.

    `short_hours`: what the mean officer would need beyond `budget_hours` to close all that courses can close.
    """

    deadline: date
    weekly_hours: float
    budget_hours: float
    sampled: int
    short_hours: float
    skills: list[Shortfall]


def shortfalls(sample: Iterable[Measures], framework: Framework, smallest: int) -> list[Shortfall]:
    """Return the skills that stay below the requirement in these paths, the most levels first."""
    ways: dict[str, Counter[str]] = defaultdict(Counter)
    lacking: dict[str, float] = defaultdict(float)
    for one in sample:
        for row in one.skills:
            left = max(0.0, row.required - row.reached)
            kind = "closed" if row.cause in ("", "little") else "no_time" if row.cause == "budget" else "no_way"
            ways[row.skill][kind] += 1
            lacking[row.skill] += left * row.weight
    found = []
    for skill in framework.skills:
        cells = ways.get(skill.id)
        if not cells or (number := cells.total()) < smallest:
            continue
        short = cells["no_way"] + cells["no_time"]
        if not short:
            continue
        total = withheld({"short": short, "closed": cells["closed"]}, smallest)["short"]
        if total is None:
            continue  # so few, on one side or the other, that the figures would speak of single officers
        told = withheld({name: cells[name] for name in ("no_way", "no_time")}, smallest)
        call = "hire" if cells["no_way"] >= cells["no_time"] else "more_time"
        found.append(
            Shortfall(
                skill.id,
                skill.title,
                number,
                total,
                told["no_way"],
                told["no_time"],
                round(lacking[skill.id], 1),
                round(short / number, 2),
                call,
            )
        )
    return sorted(found, key=lambda row: (-row.levels, row.skill))
