"""Worlds made from public sets of real data, read from the folder that DATASETS_DIR names; nothing of them is kept.

They are constructed, and every figure from them is marked as such:

    courses     2 Coursera sets and 1 edX set: their own skills are the framework, Beginner 0 to 2, Intermediate 2 to 3,
                Advanced 3 to 4, entry = from. Hours from their columns (a month of study counts 40 hours, a week 10);
                edX gives none: the median of the Coursera courses of the same level. Targets: 8 to 16 of the skills
                that at least 5 courses teach, at level 2 or 3; officers are anywhere below. Ratings: the sets' own.
    university  courses of 11 universities and their real prerequisites. Each teaches one skill of its own, 0 to 1, in
                drawn hours; targets: 6 courses that have prerequisites.
    roles       the role levels of the UK government's framework: their required levels are the targets, over a
                generated catalog of 1,000 courses that teaches their skills.
"""

import ast
import csv
import html
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from services.recommender.inputs import Estimate, Inputs
from shared.domain import Course, Framework, Prerequisite, Teaches
from tests.evaluation.generate import draw
from tests.evaluation.worlds import DAY, SDS, TENANT, World, framework_of, officers_of, words

SETTING = "DATASETS_DIR"
_ENDS = {"beginner": (0, 2), "introductory": (0, 2), "intermediate": (2, 3), "advanced": (3, 4)}
_GRADES = {"Awareness": 1.0, "Working": 2.0, "Practitioner": 3.0, "Expert": 4.0}
_UNITS = {"hour": 1.0, "hr": 1.0, "minute": 1 / 60, "min": 1 / 60, "week": 10.0, "month": 40.0, "year": 480.0}
_LANGUAGES = {"English": "en", "Thai": "th", "Spanish": "es", "French": "fr", "Russian": "ru"}
_DIGITS = r"(\d+(?:\.\d+)?)"
_SPAN = re.compile(rf"{_DIGITS}(?:\s*(?:-|–|to)\s*{_DIGITS})?\s*({'|'.join(_UNITS)})", re.IGNORECASE)


class Row(NamedTuple):
    """A course as a set has it. `hours` 0: not given."""

    title: str
    skills: list[str]
    level: str
    hours: float
    rating: float
    language: str


def folder() -> Path | None:
    """Return the folder with the sets; None if DATASETS_DIR is not set."""
    named = os.environ.get(SETTING)
    return Path(named) if named else None


def hours_of(text: str) -> float:
    """Return the hours that a duration comes to, of a range the middle; 0 where there is none."""
    total = 0.0
    for low, high, unit in _SPAN.findall(text):
        total += (float(low) + float(high or low)) / 2 * _UNITS[unit.lower()]
    return round(total, 2)


def level_of(text: str) -> str:
    """Return beginner, introductory, intermediate or advanced; empty where the column holds something else."""
    word = text.strip().lower().removesuffix(" level")
    return word if word in _ENDS else ""


