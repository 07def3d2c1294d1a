"""How numba compiles callees: functions that only compiled functions call.

By itself, numba optimises every function with all that it calls and makes machine code of it. It does both again for
each of its callers, which hold a copy. A callee never runs by itself, so its code waits as LLVM's intermediate
representation until an entry is linked; each entry is optimised once, as a whole.

numba's documentation calls this a custom pipeline (https://numba.readthedocs.io/en/stable/developer/custom_pipeline.html).
"""

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


class _CalleeCode(JITCodeLibrary):
    """The code of one callee, to be linked into its callers."""

    def _optimize_functions(self, ll_module: Any) -> None:
        """Leave the functions as they are."""

    def _optimize_final_module(self) -> None:
        """Leave the module as it is."""

    def _finalize_final_module(self) -> None:
        """Make no machine code."""
        self._finalized = True

    @property
    def codegen(self) -> Any:
        """What stores a function's environment in its machine code: this object, because there is none."""
        return self

    def set_env(self, env_name: str, env: Any) -> None:
        """Store nothing. Only code that uses Python objects reads an environment."""


class CalleeCompiler(Compiler):
    """The compiler of a callee."""

    def define_pipelines(self) -> Any:
        """Return numba's own pipeline. The code that it makes is a `_CalleeCode`."""
        self.state.library = _CalleeCode(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        return super().define_pipelines()
