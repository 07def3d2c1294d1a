"""How the hot loops are compiled: without the interpreter's lock, and kept on disk under the hash of their sources.

numba's cache compares only a function's own file, not what the function calls. So the cache is in a folder named after
the hash of all sources with compiled functions and of the constants in `params` and `units`.

Every function is compiled for one signature. The memory layout of an array is part of it: one that lies in memory in
another way than those of the warm-up would be compiled for anew, for a minute and a half, while officers wait. So what
is handed to compiled code is laid out here, and the warm-up ends with an error where a function has two signatures.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numpy.typing import DTypeLike

P = ParamSpec("P")
R = TypeVar("R")

wide: Any = np.int64
ZERO, NONE = wide(0), wide(-1)
"""Numbers of the type that compiled code computes with: a literal or a narrow one is another signature."""

_SETTINGS: Any = numba.config


_CONSTANTS = ("params.py", "units.py")


def _folder() -> Path | None:
    """Return the folder of these sources, in NUMBA_CACHE_DIR or beside them; None where it cannot be written."""
    here = Path(__file__).parent
    sources = {source: source.read_bytes() for source in sorted(here.rglob("*.py"))}
    compiled = (code for source, code in sources.items() if b"@jit" in code or source.name in _CONSTANTS)
    code = hashlib.sha256(b"".join(compiled)).hexdigest()[:16]
    folder = Path(_SETTINGS.CACHE_DIR or here / "__pycache__") / f"recommender-{code}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / "probe"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError:
        return None
    return folder


_FOLDER = _folder()
if _FOLDER:
    _SETTINGS.CACHE_DIR = str(_FOLDER)


COMPILED: list[Any] = []
"""Every compiled function."""


def jit(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function compiled at its first call. `py_func` of it is the function as it was written.

    Where no folder can be written, every process compiles for itself.
    """
    compiled: Any = numba.njit(nogil=True, cache=_FOLDER is not None, error_model="numpy")(function)
    COMPILED.append(compiled)
    return cast("Callable[P, R]", compiled)


def signatures() -> dict[str, int]:
    """Return for each function that has been compiled or loaded in this process, how many signatures it has."""
    return {one.py_func.__qualname__: len(one.signatures) for one in COMPILED if one.signatures}


def as_array(values: Any, dtype: DTypeLike) -> Any:
    """Return values as a writable array of a type, in row-major order, as compiled code takes it."""
    return np.require(values, dtype, ["C", "A", "W"])
