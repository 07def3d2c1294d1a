"""One size of catalog, measured in a process of its own: pace, index, throughput."""

import gc
import time
from dataclasses import dataclass

import psutil

from services.recommender.planner.index.catalog import Snapshot
from shared.domain import SHARED_TENANT
from tests.evaluation.index import array_bytes, built, change, held, loop_pause, ready, rebuilt
from tests.evaluation.timing import Pace, many_at_once, officers, pace
from tests.evaluation.worlds import TENANT, World, generated

SKILLS, MANY_SKILLS, _MILLION = 200, 500, 1_000_000


@dataclass(frozen=True, slots=True)
class Scale:
    """Bytes are per course; `resident` is the growth of the process from the list of courses to the ready index."""

    courses: int
    drawn_seconds: float
    built_seconds: float
    pace: Pace
    change_ms: float
    array_bytes: float
    resident: float


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A full rebuild from the entries held; from encoded courses to ready; the event loop's longest pause meanwhile."""

    courses: int
    seconds: float
    ready_seconds: float
    pause_ms: float


@dataclass(frozen=True, slots=True)
class Shares:
    """Bytes per course by kind; `whole`: share of the courses that are held as whole objects."""

    courses: int
    arrays: float
    encoded: float
    objects: float
    whole: float


@dataclass(frozen=True, slots=True)
class Together:
    """The ratio of the throughput of two workers to that of one, and whether the planner takes batches."""

    courses: int
    speedup: float
    has_entry: bool


def world_of(courses: int) -> World:
    """Return the generated world of a size: 200 skills, at a million courses 500."""
    return generated(courses, MANY_SKILLS if courses >= _MILLION else SKILLS, 1)


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def scale(courses: int, per_block: int, seconds: float) -> Scale:
    """Return the figures of one size. `seconds`: about how long plans, and again changes, may take."""
    begun = time.perf_counter()
    world = world_of(courses)
    drawn = time.perf_counter() - begun
    gc.collect()
    before = _resident()
    officer = officers(world, 1)[0]
    snapshot, seconds_built = built(world.courses, officer)
    grown = _resident() - before
    view = snapshot.view(TENANT)
    return Scale(
        courses=courses,
        drawn_seconds=drawn,
        built_seconds=seconds_built,
        pace=pace(world, view, per_block, seconds),
        change_ms=change(snapshot, world.courses, officer, 20, seconds / 2),
        array_bytes=array_bytes(view) / courses,
        resident=grown / courses,
    )


def rebuild(courses: int, times: int) -> Rebuild:
    """Return the figures of rebuilds, the median of several."""
    world = world_of(courses)
    officer = officers(world, 1)[0]
    snapshot, _ = built(world.courses, officer)
    seconds = sorted(rebuilt(snapshot, officer) for _ in range(times))[times // 2]
    return Rebuild(courses, seconds, ready(world.courses, officer), loop_pause(world.courses, officer))


def shares(courses: int) -> Shares:
    """Return what a catalog holds by kind, every object counted."""
    world = world_of(courses)
    view = built(world.courses, officers(world, 1)[0])[0].view(TENANT)
    found = held(view)
    return Shares(
        courses, found.arrays / courses, found.encoded / courses, found.objects / courses, found.courses / courses
    )


def together(courses: int) -> Together:
    """Return the throughput of two workers over one, for 64 officers."""
    world = world_of(courses)
    view = Snapshot().put_courses(SHARED_TENANT, world.courses, 1).view(TENANT)
    speedup, has_entry = many_at_once(world, view)
    return Together(courses, speedup, has_entry)
