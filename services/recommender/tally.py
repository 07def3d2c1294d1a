"""Adding up officers' figures, and withholding the cells that would speak of too few of them. No I/O.

A withheld cell must not follow from the others by subtraction: while the withheld cells of a whole are only one, or
together fewer than the smallest group, the smallest cell that is still told is withheld as well.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.recommender.measures import Measure, Measures

POOL = "(others)"
"""The name under which job groups below the smallest group stand together."""

BOUNDS = (0.0, 0.5, 1.0, 2.0)
"""Upper bounds, in levels, of the sizes into which gaps fall; what is above the last one has a size of its own."""


@dataclass(slots=True)
class SkillSums:
    """Sums over the officers of one job group of whom a skill is required."""

    officers: int = 0
    level: float = 0.0
    required: float = 0.0
    gap: float = 0.0
    after: float = 0.0
    sizes: Counter[int] = field(default_factory=Counter)
    open: Counter[str] = field(default_factory=Counter)

    def take(self, row: Measure) -> None:
        """Add one officer's standing."""
        gap, after = max(0.0, row.required - row.level), max(0.0, row.required - row.reached)
        self.officers += 1
        self.level += row.level
        self.required += row.required
        self.gap += gap
        self.after += after
        self.sizes[next((i for i, bound in enumerate(BOUNDS) if gap <= bound), len(BOUNDS))] += 1
        self.open[row.cause or "reached"] += 1

    def merge(self, other: "SkillSums") -> None:
        """Add another group's sums."""
        self.officers += other.officers
        self.level += other.level
        self.required += other.required
        self.gap += other.gap
        self.after += other.after
        self.sizes += other.sizes
        self.open += other.open


@dataclass(slots=True)
class GroupSums:
    """Sums over the officers of one job group. `gap` in micro-levels."""

    officers: int = 0
    before: float = 0.0
    after: float = 0.0
    gap: int = 0
    hours: float = 0.0
    skills: dict[str, SkillSums] = field(default_factory=lambda: defaultdict(SkillSums))

    def merge(self, other: "GroupSums") -> None:
        """Add another group."""
        self.officers += other.officers
        self.before += other.before
        self.after += other.after
        self.gap += other.gap
        self.hours += other.hours
        for name, skill in other.skills.items():
            self.skills[name].merge(skill)


class Tally:
    """Takes the figures of one officer after the other, and adds them up."""

    def __init__(self) -> None:
        self.officers = 0
        self.closes: dict[str, tuple[int, int]] = {}
        self.without: Counter[str] = Counter()
        self.groups: dict[str, GroupSums] = defaultdict(GroupSums)

    def take(self, one: Measures) -> None:
        """Add an officer."""
        self.officers += 1
        group = self.groups[one.job_group]
        group.officers += 1
        group.before += one.before
        group.after += one.after
        group.gap += one.gap
        group.hours += one.hours
        for row in one.skills:
            group.skills[row.skill].take(row)
        for course, worth in one.closes.items():
            officers, closed = self.closes.get(course, (0, 0))
            self.closes[course] = officers + 1, closed + worth
        self.without["on_a_path" if one.closes else _why_none(one)] += 1


def _why_none(one: Measures) -> str:
    if one.status not in ("ready", "provisional"):
        return one.status
    causes = [row.cause for row in one.skills if row.cause]
    return max(sorted(set(causes)), key=causes.count) if causes else "none_needed"


def withheld(cells: Mapping[str, int], smallest: int) -> dict[str, int | None]:
    """Return the cells of a whole whose sum is told, without those that are too small and those that would tell them.

    A cell of nobody stays: it speaks of no one.
    """
    hidden = {name for name, number in cells.items() if 0 < number < smallest}
    told = sorted((number, name) for name, number in cells.items() if number >= smallest)
    for number, name in told:
        if not hidden or (len(hidden) > 1 and sum(cells[it] for it in hidden) >= smallest):
            break
        if number:
            hidden.add(name)
    return {name: None if name in hidden else number for name, number in cells.items()}


def pooled(groups: Mapping[str, GroupSums], smallest: int) -> dict[str, GroupSums]:
    """Return the groups, those below the smallest group merged into one, with the next larger while it is too small."""
    by_size = sorted(groups.items(), key=lambda item: (item[1].officers, item[0]))
    small = [name for name, group in by_size if group.officers < smallest]
    for name, _ in by_size[len(small) :]:
        if not small or (len(small) > 1 and sum(groups[it].officers for it in small) >= smallest):
            break
        small.append(name)
    found = {name: group for name, group in groups.items() if name not in small}
    if small:
        found[POOL] = GroupSums()
        for name in small:
            found[POOL].merge(groups[name])
    return found
