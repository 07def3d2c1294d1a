"""A fresh process that warms up, then plans and answers for catalogs of every shape.

`python -m tests.support.after_warm_up` writes one line of JSON: for each request, what was compiled or loaded after
the warm-up.
"""

import json
import sys
from collections.abc import Iterable, Iterator

import msgspec

from services.recommender.inputs import Estimate, Inputs
from services.recommender.plan_validator.validate import validate
from services.recommender.planner import pipeline
from services.recommender.planner.index import catalog as index
from services.recommender.planner.index.catalog import Snapshot, View
from services.recommender.planner.jit import signatures
from services.recommender.rules import Rule
from services.recommender.warmup import warm_up
from shared.domain import SHARED_TENANT, Course
from tests.support.builders import MOMENT, TENANT, after, catalog, framework, inputs

SKILLS = 8
SKILL_FRAMEWORK = framework({f"s{n:02}": 3 for n in range(SKILLS)})
SIZES = ((0, 0), (0, 1), (0, 513), (1, 511), (600, 0), (600, 1), (600, 511), (600, 512), (600, 513), (600, 5000))
"""(number of shared courses, number of the tenant's own): fewer and more than are kept beside a base segment."""

CHAMPIONS_OF = ((600, 0), (600, 513), (600, 5000))


def own(count: int, seed: int = 5) -> list[Course]:
    return [msgspec.structs.replace(one, id=f"own-{one.id}") for one in catalog(count, SKILLS, seed)]


def snapshots(sizes: Iterable[tuple[int, int]]) -> Iterator[tuple[str, Snapshot]]:
    for shared, count in sizes:
        snapshot = Snapshot().put_courses(SHARED_TENANT, catalog(shared, SKILLS, seed=4), 1)
        snapshot = snapshot.put_courses(TENANT, own(count), 2)
        yield f"{shared} shared and {count} own", snapshot
        changed = snapshot.put_courses(SHARED_TENANT, catalog(3, SKILLS, seed=9), 3)
        changed = changed.put_courses(TENANT, [own(1, seed=8)[0]], 4)
        yield f"{shared} shared and {count} own, some changed", changed
        for name in ("c00001", "own-c00000", "own-c00002"):
            changed = changed.changed({SHARED_TENANT if name.startswith("c") else TENANT: {name: None}}, {}, 5)
        yield f"{shared} shared and {count} own, some withdrawn", changed
    unreachable = [msgspec.structs.replace(one, requires=[after("nothing")]) for one in own(3)]
    yield "only what cannot be reached", Snapshot().put_courses(TENANT, unreachable, 1)


def officers() -> Iterator[Inputs]:
    held = {skill: Estimate(0.5, 0.4, MOMENT) for skill in ("s00", "s03")}
    plain = inputs(SKILL_FRAMEWORK)
    yield plain
    yield inputs(SKILL_FRAMEWORK, {f"s{n:02}": 3 for n in range(SKILLS)})  # nothing to close
    known = msgspec.structs.replace(plain, levels=held, budget_hours=20.0)
    yield known
    yield msgspec.structs.replace(known, budget_hours=0.0, max_steps=0, target={"s01": 2.5}, job_group="")
    wishes = msgspec.structs.replace(
        known,
        mandatory=["c00002", "own-c00004", "nowhere"],
        pinned=["c00005", "own-c00006"],
        started=["c00007"],
        completed=["c00008"],
        completed_at={"own-c00009": MOMENT},
        excluded=["c00010"],
        cost_multipliers={"c00011": 1.5},
        languages=["th"],
        elsewhere={"other": {"x": Estimate(2.0, 0.3)}},
    )
    yield wishes
    for field, value in (("course", "c00003"), ("provider", "About provider"), ("language", "en"), ("skill", "s02")):
        for bias in (-1.0, 0.0, 2.0):
            rule = msgspec.convert({"field": field, "values": [value], "bias": bias}, Rule)
            yield msgspec.structs.replace(known, rules=[rule])


def ask_everything(view: View) -> None:
    asked = [name for name in ("c00000", "own-c00003") if view.course(name)]
    for name in asked:
        pipeline.similar_courses(name, view)
    for officer in officers():
        path = pipeline.recommend(officer, view)
        if found := validate(path, officer, view.course):
            raise AssertionError(found)
        steps = [step.course.id for step in path.steps]
        again = msgspec.structs.replace(officer, previous=steps, started=steps[:1], completed=steps[1:2])
        pipeline.path_diff(path, pipeline.recommend(again, view))
        for name in asked:
            pipeline.why_not(officer, view, path, name)


def main() -> None:
    warm_up()
    known, late = signatures(), dict[str, list[str]]()
    for whole, sizes in ((20_000, SIZES), (400, CHAMPIONS_OF)):
        setattr(index, "CHAMPIONS_FROM", whole)  # noqa: B010 - champions, without 20,000 courses
        for name, snapshot in snapshots(sizes):
            ask_everything(snapshot.view(TENANT))
            if (now := signatures()) != known:
                late[f"{name}, champions from {whole}"] = [one for one in now if now[one] != known.get(one)]
                known = now
    json.dump({"kernels": len(known), "late": late}, sys.stdout)


if __name__ == "__main__":
    main()
