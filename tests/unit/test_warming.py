"""Nothing is compiled once the planner is warm, whatever the shape of the catalog and the request."""

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import types
from numba.core.caching import IndexDataCacheFile

from services.recommender import warmup as warming
from services.recommender.planner import jit
from services.recommender.planner.index.catalog import Snapshot
from services.recommender.planner.index.graph import BRANCH_DTYPE, CONDITION_DTYPE, COURSE_DTYPE, SKILL_DTYPE
from services.recommender.planner.index.segment import TEACHER_DTYPE
from services.recommender.planner.index.vocabulary import ROW_DTYPE
from services.recommender.planner.jit import COMPILED, as_array, signatures
from services.recommender.warmup import warm_up
from shared.domain import SHARED_TENANT
from tests.support.builders import TENANT, catalog


@pytest.mark.timeout(600)
def test_a_fresh_process_compiles_and_loads_nothing_after_its_warm_up() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.after_warm_up"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["late"] == {}
    assert found["kernels"] > 0


def test_compiled_code_in_a_folder_that_cannot_be_written_is_used_from_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jit._SETTINGS, "CACHE_DIR", str(tmp_path))
    image = jit._folder()
    assert image is not None
    assert image.parent == tmp_path
    (image / "kernel.nbi").write_bytes(b"compiled")

    def read_only(path: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "touch", read_only)
    copy = jit._folder()
    assert copy is not None
    assert (copy.name, (copy / "kernel.nbi").read_bytes()) == (image.name, b"compiled")
    assert not copy.is_relative_to(tmp_path)


@pytest.mark.parametrize("named", [b"@jit(", b"by_reference", b"PARAMS = Planner", b"UNREACHABLE = "])
def test_code_that_was_compiled_from_other_sources_is_not_used(
    named: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path / "planner"
    shutil.copytree(Path(jit.__file__).parent, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(jit._SETTINGS, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(jit, "__file__", str(copied / "jit.py"))
    before = jit._folder()
    assert before == jit._folder()
    changed = [source for source in copied.rglob("*.py") if named in source.read_bytes()]
    assert changed
    for source in changed:
        code = source.read_bytes()
        source.write_bytes(code + b"\n")
        assert jit._folder() != before, source.name
        source.write_bytes(code)


def one_more(number: int) -> int:
    return number + 1


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Return a function that compiles `one_more` as a new process does, with files of the test."""
    monkeypatch.setattr(jit._SETTINGS, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(jit, "_FOLDER", tmp_path)
    monkeypatch.setattr(jit, "COMPILED", [])
    return lambda: jit.jit(entry=True)(one_more)


@pytest.mark.parametrize("file", ["*.nbi", "*.nbc"], ids=["index", "code"])
@pytest.mark.parametrize("part", [0, 1, 2], ids=["empty", "half", "zeros"])
def test_a_damaged_file_of_compiled_code_is_replaced(
    compiled: Callable[[], Any], tmp_path: Path, file: str, part: int
) -> None:
    assert compiled()(1) == 2
    [damaged] = tmp_path.rglob(file)
    whole = damaged.read_bytes()
    damaged.write_bytes((b"", whole[: len(whole) // 2], bytes(len(whole)))[part])
    assert compiled()(1) == 2
    again = compiled()
    assert again(1) == 2
    assert sum(again.stats.cache_hits.values()) == 1


def test_compiled_code_that_cannot_be_saved_is_used(
    compiled: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "_open_for_write", full)
    assert compiled()(1) == 2


RECORDS: dict[str, Any] = {
    "courses": COURSE_DTYPE,
    "rows": ROW_DTYPE,
    "conditions": CONDITION_DTYPE,
    "branches": BRANCH_DTYPE,
    "skills": SKILL_DTYPE,
    "teachers": TEACHER_DTYPE,
}


def test_every_array_of_a_graph_has_the_compiled_memory_layout() -> None:
    shared = Snapshot().put_courses(SHARED_TENANT, catalog(600, 8, seed=4), 1)
    beside = shared.put_courses(TENANT, catalog(3, 8, seed=9), 2)
    for view in (shared.view(TENANT), beside.view(TENANT)):
        net = view.catalog.graph(champions=False).arrays
        for name, array in net._asdict().items():
            assert array.flags.c_contiguous, name
            assert array.flags.writeable, name
            assert array.dtype == RECORDS.get(name, np.int32), name


def test_an_array_is_copied_only_if_its_layout_differs() -> None:
    table = np.arange(6, dtype=np.int32).reshape(2, 3)
    assert as_array(table, np.int32) is table
    for other in (table.T, table[:, ::2], table.astype(np.int64)):
        found = as_array(other, np.int32)
        assert found.flags.c_contiguous
        assert (found == other).all()


def test_no_compiled_function_takes_a_tuple_by_value() -> None:
    warm_up()
    by_value = [
        one.py_func.__qualname__
        for one in COMPILED
        for signature in one.signatures
        if any(isinstance(argument, types.BaseTuple) for argument in signature)
    ]
    assert by_value == []


def test_a_warm_up_with_two_signatures_of_a_function_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    warm_up()
    assert set(signatures().values()) == {1}
    assert len(COMPILED) >= len(signatures())
    monkeypatch.setattr(warming, "signatures", lambda: {"search": 2, "plan": 1})
    with pytest.raises(RuntimeError, match="search"):
        warm_up()
