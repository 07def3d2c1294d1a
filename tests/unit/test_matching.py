"""Courses are matched to skills by the letters that they share, and by courses whose skills are known."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from services.catalog import calibrating
from services.catalog.matching import MOST, CourseText, Example, Matcher, SimilarityIndex, level_model, levels, texts
from services.catalog.matching import calibration as curve
from services.catalog.matching.comparison import SimilarityTable
from services.catalog.matching.levels import span
from services.catalog.matching.texts import PIECE, PIECES, TAGS, normalised
from services.catalog.matching.words import shared_words
from shared.domain import Framework, LocalizedText, Prose, ScaleLevel, Skill
from shared.errors import InvalidInput

SEED = Path(__file__).parents[2] / "deploy" / "seed"
NATIONAL = msgspec.json.decode((SEED / "frameworks" / "th-digital-2018.json").read_bytes(), type=Framework)


def skill(name: str, th: str | None = None, en: str | None = None, **more: object) -> Skill:
    return Skill(name, "a", LocalizedText(th=th, en=en), **more)  # type: ignore[arg-type]


SKILLS = [
    skill("data", "การวิเคราะห์ข้อมูล", "Data analytics"),
    skill("law", "กฎหมายดิจิทัล", "Digital law"),
    skill("project", "การบริหารโครงการ", "Project management"),
]


def course(name: str = "c", th: str | None = None, en: str | None = None, **more: object) -> CourseText:
    return CourseText(name, LocalizedText(th=th, en=en), **more)  # type: ignore[arg-type]


def best(index: SimilarityIndex, one: CourseText) -> str:
    labels = index.of([one]).labels[0]
    return index.skills[int(labels.argmax())] if labels.max() > 0 else ""


# --- similarity ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "right"),
    [
        ({"th": "ความรู้พื้นฐานการวิเคราะห์ข้อมูลสำหรับเจ้าหน้าที่"}, "data"),
        ({"th": "การวิเคราะหขอมูล"}, "data"),  # tone mark and silencer left out
        ({"th": "การวิเคราะห์\u200bข้อมูล"}, "data"),  # a space of no width
        ({"en": "Introduction to data analytcs"}, "data"),
        ({"en": "PROJECT MANAGEMENT 101"}, "project"),
        ({"th": "บริหารโครงการ", "en": "Nothing alike"}, "project"),
        ({"th": "กฎหมายดิจิทัลเบื้องต้น"}, "law"),
    ],
)
def test_a_title_is_most_similar_to_the_skill_that_it_names(title: dict[str, str], right: str) -> None:
    assert best(SimilarityIndex(SKILLS), course(**title)) == right


def test_a_long_title_with_the_label_is_more_similar_than_a_short_one_sharing_letters() -> None:
    holds = course("a", en="How public servants may plan, do and check project management in small offices")
    shares = course("b", en="Projector")
    labels = SimilarityIndex(SKILLS).of([holds, shares]).labels
    assert labels[0, 2] > labels[1, 2]


def test_a_tag_equal_to_a_skills_name_has_the_highest_similarity() -> None:
    assert SimilarityIndex(SKILLS).of([course(en="Week three", tags=("Digital Law",))]).labels[0, 1] == pytest.approx(
        1.0, abs=1e-5
    )


def test_a_tag_equal_to_a_skills_name_is_no_evidence_of_another_skill() -> None:
    wide = skill("wide", en="Data analytics for digital law")
    index = SimilarityIndex([*SKILLS, wide])
    one = "Data analytics for digital law"
    courses = [course("a", en="Week three", tags=(one,)), course("b", en=one, tags=(one,))]
    alone, with_title = index.of(courses).labels
    assert alone[3] == pytest.approx(1.0, abs=1e-5)
    assert list(alone[:2]) == list(index.of([course(en="Week three")]).labels[0, :2])
    assert with_title[0] > 0.5
    assert index.of([course(en="Week three", tags=(f"{one}, basics",))]).labels[0, 0] > 0.5


def test_a_tag_equal_to_a_name_of_two_skills_names_both() -> None:
    index = SimilarityIndex([*SKILLS, skill("other", en="Digital law")])
    labels = index.of([course(en="Week three", tags=("Digital law",))]).labels[0]
    assert labels[1] == labels[3] == pytest.approx(1.0, abs=1e-5)


def test_a_synonym_and_a_descriptor_count_as_the_skill_is_called() -> None:
    more = skill(
        "cloud",
        en="Run systems",
        synonyms=[LocalizedText(en="Kubernetes")],
        descriptors=[ScaleLevel(1, LocalizedText(en="Deploys containers by hand"))],
    )
    index = SimilarityIndex([*SKILLS, more])
    assert best(index, course(en="Kubernetes")) == "cloud"
    assert best(index, course(en="Containers deployed by hand")) == "cloud"


def test_listed_and_bracketed_parts_of_a_label_are_labels_too() -> None:
    more = skill("things", en="Internet of things (IoT)", synonyms=[LocalizedText(en="Arduino, Raspberry Pi")])
    index = SimilarityIndex([*SKILLS, more])
    for title in ("IoT", "Raspberry Pi", "Arduino"):
        assert index.of([course(en=title)]).labels[0, 3] == pytest.approx(1.0, abs=1e-5)


def test_letters_of_another_width_are_the_same_letters() -> None:
    assert best(SimilarityIndex(SKILLS), course(en="ＤＡＴＡ ＡＮＡＬＹＴＩＣＳ")) == "data"


def test_a_title_and_a_tag_are_normalised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(text: str) -> str:
        read.append(text)
        return normalised(text)

    matcher = Matcher(NATIONAL, [], curve.shipped())
    for module in (texts, level_model, levels):
        monkeypatch.setattr(module, "normalised", counted, raising=False)
    (found,) = matcher.match([course(en="Basics of procurement", tags=("Data science",))])
    assert {one.skill for one in found} >= {"spm-procurement", "dt-analytics"}
    assert [read.count("Basics of procurement"), read.count("Data science")] == [1, 1]


def test_the_number_of_texts_of_a_course_is_bounded_without_reading_them() -> None:
    both = Prose(th="ประโยค. " * 900, en="A sentence of some words. " * 300)
    for one in (
        course(en="Data"),
        course(th="ข้อมูล", en="Data", tags=("a", "a", " ")),
        course(en="Data", tags=tuple(f"tag {n}" for n in range(80)), description=both),
    ):
        assert len(one.pieces()[0]) <= one.most_pieces()
    assert course(th="ข้อมูล", en="Data").most_pieces() == 2


def test_courses_matched_together_get_the_same_result_as_alone() -> None:
    index = SimilarityIndex(SKILLS, [Example("e", ("Data analytics for beginners",), frozenset({"data"}))])
    courses = [course(f"c{n}", en=text) for n, text in enumerate(["Data", "Law of data", "x", "Projects and law", "1"])]
    together = index.of(courses)
    for row, one in enumerate(courses):
        alone = index.of([one])
        assert np.allclose(together.labels[row], alone.labels[0], atol=1e-6)
        assert np.allclose(together.examples[row], alone.examples[0], atol=1e-6)


@pytest.mark.parametrize("title", ["ๆ", "!?", "a", "\u0e48", "数据分析", "🎓"])
def test_a_title_without_content_is_similar_to_no_skill(title: str) -> None:
    found = SimilarityIndex(SKILLS, [Example("e", ("Data",), frozenset({"data"}))]).of([course(th=title)])
    assert found.labels.max() < 0.5
    assert np.isfinite(found.labels).all()
    assert np.isfinite(found.examples).all()


@pytest.mark.parametrize("name", ["x", "🎓", "ทักษะ", "!"])
def test_a_framework_whose_skills_are_all_called_the_same_is_matched_too(name: str) -> None:
    same = [skill(f"s{n}", en=name) for n in range(80)]
    found = SimilarityIndex(same).of([course(en=name), course(en="something else")])
    assert found.labels[0, 0] > found.labels[1, 0]


def test_a_framework_of_one_skill_is_matched_too() -> None:
    assert best(SimilarityIndex(SKILLS[:1]), course(en="Data analytics")) == "data"


def test_the_compared_text_of_a_course_is_bounded() -> None:
    description = Prose(th="ยาวมาก" * 1000, en="One sentence of the description. " * 150)
    long = course(en="Title", description=description, tags=tuple(f"tag {n}" for n in range(500)))
    pieces, titles = long.pieces()
    assert titles == 1
    assert len(pieces) <= 1 + TAGS + 2 * PIECES
    assert max(map(len, pieces)) <= PIECE


# --- examples --------------------------------------------------------------------------------------------------------


def test_a_course_like_one_whose_skills_are_known_probably_teaches_the_same() -> None:
    known = [
        Example("e1", ("Spreadsheets with pivot tables",), frozenset({"data"})),
        Example("e2", ("Contracts and copyright",), frozenset({"law"})),
    ]
    found = SimilarityIndex(SKILLS, known).of([course(en="Pivot tables in spreadsheets")])
    assert found.examples[0].argmax() == 0
    assert found.nearest[0, 0] == 0


def test_an_example_is_not_compared_with_itself() -> None:
    known = [Example("e1", ("Spreadsheets with pivot tables",), frozenset({"data"}))]
    found = SimilarityIndex(SKILLS, known).of([course("e1", en="Spreadsheets with pivot tables")])
    assert not found.examples.any()


def test_an_example_may_teach_a_removed_skill() -> None:
    SimilarityIndex(SKILLS, [Example("e1", ("x y z",), frozenset({"gone"}))]).of([course(en="x y z")])


# --- words -----------------------------------------------------------------------------------------------------------


def test_displayed_words_are_whole_in_scripts_with_spaces() -> None:
    assert shared_words("advanced data analytics", "data analytics") == ["data analytics"]
    assert shared_words("metadata", "data analytics") == []
    assert shared_words("ai skills for everyone", "ai") == ["ai"]


def test_displayed_thai_words_do_not_begin_with_a_detached_mark() -> None:
    for word in shared_words("หลักการวิเคราะห์ข้อมูลสถิติ", "นักวิเคราะห์ข้อมูล"):
        assert not ("\u0e31" <= word[0] <= "\u0e4e" and word[0] not in "เแโใไาำะ")
    assert "วิเคราะห์ข้อมูล" in shared_words("หลักการวิเคราะห์ข้อมูลสถิติ", "วิเคราะห์ข้อมูล")


# --- calibration -----------------------------------------------------------------------------------------------------


def known_truth(rows: int = 600) -> tuple[SimilarityTable, np.ndarray]:
    """Return similarities of which the label's alone makes a skill right, by a logistic law."""
    chance = np.random.default_rng(7)
    labels = chance.uniform(0, 1, (rows, 4)).astype(np.float32)
    examples = chance.uniform(0, 1, (rows, 4)).astype(np.float32)
    titles = labels * chance.uniform(0, 1, (rows, 4)).astype(np.float32)
    right = chance.uniform(0, 1, (rows, 4)) < 1 / (1 + np.exp(-(12 * labels - 7)))
    return SimilarityTable(labels, titles, examples, np.zeros((rows, 4), dtype=np.intp)), right


