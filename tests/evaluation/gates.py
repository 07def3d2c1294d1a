"""The gates of the ranking: each row by name, what was measured, the target, and whether it is met."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import numpy as np

from services.recommender.inputs import ALGORITHM
from tests.evaluation import baselines, real
from tests.evaluation.finishing import Finished
from tests.evaluation.quality import DRAWN, PLANNER, SYNTHETIC, Case
from tests.evaluation.realised_gain import NORMAL, ROUNDED, WHOLE, Gains, ratio
from tests.evaluation.scale import Rebuild, Scale, Shares, Together
from tests.evaluation.timing import KERNEL_MS
from tests.evaluation.worlds import HOURS

TEN_THOUSAND, MILLION = 10_000, 1_000_000
_ENOUGH_CASES, _ENOUGH_OFFICERS = 200, 5000


@dataclass(frozen=True)
class Gate:
    """A row. The target holds between `low` and `high`; None: no bound. Without any bound it is a figure, no gate.

    `value` None: not measured, and `note` holds the reason. `failure`: what prevents meeting it whatever the figure is.
    """

    name: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    note: str = ""
    failure: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the target is met; None if there is none, or where nothing was measured but by choice."""
        if self.low is None and self.high is None:
            return None
        if self.value is None or self.failure:
            return False
        return (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)

    @property
    def target(self) -> str:
        """The target as it is printed."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} - {self.high:g}"
        if self.low is not None:
            return f"≥ {self.low:.4g}"
        return "" if self.high is None else f"≤ {self.high:.4g}"

    @property
    def verdict(self) -> str:
        """Pass, or by how much it misses, or why nothing was measured."""
        if self.passed is None:
            return ""
        if self.passed:
            return "pass"
        if self.value is None or self.failure:
            return f"missed: {self.failure or self.note}"
        over = self.high is not None and self.value > self.high
        away = self.value - self.high if over and self.high is not None else (self.low or 0.0) - self.value
        return f"missed by {away:.3g}"

    def as_json(self) -> dict[str, Any]:
        """Return the row as `.local/evaluation.json` holds it."""
        value = None if self.value is None else round(self.value, 4)
        return {
            "name": self.name,
            "value": value,
            "unit": self.unit,
            "target": self.target or None,
            "pass": self.passed,
            "note": "; ".join(filter(None, (self.failure, self.note))),
        }


@dataclass
class Results:
    """All that was measured. What could not be is None or missing; `skipped`: why there are no real sets."""

    cases: dict[str, list[Case]] = field(default_factory=dict)
    scales: list[Scale] = field(default_factory=list)
    truths: list[Gains] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list)
    digests: set[str] = field(default_factory=set)
    rebuild: Rebuild | None = None
    shares: Shares | None = None
    together: Together | None = None
    skipped: str = ""
    same_officers: int = 0


def gates(results: Results) -> list[Gate]:
    """Return every row, in the order of the ranking's own table."""
    return [
        *_faults(results),
        *_finished(results),
        *(row for name in (*DRAWN, *real.WORLDS) for row in optimality(name, results)),
        *_closed(results),
        *_pace(results),
        *_together(results),
        *_index(results),
        *_same(results),
        *_truth(results),
    ]


def _faults(results: Results) -> Iterator[Gate]:
    cases = [case for found in results.cases.values() for case in found]
    paths = 2 * len(cases) + sum(scale.pace.plans for scale in results.scales)
    paths += sum(len(gains.predicted[NORMAL]) for gains in results.truths)
    faulty = sum(len(case.faults) for case in cases) + sum(scale.pace.faults for scale in results.scales)
    faulty += sum(gains.faults for gains in results.truths)
    yield Gate("violations that the independent validator finds", faulty, "", high=0, note=f"{paths:,} paths")
    wrong = sum(bool(case.auditor_faults) for case in cases)
    yield Gate("exact solutions that the validator rejects", wrong, "", high=0, note=f"{len(cases):,} solutions")


def _finished(results: Results) -> Iterator[Gate]:
    for name in dict.fromkeys(part.world for part in results.finished):
        parts = [part for part in results.finished if part.world == name]
        note = f"{sum(part.officers for part in parts):,} officers, {sum(part.courses for part in parts):,} courses"
        rose, missed = sum(part.rose for part in parts), sum(part.missed for part in parts)
        faults = sum(part.faults for part in parts)
        yield Gate(f"finishing a path: hours left rise, {name}", rose, "officers", high=0, note=note)
        yield Gate(f"finishing a path: a promised level is not reached, {name}", missed, "officers", high=0)
        yield Gate(f"finishing a path: plans that the validator rejects, {name}", faults, "", high=0)


def optimality(name: str, results: Results) -> Iterator[Gate]:
    """Yield the rows about the gap between the paths of a world and the exact optimum."""
    found = results.cases.get(name)
    label = f"gap to the exact optimum, {name}"
    if not found:
        yield Gate(label, None, "%", note=results.skipped)
        return
    gaps = np.array([case.optimality_gap for case in found]) * 100
    few = f", {_ENOUGH_CASES} needed" if len(found) < _ENOUGH_CASES else ""
    note = f"{len(found)} cases, {sum(case.proved for case in found)} proved{few}"
    yield Gate(f"{label}, mean", float(gaps.mean()), "%", high=0.5, note=note)
    yield Gate(f"{label}, p95", float(np.percentile(gaps, 95)), "%", high=3)
    yield Gate(f"{label}, worst", float(gaps.max()), "%", high=15)
    nothing = sum(case.gained == 0 < case.bound for case in found)
    yield Gate(f"nothing closed where the optimum closes something, {name}", nothing, "cases", high=0)


