"""What counts of a live class."""

from __future__ import annotations

import enum
import types
from collections.abc import Iterator, Sequence
from typing import Any

_GENERATED = frozenset(
    "__dict__ __weakref__ __doc__ __module__ __qualname__ __firstlineno__ __static_attributes__ _abc_impl "
    "__dataclass_params__ __annotate__ __annotate_func__ __annotations_cache__ __slotnames__".split()
)
_ENUM = frozenset(
    # Caches of an enumeration, which grow as its values are used.
    "_value2member_map_ _hashable_values_ _unhashable_values_ _unhashable_values_map_ _inverted_ "
    "_new_member_ _use_args_".split()
)


def attributes_of(cls: type) -> Iterator[tuple[str, Any, bool]]:
    """Yield what a class is made of: a name, a live value, and whether it is an error if nobody can digest it.

    There is no source text in it: methods and attributes say it all and are what runs. What Python and
    libraries derive from the rest, or fill in while the class is used, is left out.

    Args:
        cls: a class of the person's.
    """
    for base in cls.__bases__:
        yield "base", base, True
    if type(cls) is not type:
        yield "metaclass", type(cls), True
    space = dict(vars(cls))
    fields = space.pop("__dataclass_fields__", None)
    if fields is not None:
        yield "__dataclass_params__", repr(getattr(cls, "__dataclass_params__", None)), False
        for each in fields.values():
            yield from _dataclass_field(each)
    for name in sorted(space):
        value = space[name]
        if name in _GENERATED or isinstance(value, types.GetSetDescriptorType | types.MemberDescriptorType):
            continue
        if name == "__annotations__" and not value:
            # Python makes it when somebody first asks for it.
            continue
        if _is_generated(value, dataclass=fields is not None, fields=space.get("_fields")):
            continue
        if name in _ENUM and isinstance(cls, enum.EnumMeta):
            continue
        if name == "__pydantic_decorators__":
            yield name, _validators(value), False
        elif not name.startswith("__pydantic_") or name == "__pydantic_fields__":
            # Annotations, and what metaclasses leave under such names for themselves, need not be digestible.
            yield name, value, not _is_dunder(name) or _is_callable(value)


def _dataclass_field(each: Any) -> Iterator[tuple[str, Any, bool]]:
    kind = str(getattr(each, "_field_type", ""))
    flags = (each.init, each.repr, each.hash, each.compare, getattr(each, "kw_only", False), kind)
    yield each.name, repr(flags), False
    for name in ("default", "default_factory", "metadata"):
        value = getattr(each, name)
        if type(value).__name__ != "_MISSING_TYPE":
            yield f"{each.name} {name}" if name != "default" else each.name, value, True


def _validators(decorators: Any) -> dict[str, Any]:
    """Return what pydantic knows of its validators, whose functions are attributes of the class.

    It also knows their class, by its address.
    """
    return {
        group: {name: each.info for name, each in validators.items()}
        for group, validators in sorted(_attributes(decorators).items())
        if isinstance(validators, dict)
    }


def _is_callable(value: Any) -> bool:
    return callable(getattr(value, "__func__", value))


def _attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of an object, whether it keeps them in a dict or in slots."""
    slots = [slot for kind in type(value).__mro__ for slot in getattr(kind, "__slots__", ())]
    return {
        name: getattr(value, name)
        for name in (*getattr(value, "__dict__", ()), *slots)
        if hasattr(value, name)
    }


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_generated(value: Any, *, dataclass: bool, fields: Sequence[str] | None) -> bool:
    """Tell whether a method was generated from fields that count by themselves."""
    function = getattr(value, "__func__", value)
    code = getattr(function, "__code__", None)
    if dataclass and code is not None and code.co_filename == "<string>":
        return True
    if dataclass and code is not None and code.co_filename.endswith(("reprlib.py", "dataclasses.py")):
        return True
    if fields is None:
        return False
    return type(value).__name__ == "_tuplegetter" or (
        code is not None
        and (code.co_filename.startswith("<") or code.co_filename.endswith("collections/__init__.py"))
    )
