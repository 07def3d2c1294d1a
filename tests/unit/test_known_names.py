"""What a message about an unknown name says there is instead."""

import msgspec
import pytest

from shared.errors import InvalidInput, known_names
from tests.support.builders import JOB_GROUP, framework, inputs


def test_of_many_names_the_first_twenty_are_named_and_without_any_nothing_is() -> None:
    many = [f"group-{n}" for n in range(50)]
    assert known_names(many[:2]) == "; there are: group-0, group-1"
    assert known_names(many) == f"; there are: {', '.join(many[:20])}, …"
    assert known_names([]) == ""


def test_a_recommendation_for_an_unknown_job_group_is_refused_with_those_that_there_are() -> None:
    asked = msgspec.structs.replace(inputs(framework({"a": 2})), job_group="absent")
    with pytest.raises(InvalidInput, match=f"unknown job group 'absent' in .*; there are: {JOB_GROUP}") as refused:
        asked.check()
    assert refused.value.field == "job_group"
