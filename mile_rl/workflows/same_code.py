"""The identity of bytecode: line numbers and names of files do not count, everything that runs does."""

from __future__ import annotations

from types import CodeType
from typing import Any

from mile_rl.workflows.digest import Hasher


def same_code(one: CodeType, other: CodeType) -> bool:
    """Tell whether two code objects do the same, wherever they stand in their files."""
    return one is other or (
        one.co_code == other.co_code
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and one.co_freevars == other.co_freevars
        and one.co_cellvars == other.co_cellvars
        and one.co_flags == other.co_flags
        and one.co_argcount == other.co_argcount
        and one.co_posonlyargcount == other.co_posonlyargcount
        and one.co_kwonlyargcount == other.co_kwonlyargcount
        and one.co_exceptiontable == other.co_exceptiontable
        and one.co_qualname == other.co_qualname
        and len(one.co_consts) == len(other.co_consts)
        and all(map(_same_constant, one.co_consts, other.co_consts))
    )


def _same_constant(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, CodeType):
        return same_code(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same_constant, one, other))
    if isinstance(one, frozenset):
        return sorted(map(_constant_text, one)) == sorted(map(_constant_text, other))
    return one is other or repr(one) == repr(other)


def code_digest(code: CodeType, doc: str | None) -> bytes:
    """Return the digest of bytecode; line numbers, file names and the docstring do not count.

    Args:
        code: a code object.
        doc: the function's docstring, None where there is none.
    """
    return _add(Hasher("bytecode"), code, doc).digest()


def _add(hasher: Hasher, code: CodeType, doc: str | None) -> Hasher:
    hasher.add(code.co_code, code.co_exceptiontable)
    hasher.add(
        f"{code.co_flags} {code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount}".encode()
    )
    for names in (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, (code.co_qualname,)):
        hasher.add(repr(names).encode("utf-8", "backslashreplace"))
    for at, const in enumerate(code.co_consts):
        if isinstance(const, CodeType):
            hasher.add(b"code", _add(Hasher("bytecode"), const, None).digest())
        elif at == 0 and doc is not None and const == doc and type(const) is str:
            hasher.add(b"doc")
        else:
            hasher.add(b"const", _constant_text(const).encode("utf-8", "backslashreplace"))
    return hasher


def _constant_text(const: Any) -> str:
    if isinstance(const, tuple):
        return f"({','.join(map(_constant_text, const))})"
    if isinstance(const, frozenset):
        return f"{{{','.join(sorted(map(_constant_text, const)))}}}"
    return f"{type(const).__name__} {const!r}"