def read(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a file of the sets."""
    found = folder()
    assert found is not None, f"{SETTING} is not set"
    with (found / name).open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _number(text: str) -> float:
    match = re.match(r"\d+(\.\d+)?", text.strip())
    return float(match[0]) if match else 0.0


def _rows() -> Iterator[Row]:
    for row in read("coursera_5164_forstmaple/coursera_courses.csv"):
        skills = ast.literal_eval(row["course_skills"]) if row["course_skills"].startswith("[") else []
        title, language = row["course_name"], _LANGUAGES.get(row["course_language"].strip(), "en")
        rating = _number(row["course_rating"])
        yield Row(title, skills, level_of(row["course_level"]), hours_of(row["time_required"]), rating, language)
    for row in read("coursera_1139_ayesha/Coursera.csv"):
        skills = row["skills"].split(", ")
        yield Row(
            row["course"], skills, level_of(row["level"]), hours_of(row["duration"]), _number(row["rating"]), "en"
        )
    for row in read("edx_816_prereq_skills/edx.csv"):
        language = _LANGUAGES.get(row["language"].strip(), "en")
        yield Row(row["title"], row["associatedskills"].split(", "), level_of(row["level"]), 0.0, 0.0, language)


def skill_id(name: str) -> str:
    """Return the id that a skill of the platforms gets from its name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", html.unescape(name)).strip("-").lower()[:60]


def _known() -> list[Row]:
    """Return each course once, with a level, skills and hours."""
    found: dict[tuple[str, str], Row] = {}
    for row in _rows():
        skills = sorted({skill_id(skill) for skill in row.skills} - {"", "none"})
        title = html.unescape(row.title).strip()
        if skills and row.level and title:
            found.setdefault((title, row.level), row._replace(title=title, skills=skills))
    hours_between = defaultdict[tuple[int, int], list[float]](list)
    for row in found.values():
        if row.hours:
            hours_between[_ENDS[row.level]].append(row.hours)
    usual = {ends: median(hours) for ends, hours in hours_between.items()}
    return [row if row.hours else row._replace(hours=usual[_ENDS[row.level]]) for row in found.values()]


def real_courses() -> World:
    """Return the Coursera and edX courses, with targets drawn over their skills."""
    rows = _known()
    name = "platforms"
    courses = [
        Course(
            id=f"r{number:05}",
            title=words(row.title[:300]),
            provider=words("public set"),
            hours=min(max(row.hours, 0.25), 5000.0),
            languages=[row.language],
            teaches=[
                Teaches(name, skill, float(_ENDS[row.level][0]), float(_ENDS[row.level][1])) for skill in row.skills
            ],
        )
        for number, row in enumerate(rows)
    ]
    count = Counter(skill for row in rows for skill in row.skills)
    framework = framework_of(name, sorted(count), 4, {"none": {}})
    ratings = {course.id: row.rating for course, row in zip(courses, rows, strict=True)}
    popular = sorted(skill for skill, taught in count.items() if taught >= 5)
    return World(courses, ratings, _targets(framework, popular, (8, 16), (2.0, 3.0)))


def _targets(
    framework: Framework, skills: Sequence[str], sizes: tuple[int, int], levels: tuple[float, ...]
) -> Callable[[np.random.Generator, float], Inputs]:
    """Return what draws officers with a target of their own over some skills, assessed on all of them."""

    def officer(chance: np.random.Generator, hours: float) -> Inputs:
        chosen = chance.choice(len(skills), chance.integers(sizes[0], sizes[1] + 1), replace=False)
        target = {skills[skill]: float(chance.choice(levels)) for skill in chosen}
        return Inputs(
            tenant=TENANT,
            framework=framework,
            as_of=DAY,
            target=target,
            levels={
                skill: Estimate(round(float(chance.uniform(0, level)), 2), float(chance.choice(SDS)))
                for skill, level in target.items()
            },
            budget_hours=hours,
            profile_sequence=1,
        )

    return officer


def university() -> World:
    """Return the university courses with their prerequisites."""
    found = folder()
    assert found is not None, f"{SETTING} is not set"
    base = found / "university_course_prereqs"
    with (base / "cs_courses.csv").open(encoding="utf-8-sig", newline="") as file:
        names = sorted({row[0] for row in csv.reader(file)})
    with (base / "cs_edges.csv").open(encoding="utf-8-sig", newline="") as file:
        edges = sorted({(row[0], row[1]) for row in csv.reader(file)})
    ids = {name: f"u{number:04}" for number, name in enumerate(names)}
    before = defaultdict[str, list[str]](list)
    for course, needed in edges:
        if course in ids:
            before[course].append(ids.get(needed, "not-there"))
    chance = np.random.default_rng(654)
    courses = [
        Course(
            id=ids[name],
            title=words(name),
            provider=words("public set"),
            hours=float(chance.integers(4, 25)) / 2,
            languages=["en"],
            teaches=[Teaches("university", ids[name], 0.0, 1.0)],
            requires=[Prerequisite(course=needed) for needed in before[name]],
        )
        for name in names
    ]
    framework = framework_of("university", list(ids.values()), 2, {"none": {}})
    goals = sorted(ids[name] for name in before if before[name])

    def officer(chance: np.random.Generator, hours: float) -> Inputs:
        target = {goals[goal]: 1.0 for goal in chance.choice(len(goals), 6, replace=False)}
        levels = dict.fromkeys(target, Estimate(0.0, 0.3))
        return Inputs(tenant=TENANT, framework=framework, as_of=DAY, target=target, levels=levels, budget_hours=hours)

    return World(courses, {}, officer)


def roles() -> World:
    """Return the UK role levels as job groups over a generated catalog."""
    groups = defaultdict[str, dict[str, tuple[float, float]]](dict)
    numbers: dict[tuple[str, str], str] = {}
    skills: dict[str, str] = {}
    rows = [row for row in read("uk_gdad_capability_framework/roles.csv") if row["Skill Level"] in _GRADES]
    for row in rows:
        role = numbers.setdefault((row["Role"], row["Role Level"]), f"g{len(numbers):03}")
        skill = skills.setdefault(row["Skill Name"].strip(), f"s{len(skills):03}")
        groups[role][skill] = (_GRADES[row["Skill Level"]], 1.0)
    drawn = draw(1000, len(skills), 205, "roles", top=4)
    framework = framework_of("roles", list(skills.values()), 4, groups)
    return World(list(drawn), drawn.ratings(), officers_of(framework, len(drawn)))


COURSES, UNIVERSITY, ROLES = "Coursera and edX", "university graphs", "UK roles"
WORLDS: dict[str, Callable[[], World]] = {COURSES: real_courses, UNIVERSITY: university, ROLES: roles}
