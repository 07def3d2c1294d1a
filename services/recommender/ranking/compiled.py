"""How the hot loops are compiled: without the interpreter's lock, and kept on disk under the hash of their sources.

Compiled code knows only its own file's age, not that of what it calls; so all of it lies in a folder named after every
source with a kernel in it, and whatever changes begins a folder of its own.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")

_SETTINGS: Any = numba.config


def _folder() -> Path | None:
    """Return the folder of these sources, in NUMBA_CACHE_DIR or beside them; None where it cannot be written."""
    here = Path(__file__).parent
    sources = [source.read_bytes() for source in sorted(here.glob("*.py"))]
    code = hashlib.sha256(b"".join(source for source in sources if b"@kernel" in source)).hexdigest()[:16]
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


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function compiled at its first call. `py_func` of it is the function as it was written.

    Where no folder can be written, every process compiles for itself.
    """
    compiled: Any = numba.njit(nogil=True, cache=_FOLDER is not None, error_model="numpy")
    return cast("Callable[P, R]", compiled(function))
