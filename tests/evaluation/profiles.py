"""`python -m tests.evaluation.profiles`: does a profile follow from its evidence, and is it near the truth?

Simulated officers of true levels from 0 to 4 are tested, rate themselves, are rated and complete courses, in ten
years. What is kept of a skill is stored and read again after every piece, as the service does, and compared with all
pieces taken together in another order. The error is that of the level compared with the latest piece alone: for
officers whose levels stay, and for those who learnt one to three levels before their latest test.
"""

import argparse
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import sqrt
from statistics import mean

import msgspec
from rich.console import Console

from services.assessment.fusion import STANDARD_DEVIATION, Piece, SkillEvidence, added, estimate, fold
from services.assessment.model import EvidenceKind
from tests.evaluation import report
from tests.evaluation.gates import Gate

BEGIN, END = "<!-- profiles -->", "<!-- /profiles -->"
OFFICERS, QUICK_OFFICERS = 5000, 300
_MOST = 250
_TOP = 4.0
_END = datetime(2026, 11, 1, tzinfo=UTC)
_KINDS: tuple[EvidenceKind, ...] = ("test", "external", "supervisor", "self", "completion")


@dataclass
class Simulated:
    """One officer's skill: whether both ways came to the same, and the errors of the level and of the latest piece."""

    equal: bool
    error: float
    latest: float
    covered: bool


def simulate(chance: random.Random, *, learnt: bool) -> Simulated:
    """Return what an officer's evidence comes to."""
    count = chance.randint(2, _MOST) if chance.random() < 0.1 else chance.randint(2, 8)
    days = sorted((chance.uniform(0, 3650) for _ in range(count)), reverse=True)
    now = chance.uniform(1 if learnt else 0, _TOP)
    before = now - chance.uniform(1, min(3.0, now)) if learnt else now
    pieces = []
    for n, ago in enumerate(days):
        last = n == count - 1
        kind: EvidenceKind = "test" if last else chance.choice(_KINDS)
        level = chance.gauss(now if last else before, STANDARD_DEVIATION[kind])
        taken_at = _END - timedelta(days=ago)
        pieces.append(Piece(kind, round(min(max(level, 0.0), _TOP), 6), STANDARD_DEVIATION[kind], taken_at, f"{n}"))
    arrived = chance.sample(pieces, len(pieces))
    held = SkillEvidence()
    for piece in arrived:
        held = msgspec.msgpack.decode(msgspec.msgpack.encode(added(held, piece)), type=SkillEvidence)
    found = estimate(held)
    if found is None:
        raise AssertionError("a test gives a level")
    equal = held == fold(pieces) and found == estimate(fold(reversed(pieces)))
    error = found.level - now
    return Simulated(equal, error, pieces[-1].level - now, abs(error) <= 1.96 * found.sd)


def gates(officers: int) -> Iterator[Gate]:
    """Yield the rows."""
    chance = random.Random(2026)  # noqa: S311 - made-up officers
    steady = [simulate(chance, learnt=False) for _ in range(officers)]
    learnt = [simulate(chance, learnt=True) for _ in range(officers)]
    equal = 100 * mean(one.equal for one in [*steady, *learnt])
    yield Gate("profiles that are equal when recomputed", equal, "%", low=100, note=f"{2 * officers} in any order")
    for name, group, most in (
        ("whose level stayed", steady, 100.0),
        ("who learnt before the latest test", learnt, 150.0),
    ):
        fused, latest = (sqrt(mean(getattr(one, part) ** 2 for one in group)) for part in ("error", "latest"))
        note = f"{fused:.3f} levels, the latest piece alone {latest:.3f}"
        yield Gate(
            f"RMSE of officers {name}, by that of the latest piece", 100 * fused / latest, "%", high=most, note=note
        )
        covered = 100 * mean(one.covered for one in group)
        yield Gate(f"95 % intervals that hold the level, {name}", covered, "%")


def main() -> int:
    """Measure, print, write; return 1 where a gate is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation.profiles")
    parser.add_argument("--quick", action="store_true", help="fewer officers; docs/ stays as it is")
    arguments = parser.parse_args()
    rows = list(gates(QUICK_OFFICERS if arguments.quick else OFFICERS))
    report.show(Console(width=170), rows, "The gates of the skill profile")
    if not arguments.quick:
        lines = [
            f"Measured on {datetime.now(UTC):%d %B %Y} by `python -m tests.evaluation.profiles`.",
            "",
            "| gate | value | target | verdict | about |",
            "| --- | --- | --- | --- | --- |",
            *(f"| {row.name} | {report.figure(row)} | {row.target} | {row.verdict} | {row.note} |" for row in rows),
        ]
        section = "\n".join([BEGIN, *lines, END])
        text = report.PAGE.read_text(encoding="utf-8")
        report.PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: section, text, flags=re.DOTALL), encoding="utf-8")
    return int(any(row.passed is False for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
