"""How harmless a value is, and what Python's and Textual's own functions make of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from enum import IntEnum


class Level(IntEnum):
    """From worst to best; a mixture is as good as its worst part.

    FOREIGN: anything. INERT: no control character, but brackets, which are markup where markup is read.
    CONTENT: an object that is drawn as it stands. OURS: made of this program's own words and of numbers.
    """

    FOREIGN = 0
    INERT = 1
    CONTENT = 2
    OURS = 3


Value = Level | tuple["Value", ...]
"""A level, or one for each part of a tuple; a list, or any other container, has the value of its elements."""

NOTHING: Value = ()
"""The value of what holds nothing yet, such as an empty list: met with another value it gives that one."""


def whole(value: Value) -> Level:
    """The worst part."""
    if isinstance(value, tuple):
        return min((whole(part) for part in value), default=Level.OURS)
    return value


def meet(values: Iterable[Value]) -> Value:
    """The value of what may be any of these; tuples of one length are met part by part."""
    result: Value = NOTHING
    for value in values:
        result = _meet(result, value)
    return result


def _meet(one: Value, other: Value) -> Value:
    if one == NOTHING or other == NOTHING:
        return other if one == NOTHING else one
    if isinstance(one, tuple) and isinstance(other, tuple):
        if len(one) == len(other) and _is_table(one) == _is_table(other):
            return tuple(_meet(*pair) for pair in zip(one, other, strict=True))
        # rows of different lengths, or a row and a table of rows: what is known of each part of a row stays
        one, other = one_of(one), one_of(other)
        if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
            return _meet(one, other)
    return min(whole(one), whole(other))


def one_of(value: Value) -> Value:
    """What going through the value gives: of a tuple of tuples, one of them."""
    return meet(value) if _is_table(value) and isinstance(value, tuple) else value


def _is_table(value: Value) -> bool:
    return isinstance(value, tuple) and all(isinstance(part, tuple) for part in value)


def as_text(value: Value) -> Level:
    """What is left when the value becomes part of a string: Content gives its characters, brackets and all."""
    level = whole(value)
    return Level.INERT if level is Level.CONTENT else level


_NUMERIC_SPEC = re.compile(r".*([,_]|[bcdeEfFgGnoxX%])$|.*[,_]")


def is_numeric_format(spec: ast.expr | None) -> bool:
    """Whether a format such as `:,` or `:.3f` raises an error for everything that is not a number."""
    if not isinstance(spec, ast.JoinedStr) or not spec.values:
        return False
    last = spec.values[-1]
    return isinstance(last, ast.Constant) and _NUMERIC_SPEC.fullmatch(str(last.value)) is not None


NUMBER_TYPES = frozenset({"int", "float", "bool", "None", "Literal", "Never"})
NUMBER_FUNCTIONS = frozenset(
    {
        "len",
        "int",
        "float",
        "round",
        "abs",
        "sum",
        "bool",
        "hash",
        "ord",
        "isinstance",
        "any",
        "all",
        "range",
        "cell_len",
        "divmod",
        "pow",
        "id",
        "hasattr",
        "issubclass",
        "callable",
    }
)
NUMBER_METHODS = frozenset(
    {
        "count",
        "index",
        "find",
        "startswith",
        "endswith",
        "is_dir",
        "exists",
        "isdigit",
        "bit_length",
        "total_seconds",
        "time",
        "monotonic",
        "perf_counter",
        "strftime",
        "isatty",
        "get_option_index",
        "isdecimal",
        "isspace",
    }
)
NUMBER_ATTRIBUTES = frozenset(
    {
        "width",
        "height",
        "x",
        "y",
        "cursor_row",
        "row_count",
        "option_count",
        "returncode",
        "columns",
        "lineno",
        "cell_length",
        "st_size",
        "highlighted",
    }
)
# give back what they were given, or parts of it
PASSING_FUNCTIONS = frozenset(
    {
        "str",
        "min",
        "max",
        "sorted",
        "list",
        "tuple",
        "set",
        "frozenset",
        "reversed",
        "next",
        "iter",
        "dict",
        "deque",
        "set_cell_size",
        "chain",
        "islice",
        "pairwise",
        "accumulate",
        "cast",
    }
)
PASSING_METHODS = frozenset(
    {
        "replace",
        "format",
        "ljust",
        "rjust",
        "center",
        "zfill",
        "strip",
        "lstrip",
        "rstrip",
        "split",
        "rsplit",
        "splitlines",
        "removesuffix",
        "removeprefix",
        "lower",
        "upper",
        "title",
        "capitalize",
        "partition",
        "rpartition",
        "expandtabs",
        "values",
        "keys",
        "items",
        "get",
        "pop",
        "setdefault",
        "copy",
        "wrap",
        "fill",
        "indent",
        "dedent",
        "shorten",
        "sub",
        "popleft",
        "union",
        "casefold",
        "fromkeys",
        "from_iterable",
    }
)
CONTENT_METHODS = frozenset(
    {
        "pad_right",
        "pad_left",
        "pad",
        "stylize",
        "stylize_before",
        "truncate",
        "highlight",
        "rstrip",
        "split",
        "fold",
    }
)
CONTENT_TYPES = frozenset({"Content", "Text", "Strip", "ChartPicture", "Style"})
FILLING_METHODS = frozenset({"append", "extend", "insert", "add", "appendleft", "update", "setdefault"})
