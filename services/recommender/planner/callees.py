"""How numba compiles callees: functions that only compiled functions call.

By itself, numba optimises every function with all that it calls and makes machine code of it. It does both again for
each of its callers, which hold a copy. A callee never runs by itself, so its code waits as LLVM's intermediate
representation until an entry is linked; each entry is linked and optimised once, as a whole.

numba's documentation calls this a custom pipeline (https://numba.readthedocs.io/en/stable/developer/custom_pipeline.html).
"""

from typing import Any

from numba.core.codegen import CodeLibrary, JITCodeLibrary
from numba.core.compiler import Compiler, Flags
from numba.core.typed_passes import InlineOverloads, NopythonRewrites
from numba.core.untyped_passes import DeadBranchPrune, InlineClosureLikes, WithLifting

_DEFAULTS = {name: option.default for name, option in Flags.options.items()}

_UNUSED = {DeadBranchPrune, InlineClosureLikes, InlineOverloads, NopythonRewrites, WithLifting}
"""numba's slowest passes for what no compiled function has: closures, contexts, branches that are never taken."""


class _Flags(Flags):
    """Flags of a compilation. numba compares them for nearly every operation of a function."""

    __slots__ = ()

    def values(self) -> dict[str, Any]:
        """Return the values of all flags, as numba does, which looks each up by itself."""
        return _DEFAULTS | self._values


class _Code(JITCodeLibrary):
    """The code of one function."""

    def _optimize_functions(self, ll_module: Any) -> None:
        """Leave the functions as they are until an entry is optimised as a whole."""


class _CalleeCode(_Code):
    """The code of one callee, to be linked into entries."""

    @property
    def linked(self) -> list[CodeLibrary]:
        """The code that this callee calls."""
        return self._linking_libraries

    def finalize(self) -> None:
        """Link nothing and make no machine code. Let several entries define the function."""
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage.name == "external":
                function.linkage = "linkonce_odr"
        self._shared_module = self._final_module
        self._finalized = True

    @property
    def codegen(self) -> Any:
        """What stores a function's environment in its machine code: this object, because there is none."""
        return self

    def set_env(self, env_name: str, env: Any) -> None:
        """Store nothing. Only code that uses Python objects reads an environment."""


class _EntryCode(_Code):
    """The code of one entry."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.enable_object_caching()

    def finalize(self) -> None:
        """Link what the callees call as well, and make machine code."""
        linked = self._linking_libraries
        for library in linked:
            if isinstance(library, _CalleeCode):
                linked += [one for one in library.linked if one not in linked]
        super().finalize()

    def _optimize_final_module(self) -> None:
        """Optimise once. numba does so twice, to remove more counting of references."""
        passes, builder = self._codegen._module_pass_manager()  # noqa: SLF001 - numba has no public function for it
        passes.run(self._final_module, builder)


class EntryCompiler(Compiler):
    """The compiler of an entry."""

    code: type[JITCodeLibrary] = _EntryCode

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.state.flags = _Flags(self.state.flags)

    def define_pipelines(self) -> Any:
        """Return numba's own pipeline without unused passes. The code that it makes is of this compiler's kind."""
        self.state.library = self.code(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        (pipeline,) = super().define_pipelines()
        pipeline.passes = [one for one in pipeline.passes if one[0] not in _UNUSED]
        return [pipeline]


class CalleeCompiler(EntryCompiler):
    """The compiler of a callee."""

    code = _CalleeCode
