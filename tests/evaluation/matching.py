"""`python -m tests.evaluation.matching`: how well courses are matched to skills, compared with BM25 and words.

    platforms   the Coursera and edX courses: the union of their skills is the framework. The skills of one course in
                five are held out; three in five are examples, and on one in five the confidence is calibrated.
    labelled    400 Thai courses, and 220 English ones each of edX and Coursera, with the skills of the shipped
                framework that they teach (`labelled`). One calibration is fitted on all; confidence and threshold of a
                course come from the four fifths that it is not in; the shipped courses are examples.

    paths       what paths from a catalog that was matched again close, compared with those from the given one; see
                `matched_paths`.

`--fit-levels` writes the weights of the level model.
`--loss` prints which errors of the matches cost the paths of the starter catalog how much.
`--labelled FILE` writes the labelled courses, from which `python -m services.catalog calibrate` makes what ships.
"""

import argparse
import ast
import html
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bm25s
import msgspec
import numpy as np
from msgspec.structs import replace as changed
from rich.console import Console
from sklearn.feature_extraction.text import TfidfVectorizer

from services.catalog.matching import CourseText, Example, Matcher, SimilarityIndex
from services.catalog.matching import calibration as curve
from services.catalog.matching.calibration import Calibration, Reliability, ReliabilityBin
from services.catalog.matching.level_model import LevelRow, LevelTable
from shared.charts import Axis, chart
from shared.domain import Course, Framework, LocalizedText, Skill
from tests.evaluation import labelled, level_fit, level_loss, matched_paths, real, report
from tests.evaluation.gates import Gate
from tests.evaluation.labelled import SEED, Agreement, Labelled
from tests.evaluation.matched_paths import MatchedPaths

BEGIN, END = "<!-- matching -->", "<!-- /matching -->"
BM25, WORDS, OURS, KNOWN = "BM25", "words, TF-IDF", "ours, labels alone", "ours, with examples"
TITLES = {labelled.THAI: "Thai titles", "edx": "edX courses", "coursera": "Coursera courses"}
_SPEED_COURSES = 4000


@dataclass(frozen=True)
class Ranked:
    """Precision of the first, recall of the first five, and nDCG of the first ten, in the mean over courses."""

    precision: float
    recall: float
    gain: float


@dataclass(frozen=True)
class Platforms:
    """What the held-out courses of the platforms came to."""

    courses: int
    skills: int
    methods: dict[str, Ranked]
    error: float
    bins: list[ReliabilityBin]


@dataclass(frozen=True)
class ByHand:
    """What the labelled courses came to. `right`: the right rows of each set, by its name.

    `titles_alone`: the quality on the Thai courses if nothing but their Thai titles is known.
    """

    right: dict[str, int]
    thai_agreement: Agreement
    platform_agreement: Agreement
    calibration: Calibration
    titles_alone: Reliability


# --- the platforms' courses ------------------------------------------------------------------------------------------


def _platform_courses() -> tuple[list[CourseText], list[set[str]], list[Skill]]:
    """Return each course once by its title, the skills given to it, and all skills."""
    names = dict[str, str]()
    given: dict[str, tuple[str, set[str]]] = {}
    for title, about, skill_names in _platform_rows():
        known = {real.skill_id(skill): html.unescape(skill).strip()[:300] for skill in skill_names}
        known = {key: name for key, name in known.items() if key and key != "none"}
        if title and known:
            names |= {key: name for key, name in known.items() if key not in names}
            given.setdefault(title, (about, set()))[1].update(known)
    courses = [
        CourseText(f"p{number:05}", LocalizedText(en=f"{title}. {about}"[:300]))
        for number, (title, (about, _)) in enumerate(given.items())
    ]
    skills = [Skill(key, "all", LocalizedText(en=names[key])) for key in sorted(names)]
    return courses, [taught for _, taught in given.values()], skills


def _platform_rows() -> Sequence[tuple[str, str, list[str]]]:
    """Return title, subject and skills as the three sets have them."""
    rows = []
    for row in real.read("coursera_5164_forstmaple/coursera_courses.csv"):
        skills = ast.literal_eval(row["course_skills"]) if row["course_skills"].startswith("[") else []
        rows.append((row["course_name"], f"{row['category']} {row['sub_category']}", skills))
    rows += [(row["course"], "", row["skills"].split(", ")) for row in real.read("coursera_1139_ayesha/Coursera.csv")]
    rows += [
        (row["title"], row["subject"], row["associatedskills"].split(", "))
        for row in real.read("edx_816_prereq_skills/edx.csv")
    ]
    return [(html.unescape(title).strip(), about, skills) for title, about, skills in rows]


