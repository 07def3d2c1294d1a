"""Arguments of the operators' commands: a wrong one is refused before anything is read, by its name."""

import argparse
from collections.abc import Callable

import pytest

from services.assessment import calibrating, commands
from services.recommender import recompute
from shared import keys

Parse = Callable[[list[str]], argparse.Namespace]


@pytest.mark.parametrize(
    ("parse", "arguments", "option"),
    [
        (calibrating._parser().parse_args, ["--bank", "b"], "--least"),
        (commands._parser().parse_args, ["export", "b.json", "--bank", "b"], "--version"),
        (keys._parser().parse_args, ["create", "--tenant", "t", "--role", "platform"], "--days"),
        (recompute.parsed, ["o", "--tenant", "t"], "--revision"),
    ],
)
@pytest.mark.parametrize("value", ["0", "-5", "1.5", "many", ""])
def test_a_number_out_of_bounds_is_refused_by_its_option(
    parse: Parse, arguments: list[str], option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vars(parse([*arguments, option, "7"]))[option.removeprefix("--")] == 7
    with pytest.raises(SystemExit):
        parse([*arguments, f"{option}={value}"])
    assert f"argument {option}: is to be a whole number" in capsys.readouterr().err
