"""Named tuples of arrays that compiled functions take by reference.

numba passes a named tuple by value: each array in it is seven numbers, in every function that takes it, at every call
and in every caller of that function. A class that is marked `by_reference` is one address instead. The call from Python
stores the arrays' descriptors on the stack; compiled code loads those that it reads. It cannot make or return such a
tuple, and must not return its arrays, because their references are not counted. numba's extension API is used
(https://numba.readthedocs.io/en/stable/extending/low-level.html).
"""

from typing import Any, TypeVar

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    NativeValue,
    infer_getattr,
    lower_getattr_generic,
    models,
    register_model,
    typeof_impl,
    unbox,
)

T = TypeVar("T", bound=type)


class _Reference(types.Type):
    """The type of the address of a named tuple, whose numba type is `dtype`."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(f"_Reference({dtype})")

    @property
    def mangling_args(self) -> tuple[str, tuple[Any, ...]]:
        """A short name for symbols: a function is compiled for one signature, so the class is enough."""
        return self.dtype.instance_class.__name__, ()


register_model(_Reference)(models.PointerModel)

_ADAPTER = ir.FunctionType(ir.IntType(32), [cgutils.voidptr_t, cgutils.voidptr_t])
"""numba's own function that writes an array's descriptor to an address."""


def by_reference(named_tuple: T) -> T:
    """Make compiled functions take instances of this NamedTuple by reference."""

    @typeof_impl.register(named_tuple)
    def typed(value: Any, context: Any) -> _Reference:
        parts = tuple(typeof_impl(part, context) for part in value)
        return _Reference(types.BaseTuple.from_types(parts, named_tuple))

    return named_tuple


@infer_getattr
class _Fields(AttributeTemplate):
    """The types of the fields of a reference."""

    key = _Reference

    def generic_resolve(self, reference: Any, name: str) -> Any:  # type: ignore[override] # declared as NotImplemented
        """Return the type of a field; None if there is none."""
        fields = reference.dtype.fields
        return reference.dtype[fields.index(name)] if name in fields else None


@lower_getattr_generic(_Reference)
def _load(context: Any, builder: Any, reference: Any, value: Any, name: str) -> Any:
    """Load a field. It never changes, so LLVM may load it once for a whole loop."""
    place = reference.dtype.fields.index(name)
    kind = reference.dtype[place]
    address = cgutils.gep_inbounds(builder, value, 0, place)
    loaded = context.unpack_value(builder, kind, address)
    if context.enable_nrt:
        context.nrt.incref(builder, kind, loaded)
    return loaded


@unbox(_Reference)
def _stored(reference: Any, instance: Any, call: Any) -> NativeValue:
    """Store the descriptors of a named tuple's arrays on the stack of the call from Python.

    The arrays belong to the caller until the call returns, so no references are counted.
    """
    builder, api = call.builder, call.pyapi
    adapter = cgutils.get_or_insert_function(builder.module, _ADAPTER, "numba_adapt_ndarray")
    place = cgutils.alloca_once(builder, call.context.get_value_type(reference.dtype))
    for number, kind in enumerate(reference.dtype):
        field, address = api.tuple_getitem(instance, number), cgutils.gep_inbounds(builder, place, 0, number)
        if isinstance(kind, types.Array):
            builder.call(adapter, (field, builder.bitcast(address, api.voidptr)))
        else:
            builder.store(call.unbox(kind, field).value, address)
    return NativeValue(place)
