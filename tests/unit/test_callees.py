"""Functions that only compiled functions call are linked and optimised in entries, and not by themselves."""

from collections import Counter
from typing import Any

import pytest
from numba.core.codegen import JITCodeLibrary

from services.recommender.planner import jit as compiling
from services.recommender.planner.callees import EntryCompiler
from services.recommender.planner.jit import jit


@jit()
def doubled(number: int) -> int:
    return number * 2


@jit()
def factorial(number: int) -> int:
    return number * factorial(number - 1) if number > 1 else 1


@jit()
def doubled_factorial(number: int) -> int:
    return doubled(factorial(number))


def test_only_entries_are_linked_and_optimised_and_become_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_FOLDER", None)  # nothing is loaded

    @jit(entry=True)
    def first(number: int) -> int:
        return doubled_factorial(number) + 1

    @jit(entry=True)
    def second(number: int) -> int:
        return first(doubled(number)) - doubled_factorial(number)

    done = list[tuple[str, str]]()
    for kind, step in ((EntryCompiler.code, "_optimize_final_module"), (JITCodeLibrary, "_finalize_specific")):
        original = getattr(kind, step)

        def recorded(library: Any, step: str = step, original: Any = original) -> None:
            done.append((step, library.name.rpartition(".")[2]))
            original(library)

        monkeypatch.setattr(kind, step, recorded)
    linked = Counter[str]()
    get_module: Any = JITCodeLibrary._get_module_for_linking

    def counted(library: Any) -> Any:
        linked[library.name.rpartition(".")[2]] += 1
        return get_module(library)

    monkeypatch.setattr(JITCodeLibrary, "_get_module_for_linking", counted)
    assert (first(3), second(2)) == (13, 45)
    assert [linked[name] for name in ("doubled", "factorial", "doubled_factorial", "first")] == [2, 2, 2, 1]
    assert [one for one in done if one[1] != "nrt"] == [  # numba's own allocator, made once for a process
        (step, entry) for entry in ("first", "second") for step in ("_optimize_final_module", "_finalize_specific")
    ]
