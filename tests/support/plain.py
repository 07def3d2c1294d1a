"""Compiled functions as plain Python: only an entry can be called from Python, any other one would end the process."""

from types import FunctionType
from typing import Any

from services.recommender.planner.optimizer import greedy


def plain(compiled: Any, **called: Any) -> Any:
    """Return the Python function of a compiled one. `called`: the plain functions in place of those that it calls."""
    function = compiled.py_func
    return FunctionType(function.__code__, function.__globals__ | called)


plain_value_bound = plain(
    greedy.value_bound, sift_down=plain(greedy.sift_down, gains_faster=plain(greedy.gains_faster))
)