def test_confidence_is_how_often_it_is_right() -> None:
    fitted = curve.fit(*known_truth(), "drawn")
    assert fitted.measured[""].error < 0.05
    fresh, right = known_truth(2000)
    confidence = fitted.confidence(fresh)
    assert curve.calibration_error(curve.reliability(confidence.ravel(), right.ravel())) < 0.03


def test_accepted_matches_were_right_four_times_in_five_on_held_out_courses() -> None:
    fitted = curve.fit(*known_truth(), "drawn")
    assert fitted.measured[""].precision == pytest.approx(0.8, abs=0.05)
    assert fitted.enters > fitted.shown


def test_without_enough_confidence_nothing_is_accepted() -> None:
    found, _ = known_truth()
    right = np.random.default_rng(1).uniform(0, 1, found.labels.shape) < 0.3
    assert curve.fit(found, right, "noise").enters == 1.0


@pytest.mark.parametrize("answer", [True, False])
def test_a_fit_needs_right_and_wrong_examples(answer: bool) -> None:
    found, right = known_truth(20)
    with pytest.raises(InvalidInput):
        curve.fit(found, np.full_like(right, answer), "one answer")


def test_a_calibration_is_read_as_it_was_written_and_another_form_is_rejected() -> None:
    fitted = curve.fit(*known_truth(), "drawn")
    assert curve.decoded(curve.encoded(fitted)) == fitted
    other = json.loads(curve.encoded(fitted)) | {"version": curve.VERSION + 1}
    with pytest.raises(msgspec.ValidationError, match="calibrate again"):
        curve.decoded(json.dumps(other).encode())


