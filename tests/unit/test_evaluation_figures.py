"""The baselines, the draws of true levels, and what figures come to: rows with verdicts, and pictures."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from shared.charts import Axis, chart
from tests.evaluation import baselines
from tests.evaluation.baselines import Outcome, Point
from tests.evaluation.determinism import digest
from tests.evaluation.gates import Gate, Results, gates
from tests.evaluation.index import array_bytes, held
from tests.evaluation.problem import Problem
from tests.evaluation.quality import OPTIMUM, PLANNER, SYNTHETIC, case
from tests.evaluation.realised_gain import ratio, removed, simulate_gains
from tests.evaluation.report import BEGIN, END, pictures, write_docs
from tests.evaluation.worlds import generated, view_of
from tests.support.builders import after, course, framework, inputs


def unmet_prerequisite() -> Problem:
    """Return an officer before a course that closes much but needs another, and one that closes little at once."""
    courses = [
        course("big", ("s", 0, 3), ("t", 0, 3), hours=4, requires=[after("key")]),
        course("key", ("u", 0, 1), hours=1),
        course("small", ("s", 0, 1), hours=2),
    ]
    yardstick = framework({"s": 3, "t": 3}, others=["u"])
    return Problem(inputs(yardstick, {"s": 0, "t": 0}, budget_hours=6), courses)


def test_filtered_baselines_take_only_courses_that_can_be_entered() -> None:
    outcomes = baselines.baselines(unmet_prerequisite(), {"big": 5.0, "small": 1.0}, 1)
    for name in (baselines.RANDOM, baselines.RATING, baselines.COSINE, baselines.AGAIN, baselines.DENSITY):
        assert outcomes[name].points == [Point(2.0, 1_000_000)]


def test_the_plain_list_wastes_the_hours_of_courses_that_cannot_be_entered() -> None:
    ranked = baselines.baselines(unmet_prerequisite(), {}, 1)[baselines.RANKED]
    assert ranked == Outcome([Point(4.0, 0), Point(6.0, 1_000_000)], 2, 1)


def test_an_outcome_counts_the_courses_finished_within_the_hours() -> None:
    outcome = Outcome([Point(2.0, 5), Point(4.0, 9)], 2)
    assert [outcome.at(hour) for hour in (0, 2, 3.9, 4, 40)] == [0, 5, 5, 9, 9]


def test_no_method_of_a_case_exceeds_the_optimum() -> None:
    found = case(SYNTHETIC, 1)
    assert found.faults == found.auditor_faults == []
    assert 0 <= found.optimality_gap < 0.5
    best = found.methods[OPTIMUM].at(40)
    assert all(outcome.at(40) <= best + 10 for outcome in found.methods.values())
    assert found.methods[PLANNER].at(40) >= found.methods[baselines.RANDOM].at(40)


def test_the_interval_of_a_ratio_contains_the_true_value() -> None:
    chance = np.random.default_rng(1)
    true = chance.uniform(1, 3, 4000)
    value, low, high = ratio(list(true * 1.1 + chance.normal(0, 0.5, 4000)), list(true))
    assert low < 1.1 < high
    assert high - low < 0.03
    assert low < value < high


def test_the_realised_gain_is_the_gap_that_the_courses_close() -> None:
    yardstick = framework({"s": 3, "t": 2}, weights={"s": 2}, others=["u"])
    courses = [course("half", ("s", 0, 2)), course("whole", ("s", 0, 5)), course("other", ("u", 0, 2))]
    problem = Problem(inputs(yardstick, {"s": 1, "t": 0}), courses)
    true = {"s": 0.5, "t": 1.0}
    by_id = {candidate.id: candidate for candidate in problem.candidates}
    assert removed(problem, true, [by_id["half"]]) == 3  # 2 x (2 - 0.5)
    assert removed(problem, true, [by_id["half"], by_id["whole"]]) == 5  # 2 x (3 - 0.5): no more than is required
    assert removed(problem, {"s": 2.5, "t": 1.0}, [by_id["half"]]) == 0  # who is above it gains nothing
    assert removed(problem, true, []) == 0


def test_the_validator_rejects_no_evaluated_path() -> None:
    found = simulate_gains(0, 15)
    assert found.faults == 0
    assert [len(gains) for gains in (*found.predicted.values(), *found.realised.values())] == [15] * 6


def test_the_order_of_the_catalog_changes_no_byte() -> None:
    assert digest(3, 1) == digest(3, 2)


def test_the_memory_of_an_index_is_measured_by_kind() -> None:
    view = view_of(generated(300, 20, 1).courses)
    view.catalog.graph(champions=False)
    everything = held(view)
    assert everything.arrays >= array_bytes(view) > 0
    assert everything.objects > 0


@pytest.mark.parametrize(
    ("gate", "passed", "verdict"),
    [
        (Gate("a", 0.5, "%", high=1), True, "pass"),
        (Gate("a", 1.5, "%", high=1), False, "missed by 0.5"),
        (Gate("a", 1.2, "x", low=1.6), False, "missed by 0.4"),
        (Gate("a", 1.0, "x", low=0.95, high=1.05), True, "pass"),
        (Gate("a", None, "x", low=1, note="not there"), False, "missed: not there"),
        (Gate("a", 2.0, "x", low=1, failure="not yet whole"), False, "missed: not yet whole"),
        (Gate("a", 2.0, "ms"), None, ""),
    ],
)
def test_a_missed_target_reports_the_difference(gate: Gate, passed: bool | None, verdict: str) -> None:
    assert (gate.passed, gate.verdict) == (passed, verdict)
    assert gate.as_json()["pass"] is passed


def test_rows_and_charts_are_made_from_the_measurements() -> None:
    results = Results(
        cases={SYNTHETIC: [case(SYNTHETIC, 1)]}, truths=[simulate_gains(0, 5)], digests={"one"}, same_officers=1
    )
    names = [gate.name for gate in gates(results)]
    assert len(names) == len(set(names))
    assert "a full plan at 1,000,000 courses, p50 over the kernel" in names
    for picture in pictures(results).values():
        assert ET.fromstring(picture).tag.endswith("svg")  # noqa: S314 - our own text


def test_writing_figures_keeps_the_text_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "evaluation.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    results = Results(
        cases={SYNTHETIC: [case(SYNTHETIC, 1)]}, truths=[simulate_gains(0, 5)], digests={"one"}, same_officers=1
    )
    write_docs(page, results, gates(results), "1 January 2026", 2.0)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| violations that the independent validator finds | 0 | ≤ 0 | pass |" in text
    assert {path.name for path in (tmp_path / "img").iterdir()} == set(re.findall(r"img/([\w.-]+)", text))


def test_a_chart_keeps_lines_inside_and_labels_apart() -> None:
    axis = Axis("x", [(0, "0"), (10, "10")])
    picture = chart("a < b", axis, axis, {"one": [(0, 0), (20, 5)], "two": [(0, 1), (10, 5)], "none": []})
    root = ET.fromstring(picture)  # noqa: S314 - our own text
    names = {e.text: float(e.get("y", "")) for e in root.iter() if e.tag.endswith("text") and e.text in ("one", "two")}
    assert abs(names["one"] - names["two"]) >= 16
    assert picture.count("<polyline") == 2
