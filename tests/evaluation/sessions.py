"""`python -m tests.evaluation.sessions`: simulated officers take adaptive sessions on the shipped item banks.

Each officer is of a random job group and stage and takes one session of the required skills, through the rules that the
service runs. True levels are drawn for each skill, evenly over the scale or from a bell around its middle, and answers
from the item's own model. Beside it, on the same officers: items at random, as many or until the same stopping rules
are met; the most informative items without a limit on exposure; and every item of the bank.
"""

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from rich.console import Console

from services.assessment.item_bank.model import Item, ItemBank
from services.assessment.measurement.posterior import LevelEstimate, estimate, updated
from services.assessment.measurement.response_models import Floats, option_probabilities
from services.assessment.measurement.selection import LIMIT, most_informative
from services.assessment.measurement.stopping import stop_reason
from services.assessment.sessions.adaptive import answered, begun
from services.assessment.sessions.item_pool import Exposure, ItemPool
from services.assessment.sessions.model import SessionPlan, SessionSkill, SubmitAnswer
from shared.domain import Framework
from tests.evaluation import report
from tests.evaluation.gates import Gate

SEED = report.ROOT / "deploy" / "seed"
FRAMEWORKS = ("th-digital-2018", "th-digital-2024")
BEGIN, END = "<!-- sessions -->", "<!-- /sessions -->"
OURS, SAME_COUNT, SAME_RULE, FREE, WHOLE = (
    "adaptive session",
    "random, as many items",
    "random, same stopping rules",
    "most informative, no limit on exposure",
    "the whole bank",
)
METHODS = (OURS, SAME_COUNT, SAME_RULE, FREE, WHOLE)
OFFICERS, QUICK_OFFICERS = 1000, 150
NOMINAL = {"68 %": 68.0, "95 %": 95.0}
_START = datetime(2026, 11, 1, tzinfo=UTC)
_MOST = 300

Population = Callable[[np.random.Generator, float], float]
POPULATIONS: dict[str, Population] = {
    "evenly over the scale": lambda chance, top: float(chance.uniform(0, top)),
    "around its middle": lambda chance, top: float(np.clip(chance.normal(top / 2, top / 4), 0, top)),
}


@dataclass
class MethodResults:
    """A method's estimates of every skill of every officer, the true levels, and the items shown to whom."""

    errors: list[float] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    held: dict[str, list[bool]] = field(default_factory=lambda: {name: [] for name in NOMINAL})
    shown: dict[str, int] = field(default_factory=dict)
    officers: int = 0

    def add(self, found: LevelEstimate, truth: float, items: int) -> None:
        """Take the estimate of one skill of one officer."""
        self.errors.append(found.level - truth)
        self.items.append(items)
        self.held["68 %"].append(found.low_68 <= truth <= found.high_68)
        self.held["95 %"].append(found.low_95 <= truth <= found.high_95)

    def show(self, item: str) -> None:
        """Count that an officer was shown an item."""
        self.shown[item] = self.shown.get(item, 0) + 1

    @property
    def rmse(self) -> float:
        """The root of the mean squared error, in levels."""
        return float(np.sqrt(np.mean(np.square(self.errors))))

    def coverage(self, name: str) -> float:
        """How often an interval contained the true level, in percent."""
        return 100 * float(np.mean(self.held[name]))

    @property
    def exposure(self) -> float:
        """The share of officers that were shown the item that was shown most, in percent."""
        return 100 * max(self.shown.values(), default=0) / max(self.officers, 1)


def shipped(name: str) -> tuple[Framework, ItemBank]:
    """Return a framework and its bank as they are shipped."""
    framework = msgspec.json.decode((SEED / "frameworks" / f"{name}.json").read_bytes(), type=Framework)
    stored = msgspec.json.decode((SEED / "item_banks" / f"{name}.json").read_bytes())
    items = msgspec.convert(stored["items"], list[Item])
    return framework, ItemBank(name, name, framework.title, "published", 1, framework.version, items)