def test_the_shipped_calibration_names_its_data() -> None:
    shipped = curve.shipped()
    assert shipped.courses == 840
    assert "thaimooc_400" in shipped.data
    assert "edx_816" in shipped.data
    assert 0 < shipped.shown < shipped.enters < 1
    assert list(shipped.measured) == ["thaimooc", "edx", "coursera"]
    for quality in shipped.measured.values():
        assert quality.precision >= curve.ENTERS
        assert quality.error <= 0.05


def test_a_threshold_holds_in_every_set_of_courses() -> None:
    found, right = known_truth(1200)
    chance = np.random.default_rng(5)
    names = ["kept", "doubtful"] * 600
    doubtful = np.array([name == "doubtful" for name in names])
    right[doubtful] &= chance.uniform(0, 1, (600, 4)) < 0.9  # the same similarity is right less often
    together, apart = curve.fit(found, right, "drawn"), curve.fit(found, right, "drawn", sets=names)
    assert apart.enters > together.enters
    assert apart.measured["doubtful"].precision == pytest.approx(curve.ENTERS, abs=0.04)
    assert apart.measured["kept"].precision > apart.measured["doubtful"].precision


# --- levels ----------------------------------------------------------------------------------------------------------

FIVE = [ScaleLevel(float(n), LocalizedText(en=f"Step {n} of five")) for n in range(5)]


