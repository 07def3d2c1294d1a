"""How the hot loops are compiled: without the interpreter's lock, and kept on disk under the hash of their sources.

Compiled code knows only its own file's age, not that of what it calls; so all of it lies in a folder named after every
source with a kernel in it, and whatever changes begins a folder of its own.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def _cache_directory() -> str:
    """Return the folder of these sources: in NUMBA_CACHE_DIR, else beside the sources, else among temporary files."""
    here = Path(__file__).parent
    sources = [source.read_bytes() for source in sorted(here.glob("*.py"))]
    code = hashlib.sha256(b"".join(source for source in sources if b"@kernel" in source)).hexdigest()[:16]
    named: str = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    places = [named] if named else [here / "__pycache__", tempfile.gettempdir()]
    folders = [Path(place) / f"recommender-{code}" for place in places]
    return str(next(filter(_is_writable, folders), folders[-1]))


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / "probe"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError:
        return False
    return True


numba.config.CACHE_DIR = _cache_directory()  # type: ignore[attr-defined]  # type: ignore[attr-defined]


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function compiled at its first call. `py_func` of it is the function as it was written.

    Where no folder can be written at all, every process compiles for itself.
    """
    try:
        compile_with: Any = numba.njit(nogil=True, cache=True, error_model="numpy")
        return cast("Callable[P, R]", compile_with(function))
    except RuntimeError:
        without: Any = numba.njit(nogil=True, error_model="numpy")
        return cast("Callable[P, R]", without(function))