def platforms() -> Platforms:
    """Return how the held-out skills of the platforms' courses are found."""
    courses, given, skills = _platform_courses()
    order = np.random.default_rng(20).permutation(len(courses))
    fifth = len(order) // 5
    held, fitting, known = order[:fifth], order[fifth : 2 * fifth], order[2 * fifth :]
    texts = [(courses[place].title.en or "", given[place]) for place in held]

    def right(places: Iterable[int]) -> np.ndarray:
        return np.array([[skill.id in given[place] for skill in skills] for place in places])

    examples = [
        Example(courses[place].id, (courses[place].title.en or "",), frozenset(given[place])) for place in known
    ]
    index = SimilarityIndex(skills, examples)
    answers = right(held)
    fitted = curve.fit(index.of([courses[place] for place in fitting]), right(fitting), "platforms")
    found = index.of([courses[place] for place in held])
    confidence = fitted.confidence(found)
    best, rows = confidence.argmax(axis=1), np.arange(len(held))
    bins = curve.reliability(confidence[rows, best], answers[rows, best])
    labels = [skill.title.en or "" for skill in skills]
    queries = [text for text, _ in texts]
    methods = {
        BM25: ranked(_bm25(labels, queries), answers),
        WORDS: ranked(_words(labels, queries), answers),
        OURS: ranked(found.labels, answers),
        KNOWN: ranked(confidence, answers),
    }
    return Platforms(len(held), len(skills), methods, curve.calibration_error(bins), bins)


def _bm25(labels: Sequence[str], queries: Sequence[str]) -> np.ndarray:
    index = bm25s.BM25()
    index.index(bm25s.tokenize(list(labels), stopwords="en", show_progress=False), show_progress=False)
    words = bm25s.tokenize(list(queries), stopwords="en", return_ids=False, show_progress=False)
    return np.array([index.get_scores(one) if one else np.zeros(len(labels)) for one in words])


def _words(labels: Sequence[str], queries: Sequence[str]) -> np.ndarray:
    vectors = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    named = vectors.fit_transform(labels)
    return np.asarray((vectors.transform(queries) @ named.T).toarray())


def ranked(scores: np.ndarray, right: np.ndarray) -> Ranked:
    """Return the quality of a ranking by scores; of equal scores the first column comes first."""
    top = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    hits = np.take_along_axis(right, top, axis=1) & (np.take_along_axis(scores, top, axis=1) > 0)
    count = right.sum(axis=1)
    discounts = 1 / np.log2(np.arange(2, 12))
    ideal = np.cumsum(discounts)[np.minimum(count, 10) - 1]
    return Ranked(
        precision=float(hits[:, 0].mean()),
        recall=float((hits[:, :5].sum(axis=1) / count).mean()),
        gain=float((hits @ discounts / ideal).mean()),
    )


# --- labelled courses ------------------------------------------------------------------------------------------------


def shipped_examples(framework: Framework) -> list[Example]:
    """Return the courses of the starter catalog as examples."""
    read = [msgspec.json.decode(line, type=Course) for line in (SEED / "courses.ndjson").read_bytes().splitlines()]
    return Example.of_courses(read, framework.id)


def by_hand() -> ByHand:
    """Return how the labelled courses are matched to the shipped framework, by one calibration on all of them."""
    framework = labelled.framework()
    index = SimilarityIndex(framework.skills, shipped_examples(framework))

    def fitted(sets: Sequence[Labelled]) -> Calibration:
        courses = [course for one in sets for course in one.courses]
        right = np.concatenate([one.right(index.skills) for one in sets])
        return curve.fit(index.of(courses), right, "labelled", sets=[one.name for one in sets for _ in one.courses])

    sets = labelled.sets()
    alone = fitted([labelled.thai(thai_alone=True), *sets[1:]])
    return ByHand(
        {one.name: int(one.right(index.skills).sum()) for one in sets},
        labelled.thai_agreement(),
        labelled.platform_agreement(),
        fitted(sets),
        alone.measured[labelled.THAI],
    )


