"""How the hot loops are compiled: without the interpreter's lock, and kept on disk where there is a place for it."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, ParamSpec, TypeVar, cast

from numba import config, njit

P = ParamSpec("P")
R = TypeVar("R")


def _place() -> str:
    """Return a directory that can be written and belongs to these very sources; empty where there is none.

    A kernel is compiled together with those it calls in other modules, so what is kept holds for all of them at once.
    """
    here = Path(__file__).parent
    digest = sha256(b"".join(source.read_bytes() for source in sorted(here.glob("*.py")))).hexdigest()[:16]
    for parent in (getattr(config, "CACHE_DIR", ""), here / "__pycache__", "~/.cache/learning-path-recommender"):
        if not parent:
            continue
        try:
            place = Path(parent).expanduser() / f"kernels-{digest}"
            place.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=place):
                return str(place)
        except (OSError, RuntimeError):  # read-only; nobody's home
            continue
    return ""


_PLACE = _place()
setattr(config, "CACHE_DIR", _PLACE)  # noqa: B010 - the settings of the compiler carry no types


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function compiled at its first call. `py_func` of it is the function as it was written.

    Where nothing can be kept on disk (a read-only image, no home), every process compiles for itself.
    """
    compile_with: Any = njit(nogil=True, cache=bool(_PLACE), error_model="numpy")
    return cast("Callable[P, R]", compile_with(function))