def scale(*levels: float) -> list[ScaleLevel]:
    return [ScaleLevel(level, LocalizedText(en=f"Grade {level:g} of all")) for level in levels]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ({"en": "Data analytics for beginners"}, (0, 2)),
        ({"th": "การวิเคราะห์ข้อมูลเบื้องต้น"}, (0, 2)),
        ({"en": "Intermediate data analytics"}, (2, 3)),
        ({"th": "การวิเคราะห์ข้อมูลขั้นสูง"}, (3, 4)),
        ({"en": "Advanced analytics"}, (3, 4)),
        ({"en": "From basics to advanced analytics"}, (0, 4)),
        ({"en": "Analytics"}, (0, 2)),
        ({"en": "Advancedness of basicity"}, (0, 2)),  # parts of words are no words
        ({"en": "Step 3 of five"}, (2, 3)),
    ],
)
def test_levels_come_from_the_words_of_the_course(title: dict[str, str], expected: tuple[float, float]) -> None:
    assert span(course(**title), SKILLS[0], FIVE) == expected


@pytest.mark.parametrize("stated", ["beginner", "intermediate", "advanced", "mixed"])
@pytest.mark.parametrize("steps", [(0, 1), (0, 1, 2), (0, 1, 2, 3), (0, 25, 50, 75, 100), tuple(range(11)), (1, 2, 3)])
@pytest.mark.parametrize("required", [None, 0.0, 1.5, 99.0])
@pytest.mark.parametrize("hours", [None, 1.0, 300.0])
def test_levels_stay_on_any_scale(
    stated: str, steps: tuple[float, ...], required: float | None, hours: float | None
) -> None:
    requires = {} if required is None else {"data": required}
    low, high = span(course(en="x", level=stated, requires=requires, hours=hours), SKILLS[0], scale(*steps))
    assert steps[0] <= low < high <= steps[-1]
    assert {low, high} <= set(steps)


