"""`python -m tests.evaluation [--quick]`: measures every gate of the ranking, prints and writes the results.

With `--world NAME` it only compares the paths of one world with the exact optimum, and prints that.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.evaluation import determinism, finishing, quality, real, realised_gain, report, scale
from tests.evaluation.gates import MILLION, TEN_THOUSAND, Gate, Results, gates, optimality
from tests.evaluation.stages import Call, Stages, folder_of

CORES = 2
_MINUTES = 90
_BLOCK = 50
"""Officers who finish their paths in one call."""

_PAPER = 170


@dataclass(frozen=True)
class Plan:
    """How much is measured. `drawn`, `real`: cases of each world.

    `truths`: catalogs and officers of each; `scales`: courses, officers a block, seconds.
    """

    drawn: int
    real: dict[str, int]
    truths: tuple[int, int]
    scales: Sequence[tuple[int, int, float]]
    rebuild: tuple[int, int]
    shares: int
    together: int
    same: int
    finishing: int


FULL = Plan(
    drawn=210,
    real=dict.fromkeys(real.WORLDS, 210),
    truths=(26, 200),
    scales=((1000, 40, 60), (TEN_THOUSAND, 40, 90), (100_000, 20, 120), (MILLION, 20, 180)),
    rebuild=(100_000, 3),
    shares=20_000,
    together=TEN_THOUSAND,
    same=100,
    finishing=250,
)
QUICK = Plan(
    drawn=7,
    real=dict.fromkeys(real.WORLDS, 7),
    truths=(4, 40),
    scales=((1000, 8, 5), (TEN_THOUSAND, 5, 10)),
    rebuild=(TEN_THOUSAND, 1),
    shares=2000,
    together=1000,
    same=10,
    finishing=20,
)


def measure(plan: Plan, stages: Stages) -> Results:
    """Return all figures. Timings run alone, last, one process after the other; the rest on two cores."""
    results = Results(same_officers=plan.same)
    names = [*quality.DRAWN]
    if real.folder() is None:
        results.skipped = f"skipped: {real.SETTING} is not set"
    else:
        names += plan.real
    for name in names:
        results.cases |= compare(name, plan, stages).cases
    size = min(plan.finishing, _BLOCK)
    parts: list[Call] = [
        (finishing.finished, (name, first, size)) for name in names for first in range(0, plan.finishing, size)
    ]
    results.finished = stages.run("paths that are finished", parts, CORES)
    catalogs, officers = plan.truths
    draws: list[Call] = [(realised_gain.simulate_gains, (number, officers)) for number in range(catalogs)]
    results.truths = stages.run("predicted and realised", draws, CORES)
    sizes: list[Call] = [(scale.scale, size) for size in plan.scales]
    results.scales = stages.run("time and index by size", sizes, 1)
    (results.rebuild,) = stages.run("full rebuild", [(scale.rebuild, plan.rebuild)], 1)
    (results.together,) = stages.run("64 officers on 2 cores", [(scale.together, (plan.together,))], 1)
    (results.shares,) = stages.run("what the index holds", [(scale.shares, (plan.shares,))], 1)
    (results.digests,) = stages.run("same input, same bytes", [(determinism.digests, (plan.same,))], 1)
    return results


def compare(name: str, plan: Plan, stages: Stages) -> Results:
    """Return the comparison of one world with the exact optimum."""
    count = plan.real.get(name, plan.drawn)
    calls: list[Call] = [(quality.case, (name, quality.HELD_OUT + number)) for number in range(count)]
    return Results(cases={name: stages.run(f"exact optimum, {name}", calls, CORES)})


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small samples, about two minutes; docs/ stays as it is")
    parser.add_argument("--world", choices=[*quality.DRAWN, *real.WORLDS], help="one world against the exact optimum")
    arguments = parser.parse_args()
    quick, world = arguments.quick, arguments.world
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PAPER)
    plan = QUICK if quick else FULL
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        stages = Stages(progress, folder_of(plan))
        results = compare(world, plan, stages) if world else measure(plan, stages)
    minutes = stages.seconds / 60
    if world:
        report.show(console, [*optimality(world, results)], f"{world} ({minutes:.1f} minutes)")
        return
    rows = [*gates(results), Gate("the whole evaluation", minutes, "min", high=_MINUTES)]
    title = "The ranking's gates" + (", quick: samples are too small to judge by" if quick else "")
    report.show(console, rows, f"{title} ({minutes:.1f} minutes)")
    written = report.write_json(rows, "evaluation-quick.json" if quick else "evaluation.json")
    console.print(f"Written to {written.relative_to(report.ROOT)}")
    if not quick:
        report.write_docs(report.PAGE, results, rows, f"{datetime.now(UTC):%d %B %Y}", minutes)
        console.print("Figures and pictures are in docs/evaluation.md and docs/img/")
    stages.forget()


if __name__ == "__main__":
    main()
