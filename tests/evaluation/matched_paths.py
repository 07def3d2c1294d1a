"""Paths from a catalog whose skills or levels were removed and matched again, compared with the given ones.

    starter, levels     the courses of the starter catalog with what their skills are called as free tags; the levels
                        are removed. The calibration is the one that ships; the levels of a course are estimated by
                        weights that no course of its area was in (`level_fit`).
    starter, skills     the same by title and hours alone: nothing of skills and levels is left, and no example.
    platforms, levels   the Coursera and edX courses with their skills as free tags and their provider's word of
                        level; the levels are removed. The confidence is calibrated on one course in five.

Every path is studied by what the courses truly teach and require: a step that the officer cannot enter then is skipped,
and what is left closes what it truly closes. A person would reject the claim of a step for a skill that its course does
not teach. Nobody has confirmed anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from msgspec.structs import replace as changed

from services.catalog.matches import announced, proposed, text_of
from services.catalog.matching import CourseText, Example, Matcher, SimilarityIndex
from services.catalog.matching import calibration as curve
from services.catalog.matching.calibration import Calibration
from services.catalog.matching.level_model import LevelWeights
from services.recommender.inputs import Inputs
from services.recommender.planner.pipeline import recommend
from shared.domain import Course, Framework, LocalizedText
from shared.paths import LearningPath
from tests.evaluation import level_fit, real
from tests.evaluation.problem import Problem
from tests.evaluation.worlds import HOURS, officers_of, view_of

OFFICERS = 200


@dataclass(frozen=True)
class MatchedPaths:
    """What the paths of some officers truly close, in micro-levels: from the given rows, and from the matched ones.

    `promised`: what those from matched rows promise. `claims`: skills that their steps may raise, and `wrong`
    those that the course does not teach; `steps` of the paths, and `skipped` those that the officer cannot enter.
    """

    name: str
    officers: int
    given: int
    matched: int
    promised: int
    claims: int
    wrong: int
    steps: int
    skipped: int

    @property
    def share(self) -> float:
        """What paths from matched rows truly close, of what those from the given ones do."""
        return self.matched / max(self.given, 1)

    @property
    def rejected(self) -> float:
        """The share of what steps claim that a person would reject."""
        return self.wrong / max(self.claims, 1)


def starter(*, tagged: bool) -> MatchedPaths:
    """Return how the starter catalog comes out, with what its skills are called as tags or without."""
    courses, framework, again = starter_rematched(tagged=tagged)
    name = "starter, levels" if tagged else "starter, skills"
    return compared(name, courses, again, officers_of(framework, len(courses)))


def starter_rematched(*, tagged: bool) -> tuple[list[Course], Framework, list[Course]]:
    """Return the starter catalog, its framework, and the same courses with what is matched to them alone."""
    framework = changed(level_fit.framework("th-digital-2018"), version=1)
    courses = level_fit.starter()
    bare = [without_levels(course, framework) if tagged else changed(course, teaches=[]) for course in courses]
    folds = level_fit.fold_of(courses)
    by_fold = {
        fold: rematched(bare, framework, [], curve.shipped(), levels)
        for fold, levels in level_fit.by_fold(courses).items()
    }
    return courses, framework, [by_fold[folds[course.id]][place] for place, course in enumerate(courses)]


def platforms() -> MatchedPaths:
    """Return how the Coursera and edX courses come out."""
    world = real.real_courses()
    courses = list(world.courses)
    framework = named(world.officer(np.random.default_rng(0), HOURS).framework)
    stated = {(0.0, 2.0): "beginner", (2.0, 3.0): "intermediate", (3.0, 4.0): "advanced"}
    bare = [
        changed(
            without_levels(course, framework),
            educational_level=stated.get((course.teaches[0].from_level, course.teaches[0].to_level)),
        )
        for course in courses
    ]
    fitting = np.random.default_rng(20).permutation(len(courses))[: len(courses) // 5]
    again = rematched(bare, framework, [], fitted(bare, courses, fitting, framework))
    return compared("platforms, levels", courses, again, world.officer)


def without_levels(course: Course, framework: Framework) -> Course:
    """Return a course with what its skills are called as free tags, and nothing of what it teaches."""
    titles = {skill.id: skill.title.en or skill.title.th or "" for skill in framework.skills}
    tags = [titles[row.skill] for row in course.teaches if row.framework == framework.id and row.skill in titles]
    return changed(course, teaches=[], tags=tags)


def named(framework: Framework) -> Framework:
    """Return a framework of the platforms whose skills are named by their ids."""
    skills = [changed(skill, title=LocalizedText(en=skill.id.replace("-", " "))) for skill in framework.skills]
    return changed(framework, skills=skills)


def fitted(
    bare: Sequence[Course],
    courses: Sequence[Course],
    places: np.ndarray,
    framework: Framework,
) -> Calibration:
    """Return the calibration on some courses, whose skills are known."""
    index = SimilarityIndex(framework.skills, [])
    given = [{row.skill for row in courses[place].teaches} for place in places]
    right = np.array([[skill in taught for skill in index.skills] for taught in given])
    texts = [CourseText.of(bare[place], framework.id, {}) for place in places]
    return curve.fit(index.of(texts), right, "platforms")


def rematched(
    bare: Sequence[Course],
    framework: Framework,
    examples: Sequence[Example],
    calibration: Calibration,
    levels: LevelWeights | None = None,
) -> list[Course]:
    """Return courses with what is matched to them, as the catalog announces it."""
    found = Matcher(framework, examples, calibration, levels=levels).match(
        [CourseText.of(one, framework.id, {}) for one in bare]
    )
    return [
        announced(course, proposed([], {framework.id: proposals}, text_of(course), [], calibration.enters))
        for course, proposals in zip(bare, found, strict=True)
    ]


def compared(
    name: str,
    courses: Sequence[Course],
    again: Sequence[Course],
    officer: Callable[[np.random.Generator, float], Inputs],
) -> MatchedPaths:
    """Return what the paths of officers close by the true rows, from both catalogs."""
    chance, truly, guessed = np.random.default_rng(7), view_of(courses), view_of(again)
    taught = {course.id: {row.skill for row in course.teaches} for course in courses}
    total = MatchedPaths(name, OFFICERS, 0, 0, 0, 0, 0, 0, 0)
    for _ in range(OFFICERS):
        inputs = officer(chance, HOURS)
        inputs = changed(inputs, completed=[])
        problem = Problem(inputs, courses)
        given, matched = recommend(inputs, truly), recommend(inputs, guessed)
        claims = [(step.course.id, row.skill) for step in matched.steps for row in step.closes if row.confidence]
        studied, gained = truly_closed(problem, matched)
        total = replace(
            total,
            given=total.given + truly_closed(problem, given)[1],
            matched=total.matched + gained,
            promised=total.promised + matched.coverage.gained,
            claims=total.claims + len(claims),
            wrong=total.wrong + sum(skill not in taught[course] for course, skill in claims),
            steps=total.steps + len(matched.steps),
            skipped=total.skipped + len(matched.steps) - studied,
        )
    return total


def truly_closed(problem: Problem, path: LearningPath) -> tuple[int, int]:
    """Return how many steps of a path can truly be entered in its order, and what these truly close."""
    by_id = {candidate.id: candidate for candidate in problem.candidates}
    state, taken = problem.start(), []
    for step in path.steps:
        if (one := by_id.get(step.course.id)) and problem.admits(state, one):
            problem.take(state, one)
            taken.append(one)
    return len(taken), problem.gained(taken)