def simulate(name: str, population: Population, officers: int, seed: int) -> dict[str, MethodResults]:
    """Return by method what simulated officers of a framework came to."""
    framework, bank = shipped(name)
    chance = np.random.default_rng(seed)
    pool = ItemPool(bank, [step.level for step in framework.scale])
    exposure = Exposure(pool)
    results = {method: MethodResults() for method in METHODS}
    for number in range(officers):
        group = framework.job_groups[chance.integers(len(framework.job_groups))].id
        stages = [None, *(stage.id for stage in framework.stages)]
        required = framework.required(group, stages[chance.integers(len(stages))])
        skills = [SessionSkill(skill, row.level, row.weight) for skill, row in required.items()]
        truths = {one.skill: population(chance, framework.max_level) for one in skills}
        for method in METHODS:
            results[method].officers += 1
        counts = _adaptive(_plan(bank, pool, skills, number), pool, exposure, truths, chance, results[OURS])
        for one in skills:
            _others(pool, one, truths[one.skill], counts[one.skill], chance, results)
    return results


def _plan(bank: ItemBank, pool: ItemPool, skills: list[SessionSkill], number: int) -> SessionPlan:
    seed = int(np.random.default_rng(number).integers(2**48))
    scale = [0.0, pool.grid.step, pool.grid.top]
    return SessionPlan(
        *(f"s{number}", "t", f"o{number}", bank.framework, "shared", bank.id, 1, scale, skills, seed, _MOST),
        *(None, None, _START, ""),
    )


def _adaptive(  # noqa: PLR0917 - one call
    plan: SessionPlan,
    pool: ItemPool,
    exposure: Exposure,
    truths: dict[str, float],
    chance: np.random.Generator,
    results: MethodResults,
) -> dict[str, int]:
    """Take a session; return how many items of each skill were answered."""
    sitting = begun(plan, pool, exposure)
    exposure.started()
    while (shown := sitting.session.current) is not None:
        exposure.show(shown.skill, shown.item)
        results.show(shown.item)
        of = pool.skills[shown.skill]
        score = _draw(pool, shown.skill, of.places[shown.item], truths[shown.skill], chance)
        item = pool.items[shown.item]
        response = score if item.kind == "graded" else _response(item, score)
        answer = SubmitAnswer(item.id, response, len(sitting.session.answers) + 1)
        sitting, problem = answered(sitting, answer, exposure, _START)
        assert problem is None
    for one in plan.skills:
        state = sitting.skills[one.skill]
        results.add(estimate(pool.grid, state.posterior), truths[one.skill], state.answered)
    return {skill: state.answered for skill, state in sitting.skills.items()}


def _response(item: Item, score: int) -> int:
    key = item.key or 0
    return key if score else (key + 1) % len(item.options)


def _draw(pool: ItemPool, skill: str, place: int, level: float, chance: np.random.Generator) -> int:
    of = pool.skills[skill]
    one = slice(place, place + 1)
    options = option_probabilities(of.discrimination[one], of.thresholds[one], np.array([level]))[0, :, 0]
    return int(chance.choice(len(options), p=options / options.sum()))


def _others(  # noqa: PLR0917 - one call
    pool: ItemPool,
    one: SessionSkill,
    truth: float,
    count: int,
    chance: np.random.Generator,
    results: dict[str, MethodResults],
) -> None:
    """Measure one skill of one officer by the other methods."""
    of = pool.skills[one.skill]
    scores = [_draw(pool, one.skill, place, truth, chance) for place in range(len(of.items))]
    likelihoods = [of.options(place, pool.grid)[score] for place, score in enumerate(scores)]
    shuffled = [int(place) for place in chance.permutation(len(of.items))]

    def measure(method: str, places: Sequence[int]) -> None:
        posterior = pool.grid.prior()
        for place in places:
            posterior = updated(posterior, likelihoods[place])
            results[method].show(of.items[place].id)
        results[method].add(estimate(pool.grid, posterior), truth, len(places))

    def until_sure(order: Callable[[Floats, list[int]], int | None]) -> list[int]:
        posterior, places = pool.grid.prior(), list[int]()
        while stop_reason(pool.grid, posterior, len(places), one.required) is None:
            place = order(posterior, places)
            if place is None:
                break
            posterior = updated(posterior, likelihoods[place])
            places.append(place)
        return places

    def most(posterior: Floats, places: list[int]) -> int | None:
        allowed = np.ones(len(of.items), dtype=np.bool_)
        allowed[places] = False
        return most_informative(of.informations, posterior, allowed)

    def at_random(_: Floats, places: list[int]) -> int | None:
        return shuffled[len(places)] if len(places) < len(shuffled) else None

    measure(SAME_COUNT, shuffled[:count])
    measure(SAME_RULE, until_sure(at_random))
    measure(FREE, until_sure(most))
    measure(WHOLE, range(len(of.items)))