@dataclass(frozen=True)
class Levels:
    """How the levels of the starter catalog's rows are estimated: shares of the rows, and the mean distance."""

    exact: float
    near: float
    away: float


def levels() -> Levels:
    """Return how the levels are estimated by weights that no course of the same area was in."""
    framework, courses = labelled.framework(), level_fit.starter()
    folds = level_fit.fold_of(courses)
    away: list[tuple[float, float]] = []
    for fold, weights in level_fit.by_fold(courses).items():
        table = LevelTable(framework.skills, framework.scale, weights)
        rows = [(course, row) for course in courses for row in course.teaches if row.framework == framework.id]
        for course in courses:
            taught = [LevelRow(row.skill, 1.0) for one, row in rows if one is course]
            table.add(CourseText.of(course, framework.id, {}), taught)
        away += [
            (abs(span.low - row.from_level), abs(span.high - row.to_level))
            for (course, row), span in zip(rows, table.spans(), strict=True)
            if folds[course.id] == fold
        ]
    found = np.array(away)
    return Levels(float((found.max(axis=1) == 0).mean()), float((found.max(axis=1) <= 1).mean()), float(found.mean()))


def speed() -> float:
    """Return how many Thai courses are matched in a second of processor time, one thread."""
    framework = labelled.framework()
    matcher = Matcher(framework, shipped_examples(framework), curve.shipped())
    known = labelled.thai().courses
    matcher.match(known[:100])
    courses = [changed(known[number % len(known)]) for number in range(_SPEED_COURSES)]  # nothing is cached in a copy
    begun = time.process_time()
    matcher.match(courses)
    return len(courses) / (time.process_time() - begun)


# --- what is written -------------------------------------------------------------------------------------------------


def gates(found: Platforms, known: ByHand, estimated: Levels, rate: float) -> list[Gate]:
    """Return every row of the matching."""
    rows: list[Gate] = []
    for name, field in (("precision of the first", "precision"), ("recall of five", "recall"), ("nDCG of ten", "gain")):
        others = 100 * max(getattr(found.methods[method], field) for method in (BM25, WORDS))
        note = f"the better of BM25 and words {others:.1f} %"
        for method, label in ((OURS, ", labels alone"), (KNOWN, "")):
            value = 100 * getattr(found.methods[method], field)
            rows.append(Gate(f"platforms{label}: {name}", value, "%", low=others, note=note))
    return [
        *rows,
        Gate("platforms: calibration error", 100 * found.error, "%", high=5.0, note="best match of held-out courses"),
        *(row for name in known.right for row in _labelled_gates(name, known)),
        Gate("levels estimated exactly", 100 * estimated.exact, "%", note="starter catalog, from and to"),
        Gate("levels estimated within one", 100 * estimated.near, "%", note=f"{estimated.away:.2f} away in the mean"),
        Gate("courses matched in a second", rate, "/s", low=2000.0, note="one core, titles in two languages"),
    ]


def _labelled_gates(name: str, known: ByHand) -> Iterator[Gate]:
    quality, called = known.calibration.measured[name], TITLES[name]
    share = f"{quality.entered} rows enter, at confidence {known.calibration.enters:.2f}"
    yield Gate(f"{called}: precision at the threshold", 100 * quality.precision, "%", low=80.0, note=share)
    yield Gate(
        f"{called}: recall at the threshold", 100 * quality.recall, "%", note=f"of {known.right[name]} right rows"
    )
    yield Gate(f"{called}: calibration error", 100 * quality.error, "%", high=5.0, note="best match of each, by turns")


def path_gates(paths: Sequence[MatchedPaths]) -> Iterator[Gate]:
    """Yield the rows of the paths from matched rows: what they close of what those from the given rows do."""
    for one in paths:
        low = None if one.name == "starter, skills" else 75.0
        entered = f"{one.officers} officers; {one.skipped} of {one.steps} steps cannot truly be entered"
        yield Gate(f"{one.name}: gap closed, of that by given rows", 100 * one.share, "%", low=low, note=entered)
        claims = f"of {one.claims} times that a step may raise a skill"
        yield Gate(f"{one.name}: claims that a person would reject", 100 * one.rejected, "%", note=claims)


