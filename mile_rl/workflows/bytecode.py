"""What a function's bytecode says: the names that it uses, and how."""

from __future__ import annotations

import opcode
import re
import sys
from types import CodeType
from typing import Any, NamedTuple

from mile_rl.workflows.paths import paths_in

_NEW = sys.version_info >= (3, 12)


class Use(NamedTuple):
    """One way in which code uses a name from outside it.

    Args:
        name: the name.
        attributes: the attributes taken from it, one from the other, as far as they are written out.
        key: what comes next, where that is a constant text: the key of a subscript, the first argument.
        subscript: whether ``key`` is a subscript.
        local: whether it is a variable of a function around (or of this one, bound by an import).
    """

    name: str
    attributes: tuple[str, ...] = ()
    key: str | None = None
    subscript: bool = False
    local: bool = False


class Import(NamedTuple):
    """An import inside a function: ``from ...module import attribute``, the dots being ``level``."""

    level: int
    module: str
    attribute: str = ""


class Scan(NamedTuple):
    """What a code object, with those nested in it, uses from outside.

    Args:
        uses: names that are looked up in globals (or are free), with what is done with them.
        imports: local name -> the imports that bind it.
        stores: whether it assigns (or may assign) to globals, to attributes or to variables around it.
        reflects: whether it looks at namespaces or subclasses as a whole.
        paths: its texts that look like names of files.
    """

    uses: tuple[Use, ...]
    imports: tuple[tuple[str, Import], ...]
    stores: bool
    reflects: bool
    paths: tuple[str, ...]


_ATTRIBUTES = frozenset(("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR"))
_GLOBALS = frozenset(("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"))
_CELLS = frozenset(("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"))
_LOADS = _GLOBALS | _CELLS | {"LOAD_FAST"}
_STORES = frozenset(("STORE_FAST", "STORE_NAME", "STORE_DEREF", "STORE_GLOBAL"))
_QUIET = frozenset(
    "NOP RESUME PUSH_NULL PRECALL CACHE SWAP POP_TOP COPY NOT_TAKEN EXTENDED_ARG ROT_TWO KW_NAMES".split()
)
_REFLECTIONS = frozenset(("__subclasses__", "__globals__", "f_globals", "f_locals"))
_ASSIGNERS = frozenset("setattr delattr globals vars __dict__ __setattr__ __delattr__".split())
"""Names by which attributes and globals are assigned to without an instruction that says so."""
_JOINS = frozenset(("BINARY_OP", "BUILD_STRING"))
_SUBSCRIPTS = frozenset(("BINARY_SUBSCR", "STORE_SUBSCR", "DELETE_SUBSCR", "BINARY_OP"))

# What an instruction's argument means. Plain integers: this is looked at for every instruction.
_SKIP, _OTHER, _NAME, _SHIFTED, _CONST, _LOCAL, _PAIR, _PLAIN = range(8)


def _kind(name: str) -> tuple[str, int]:
    if name in _QUIET:
        return name, _SKIP
    if name == "LOAD_GLOBAL" or (name == "LOAD_ATTR" and _NEW):
        return name, _SHIFTED
    if name.startswith(("LOAD_FAST_LOAD", "STORE_FAST_", "LOAD_FAST_BORROW_LOAD")):
        return name, _PAIR
    if name.startswith("LOAD_FAST"):
        return "LOAD_FAST", _LOCAL
    if name in _CELLS or name in ("STORE_FAST", "STORE_DEREF"):
        return name, _LOCAL
    if name in ("LOAD_CONST", "LOAD_CONST_IMMORTAL"):
        return "LOAD_CONST", _CONST
    if name in _ATTRIBUTES | _GLOBALS | _STORES | {"IMPORT_NAME", "IMPORT_FROM", "DELETE_GLOBAL"}:
        return name, _NAME
    if name == "LOAD_SMALL_INT":
        return "LOAD_CONST", _PLAIN
    if name in _SUBSCRIPTS or name in ("CONTAINS_OP", "CALL", "CALL_KW", "BUILD_STRING"):
        return name, _PLAIN
    return "", _OTHER


_EXTENDED = opcode.opmap["EXTENDED_ARG"]
_IMPORT = opcode.opmap["IMPORT_NAME"]
_KINDS = bytearray([_SKIP] * 256)
_NAMES = [""] * 256
_BREAK: tuple[str, Any] = ("", None)
for _opname, _number in opcode.opmap.items():
    if 0 < _number < 256:
        _NAMES[_number], _KINDS[_number] = _kind(_opname)
# Local variables matter only where an import may have bound them.
_WITHOUT_LOCALS = _KINDS.replace(bytes([_PAIR]), bytes([_OTHER]))
for _number, _opname in enumerate(_NAMES):
    if _opname in ("LOAD_FAST", "STORE_FAST"):
        _WITHOUT_LOCALS[_number] = _OTHER
_TOKEN = re.compile(rb"[\x02-\x07]|\x01[\x00\x01]*")


def scan(code: CodeType) -> Scan:
    """Return what a code object and those nested in it use from outside."""
    uses: set[Use] = set()
    imports: set[tuple[str, Import]] = set()
    paths: set[str] = set()
    stores = reflects = False
    stack = [code]
    while stack:
        current = stack.pop()
        reflects |= not _REFLECTIONS.isdisjoint(current.co_names)
        stores |= _scan_one(current, uses, imports, code.co_freevars)
        stores |= not _ASSIGNERS.isdisjoint(current.co_names)
        stack.extend(const for const in current.co_consts if isinstance(const, CodeType))
        paths.update(paths_in(current.co_consts))
    return Scan(
        uses=tuple(sorted(uses, key=lambda use: (*use[:2], use.key is not None, use.key or "", *use[3:]))),
        imports=tuple(sorted(imports)),
        stores=stores,
        reflects=reflects,
        paths=tuple(sorted(paths)),
    )


