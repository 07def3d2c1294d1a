"""`python -m tests.support.worked_example` writes the tables of the worked example into docs/ranking.md.

Everything is calculated from the formulas on that page, without the planner. tests/unit/test_worked_example.py compares
the result with the planner's and with the page.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import NormalDist

import msgspec

from services.recommender.inputs import MICRO, Estimate, Inputs
from services.recommender.planner.optimizer.search import EXPONENTS as _EXPONENTS
from shared.domain import Course
from tests.support.builders import MOMENT, at, course, framework, inputs

PAGE = Path(__file__).parents[2] / "docs" / "ranking.md"
EXPONENTS: list[float] = _EXPONENTS.tolist()
_NORMAL = NormalDist()

REQUIRED = {"data": 3, "security": 3, "writing": 1}
WEIGHTS = {"data": 2.0, "security": 0.5, "writing": 0.5}
MEASURED = {"data": 1.0, "security": 1.0, "writing": 0.0}
SD = 0.5

COURSES = [
    course("habits", ("security", 0.0, 2.0), hours=3.0),
    course("logic", ("logic", 0.0, 1.0), hours=2.0),
    course("analysis", ("data", 1.0, 3.0), hours=8.0, requires=[at("logic", 1.0)]),
    course("sheets", ("data", 0.0, 2.0), hours=4.0),
    course("safety", ("security", 2.0, 3.0), hours=3.0),
    course("guard", ("security", 0.0, 3.0), hours=5.0),
    course("letters", ("writing", 0.0, 1.0), hours=6.0),
]
DONE = "habits"
BUDGET = 16.0


def officer() -> Inputs:
    """Return the officer of the page."""
    plan = inputs(
        framework(REQUIRED, weights=WEIGHTS, others=["logic"]), budget_hours=BUDGET, completed_at={DONE: MOMENT}
    )
    before = MOMENT - timedelta(days=30)
    return msgspec.structs.replace(
        plan, levels={skill: Estimate(level, SD, before) for skill, level in MEASURED.items()}
    )


def level(skill: str) -> float:
    """Return the level that counts: the measured one, or the one that the completed course leads to if it is higher."""
    return max([MEASURED[skill], *(row.to_level for row in _named(DONE).teaches if row.skill == skill)])


def whole(skill: str, reached: float) -> int:
    """Return the value of a level above the measured one, in micro-levels: weight x psi, by the normal distribution."""
    z = (reached - MEASURED[skill]) / SD
    expected = SD * _NORMAL.pdf(z) + (reached - MEASURED[skill]) * _NORMAL.cdf(z)
    return round(MICRO * WEIGHTS[skill] * expected)


def value_of_level(skill: str, reached: float) -> int:
    """Return the value of reaching a level, in micro-levels, minus what the completed course has gained."""
    return whole(skill, reached) - (whole(skill, level(skill)) if level(skill) > MEASURED[skill] else 0)


def _named(name: str) -> Course:
    return next(one for one in COURSES if one.id == name)


def _beliefs() -> Iterable[Sequence[str]]:
    yield "skill", "required", "weight", "measured, μ ± σ", "level that counts"
    for skill, required in REQUIRED.items():
        yield skill, f"{required}", f"{WEIGHTS[skill]:g}", f"{MEASURED[skill]:g} ± {SD}", f"{level(skill):g}"


def _values() -> Iterable[Sequence[str]]:
    yield "reaching", "z", "φ(z)", "Φ(z)", "ψ", "w·ψ, micro-levels", "value now"
    for skill, reached in (("data", 2), ("data", 3), ("security", 2), ("security", 3), ("writing", 1)):
        mean = MEASURED[skill]
        z = (reached - mean) / SD
        density, below = _NORMAL.pdf(z), _NORMAL.cdf(z)
        expected = SD * density + (reached - mean) * below
        row = (f"{z:.6f}", f"{density:.8f}", f"{below:.8f}", f"{expected:.8f}", f"{whole(skill, reached):,}")
        yield f"{skill} {reached}", *row, f"{value_of_level(skill, reached):,}"


def _courses() -> Iterable[Sequence[str]]:
    yield "course", "teaches", "hours", "also requires", "closure cost"
    for one in COURSES:
        teaches = ", ".join(f"{row.skill} {row.from_level:g} → {row.to_level:g}" for row in one.teaches)
        requires = ", ".join(f"{need.skill} {need.level:g}" for need in one.requires)
        hours = " + ".join(f"{_named(member).hours:g}" for member in CLOSURES.get(one.id, [one.id]))
        yield one.id, teaches, f"{one.hours:g}", requires, "done" if one.id == DONE else hours


CLOSURES = {
    "sheets": ["sheets"],
    "analysis": ["logic", "analysis"],
    "safety": ["safety"],
    "guard": ["guard"],
    "letters": ["letters"],
}
"""{course: its closure at the start}; only the prerequisites of `analysis` are not met."""


def gain(name: str) -> int:
    """Return the value that a course closes at the start, in micro-levels."""
    return sum(value_of_level(row.skill, row.to_level) for row in _named(name).teaches)


def closure_cost(name: str) -> float:
    """Return the hours of the closure of a course at the start."""
    return sum(_named(member).hours for member in CLOSURES[name])


def score(name: str, power: float) -> int:
    """Return the value that the closure of a course closes per hour, in micro-levels.

    The hours are raised to `power` and rounded to six places.
    """
    return int(gain(name) / round(closure_cost(name) ** power, 6))


def _closures() -> Iterable[Sequence[str]]:
    yield "closure", "cost h", "gain", *("gain / h" if power == 1 else f"gain / h^{power:g}" for power in EXPONENTS)
    for name, members in CLOSURES.items():
        scores = (f"{score(name, power):,}" for power in EXPONENTS)
        yield " + ".join(members), f"{closure_cost(name):g}", f"{gain(name):,}", *scores


def closed(taken: Iterable[str]) -> dict[str, int]:
    """Return {skill: value of the highest level that these courses lead to}, for skills whose level they raise."""
    best: dict[str, int] = {}
    for name in taken:
        for row in _named(name).teaches:
            if row.skill in REQUIRED and row.to_level > level(row.skill):
                best[row.skill] = max(best.get(row.skill, 0), value_of_level(row.skill, row.to_level))
    return best


def hours_of(taken: Iterable[str]) -> float:
    """Return the hours of these courses together."""
    return sum(_named(name).hours for name in taken)


def scores_after(taken: Sequence[str], power: float = 1) -> list[tuple[int, str]]:
    """Return the score and goal of each closure that fits after these courses and closes something, best first."""
    found = []
    for name, members in CLOSURES.items():
        rest = [member for member in members if member not in taken]
        more = sum(closed([*taken, *rest]).values()) - sum(closed(taken).values())
        if more and hours_of([*taken, *rest]) <= BUDGET:
            found.append((int(more / round(hours_of(rest) ** power, 6)), name))
    return sorted(found, reverse=True)


def greedy_path(power: float) -> tuple[list[str], list[str]]:
    """Return the courses in the order in which the greedy adds them, and those that remain after pruning."""
    taken: list[str] = []
    while found := scores_after(taken, power):
        taken += [member for member in CLOSURES[found[0][1]] if member not in taken]
    kept = list(taken)
    for name in reversed(taken):
        rest = [other for other in kept if other != name]
        enters = all(set(CLOSURES.get(other, [])) <= set(rest) for other in rest)
        if enters and sum(closed(rest).values()) == sum(closed(kept).values()):
            kept = rest
    return taken, kept


def best_path() -> list[str]:
    """Return the greedy path that closes most, or a better path that an exchange finds.

    An exchange begins with a closure that the path lacks, and adds the courses of the path that still fit.
    """
    best = max((greedy_path(power)[1] for power in EXPONENTS), key=_value_of)
    for goal, members in CLOSURES.items():
        if _value_of([*best, goal]) > _value_of(best):
            changed = list(members)
            for name in best:
                if name not in changed and hours_of([*changed, name]) <= BUDGET:
                    changed.append(name)
            best = max(best, changed, key=_value_of)
    return best


def _value_of(taken: Iterable[str]) -> int:
    return sum(closed(taken).values())


def in_order() -> Iterable[tuple[int, str, list[str]]]:
    """Yield (score, goal, courses before it) of each closure of the best path, in the order of study."""
    kept, before = best_path(), list[str]()
    while set(before) != set(kept):
        score, goal = next((score, name) for score, name in scores_after(before) if name in kept)
        yield score, goal, list(before)
        before += [member for member in CLOSURES[goal] if member not in before]


def _paths() -> Iterable[Sequence[str]]:
    yield "exponent", "in the order taken", "pruned", "hours", "closes"
    for power in EXPONENTS:
        taken, kept = greedy_path(power)
        closes = sum(closed(kept).values())
        yield f"{power:g}", ", ".join(taken), ", ".join(kept), f"{hours_of(kept):g}", f"{closes:,}"


def _steps() -> Iterable[Sequence[str]]:
    yield "step", "score", "runners-up", "similarity", "closes", "contribution", "hours so far"
    gaps = {skill: value_of_level(skill, required) for skill, required in REQUIRED.items()}
    length = sum(gap**2 for gap in gaps.values()) ** 0.5
    kept, studied = best_path(), list[str]()
    for score, goal, before in in_order():
        others = [(score, name) for score, name in scores_after(before) if name not in kept][:3]
        for name in CLOSURES[goal]:
            now, then = closed(studied), closed([*studied, name])
            gained = sum(then.values()) - sum(now.values())
            rows = [row for row in _named(name).teaches if then.get(row.skill, 0) > now.get(row.skill, 0)]
            closes = ", ".join(f"{row.skill} {level(row.skill):g} → {row.to_level:g}" for row in rows)
            similarity = sum(gaps[row.skill] for row in rows) / length  # each teaches one skill
            runners_up = ", ".join(f"{other} {points:,}" for points, other in others if name == goal)
            studied.append(name)
            columns = runners_up, f"{similarity:.6f}", closes, f"{gained:,}", f"{hours_of(studied):g}"
            yield f"{len(studied)}. {name}", f"{score:,}", *columns
    yield "all", "", "", "", "", f"{sum(closed(studied).values()):,}", f"{hours_of(studied):g}"


def _coverage() -> Iterable[Sequence[str]]:
    yield "gap G", "gained", "requirement R", "before: 1 − G / R", "after: 1 − (G − gained) / R", "expected", "short by"
    kept = best_path()
    gap = sum(value_of_level(skill, required) for skill, required in REQUIRED.items())
    required = sum(round(MICRO * WEIGHTS[skill] * wanted) for skill, wanted in REQUIRED.items())
    gained = sum(closed(kept).values())
    expected = round(sum(gain(name) * 0.9 ** len(CLOSURES[name]) for name in kept if name in CLOSURES))
    short = (
        min(closure_cost(name) for name in CLOSURES if set(closed([name])) - set(closed(kept)))
        + hours_of(kept)
        - BUDGET
    )
    shares = f"{1 - gap / required:.6f}", f"{1 - (gap - gained) / required:.6f}"
    yield f"{gap:,}", f"{gained:,}", f"{required:,}", *shares, f"{expected:,}", f"{short:g} h"


TABLES = {
    "beliefs": _beliefs,
    "values": _values,
    "courses": _courses,
    "closures": _closures,
    "paths": _paths,
    "steps": _steps,
    "coverage": _coverage,
}


def tables() -> dict[str, str]:
    """Return the tables of the page by name, as Markdown."""
    found = {}
    for name, make in TABLES.items():
        head, *rows = (f"| {' | '.join(row)} |" for row in make())
        found[name] = "\n".join([head, "|" + " --- |" * (head.count(" | ") + 1), *rows])
    return found


def written(page: str) -> str:
    """Return the text of the page with its tables replaced by newly made ones."""
    for name, table in tables().items():
        begin, end = f"<!-- by hand: {name} -->", "<!-- /by hand -->"
        page = re.sub(f"{begin}.*?{end}", f"{begin}\n{table}\n{end}", page, count=1, flags=re.DOTALL)
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
