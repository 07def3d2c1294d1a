"""Items and banks: what is refused, by which field, and the starting values of what is not calibrated."""

from typing import Any

import msgspec
import pytest

from services.assessment.item_bank.model import Item as ItemShape
from services.assessment.item_bank.model import (
    ItemParameters,
    bank_faults,
    coverage,
    item_faults,
    parameters_of,
)
from shared.decoding import faults
from tests.support.builders import framework

FRAMEWORK = framework({"reading": 3, "writing": 2})
OPTIONS = [{"th": f"ตัวเลือก {n}", "en": f"option {n}"} for n in range(4)]
CHOICE: dict[str, Any] = {
    "id": "r1",
    "skill": "reading",
    "kind": "choice",
    "level": 2,
    "stem": {"th": "ข้อใดถูกต้อง", "en": "Which one is right?"},
    "options": OPTIONS,
    "key": 3,
}
GRADED: dict[str, Any] = {name: value for name, value in CHOICE.items() if name != "key"} | {"kind": "graded"}


def item(given: dict[str, Any], **changes: Any) -> ItemShape:
    return msgspec.convert(given | changes, ItemShape)


@pytest.mark.parametrize("given", [CHOICE, GRADED])
def test_a_valid_item_has_no_fault(given: dict[str, Any]) -> None:
    assert item_faults(item(given), FRAMEWORK) == []


@pytest.mark.parametrize(
    ("given", "changes", "field"),
    [
        (CHOICE, {"skill": "cooking"}, "skill"),
        (CHOICE, {"level": 99}, "level"),
        (CHOICE, {"key": 4}, "key"),
        (CHOICE, {"key": None}, "key"),
        (GRADED, {"key": 0}, "key"),
        (CHOICE, {"stem": {"th": "\u200b", "en": "What?"}}, "stem.th"),
        (CHOICE, {"options": [*OPTIONS[:3], {"th": "ใหม่", "en": " \u2060"}]}, "options[3].en"),
        (CHOICE, {"options": [*OPTIONS[:3], {"th": "ใหม่", "en": "OPTION  0"}]}, "options[3].en"),
        (CHOICE, {"parameters": {"discrimination": 1}}, "parameters.difficulty"),
        (CHOICE, {"parameters": {"discrimination": 1, "difficulty": 1, "thresholds": [1]}}, "parameters.thresholds"),
        (GRADED, {"parameters": {"discrimination": 1, "thresholds": [1, 2]}}, "parameters.thresholds"),
        (GRADED, {"parameters": {"discrimination": 1, "thresholds": [1, 3, 2]}}, "parameters.thresholds"),
        (GRADED, {"parameters": {"discrimination": 1, "thresholds": [1, 2, 2]}}, "parameters.thresholds"),
        (
            GRADED,
            {"parameters": {"discrimination": 1, "difficulty": 1, "thresholds": [1, 2, 3]}},
            "parameters.difficulty",
        ),
    ],
)
def test_a_fault_names_its_field(given: dict[str, Any], changes: dict[str, Any], field: str) -> None:
    assert [fault.field for fault in item_faults(item(given, **changes), FRAMEWORK)] == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"stem": {"th": "ไทยเท่านั้น"}}, "stem.en"),
        ({"options": [OPTIONS[0], {"en": "no Thai"}]}, "options[1].th"),
        ({"options": OPTIONS[:1]}, "options"),
        ({"options": OPTIONS * 3}, "options"),
        ({"stem": {"th": "ก" * 2001, "en": "long"}}, "stem.th"),
        ({"parameters": {"discrimination": 0, "difficulty": 1}}, "parameters.discrimination"),
        ({"kind": "essay"}, "kind"),
        ({"weight": 2}, "weight"),
    ],
)
def test_a_fault_of_the_type_names_its_field_too(changes: dict[str, Any], field: str) -> None:
    assert [fault.field for fault in faults(CHOICE | changes, ItemShape)] == [field]


def test_a_duplicate_id_names_both_positions() -> None:
    (fault,) = bank_faults([item(CHOICE), item(GRADED)], FRAMEWORK)
    assert (fault.field, fault.detail) == ("items[1].id", "'r1' is given twice, first in items[0]")


def test_an_item_without_parameters_has_the_starting_values_of_its_level() -> None:
    assert parameters_of(item(CHOICE)) == ItemParameters(1.7, difficulty=1.5)
    graded = parameters_of(item(GRADED))
    assert graded.boundaries == pytest.approx([0.9, 1.5, 2.1])
    assert item_faults(item(GRADED, parameters=msgspec.to_builtins(graded)), FRAMEWORK) == []
    own = {"discrimination": 0.8, "difficulty": 2.5, "answers": 300}
    assert parameters_of(item(CHOICE, parameters=own)).boundaries == [2.5]


def test_a_bank_reports_its_coverage() -> None:
    items = [item(CHOICE), item(CHOICE, id="r2", level=1), item(CHOICE, id="w1", skill="writing")]
    assert coverage(items) == {"reading": {2: 1, 1: 1}, "writing": {2: 1}}
