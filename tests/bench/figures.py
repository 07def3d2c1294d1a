"""A figure of the bench: the measured value, its baseline from the same run, and the target for their ratio."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_LOWER_IS_BETTER = {"ms", "MiB", "bytes"}


@dataclass(frozen=True)
class Figure:
    """One row of the table. `baseline` is in the unit of `value`; `target` bounds value / baseline."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    target: float | None = None

    @property
    def ratio(self) -> float | None:
        """Value / baseline."""
        return self.value / self.baseline if self.baseline else None

    @property
    def passed(self) -> bool | None:
        """Whether the target is met; None if there is none."""
        if self.ratio is None or self.target is None:
            return None
        return self.ratio <= self.target if self.unit in _LOWER_IS_BETTER else self.ratio >= self.target

    @property
    def bound(self) -> str:
        """The target as a formula; empty if there is none."""
        if self.target is None:
            return ""
        return f"{'≤' if self.unit in _LOWER_IS_BETTER else '≥'} {self.target:g}"

    def as_json(self) -> dict[str, Any]:
        """Return the row as `.local/bench.json` holds it."""
        return {
            "name": self.name,
            "value": round(self.value, 3),
            "unit": self.unit,
            "baseline": None if self.baseline is None else round(self.baseline, 3),
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            "target": self.target,
            "pass": self.passed,
        }


@dataclass(frozen=True)
class Stage:
    """A stretch of the way of an assessment: its name and its median and 99th percentile in ms."""

    name: str
    p50: float
    p99: float


def percentile(numbers: Sequence[float], share: float) -> float:
    """Return the number below which a share (0 to 1) of them is, interpolated between neighbours."""
    ordered = sorted(numbers)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(numbers: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(numbers)
