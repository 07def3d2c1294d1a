"""Sentences: one table of templates, rendered from what an event holds and from nothing else."""

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.recommender.inputs import Inputs
from services.recommender.planner.pipeline import recommend, waiting_for_framework
from shared import messages
from shared.cloudevents import from_kafka, to_kafka
from shared.compact_paths import CompactPath, alternatives, compact, encoded, expanded
from shared.domain import Course, LocalizedText
from shared.errors import InvalidInput
from shared.events import PathAnnounced, PathRecommended, new_event
from shared.messages import with_sentences
from shared.paths import LearningPath, Message
from shared.templates import LANGUAGES, TEMPLATES, compiled, decimals, render
from tests.bench import fixtures
from tests.support.builders import DAY, course, framework, inputs, profile, view_of
from tests.support.random_plans import entangled, officers
from tests.support.words import sentences

PLANNED_AT = datetime(2026, 11, 26, 3, 4, 5, tzinfo=UTC)
THAI = re.compile(r"[\u0e00-\u0e7f]")


class RecordingValues(dict[str, str]):
    """Values that are all the same word, and the names that were read."""

    def __init__(self, word: str) -> None:
        self.word, self.names = word, set[str]()

    def __missing__(self, name: str) -> str:
        self.names.add(name)
        return self.word


def arguments(template: str) -> set[str]:
    """Return the names of the values that a template takes, whichever of its options are chosen."""
    fill, _ = compiled(template, "en")
    recorders = [RecordingValues(word) for word in {"other", *re.findall(r"\w+(?= {)", template)}]
    for values in recorders:
        fill(values, 2)
    return {name for values in recorders for name in values.names}


def event_of(path: LearningPath) -> PathRecommended:
    """Return a path as it comes out of a Kafka record."""
    event = PathRecommended("agency", "officer", 1, "assessment", PLANNED_AT, path)
    record = to_kafka(new_event("/recommender", "agency/officer", 1, PathAnnounced.of(event)))
    data = from_kafka(*record).data
    assert isinstance(data, PathAnnounced)
    return data.recommended()


@pytest.mark.parametrize("code", TEMPLATES)
def test_every_template_uses_its_values_in_both_languages(code: str) -> None:
    assert set(TEMPLATES[code]) == set(LANGUAGES)
    thai, english = TEMPLATES[code]["th"], TEMPLATES[code]["en"]
    assert arguments(thai) == arguments(english)
    assert THAI.search(thai)
    assert not THAI.search(english)
    assert "'" not in thai + english  # it would begin a quotation in an ICU message
    for template in (thai, english):
        assert compiled(template, "th")[1] == len(template)


def test_every_code_has_a_template_and_every_template_is_used() -> None:
    source = Path(messages.__file__).read_text(encoding="utf-8")
    used_codes = set(re.findall(r'"([a-z_]+)"', source))
    causes = {"started", "mandatory", "pinned", "language", "rule", "feedback", "withdrawn", "unknown", "excluded"}
    causes |= {"unreachable", "no_path", "in_path", "completed", "kept", "nothing_left", "lower_value", "worse_overall"}
    assert set(TEMPLATES) <= used_codes | causes


@pytest.mark.parametrize(
    ("template", "values", "words"),
    [
        ("{n, plural, one {# hour} other {# hours}}", {"n": 1.0}, "1 hour"),
        ("{n, plural, one {# hour} other {# hours}}", {"n": 0.125}, "0.12 hours"),
        ("{n, plural, one {# hour} other {# hours}} of {m}", {"n": 2, "m": 3.5}, "2 hours of 3.5"),
        ("{a, select, true {yes} other {no}}", {"a": False}, "no"),
        ("{a, select, x {{b, plural, one {#} other {# bs}}} other {}}", {"a": "x", "b": 2}, "2 bs"),
        ("“{t}” #", {"t": LocalizedText(th="ไทย")}, "“ไทย” #"),
        ("“{t}”", {"t": LocalizedText(th="ไทย", en="{braces} #")}, "“{braces} #”"),
        ("{n}% of 100%, %s and %%", {"n": 5}, "5% of 100%, %s and %%"),
        ("100%, %s and %%", {}, "100%, %s and %%"),
        ("{t}", {"t": "%s"}, "%s"),
    ],
)
def test_a_template_is_filled_as_icu_does(
    template: str, values: dict[str, float | str | LocalizedText], words: str
) -> None:
    assert compiled(template, "en")[0](values, decimals(values)) == words


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"a": 0.333333, "b": 2}, "0.33 and 2"),
        ({"a": 0.004271, "b": 2}, "0.004 and 2"),  # not 0
        ({"a": 0.000001, "b": 100}, "0.000001 and 100"),
        ({"a": 1.875, "b": 1.880494}, "1.875 and 1.88"),  # not from 1.88 to 1.88
        ({"a": 2.0, "b": 1.999999}, "2 and 1.999999"),
        ({"a": 2.004, "b": 2.004}, "2 and 2"),
        ({"a": 0, "b": 0.0, "c": True, "d": "0.001"}, "0 and 0"),
        ({"a": 0.0, "b": -0.0}, "0 and 0"),
        ({"a": -0.0, "b": -1.5}, "0 and -1.5"),
    ],
)
def test_different_numbers_look_different_and_only_zero_is_shown_as_0(
    values: dict[str, float | str], words: str
) -> None:
    assert compiled("{a} and {b}", "en")[0](values, decimals(values)) == words


