"""What calls of the sanitiser, of Python's and of Textual's functions give back."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from tests.flow.levels import (
    CONTENT_METHODS,
    NOTHING,
    NUMBER_FUNCTIONS,
    NUMBER_METHODS,
    PASSING_FUNCTIONS,
    PASSING_METHODS,
    Level,
    Value,
    meet,
    whole,
)
from tests.flow.program import last_name

SANITISERS = {
    "safe_text": Level.INERT,
    "safe_lines": Level.INERT,
    "safe_json": Level.INERT,
    "plain": Level.CONTENT,
}
_CONTENT_MAKERS = frozenset({"Content", "Text", "Strip", "Segment", "Option"})


def known_call(
    call: ast.Call, value: Callable[[ast.expr], Value], results: Sequence[Value], is_module: bool
) -> Value:
    """results: of the program's own functions that it may mean. is_module: what is before the dot was imported."""
    name = last_name(call.func)
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    if name in SANITISERS:
        return SANITISERS[name]
    if name in _CONTENT_MAKERS or (receiver is not None and last_name(receiver) in _CONTENT_MAKERS):
        return Level.CONTENT
    if results:
        return meet(results)
    given = [value(argument) for argument in call.args]
    words = [value(word.value) for word in call.keywords if word.arg != "key"]
    if name == "enumerate":
        return (Level.OURS, given[0])
    if name == "zip":
        return tuple(given)
    if name in ("repr", "ascii"):
        return Level.INERT
    if name in NUMBER_FUNCTIONS or name in NUMBER_METHODS:
        return Level.OURS
    if name == "highlight":
        return Level.CONTENT  # of a matcher: what was matched, the letters that were found made bold
    if receiver is None or is_module:
        if name == "map" and call.args:
            return value(call.args[0])
        passes = name in PASSING_FUNCTIONS or (is_module and name in PASSING_METHODS)
        return meet([*given, *words]) if passes else Level.FOREIGN
    own = value(receiver)
    if name == "join":
        level = min(whole(own), whole(meet(given)))
        return Level.CONTENT if whole(own) == Level.CONTENT and level >= Level.INERT else level
    if name == "items":
        return own if isinstance(own, tuple) else (own, own)
    if name in CONTENT_METHODS and (own == NOTHING or whole(own) == Level.CONTENT):
        return own
    return meet([own, *given, *words]) if name in PASSING_METHODS else Level.FOREIGN
