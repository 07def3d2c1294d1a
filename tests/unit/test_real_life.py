"""Whatever happens to an officer: every path is sound and true, shown alike everywhere, and recomputed alike.

Levels have six decimals, hours are odd, half of the catalog is only matched: what real data have, and round numbers in
other tests do not show.
"""

import random
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise

import msgspec
import pytest
from msgspec.structs import replace

from services.recommender.inputs import PlanRequest, inputs_for
from services.recommender.plan_pool import PlannedPath, solve
from services.recommender.planner import pipeline
from services.recommender.planner.index.catalog import Snapshot, View
from services.recommender.planning import same_path
from services.recommender.provenance import InputsRecord, request_of
from services.recommender.rules import TenantRules
from shared.compact_paths import alternatives, compact
from shared.domain import SHARED_TENANT, Course, Framework
from shared.events import PathAnnounced, PathRecommended, encode
from shared.messages import why_not_with_sentences, with_sentences
from shared.paths import LearningPath
from tests.bench import fixtures
from tests.support.builders import TENANT
from tests.support.real_life import Officer, repeated_request, unconfirmed

PLANNED_AT = datetime(2026, 11, 26, tzinfo=UTC)
SLACK = 1e-6
"""Hours."""


@cache
def catalog(seed: int) -> tuple[list[Course], View]:
    """Return the starter courses, of some of which the skills are only matched, as a tenant sees them."""
    chance = random.Random(f"catalog {seed}")  # noqa: S311 - test data
    courses = [unconfirmed(chance, one) if chance.random() < seed % 3 / 2 else one for one in fixtures.courses()]
    snapshot = Snapshot()
    for stamp, framework in enumerate(fixtures.frameworks(), 1):
        snapshot = snapshot.put_framework(SHARED_TENANT, framework, stamp)
    return courses, snapshot.put_courses(SHARED_TENANT, courses, 9).view(TENANT)


def officer_of(seed: int) -> Officer:
    chance = random.Random(seed)  # noqa: S311 - test data
    courses, view = catalog(seed % 3)
    return Officer(chance, chance.choice(fixtures.frameworks()), courses, view)


def assert_good(request: PlanRequest, planned: PlannedPath, view: View) -> None:
    """Check a path by the independent validator, and whatever is made of it afterwards."""
    assert planned.violations == []
    path = planned.path
    stored = announced(path)
    assert_same_sentences(path, stored)
    assert computed_again(request, planned, view) == path
    if not path.finishing:  # else the next one may close more
        again = solve(repeated_request(request, path), view)
        assert again.violations == []
        assert same_path(compact(stored), alternatives(again.path), again.path)


def announced(path: LearningPath) -> LearningPath:
    """Return a path as it is read from its event."""
    event = PathRecommended(TENANT, "o1", 1, "assessment", PLANNED_AT, path)
    return msgspec.json.decode(encode(PathAnnounced.of(event)), type=PathAnnounced).recommended().path


def assert_same_sentences(path: LearningPath, stored: LearningPath) -> None:
    steps = [replace(step, alternatives=[], similarity=round(step.similarity, 3)) for step in path.steps]
    one = with_sentences(replace(path, steps=steps))
    assert one == with_sentences(stored)
    reasons = [one.reason, *(step.reason for step in one.steps), *(row.reason for row in one.open)]
    reasons += [*(entry.reason for entry in one.assess_first), *(note.reason for note in one.notes)]
    for reason in reasons:
        assert reason.th
        assert reason.en
        assert not {"nan", "inf", "None"}.intersection(reason.en.split())


def computed_again(request: PlanRequest, planned: PlannedPath, view: View) -> LearningPath:
    """Return the path that follows from what is stored of it, with its versions."""
    framework = view.framework(request.profile.framework)
    record = msgspec.json.decode(msgspec.json.encode(planned.record), type=InputsRecord)
    rules = msgspec.json.decode(msgspec.json.encode(request.rules), type=TenantRules)
    held = msgspec.json.decode(msgspec.json.encode(framework), type=Framework)
    path = pipeline.recommend(inputs_for(request_of(record, rules), held), view)
    return replace(path, versions=planned.path.versions)


@pytest.mark.parametrize("seed", range(24))
def test_every_path_of_an_officer_is_valid_after_any_event(seed: int) -> None:
    officer = officer_of(seed)
    assert_good(*officer.first(), officer.view)
    for request, planned in officer.go_on(4):
        assert_good(request, planned, officer.view)


@pytest.mark.parametrize("seed", range(100, 108))
def test_finishing_a_path_keeps_what_it_promised(seed: int) -> None:
    officer = officer_of(seed)
    _, planned = officer.first()
    paths = [planned.path]
    for _, then in officer.finish():
        assert then.violations == []
        paths.append(then.path)
    assert all(after.hours < before.hours + SLACK for before, after in pairwise(paths))
    assert paths[-1].steps == []
    reached = {gap.skill: gap.level for gap in paths[-1].gaps}
    assert all(reached[gap.skill] >= min(gap.reached, gap.required) for gap in paths[0].gaps)


@pytest.mark.parametrize("seed", range(200, 206))
def test_why_not_is_answered_for_every_course(seed: int) -> None:
    officer = officer_of(seed)
    request, planned = officer.first()
    framework = officer.view.framework(request.profile.framework)
    assert framework is not None
    inputs = inputs_for(request, framework)
    for course in officer.chance.sample(officer.courses, 12):
        answer = pipeline.why_not(inputs, officer.view, announced(planned.path), course.id)
        assert why_not_with_sentences(answer).reason.th
        assert why_not_with_sentences(answer).reason.en
        if answer.score is not None and answer.taken_score is not None:
            assert answer.cause == ("lower_value" if answer.score <= answer.taken_score else "worse_overall")
