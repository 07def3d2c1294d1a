"""The labels of the evaluation: they name rows that were drawn, and skills of the framework."""

import json
from typing import Any

import pytest

from tests.evaluation.labelled import LABELS, PLATFORMS, Agreement, framework


def platform(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((LABELS / "platforms.json").read_text(encoding="utf-8"))["sets"][name]
    return found


@pytest.mark.parametrize("name", PLATFORMS)
def test_the_labels_of_a_platform_name_rows_that_were_drawn_and_skills_of_the_framework(name: str) -> None:
    read = platform(name)
    drawn = {str(row) for row in (*read["random"], *read["similar"])}
    assert len(drawn) == len(read["random"]) + len(read["similar"]) == 300
    assert read["first"].keys() <= drawn
    assert read["second"].keys() <= set(map(str, read["again"])) <= drawn
    named = {skill for labels in (read["first"], read["second"]) for skills in labels.values() for skill in skills}
    assert named <= {skill.id for skill in framework().skills}


def test_the_agreement_counts_what_one_pass_alone_names() -> None:
    same = {"a": ["dt-analytics"], "b": ["dg-law"]}
    assert Agreement.of(same, same, 10) == Agreement(10, 0, 1.0)
    differ = Agreement.of(same, {"a": ["dt-analytics", "dt-emerging"]}, 10)
    assert differ.disagreements == 2
    assert 0 < differ.kappa < 1
