"""Compiled functions take named tuples by reference."""

import sys
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from services.recommender.planner.jit import jit
from services.recommender.planner.references import by_reference


@by_reference
class Inner(NamedTuple):
    numbers: NDArray[np.int64]
    factor: float


@by_reference
class Outer(NamedTuple):
    inner: Inner
    flags: NDArray[np.bool_]


@jit()
def scaled(inner: Inner, place: int) -> float:
    return float(inner.numbers[place] * inner.factor)


@jit(entry=True)
def add_flagged(one: Outer, other: Outer) -> float:
    total = 0.0
    for place in range(len(one.flags)):
        if one.flags[place]:
            total += scaled(one.inner, place)
            other.inner.numbers[place] += 1
    return total


@jit(entry=True, allocates=True)
def copied(outer: Outer) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = outer.inner.numbers.copy()
    return numbers


def outer(*numbers: int) -> Outer:
    return Outer(Inner(np.array(numbers), 0.5), np.array([n > 1 for n in numbers]))


def test_fields_are_read_and_arrays_changed_in_place_through_references() -> None:
    one, other = outer(1, 2, 4), outer(7, 8, 9)
    assert add_flagged(one, other) == 3
    assert other.inner.numbers.tolist() == [7, 9, 10]
    assert add_flagged(other, other) == 4.5 + 5 + 3.5
    assert other.inner.numbers.tolist() == [8, 10, 11]


def test_a_call_holds_no_array_after_its_end() -> None:
    one = outer(1, 2, 4)
    before = sys.getrefcount(one.inner.numbers), sys.getrefcount(one.flags)
    for _ in range(10):
        assert copied(one).tolist() == one.inner.numbers.tolist()
        add_flagged(one, one)
    assert (sys.getrefcount(one.inner.numbers), sys.getrefcount(one.flags)) == before


def test_a_tuple_of_another_kind_is_refused() -> None:
    with pytest.raises(Exception, match="flags"):
        copied_flags(outer(1).inner)  # type: ignore[arg-type]


@jit(entry=True)
def copied_flags(one: Outer) -> int:
    return len(one.flags)