def test_entry_conditions_raise_the_levels() -> None:
    assert span(course(en="Analytics", requires={"data": 2.0}), SKILLS[0], FIVE) == (2, 3)
    assert span(course(en="Analytics", requires={"law": 2.0}), SKILLS[0], FIVE) == (0, 2)


def test_a_short_course_for_beginners_leads_one_level_up() -> None:
    assert span(course(en="Analytics", hours=3.0), SKILLS[0], FIVE) == (0, 1)


def test_a_descriptor_determines_the_level() -> None:
    described = skill(
        "data",
        en="Data analytics",
        descriptors=[
            ScaleLevel(1, LocalizedText(en="Reads tables and charts")),
            ScaleLevel(3, LocalizedText(en="Builds predictive models")),
        ],
    )
    assert span(course(en="Building predictive models"), described, FIVE) == (2, 3)


# --- general words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("general", "whole", "skill"),
    [
        ("Computer Science", "Data Science", "dt-analytics"),
        ("Management", "Data Management", "dg-data-governance"),
        ("Leadership", "Digital Leadership", "dl-vision"),
        ("Communication", "Change Communication", "dl-communication"),
        ("Emotional Intelligence", "Digital Intelligence", "dlit-access"),
    ],
)
def test_a_tag_that_lacks_a_word_of_a_label_is_no_match(general: str, whole: str, skill: str) -> None:
    matcher = Matcher(NATIONAL, [], curve.shipped())
    with_general, with_whole = matcher.match([course(en="Week three", tags=(tag,)) for tag in (general, whole)])
    confidences = [{one.skill: one.confidence for one in found} for found in (with_general, with_whole)]
    assert confidences[0].get(skill, 0.0) < 0.15
    assert confidences[1][skill] > 3 * confidences[0].get(skill, 0.0)


def test_a_small_word_that_is_missing_counts_little() -> None:
    labels = SimilarityIndex([skill("data", en="Dashboards and data visualization"), *SKILLS[1:]]).of(
        [course(en="Data visualization, dashboards"), course(en="Dashboards and mountains")]
    ).labels  # fmt: skip
    assert labels[0, 0] > 0.5 > labels[1, 0]


def test_a_skill_that_the_title_names_is_more_certain_than_one_of_its_tags() -> None:
    matcher = Matcher(NATIONAL, [], curve.shipped())
    in_title, in_tags = matcher.match([course(en="Procurement"), course(en="Waste", tags=("Procurement",))])
    assert in_title[0].skill == in_tags[0].skill == "spm-procurement"
    assert in_title[0].confidence > in_tags[0].confidence + 0.1


@pytest.mark.parametrize("language", ["th", "en"])
def test_a_tag_that_is_the_title_of_a_skill_is_as_certain_as_a_title_that_names_it(language: str) -> None:
    procurement = next(one for one in NATIONAL.skills if one.id == "spm-procurement")
    name = getattr(procurement.title, language)
    matcher = Matcher(NATIONAL, [], curve.shipped())
    in_title, in_tags = matcher.match([course(en=name), course(en="Week three", tags=("Waste", f" {name.upper()} "))])
    assert in_tags[0].skill == in_title[0].skill == procurement.id
    assert in_tags[0].confidence == pytest.approx(in_title[0].confidence, abs=1e-4)


