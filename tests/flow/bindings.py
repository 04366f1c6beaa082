"""What the names inside a function may stand for, by every line that gives them a value."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tests.flow.levels import FILLING_METHODS
from tests.flow.program import FunctionNode, assignments


@dataclass(frozen=True)
class Binding:
    """source: where the value comes from. kind: the value itself, what going through it gives, or its type alone
    (an annotation, or what a `case` or an `except` has matched). place: in the tuple that it is unpacked from.
    """

    source: ast.expr
    kind: Literal["value", "each", "annotation", "match"] = "value"
    place: int | None = None


Bindings = dict[str, list[Binding]]


def own_nodes(node: FunctionNode) -> Iterator[ast.AST]:
    """Everything in a function but not in the functions inside it."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        one = waiting.pop()
        yield one
        if not isinstance(one, FunctionNode | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(one))


def bindings(function: FunctionNode) -> Bindings:
    """By name; a container is also bound to what is put into it."""
    found: Bindings = {}
    for node in own_nodes(function):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.setdefault(node.target.id, []).append(Binding(node.annotation, "annotation"))
        for target, value in assignments(node):
            _bind(found, target, Binding(value))
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            _bind(found, node.target, Binding(node.iter, "each"))
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if item.optional_vars is not None:
                    _bind(found, item.optional_vars, Binding(item.context_expr))
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.setdefault(node.name, []).append(Binding(node.type or ast.Constant(None), "match"))
        elif isinstance(node, ast.MatchAs) and node.name:
            kind = node.pattern.cls if isinstance(node.pattern, ast.MatchClass) else ast.Constant(None)
            found.setdefault(node.name, []).append(Binding(kind, "match"))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            filled = node.func.value
            if node.func.attr in FILLING_METHODS and isinstance(filled, ast.Name):
                found.setdefault(filled.id, []).extend(Binding(argument) for argument in node.args)
    return found


def _bind(found: Bindings, target: ast.expr, binding: Binding) -> None:
    if isinstance(target, ast.Name):
        found.setdefault(target.id, []).append(binding)
    elif isinstance(target, ast.Subscript | ast.Starred):
        _bind(found, target.value, Binding(binding.source, binding.kind))
    elif isinstance(target, ast.Tuple | ast.List):
        source = binding.source
        has_star = any(isinstance(part, ast.Starred) for part in target.elts)
        is_written_out = isinstance(source, ast.Tuple | ast.List) and len(source.elts) == len(target.elts)
        for number, part in enumerate(target.elts):
            if has_star or binding.place is not None:
                _bind(found, part, Binding(source, binding.kind))
            elif is_written_out and binding.kind == "value":
                assert isinstance(source, ast.Tuple | ast.List)
                _bind(found, part, Binding(source.elts[number]))
            else:
                _bind(found, part, Binding(source, binding.kind, number))
