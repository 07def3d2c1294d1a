"""What is printed and written: the table of gates, `.local/evaluation.json`, the figures and pictures in `docs/`."""

import json
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from services.recommender.inputs import ALGORITHM
from shared.charts import Axis, chart
from tests.evaluation import baselines
from tests.evaluation.gates import Gate, Results, closed
from tests.evaluation.quality import OPTIMUM, PLANNER, SYNTHETIC, Case
from tests.evaluation.worlds import HOURS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "evaluation.md"
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
METHODS = (
    baselines.RANDOM,
    baselines.RATING,
    baselines.RANKED,
    baselines.COSINE,
    baselines.AGAIN,
    baselines.DENSITY,
    PLANNER,
    OPTIMUM,
)
_CAPTIONS = {
    "optimum": "Gap to the exact optimum",
    "closed": "Gap closed against hours, generated world",
    "time": "Time of a plan against the size of the catalog",
}
_PASSED = {True: "[green]", False: "[red]", None: ""}


def show(console: Console, rows: Sequence[Gate], title: str) -> None:
    """Print the table of gates."""
    table = Table(title=title, title_justify="left")
    for name in ("gate", "value", "target", "", "about"):
        table.add_column(name, justify="right" if name in ("value", "target") else "left", overflow="fold")
    for row in rows:
        verdict = f"{_PASSED[row.passed]}{row.verdict}"
        table.add_row(row.name, figure(row), row.target, verdict, row.note if row.note not in row.verdict else "")
    console.print(table)
    judged = [row for row in rows if row.passed is not None]
    console.print(f"{sum(row.passed is True for row in judged)} of {len(judged)} gates are met.")


def write_json(rows: Sequence[Gate], name: str) -> Path:
    """Write the rows to `.local/` and return where."""
    target = ROOT / ".local" / name
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps([row.as_json() for row in rows], ensure_ascii=False, indent=1) + "\n")
    return target


def write_docs(page: Path, results: Results, rows: Sequence[Gate], day: str, minutes: float) -> None:
    """Put the figures between the marks of a page, and the pictures into its `img/`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    about = (
        f"Measured on {day} by `make evaluate`, {minutes:.0f} minutes on {cores} cores; Python "
        f"{platform.python_version()}, numpy {np.__version__}; algorithm `{ALGORITHM}`."
    )
    gates = _markdown(
        ("gate", "value", "target", "verdict", "about"),
        [(row.name, figure(row), row.target, row.verdict, row.note) for row in rows],
    )
    parts = [about, "### Gates", gates]
    parts += ["### Beside the exact optimum", _optimum_table(results.cases), _image("optimum")]
    parts += ["### Closed within 40 hours", _methods_table(results.cases), _image("closed")]
    parts += ["### Time", _image("time")]
    text = page.read_text(encoding="utf-8")
    figures = f"{BEGIN}\n" + "\n\n".join(parts) + f"\n{END}"
    page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: figures, text, flags=re.DOTALL), encoding="utf-8")
    images = page.parent / "img"
    images.mkdir(exist_ok=True)
    for name, picture in pictures(results).items():
        (images / f"evaluation-{name}.svg").write_text(picture, encoding="utf-8")


def _image(name: str) -> str:
    return f"![{_CAPTIONS[name]}](img/evaluation-{name}.svg)"


def figure(row: Gate) -> str:
    """Return a value with its unit."""
    if row.value is None:
        return "-"
    if abs(row.value) >= 100 or row.unit in ("", "B"):
        value = f"{row.value:,.0f}"
    else:
        value = f"{row.value:.3f}" if row.unit == "×" else f"{row.value:.3g}"
    return f"{value} {row.unit}".strip()


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _optimum_table(cases: dict[str, list[Case]]) -> str:
    rows = []
    for name, found in cases.items():
        for hours in sorted({case.hours for case in found}):
            gaps = [100 * case.optimality_gap for case in found if case.hours == hours]
            mine = [case for case in found if case.hours == hours]
            if mine:
                rows.append(
                    (
                        name,
                        f"{hours:g} h",
                        f"{len(mine)}",
                        f"{np.mean(gaps):.2f} %",
                        f"{median(gaps):.2f} %",
                        f"{np.percentile(gaps, 95):.2f} %",
                        f"{max(gaps):.2f} %",
                        f"{sum(case.proved for case in mine)}",
                        f"{max(case.exact_seconds for case in mine):.1f} s",
                    )
                )
    head = ("world", "budget", "cases", "mean", "median", "p95", "worst", "proved", "slowest exact solution")
    return _markdown(head, rows)


def _methods_table(every: dict[str, list[Case]]) -> str:
    cases = {name: found for name, found in every.items() if found[0].methods}
    rows = [(method, *(f"{100 * closed(found, method):.1f} %" for found in cases.values())) for method in METHODS]
    unmet = []
    for found in cases.values():
        ranked = [case.methods[baselines.RANKED] for case in found]
        share = sum(outcome.unmet for outcome in ranked) / max(sum(outcome.courses for outcome in ranked), 1)
        unmet.append(f"{100 * share:.0f} %")
    rows.append((f"courses of `{baselines.RANKED}` that cannot be entered", *unmet))
    return _markdown(("method", *cases), rows)


def pictures(results: Results) -> dict[str, str]:
    """Return name -> SVG."""
    found = results.cases.get(SYNTHETIC, [])
    top = max((closed(found, method) for method in METHODS), default=1.0) if found else 1.0
    tens = range(0, int(100 * top) + 20, 10)
    hours = Axis("hours", [(hour, str(hour)) for hour in range(0, int(HOURS) + 1, 5)])
    share = Axis("mean share of the gap that is closed", [(ten / 100, f"{ten} %") for ten in tens])
    grow = {
        method: [(float(hour), closed(found, method, hour)) for hour in range(int(HOURS) + 1)] if found else []
        for method in METHODS[-2::-1]
    }
    if found:  # the best 40 hours need not be the best first 10, so it is drawn as the height to reach
        grow[f"{OPTIMUM} at {HOURS:g} h"] = [(0.0, closed(found, OPTIMUM)), (HOURS, closed(found, OPTIMUM))]
    return {
        "closed": chart(_CAPTIONS["closed"], hours, share, grow),
        "optimum": _optimum_picture(results.cases),
        "time": _time_picture(results),
    }


def _optimum_picture(cases: dict[str, list[Case]]) -> str:
    across = Axis("short of the exact optimum by at most", [(mark, f"{mark} %") for mark in range(11)])
    up = Axis("share of the officers", [(ten / 100, f"{ten} %") for ten in range(0, 101, 20)])
    series = {
        name: [
            (mark / 10, sum(100 * case.optimality_gap <= mark / 10 + 1e-6 for case in found) / len(found))
            for mark in range(101)
        ]
        for name, found in cases.items()
    }
    return chart(_CAPTIONS["optimum"], across, up, series)


def _time_picture(results: Results) -> str:
    sizes = sorted(results.scales, key=lambda scale: scale.courses)
    across = Axis("courses", [(10**power, f"{10**power:,}") for power in (3, 4, 5, 6)], log=True)
    up = Axis("a full plan, ms", [(10**power, f"{10**power:,}") for power in range(6)], log=True)
    series = {
        "p99": [(scale.courses, scale.pace.p99) for scale in sizes],
        "p50": [(scale.courses, scale.pace.p50) for scale in sizes],
        "the kernel": [(scale.courses, scale.pace.kernel) for scale in sizes],
    }
    return chart(_CAPTIONS["time"], across, up, series)