def gates(found: dict[tuple[str, str], dict[str, MethodResults]]) -> Iterator[Gate]:
    """Yield every row, of each population over both frameworks."""
    for population in POPULATIONS:
        mine = [results for (_, name), results in found.items() if name == population]
        officers = sum(results[OURS].officers for results in mine)
        for name, nominal in NOMINAL.items():
            held = [one for results in mine for one in results[OURS].held[name]]
            yield Gate(
                f"levels {population}: true levels within the {name} interval",
                100 * float(np.mean(held)),
                "%",
                nominal - 3,
                nominal + 3,
                f"{officers} officers, {len(held)} skills",
            )
        ours, theirs = _pooled(mine, OURS), _pooled(mine, SAME_COUNT)
        name = f"levels {population}: RMSE beside {SAME_COUNT}"
        yield Gate(name, ours / theirs, "×", high=0.97, note=f"{ours:.3f} levels beside {theirs:.3f}")
    for framework in FRAMEWORKS:
        worst = max(results[OURS].exposure for (name, _), results in found.items() if name == framework)
        yield Gate(f"{framework}: officers that an item is shown to, at most", worst, "%", high=100 * LIMIT)


def _pooled(found: Sequence[dict[str, MethodResults]], method: str) -> float:
    return float(np.sqrt(np.mean(np.square([error for results in found for error in results[method].errors]))))


def table(found: dict[tuple[str, str], dict[str, MethodResults]]) -> list[tuple[str, ...]]:
    """Return a row for each framework, population and method."""
    head = (
        *("framework", "true levels", "method", "items a skill", "RMSE in levels", "in 68 %", "in 95 %"),
        "most shown item",
    )
    rows: list[tuple[str, ...]] = [head]
    for (framework, population), results in found.items():
        for method, one in results.items():
            held = [f"{one.coverage(name):.1f} %" for name in NOMINAL]
            items = f"{np.mean(one.items):.2f}"
            rows.append((framework, population, method, items, f"{one.rmse:.3f}", *held, f"{one.exposure:.1f} %"))
    return rows


def write_docs(found: dict[tuple[str, str], dict[str, MethodResults]], rows: Sequence[Gate]) -> None:
    """Put the figures between the marks of docs/evaluation.md."""
    listed = table(found)
    lines = [
        f"Measured on {datetime.now(UTC):%d %B %Y} by `python -m tests.evaluation.sessions`.",
        "",
        "| gate | value | target | verdict | about |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {row.name} | {report.figure(row)} | {row.target} | {row.verdict} | {row.note} |" for row in rows),
        "",
        "| " + " | ".join(listed[0]) + " |",
        "|" + " --- |" * len(listed[0]),
        *("| " + " | ".join(row) + " |" for row in listed[1:]),
    ]
    text = report.PAGE.read_text(encoding="utf-8")
    section = "\n".join([BEGIN, *lines, END])
    report.PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: section, text, flags=re.DOTALL), encoding="utf-8")


def main() -> int:
    """Measure, print, write; return 1 where a gate is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation.sessions")
    parser.add_argument("--quick", action="store_true", help="fewer officers; docs/ stays as it is")
    arguments = parser.parse_args()
    console = Console(width=170)
    officers = QUICK_OFFICERS if arguments.quick else OFFICERS
    found: dict[tuple[str, str], dict[str, Any]] = {
        (framework, name): simulate(framework, population, officers, seed)
        for seed, framework in enumerate(FRAMEWORKS)
        for name, population in POPULATIONS.items()
    }
    rows = list(gates(found))
    report.show(console, rows, "The gates of adaptive sessions")
    listed = table(found)
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    for line in listed:
        console.print("  ".join(part.ljust(width) for part, width in zip(line, widths, strict=True)))
    if not arguments.quick:
        write_docs(found, rows)
    return int(any(row.passed is False for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