def _section(found: Platforms, known: ByHand, rows: Sequence[Gate], day: str) -> str:
    table = [
        "| method | precision of the first | recall of five | nDCG of ten |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | {one.precision:.3f} | {one.recall:.3f} | {one.gain:.3f} |"
            for name, one in found.methods.items()
        ),
    ]
    listed = [
        "| gate | value | target | verdict | about |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {row.name} | {report.figure(row)} | {row.target} | {row.verdict} | {row.note} |" for row in rows),
    ]
    alone, thai, again = known.titles_alone, known.thai_agreement, known.platform_agreement
    labels = ", ".join(f"{TITLES[name]} {right}" for name, right in known.right.items())
    about = (
        f"Measured on {day}. Platforms: {found.courses} held-out courses, {found.skills} skills. Right rows of the "
        f"labelled courses: {labels}. The two passes over the {thai.courses} Thai titles differ in "
        f"{thai.disagreements} rows (Cohen's kappa {thai.kappa:.2f}); those over {again.courses} of the English "
        f"courses, which one reader labelled, in {again.disagreements} ({again.kappa:.2f})."
    )
    thai_alone = (
        f"With the Thai titles alone, without their English: precision {alone.precision:.2f}, recall "
        f"{alone.recall:.2f}, calibration error {alone.error:.3f}."
    )
    picture = "![Confidence and how often it was right](img/evaluation-matching.svg)"
    return "\n".join([about, "", *listed, "", *table, "", thai_alone, "", picture])


def write_docs(page: Path, found: Platforms, known: ByHand, rows: Sequence[Gate]) -> None:
    """Put the figures between the marks of a page, and the picture into its `img/`."""
    text = page.read_text(encoding="utf-8")
    section = f"{BEGIN}\n{_section(found, known, rows, f'{datetime.now(UTC):%d %B %Y}')}\n{END}"
    page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: section, text, flags=re.DOTALL), encoding="utf-8")
    series = {
        "certain and right are equal": [(0.0, 0.0), (1.0, 1.0)],
        "platforms": [(one.confidence, one.right) for one in found.bins],
        **{
            TITLES[name]: [(one.confidence, one.right) for one in quality.bins]
            for name, quality in known.calibration.measured.items()
        },
    }
    marks = [(tenth / 10, f"{tenth * 10} %") for tenth in range(0, 11, 2)]
    picture = chart(
        "Confidence and how often it was right", Axis("confidence", marks), Axis("share that was right", marks), series
    )
    (page.parent / "img" / "evaluation-matching.svg").write_text(picture, encoding="utf-8")


def write_labelled(target: Path) -> None:
    """Write the labelled courses as the command `calibrate` reads them: one JSON object a line."""
    lines: list[dict[str, Any]] = [
        {
            "id": f"{one.name}-{course.id}",
            "title": course.title,
            "description": course.description,
            "tags": course.tags,
            "skills": sorted(skills),
            "set": one.name,
        }
        for one in labelled.sets()
        for course, skills in zip(one.courses, one.skills, strict=True)
    ]
    target.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation.matching")
    parser.add_argument("--labelled", type=Path, help="write the labelled courses here, and measure nothing")
    parser.add_argument(
        "--fit-levels", action="store_true", help="write the weights of the levels, and measure nothing"
    )
    parser.add_argument("--loss", action="store_true", help="print the loss by cause, and measure nothing else")
    parser.add_argument("--print", action="store_true", dest="only", help="print only; docs/ stays as it is")
    arguments = parser.parse_args()
    console = Console(width=170)
    if arguments.fit_levels:
        level_fit.write()
        return
    if arguments.loss:
        for cause in level_loss.causes():
            entered = f"{cause.skipped} of {cause.steps} steps cannot be entered"
            console.print(f"{cause.name:40} {cause.share:6.1%}  {entered}")
        return
    if real.folder() is None:
        console.print(f"The matching is not measured: {real.SETTING} is not set.")
        return
    if arguments.labelled:
        write_labelled(arguments.labelled)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found, known = platforms(), by_hand()
    rows = gates(found, known, levels(), speed())
    tried = [matched_paths.starter(tagged=True), matched_paths.starter(tagged=False), matched_paths.platforms()]
    rows += path_gates(tried)
    report.show(console, rows, "The matching's gates")
    for name, one in found.methods.items():
        console.print(f"{name:24} {one.precision:.3f} {one.recall:.3f} {one.gain:.3f}")
    if not arguments.only:
        write_docs(report.PAGE, found, known, rows)


if __name__ == "__main__":
    main()
