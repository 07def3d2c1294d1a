"""Compiles the hot loops without the interpreter's lock, and caches them on disk under the hash of their sources.

numba's cache only compares a function's own file, not what the function calls. So the cache is in a folder named after
the hash of all sources with compiled functions, with tuples that these take by reference, or with their constants
(`params`, `units`).

Every function is compiled for one signature, which includes the memory layout of arrays. An array with another layout
than those of the warm-up would trigger a new compilation of a minute and a half while officers wait. So arguments of
compiled functions are laid out here, and the warm-up fails if a function has two signatures.
"""

import atexit
import contextlib
import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numpy.typing import DTypeLike

from services.recommender.planner.callees import CalleeCompiler, EntryCompiler

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

wide: Any = np.int64
ZERO, NONE = wide(0), wide(-1)
"""Constants of the type that compiled code computes with; a literal or a narrower type is another signature."""

_SETTINGS: Any = numba.config


# Compiled code has the places of a tuple's fields, not the names.
_COMPILED_IF_NAMED = (b"planner.jit", b"by_reference", b"CalleeCompiler")
_CONSTANTS = ("params.py", "units.py")


def _folder() -> Path | None:
    """Return the folder of these sources, in NUMBA_CACHE_DIR or beside them; None if none can be written."""
    here = Path(__file__).parent
    sources = {source: source.read_bytes() for source in sorted(here.rglob("*.py"))}
    compiled = (
        code
        for source, code in sources.items()
        if source.name in _CONSTANTS or any(name in code for name in _COMPILED_IF_NAMED)
    )
    code = hashlib.sha256(b"".join(compiled)).hexdigest()[:16]
    folder = Path(_SETTINGS.CACHE_DIR or here / "__pycache__") / f"recommender-{code}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / "probe"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError:
        return _copy_of(folder)
    return folder


def _copy_of(folder: Path) -> Path | None:
    """Return a copy of a folder in a temporary one, where numba may write; None if there is none or it cannot be made.

    The image's file system is read-only in a container, and numba reads only from where it could write.
    """
    with contextlib.suppress(OSError, shutil.Error):
        if folder.is_dir():
            place = Path(tempfile.mkdtemp(prefix="learning-path-compiled-"))
            atexit.register(shutil.rmtree, place, ignore_errors=True)
            return shutil.copytree(folder, place / folder.name)
    return None


_FOLDER = _folder()
if _FOLDER:
    _SETTINGS.CACHE_DIR = str(_FOLDER)


COMPILED: list[Any] = []
"""Every compiled function."""


class _CompiledFiles(FunctionCache):
    """The files of one entry. One that is damaged, or cannot be written, costs a compilation and not the start."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the cached code, None if there is none or it cannot be read, as after a loss of power."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - whatever reading a damaged pickle raises
            log.warning("a file of the compiled planner cannot be read, so it is compiled: %r", error)
            with contextlib.suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save compiled code, if that is possible."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            log.warning("the compiled planner cannot be saved: %r", error)


def jit(*, entry: bool = False, allocates: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the decorator that compiles a function at its first call. Its `py_func` is the plain Python function.

    `entry`: the function is called from Python; it is optimised and cached with all that it calls (`callees`).
    `allocates`: it makes arrays, or assigns slices; a function that does neither counts no references. If no folder is
    writable, every process compiles for itself.
    """

    def compiled(function: Callable[P, R]) -> Callable[P, R]:
        numba_jit: Any = numba.njit  # its annotations lack some of these options
        made = numba_jit(
            nogil=True,
            error_model="numpy",
            no_cpython_wrapper=not entry,
            no_cfunc_wrapper=True,
            _nrt=allocates,
            pipeline_class=EntryCompiler if entry else CalleeCompiler,
        )(function)
        if entry and _FOLDER is not None:
            made._cache = _CompiledFiles(function)  # type: ignore[no-untyped-call]  # noqa: SLF001 - as numba does
        COMPILED.append(made)
        return cast("Callable[P, R]", made)

    return compiled


def signatures() -> dict[str, int]:
    """Return the number of signatures of each function that this process compiled, or loaded as an entry."""
    return {one.py_func.__qualname__: len(one.signatures) for one in COMPILED if one.signatures}


def as_array(values: Any, dtype: DTypeLike) -> Any:
    """Return values as a writable array of a type, in row-major order, as compiled code expects it."""
    array = np.ascontiguousarray(values, dtype)
    return array if array.flags.behaved else array.copy()