def closed(cases: Sequence[Case], method: str, hours: float = HOURS) -> float:
    """Return the mean share of the gap that a method closes within some hours."""
    return mean(case.methods[method].at(hours) / case.gap if case.gap else 1.0 for case in cases)


def _closed(results: Results) -> Iterator[Gate]:
    for name, found in results.cases.items():
        gated = name in (SYNTHETIC, real.COURSES)
        if not found[0].methods:
            continue
        ours = closed(found, PLANNER)
        yield Gate(f"gap closed in 40 h, {name}", 100 * ours, "%")
        for method, target in ((baselines.COSINE, 1.5), (baselines.DENSITY, 1.0)):
            theirs = closed(found, method)
            label = f"gap closed in 40 h over {method}, {name}"
            if not theirs:
                yield Gate(label, None, "×", note="the other closes nothing")
                continue
            failure = "must be more" if gated and target == 1.0 and ours <= theirs else ""
            yield Gate(label, ours / theirs, "×", low=target if gated else None, failure=failure)


def _pace(results: Results) -> Iterator[Gate]:
    scales = {scale.courses: scale for scale in results.scales}
    only = "only T0, no improvement of the path yet" if ALGORITHM.startswith("t0") else ""
    for courses, target in ((TEN_THOUSAND, 3.0), (MILLION, 10.0)):
        label = f"a full plan at {courses:,} courses, p50 over the kernel"
        scale = scales.get(courses)
        high = target / KERNEL_MS
        if scale is None:
            yield Gate(label, None, "×", high=high, note="not part of a quick run")
            continue
        note = f"{scale.pace.plans} plans, kernel {scale.pace.kernel:.2f} ms, {ALGORITHM}"
        yield Gate(label, scale.pace.multiple, "×", high=high, note=note, failure=only)
    for scale in results.scales:
        yield Gate(f"a full plan at {scale.courses:,} courses, p50", scale.pace.p50, "ms")
        yield Gate(f"a full plan at {scale.courses:,} courses, p99", scale.pace.p99, "ms")
    small, large = scales.get(TEN_THOUSAND), scales.get(MILLION)
    grown = large.pace.multiple / small.pace.multiple if small and large else None
    yield Gate(
        "growth of a plan from 10,000 to 1,000,000 courses",
        grown,
        "×",
        high=4,
        note="" if grown else "not part of a quick run",
    )


def _together(results: Results) -> Iterator[Gate]:
    found = results.together
    if found is not None:
        note = f"{found.courses:,} courses" + (
            "" if found.has_entry else "; no entry for many officers, two threads on the single one"
        )
        yield Gate("64 officers on 2 cores over one core", found.speedup, "×", low=1.6, note=note)


def _index(results: Results) -> Iterator[Gate]:
    largest = max(results.scales, key=lambda scale: scale.courses, default=None)
    if largest is not None:
        at = f"at {largest.courses:,} courses"
        small = "" if largest.courses >= MILLION else "at 1,000,000 only in a full run"
        yield Gate(f"numeric arrays per course {at}", largest.array_bytes, "B", high=200, note=small)
        yield Gate(f"resident memory per course {at}", largest.resident, "B", note="all that the index holds")
        yield Gate(f"one course changed {at}", largest.change_ms, "ms", high=1, note="until the next plan uses it")
    if (shares := results.shares) is not None:
        at = f"at {shares.courses:,} courses"
        yield Gate(f"courses held as whole objects {at}", 100 * shares.whole, "%", high=1, note="else as encoded bytes")
        yield Gate(f"display fields as encoded bytes per course {at}", shares.encoded, "B")
        yield Gate(f"other Python objects per course {at}", shares.objects, "B")
    if (again := results.rebuild) is not None:
        size = f"of {again.courses:,} courses"
        yield Gate(f"full rebuild {size}", again.seconds, "s", high=2)
        yield Gate(f"encoded courses to the first plan, {again.courses:,}", again.ready_seconds, "s")
        yield Gate(f"longest pause of the event loop during a rebuild {size}", again.pause_ms, "ms")


def _same(results: Results) -> Iterator[Gate]:
    note = f"{results.same_officers} officers, three processes, three orders of the catalog"
    yield Gate("different bytes from the same input", len(results.digests) - 1, "", high=0, note=note)


def _truth(results: Results) -> Iterator[Gate]:
    bands = {NORMAL: (0.95, 1.05), ROUNDED: (None, None), WHOLE: (0.9, 1.1)}
    for kind, (low, high) in bands.items():
        predicted = [gain for gains in results.truths for gain in gains.predicted[kind]]
        realised = [gain for gains in results.truths for gain in gains.realised[kind]]
        value, least, most = ratio(predicted, realised)
        note = f"95 % interval {least:.3f} - {most:.3f}, {len(predicted):,} officers"
        if len(predicted) < _ENOUGH_OFFICERS:
            note += f", {_ENOUGH_OFFICERS:,} needed"
        yield Gate(f"predicted over realised gain, {kind}", value, "×", low=low, high=high, note=note)
