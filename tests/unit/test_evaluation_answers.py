"""The prediction of later answers: what may be looked at, and that it finds what was drawn."""

import numpy as np
import pytest

from tests.evaluation.real_answers import (
    MAJORITY,
    MEAN,
    OURS,
    RASCH,
    Answers,
    answers,
    figures,
    predicted,
    rasch,
    split,
)


def drawn(learners: int = 400, problems: int = 12, seed: int = 1) -> Answers:
    """Return answers to two skills by learners and problems of known levels: each learner answers each problem once."""
    chance = np.random.default_rng(seed)
    levels, difficulties = chance.normal(size=learners), chance.normal(size=problems)
    who = np.repeat(np.arange(learners), problems)
    which = np.concatenate([chance.permutation(problems) for _ in range(learners)])
    right = chance.random(len(who)) < 1 / (1 + np.exp(difficulties[which] - levels[who]))
    return Answers(who, which, which % 2 + 1, right.astype(np.int64))


def test_only_later_answers_of_some_learners_are_predicted() -> None:
    found = drawn()
    seen, late = split(found)
    assert len(seen.right) + len(late.right) == len(found.right)
    assert set(late.learner % 5) == {0}
    assert len(late.right) == 80 * 2 * 3
    first = {(one, skill) for one, skill in zip(seen.learner, seen.skill, strict=True)}
    assert first >= {(one, skill) for one, skill in zip(late.learner, late.skill, strict=True)}


def test_learners_with_one_answer_are_measured_and_not_predicted() -> None:
    one = np.zeros(1, dtype=np.int64)
    _, late = split(Answers(one, one, one + 1, one))
    assert len(late.right) == 0


def test_the_posterior_predicts_better_than_baselines_that_ignore_the_problem() -> None:
    seen, late = split(drawn())
    scores = figures(late, predicted(seen, late))
    assert scores[MAJORITY][0] == 0.5
    assert scores[OURS][0] > scores[MEAN][0] > 0.55
    assert scores[OURS][1] < scores[MEAN][1]
    assert scores[OURS][0] == pytest.approx(scores[RASCH][0], abs=0.01)


def test_the_rasch_fit_finds_the_difficulties() -> None:
    chance = np.random.default_rng(1)
    chance.normal(size=2000)
    difficulties = chance.normal(size=12)
    fit = rasch(drawn(2000), 2000, 12)
    assert np.corrcoef(fit.problems, difficulties)[0, 1] > 0.98


def test_without_the_data_set_there_are_no_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATASETS_DIR", raising=False)
    assert answers() is None
