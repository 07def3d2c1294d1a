"""Item parameters from answers: who is fitted, that what was drawn is found on the level scale, and what misfits."""

import subprocess
import sys
from typing import Any

import msgspec
import numpy as np
import pytest

from deploy.local.processes import ROOT
from services.assessment import calibration
from services.assessment.calibrating import picture, table
from services.assessment.calibration import SkillFit, calibrated, with_parameters
from services.assessment.item_bank.model import Item, ItemParameters, item_faults
from tests.support.builders import framework

SCALE = [0.0, 1.0, 2.0, 3.0, 4.0]


def item(name: str, kind: str, discrimination: float, *levels: float) -> Item:
    options = [{"th": f"ข้อ {n}", "en": f"option {n}"} for n in range(5 if kind == "graded" else 4)]
    where: dict[str, Any] = (
        {"thresholds": levels}
        if kind == "graded"
        else {
            "difficulty": levels[0],
        }
    )
    given = {
        "id": name,
        "skill": "reading",
        "kind": kind,
        "level": 2,
        "stem": {"th": name, "en": name},
        "options": options,
        "parameters": {"discrimination": discrimination, **where},
    } | ({"key": 0} if kind == "choice" else {})
    return msgspec.convert(given, Item)


TRUE = [
    item("easy", "choice", 1.2, 0.6),
    item("middle", "choice", 2.2, 1.8),
    item("hard", "choice", 1.6, 3.1),
    item("own", "graded", 1.8, 0.5, 1.4, 2.3, 3.3),
    item("lead", "graded", 1.4, 1.2, 2.0, 2.9, 3.6),
    item("teach", "graded", 2.4, 0.8, 1.9, 2.6, 3.0),
]


def sessions(items: list[Item], count: int, seed: int = 1, share: float = 0.6) -> list[dict[str, int]]:
    """Return drawn scores: each officer answers a share of the items, by their parameters."""
    chance = np.random.default_rng(seed)
    found = []
    for level in chance.normal(2.0, 1.0, count):
        scores = {}
        for one in items:
            if chance.random() < share:
                parameters = one.parameters
                assert parameters is not None
                at_least = 1 / (1 + np.exp(-parameters.discrimination * (level - np.array(parameters.boundaries))))
                scores[one.id] = int((chance.random() < at_least).sum())  # one draw for all thresholds
        found.append(scores)
    return found


def started(items: list[Item]) -> list[Item]:
    """Return the items as they are before a calibration: alike in discrimination, by turns too easy and too hard."""
    found = []
    for number, one in enumerate(items):
        assert one.parameters is not None
        moved = [level + (0.4, -0.4)[number % 2] for level in one.parameters.boundaries]
        where: dict[str, Any] = {"thresholds": moved} if one.kind == "graded" else {"difficulty": moved[0]}
        found.append(msgspec.structs.replace(one, parameters=ItemParameters(1.8, **where)))
    return found


def fit(items: list[Item], answers: list[dict[str, int]], least: int = 200) -> SkillFit:
    pytest.importorskip("girth", reason="the extra `calibration` is not installed")
    (found,) = calibrated(items, answers, SCALE, least)
    return found


def test_the_fit_recovers_the_parameters_that_the_answers_were_drawn_from() -> None:
    given = started(TRUE)
    found = fit(given, sessions(TRUE, 1500))
    assert [bool(one.parameters) for one in found.items] == [True] * len(TRUE)
    moved, slopes = [], []
    for one, true in zip(found.items, TRUE, strict=True):
        assert one.parameters is not None
        assert true.parameters is not None
        moved += list(np.subtract(one.parameters.boundaries, true.parameters.boundaries))
        slopes.append(one.parameters.discrimination / true.parameters.discrimination)
        assert one.parameters.answers == one.answers > 800
        assert one.fits
    assert np.sqrt(np.mean(np.square(moved))) < 0.25  # 0.4 before
    assert np.allclose(slopes, 1.0, atol=0.35)
    changed = with_parameters(given, [found])
    assert not [fault for one in changed for fault in item_faults(one, framework({"reading": 4}))]


def test_an_item_that_disagrees_with_the_others_is_reported() -> None:
    chance = np.random.default_rng(5)
    answers = [{**one, "odd": int(chance.random() < 0.5)} for one in sessions(TRUE, 1000)]
    found = fit([*started(TRUE), item("odd", "choice", 1.7, 2.0)], answers)
    assert [one.item.id for one in found.items if not one.fits] == ["odd"]
    assert "misfitting: odd" in table([found])
    assert "odd (misfit): observed" in picture("reading", found.items)


# --- without a fit: no girth is needed -------------------------------------------------------------------------------


def test_too_few_answers_change_nothing_and_the_reason_is_reported() -> None:
    (found,) = calibrated(TRUE, sessions(TRUE, 50), SCALE)
    assert {one.parameters for one in found.items} == {None}
    assert all("200 are needed" in one.reason for one in found.items)
    assert with_parameters(TRUE, [found]) == TRUE


def test_an_option_that_nobody_chose_keeps_an_item_from_the_fit() -> None:
    answers = [{"own": n % 3, "easy": 1} for n in range(400)]
    (found,) = calibrated(TRUE, answers, SCALE)
    reasons = {one.item.id: one.reason for one in found.items}
    assert reasons["own"] == "option 4: 0 answers, 5 are needed"
    assert reasons["easy"] == "wrong: 0 answers, 5 are needed"


def test_fewer_than_three_items_are_not_fitted() -> None:
    (found,) = calibrated(TRUE[:2], sessions(TRUE[:2], 800), SCALE)
    assert {one.reason for one in found.items} == {"fewer than 3 items of the skill can be fitted"}


def test_right_parameters_fit_their_own_answers() -> None:
    (found,) = calibrated(TRUE, sessions(TRUE, 1500), SCALE, least=10_000)
    for one in found.items:
        assert one.misfit == pytest.approx(1.0, abs=0.2)
        assert one.correlation is not None
        assert one.correlation > 0.3


def test_no_answers_at_all_raise_no_error() -> None:
    (found,) = calibrated(TRUE, [], SCALE)
    assert (found.sessions, [one.answers for one in found.items]) == (0, [0] * len(TRUE))
    assert table([found])[-1] == "misfitting: none"


def test_the_service_never_imports_the_extra() -> None:
    code = "import services.assessment.__main__, sys; sys.exit('girth' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
    assert "girth" not in vars(calibration)
