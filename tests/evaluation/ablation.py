"""`python -m tests.evaluation.ablation [CASES]`: what each part of the search adds, on the cases that it was tuned on.

The readable rule plans each case with more and more of its parts. It gives the planner's bytes with all of them, so it
stands for the planner here. CASES of every drawn world (by default 14, each budget twice), beside the exact optimum.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.progress import track

from services.recommender.planner.exact.refinement import refine
from services.recommender.planner.params import PARAMS
from services.recommender.reference import rule, search
from tests.evaluation.exact import optimum
from tests.evaluation.problem import Problem
from tests.evaluation.quality import BUDGETS, DRAWN, SYNTHETIC
from tests.evaluation.report import PAGE

BEGIN, END = "<!-- ablation -->", "<!-- /ablation -->"
CASES = 14


def _unchanged(_search: Any, best: Any) -> Any:
    return best


def _unextended(first: Any, *_: Any) -> Any:
    return first


_LOCAL: dict[str, Any] = {"after_discrepancies": _unchanged, "after_beam": _unchanged}


def _local(**changed: Any) -> dict[str, Any]:
    return _LOCAL | {"PARAMS": replace(PARAMS, **changed)}


PARTS: dict[str, dict[str, Any]] = {
    "greedy, value per hour": _local(max_starts=0, max_passes=0, exponents=PARAMS.exponents[:1]),
    "greedy, five exponents": _local(max_starts=0, max_passes=0),
    "with starts": _local(max_passes=0),
    "with exchanges": _local(),
    "with discrepancies and a beam": {"PARAMS": PARAMS},
    "with extensions": {"PARAMS": PARAMS},
}
"""What is replaced in the search of the readable rule, from the greedy alone to all of it; the last part extends."""


class Losses(NamedTuple):
    """Per part, the share of the optimum that each path misses, in per cent."""

    world: str
    missed: dict[str, list[float]]


def losses(world: str, cases: int) -> Losses:
    """Return what the paths of the first cases of a world miss."""
    missed: dict[str, list[float]] = {part: [] for part in PARTS}
    for number in range(cases):
        drawn = DRAWN[world](number)
        inputs = drawn.officer(np.random.default_rng([number, 40]), BUDGETS[number % len(BUDGETS)])
        bound = optimum(Problem(inputs, drawn.courses)).bound
        for part, out in PARTS.items():
            refined = refine if part == "with extensions" else _unextended
            with patch.multiple(search, **out), patch.object(rule, "refine", refined):
                gained = rule.recommend(inputs, drawn.courses, 1).coverage.gained
            missed[part].append(100 * max(1 - gained / bound, 0.0) if bound else 0.0)
    return Losses(world, missed)


def table(found: Sequence[Losses]) -> str:
    """Return the rows of the table: mean, 95th percentile and worst over all cases, and the mean in each world."""
    worlds = [one.world for one in found]
    lines = [
        "| search | mean | p95 | worst | " + " | ".join(worlds) + " |",
        "| --- " * (4 + len(worlds)) + "|",
    ]
    statistics: tuple[Callable[[list[float]], float], ...] = (
        lambda every: float(np.mean(every)),
        lambda every: float(np.percentile(every, 95)),
        max,
    )
    for part in PARTS:
        every = [loss for one in found for loss in one.missed[part]]
        figures = [statistic(every) for statistic in statistics]
        figures += [float(np.mean(one.missed[part])) for one in found]
        lines.append(f"| {part} | " + " | ".join(f"{figure:.2f} %" for figure in figures) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print; with the usual number of cases, write the table into docs/evaluation.md."""
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else CASES
    console = Console(stderr=True)
    worlds = [name for name in DRAWN if name != SYNTHETIC]
    found = [losses(name, cases) for name in track(worlds, "ablation", console=console)]
    text = f"Of {cases} cases of each world, by `python -m tests.evaluation.ablation`.\n\n{table(found)}"
    print(text)  # noqa: T201 - the output of a command
    if cases == CASES:
        section, page = f"{BEGIN}\n{text}\n{END}", PAGE.read_text(encoding="utf-8")
        PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: section, page, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