def test_a_tag_that_is_the_title_of_one_skill_and_a_synonym_of_another_is_a_title_for_the_first_alone() -> None:
    other = skill("other", en="Write statutes", synonyms=[LocalizedText(en="Digital law")])
    found = SimilarityIndex([*SKILLS, other]).of([course(en="Week three", tags=("Digital law",))])
    assert found.labels[0, 1] == found.labels[0, 3] == pytest.approx(1.0, abs=1e-5)
    assert found.titles[0, 1] == pytest.approx(1.0, abs=1e-5)
    assert found.titles[0, 3] < 0.5


# --- the matcher -----------------------------------------------------------------------------------------------------


def test_a_thai_title_is_matched_to_the_national_framework_with_its_words() -> None:
    matcher = Matcher(NATIONAL, [], curve.shipped())
    (found,) = matcher.match([course(th="การวิเคราะห์ข้อมูลเบื้องต้นสำหรับบุคลากรภาครัฐ")])
    assert found[0].skill == "dt-analytics"
    assert found[0].confidence >= curve.shipped().enters
    assert "การวิเคราะห์ข้อมูล" in found[0].words[0]
    assert (found[0].from_level, found[0].to_level) == (0, 2)


@pytest.mark.parametrize("title", ["เฮลท์ตี้ เบกกิ้ง", "การพยาบาลผู้ป่วยกล้ามเนื้อหัวใจตาย", "มวยไทยแบบทหาร"])
def test_a_course_about_something_else_is_not_matched(title: str) -> None:
    assert Matcher(NATIONAL, [], curve.shipped()).match([course(th=title)]) == [[]]


def test_the_number_of_proposed_skills_is_bounded() -> None:
    everything = course(en="Everything", tags=tuple(one.title.en or "" for one in NATIONAL.skills))
    (found,) = Matcher(NATIONAL, [], curve.shipped()).match([everything])
    assert len(found) == MOST
    assert [one.confidence for one in found] == sorted((one.confidence for one in found), reverse=True)


# --- the command -----------------------------------------------------------------------------------------------------


def files(tmp_path: Path, rows: list[dict[str, object]]) -> list[str]:
    (tmp_path / "labelled").write_text("".join(json.dumps(row) + "\n" for row in rows))
    paths = ["--labelled", str(tmp_path / "labelled"), "--framework", str(SEED / "frameworks" / "th-digital-2018.json")]
    return [*paths, "--output", str(tmp_path / "made.json"), "--data", "a test"]


def test_the_command_fits_a_calibration_that_the_service_can_read(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": f"c{n}", "title": {"en": f"{one.title.en} {n}"}, "skills": [one.id]}
        for n, one in enumerate(NATIONAL.skills)
    ]
    rows += [{"id": f"x{n}", "title": {"en": f"Baking bread {n}"}} for n in range(30)]
    assert "58 courses, 28 right rows" in calibrating.main(files(tmp_path, rows))
    made = calibrating.read_calibration(tmp_path / "made.json")
    assert made.data == "a test"
    assert Matcher(NATIONAL, [], made).match([course(en="Protect personal data")])[0][0].skill == "dg-personal-data"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"id": "c", "title": {"en": "x"}, "skills": ["nowhere"]}, "nowhere"),
        ({"id": "c", "title": {}}, "line 1"),
        ({"id": "c"}, "title"),
    ],
)
def test_the_command_names_what_is_wrong_with_its_files(tmp_path: Path, row: dict[str, object], expected: str) -> None:
    with pytest.raises(SystemExit, match=expected):
        calibrating.main(files(tmp_path, [row]))


def test_the_command_names_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    arguments = files(tmp_path, [])
    (tmp_path / "labelled").unlink()
    with pytest.raises(SystemExit, match="labelled: cannot be read"):
        calibrating.main(arguments)


def test_a_file_that_holds_no_calibration_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{}")
    for name in ("c.json", "missing.json"):
        with pytest.raises(InvalidInput, match=r"no calibration|cannot be read"):
            calibrating.read_calibration(tmp_path / name)
