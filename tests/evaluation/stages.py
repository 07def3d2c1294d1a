"""The stages of an evaluation. The answers of each are kept in `.local/` until the whole run has ended.

A run that was stopped is continued by the next one: a stage that had ended is not measured again, unless a source file,
the folder of real sets or the size of the run has changed since.
"""

import hashlib
import multiprocessing
import pickle
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress

from tests.evaluation import exact, real
from tests.evaluation.report import ROOT

Call = tuple[Callable[..., Any], tuple[Any, ...]]

_SOURCES = ("services/recommender", "shared", "tests/evaluation", "deploy/requirements")
_SUFFIXES = (".py", ".txt")


@dataclass
class Stages:
    """Runs stages and keeps their answers in `folder`. `seconds`: what all stages took, those of a stopped run too."""

    progress: Progress
    folder: Path
    seconds: float = 0.0

    def run(self, name: str, calls: Sequence[Call], workers: int) -> list[Any]:
        """Return the answers in the order of the calls, each made in a process of a pool, or kept by a stopped run."""
        answers: list[Any]
        task = self.progress.add_task(name, total=len(calls))
        kept = self.folder / f"{name}.pickle"
        if kept.exists():
            seconds, answers = pickle.loads(kept.read_bytes())  # noqa: S301 - only `_keep` writes there
            self.progress.update(task, completed=len(calls), description=f"{name}, of the run that was stopped")
        else:
            begun = time.perf_counter()
            answers = self._measure(task, calls, workers)
            seconds = time.perf_counter() - begun
            self._keep(kept, (seconds, answers))
        self.seconds += seconds
        return answers

    def _measure(self, task: Any, calls: Sequence[Call], workers: int) -> list[Any]:
        context = multiprocessing.get_context("spawn")
        alone = 1 if workers == 1 else None  # a timing must not inherit another's memory
        with ProcessPoolExecutor(workers, context, exact.quiet, max_tasks_per_child=alone) as pool:
            waiting: list[Future[Any]] = [pool.submit(function, *arguments) for function, arguments in calls]
            for _ in as_completed(waiting):
                self.progress.advance(task)
            return [future.result() for future in waiting]

    def _keep(self, kept: Path, answers: tuple[float, list[Any]]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        written = kept.with_suffix(".part")
        written.write_bytes(pickle.dumps(answers))
        written.replace(kept)

    def forget(self) -> None:
        """Remove what was kept: the next run measures everything again."""
        shutil.rmtree(self.folder, ignore_errors=True)


def folder_of(size: object) -> Path:
    """Return the folder of runs that measure the same: equal sources, real sets and `size`."""
    digest = hashlib.sha256(repr((size, real.folder())).encode())
    for path in sorted(path for source in _SOURCES for path in (ROOT / source).rglob("*") if path.suffix in _SUFFIXES):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return ROOT / ".local" / "evaluation" / digest.hexdigest()[:16]
