"""What the index costs: bytes per course, a change of one course, a rebuild. Seen from outside, by what can be reached.

`arrays`: the numeric numpy arrays that can be reached from a view, each memory once. `encoded`: `bytes`, and arrays of
bytes. `objects`: everything else that Python holds for the catalog.
"""

import asyncio
import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import msgspec
import numpy as np

from services.recommender.inputs import Inputs
from services.recommender.planner import pipeline
from services.recommender.planner.index import catalog as index
from services.recommender.planner.index.catalog import Snapshot, View
from shared.domain import SHARED_TENANT, Course
from tests.evaluation.worlds import TENANT, Courses

_FOREIGN = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)
_FEW = 1000


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes that a view holds, and how many of its objects are whole courses."""

    arrays: int
    encoded: int
    objects: int
    courses: int


def built(courses: Courses, officer: Inputs) -> tuple[Snapshot, float]:
    """Return a snapshot that is ready to plan on, and the seconds it took: a first plan beyond what a second takes."""
    begun = time.perf_counter()
    snapshot = Snapshot().put_courses(SHARED_TENANT, courses, 1)
    pipeline.recommend(officer, snapshot.view(TENANT))
    first = time.perf_counter()
    pipeline.recommend(officer, snapshot.view(TENANT))
    return snapshot, 2 * first - begun - time.perf_counter()


def rebuilt(snapshot: Snapshot, officer: Inputs) -> float:
    """Return the seconds of a full rebuild from the entries held, as a merge does it: until a first plan can use it."""
    entries = snapshot.courses[SHARED_TENANT].base.entries
    pipeline.recommend(officer, snapshot.view(TENANT))
    begun = time.perf_counter()
    again = Snapshot(snapshot.catalog_revision, {SHARED_TENANT: index.TenantCourses(index.BaseSegment(entries), {})})
    pipeline.recommend(officer, again.view(TENANT))
    first = time.perf_counter()
    pipeline.recommend(officer, again.view(TENANT))
    return 2 * first - begun - time.perf_counter()


def ready(courses: Courses, officer: Inputs) -> float:
    """Return the seconds from encoded courses, as they arrive, to the first plan."""
    lines = [msgspec.json.encode(course) for course in courses]
    decoder = msgspec.json.Decoder(Course)
    begun = time.perf_counter()
    snapshot = Snapshot().put_courses(SHARED_TENANT, map(decoder.decode, lines), 1)
    pipeline.recommend(officer, snapshot.view(TENANT))
    return time.perf_counter() - begun


def change(snapshot: Snapshot, courses: Courses, officer: Inputs, times: int, seconds: float) -> float:
    """Return the milliseconds by which a changed course delays the next plan, the median of several changes.

    Building put off until that plan counts as well: a plan on the new view less a plan on the old one.
    """
    chance = np.random.default_rng(1)
    view, delays = snapshot.view(TENANT), list[float]()
    pipeline.recommend(officer, view)
    ends = time.perf_counter() + seconds
    for number in chance.integers(0, len(courses), times):
        course = courses[number]
        other = msgspec.structs.replace(course, hours=course.hours + 1)
        begun = time.perf_counter()
        pipeline.recommend(officer, view)
        usual = time.perf_counter()
        later = snapshot.put_courses(SHARED_TENANT, [other], snapshot.catalog_revision + 1)
        pipeline.recommend(officer, later.view(TENANT))
        delays.append(1000 * (time.perf_counter() - 2 * usual + begun))
        if time.perf_counter() > ends:
            break
    return float(np.median(delays))


def loop_pause(courses: Courses, officer: Inputs) -> float:
    """Return the longest time in ms for which an event loop was blocked while the index was built in a thread."""

    async def watch() -> float:
        work, longest = asyncio.create_task(asyncio.to_thread(built, courses, officer)), 0.0
        while not work.done():
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - begun - 0.001)
        return 1000 * longest

    return asyncio.run(watch())


def held(view: View) -> Held:
    """Return what a view holds, by walking over every object: for small catalogs."""
    seen: set[int] = set()
    waiting: list[Any] = [view.catalog]
    arrays = encoded = objects = courses = 0
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, _FOREIGN):
            continue
        seen.add(id(found))
        if isinstance(found, np.ndarray) and not found.dtype.hasobject:
            if isinstance(found.base, np.ndarray):
                waiting.append(found.base)
            elif found.dtype.itemsize == 1 and found.dtype != np.bool_:
                encoded += found.nbytes
            else:
                arrays += found.nbytes
            continue
        if isinstance(found, bytes | bytearray):
            encoded += len(found)
        else:
            objects += _size(found)
            courses += isinstance(found, Course)
        waiting += _referents(found)
    return Held(arrays, encoded, objects, courses)


def _referents(found: object) -> list[Any]:
    """Return what an object holds; structs that the garbage collector does not follow are read field by field."""
    if isinstance(found, msgspec.Struct):
        return [getattr(found, name) for name in found.__struct_fields__]
    return gc.get_referents(found)


def _size(found: object) -> int:
    try:
        return found.__sizeof__()
    except TypeError:
        return 0


def array_bytes(view: View) -> int:
    """Return the bytes of numeric arrays without looking into long lists: for large catalogs."""
    memory: dict[int, int] = {}
    for array in _arrays(view.catalog):
        root = array
        while isinstance(root.base, np.ndarray):
            root = root.base
        if not root.dtype.hasobject and (root.dtype.itemsize > 1 or root.dtype == np.bool_):
            memory[id(root)] = root.nbytes
    return sum(memory.values())


def _arrays(root: object) -> Iterator[np.ndarray[Any, Any]]:
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, (*_FOREIGN, str, bytes, int, float)):
            continue
        seen.add(id(found))
        if isinstance(found, np.ndarray):
            yield found
        elif not isinstance(found, list | tuple | dict | set | frozenset) or len(found) <= _FEW:
            waiting += gc.get_referents(found)