def test_a_gap_too_small_for_a_course_is_not_shown_as_zero() -> None:
    path = recommend(inputs(framework({"a": 3}), {"a": 2.995729}, sd=0.2), view_of([course("c", ("a", 0, 3))]))
    assert "is short by 0.004 of a level" in sentences(path, path.open[0]).en
    assert "ต่ำกว่าที่ต้องการ 0.004 ระดับ" in sentences(path, path.open[0]).th


@pytest.mark.parametrize("template", ["{", "{a", "{a, select, x {y}}", "{a, plural, one {#} other {#}", "{}"])
def test_an_invalid_template_is_rejected(template: str) -> None:
    with pytest.raises(ValueError, match=r"does not end|no argument"):
        compiled(template, "en")


def test_a_missing_value_raises_an_error() -> None:
    with pytest.raises(KeyError):
        render("takes", {}, ["en"])


def assert_rendered_from_an_event(path: LearningPath) -> None:
    """Check that an event holds everything that is shown of a path, and none of the sentences."""
    again = event_of(path).path
    bare = msgspec.structs.replace(path, steps=[msgspec.structs.replace(step, alternatives=[]) for step in path.steps])
    rounded = [msgspec.structs.replace(step, similarity=round(step.similarity, 3)) for step in bare.steps]
    assert again == msgspec.structs.replace(bare, steps=rounded)
    text = msgspec.json.encode(encoded(compact(path))).decode()
    shown = with_sentences(again)
    parts = (shown.steps, shown.open, shown.assess_first, shown.notes)
    for reason in (shown.reason, *(part.reason for some in parts for part in some)):
        assert reason.messages
        for language in LANGUAGES:
            sentence = getattr(reason, language)
            assert sentence.strip()
            assert sentence not in text
            assert sentence == " ".join(render(one.code, one.values, [language])[0] for one in reason.messages)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(officers(), st.builds(entangled, st.sampled_from([4, 15, 25]), st.sampled_from([3, 8]), st.integers(0, 10_000)))
def test_every_sentence_is_rendered_from_an_event_alone(plan: Inputs, courses: list[Course]) -> None:
    try:
        path = recommend(plan, view_of(courses))
    except InvalidInput:
        return
    assert_rendered_from_an_event(path)
    assert compact(event_of(path).path) == compact(path)


def test_paths_without_steps_are_rendered_from_an_event_too() -> None:
    plan = inputs(framework({"a": 2}), {"a": 0})
    for path in (
        waiting_for_framework(profile("o", {}), 7, DAY),
        recommend(plan, view_of([])),
        recommend(inputs(framework({"a": 2}), {"a": 2}), view_of([])),
        recommend(inputs(framework({}), {}), view_of([])),
    ):
        assert_rendered_from_an_event(path)


def test_inconsistent_rows_are_rejected() -> None:
    path = compact(recommend(inputs(framework({"a": 2}), {"a": 0}), view_of([course("c", ("a", 0, 2))])))
    for wrong in (msgspec.structs.replace(path, gaps=[]), msgspec.structs.replace(path, providers=[])):
        with pytest.raises(ValueError, match="do not fit together"):
            expanded(wrong)


def test_fields_that_a_newer_version_adds_to_a_row_are_ignored() -> None:
    path = compact(recommend(inputs(framework({"a": 2}), {"a": 0}), view_of([course("c", ("a", 0, 2))])))
    raw = msgspec.json.decode(msgspec.json.encode(path))
    raw["gaps"] = [[*row, "later"] for row in raw["gaps"]]
    assert msgspec.convert(raw, CompactPath) == path


def test_a_path_of_ten_steps_is_announced_in_six_kilobytes_and_its_alternatives_are_not() -> None:
    sizes = fixtures.sizes(200, steps=10)
    assert sizes.median_event <= 6_000
    assert sizes.median_plan <= 15_000


def test_alternatives_are_kept_as_ids_and_scores() -> None:
    courses = [course("one", ("a", 0, 2), hours=2), course("other", ("a", 0, 2), hours=3)]
    path = recommend(inputs(framework({"a": 2}), {"a": 0}), view_of(courses))
    assert [[name for name, _ in others] for others in alternatives(path)] == [["other"]]
    assert event_of(path).path.steps[0].alternatives == []


def test_a_message_has_values_of_its_own() -> None:
    one = Message("takes", {"hours": 2.0})
    assert msgspec.json.decode(msgspec.json.encode(one), type=Message) == one
    assert sentences(recommend(inputs(framework({"a": 2}), {"a": 0}), view_of([course("c", ("a", 0, 2))]))).en