def _instructions(code: CodeType) -> list[tuple[str, Any]]:
    """Return the instructions that matter as (name, argument); any number of others are one ("", None)."""
    names, consts = code.co_names, code.co_consts
    cells: Any = code._varname_from_oparg  # type: ignore[attr-defined]
    found: list[tuple[str, Any]] = []
    raw = code.co_code
    numbers, lows = raw[::2], raw[1::2]
    kinds = numbers.translate(_KINDS if _IMPORT in numbers else _WITHOUT_LOCALS)
    for token in _TOKEN.finditer(kinds):
        at = token.start()
        kind = kinds[at]
        if kind == _OTHER:
            found.append(_BREAK)
            continue
        name, argument = _NAMES[numbers[at]], lows[at]
        before, shift = at - 1, 8
        while before >= 0 and numbers[before] == _EXTENDED:
            argument |= lows[before] << shift
            before, shift = before - 1, shift + 8
        if kind == _NAME:
            found.append((name, names[argument]))
        elif kind == _SHIFTED:
            found.append((name, names[argument >> 1]))
        elif kind == _CONST:
            found.append((name, consts[argument]))
        elif kind == _LOCAL:
            found.append((name, cells(argument)))
        elif kind == _PAIR:
            # Two in one, from Python 3.13 on.
            first = "STORE_FAST" if name.startswith("STORE") else "LOAD_FAST"
            second = "STORE_FAST" if name.endswith("STORE_FAST") else "LOAD_FAST"
            found += [(first, cells(argument >> 4)), (second, cells(argument & 15))]
        else:
            found.append((name, argument))
    return found


def _scan_one(
    code: CodeType, uses: set[Use], imports: set[tuple[str, Import]], around: tuple[str, ...]
) -> bool:
    instructions = _instructions(code)
    instructions += (_BREAK, _BREAK)
    stores = False
    for at, (name, argument) in enumerate(instructions):
        if name in _LOADS:
            # Plain locals occur only beside imports; see _instructions.
            use = _use(argument, at, instructions, local=name not in _GLOBALS)
            uses.add(use)
            if use.key is not None and not use.subscript and _is_start(at, instructions):
                uses.add(use._replace(key=None))
        elif name == "IMPORT_NAME":
            _import(at, instructions, imports)
        elif name in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            # What stood there before is seen by nobody, perhaps, but what stands there then is.
            uses.add(Use(argument))
            stores = True
        elif name in ("STORE_ATTR", "DELETE_ATTR"):
            stores = True
        elif name == "STORE_DEREF" and argument in around:
            uses.add(Use(argument, local=True))
            stores = True
    return stores


def _use(name: str, at: int, instructions: list[tuple[str, Any]], *, local: bool) -> Use:
    attributes: tuple[str, ...] = ()
    after = at + 1
    while instructions[after][0] in _ATTRIBUTES:
        attributes += (instructions[after][1],)
        after += 1
        if instructions[after - 1][0].startswith(("STORE", "DELETE")):
            return Use(name, attributes, None, False, local)
    following, key = instructions[after]
    if following == "LOAD_CONST" and type(key) is str:
        return Use(name, attributes, key, instructions[after + 1][0] in _SUBSCRIPTS, local)
    if following == "CONTAINS_OP" and at and instructions[at - 1][0] == "LOAD_CONST":
        key = instructions[at - 1][1]
        if type(key) is str:
            return Use(name, attributes, key, True, local)
    return Use(name, attributes, None, False, local)


def _is_start(at: int, instructions: list[tuple[str, Any]]) -> bool:
    """Tell whether the text that follows a name may be but the start of its argument: ``f"models.{name}"``."""
    while instructions[at][0] != "LOAD_CONST":
        at += 1
    if instructions[at + 1][0] in _ATTRIBUTES:
        return True
    for name, _ in instructions[at + 1 :]:
        if name in _JOINS:
            return True
        if name in ("CALL", "CALL_KW"):
            return False
    return False


def _import(at: int, instructions: list[tuple[str, Any]], imports: set[tuple[str, Import]]) -> None:
    """Note which local names an import binds, and to what."""
    module = instructions[at][1]
    constants = [value for name, value in instructions[max(0, at - 2) : at] if name == "LOAD_CONST"]
    level = constants[0] if constants and type(constants[0]) is int else 0
    listed = constants[-1] if constants and type(constants[-1]) is tuple else None
    bound = False
    attribute = ""
    for name, argument in instructions[at + 1 :]:
        if name == "IMPORT_FROM":
            attribute = argument
        elif name in _STORES:
            if listed is not None:
                imports.add((argument, Import(level, module, attribute)))
            elif attribute:
                # One that is given another name: it stands for the inner module.
                imports.add((argument, Import(level, module)))
            else:
                # import a.b binds a, and makes b an attribute of it.
                imports.add((argument, Import(level, module.partition(".")[0])))
                imports.add(("", Import(level, module)))
            if name == "STORE_GLOBAL":
                # Other functions can use it, by a name that is not bound before this one runs.
                imports.add(("*", Import(level, module, attribute if listed is not None else "")))
            bound = True
            if listed is None or len(listed) == 1:
                break
        else:
            break
    if not bound:
        # Used on the spot, in a way that cannot be followed.
        imports.add(("*", Import(level, module)))
