"""Works out how harmless every expression of a program is, over all its functions, until nothing changes.

Each function's result, each parameter and each attribute has one value: the worst of what any line gives it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TypeVar

from tests.flow.bindings import Binding, own_nodes
from tests.flow.calls import known_call
from tests.flow.levels import (
    FILLING_METHODS,
    NOTHING,
    NUMBER_ATTRIBUTES,
    Level,
    Value,
    as_text,
    is_numeric_format,
    meet,
    one_of,
    whole,
)
from tests.flow.program import Class, Function, Program, assignments, last_name
from tests.flow.resolver import Resolver

_ARITHMETIC = (ast.Sub, ast.Div, ast.FloorDiv, ast.Pow, ast.MatMult, ast.LShift, ast.RShift, ast.BitXor)
_HEEDED = (
    ast.Return | ast.Yield | ast.YieldFrom | ast.Call | ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr
)
_ROUNDS = 40
_K = TypeVar("_K")


class Analysis:
    """After `run`, `value(expression)` says how harmless an expression is where it stands."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names = Resolver(program)
        self._returns: dict[Function, Value] = {}
        self._parameters: dict[tuple[Function, str], Value] = {}
        self._attributes: dict[tuple[Class, str], Value] = {}
        self._called: set[Function] = set()
        self._handed_on: set[tuple[bool, str]] = set()
        self._cache: dict[tuple[object, str], Value] = {}
        self._busy: set[tuple[object, str]] = set()
        self._changed = False
        self._is_looking = True
        self._nodes: list[tuple[Function | None, ast.AST]] = []

    def run(self) -> None:
        """Work it out: everything is harmless until a line shows that it is not."""
        for function in self.program.functions:
            if function.is_open:
                self._nodes += [(function, node) for node in own_nodes(function.node) if isinstance(node, _HEEDED)]
        for module in self.program.modules.values():
            if module.is_open:
                every = list(ast.walk(module.tree))
                self._note_handed_on(every)
                calls = (node for node in every if isinstance(node, ast.Call))
                self._nodes += [(None, call) for call in calls if self.names.function_at(call) is None]
        self._round()  # who calls whom, and which attributes there are; no value is believed yet
        self._is_looking = False
        for _ in range(_ROUNDS):
            self._changed = False
            self._cache.clear()
            self._round()
            if not self._changed:
                return
        raise AssertionError("the values do not settle")

    def _note_handed_on(self, nodes: Iterable[ast.AST]) -> None:
        """A function that is named without being called is called by who knows whom."""
        called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        for node in nodes:
            is_read = isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)
            if is_read and id(node) not in called:
                is_method = isinstance(node, ast.Attribute) and not self.names.is_module(node.value)
                self._handed_on.add((is_method, last_name(node)))

    def _round(self) -> None:
        for function, node in self._nodes:
            if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom):
                if node.value is not None and function is not None:
                    self._lower(self._returns, function, self.value(node.value))
            elif isinstance(node, ast.Call):
                self._note_call(node)
            for target, assigned in assignments(node):
                self._note_attribute(target, self.value(assigned))

    def _note_attribute(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            parts = value if isinstance(value, tuple) and len(value) == len(target.elts) else None
            for number, part in enumerate(target.elts):
                self._note_attribute(part, parts[number] if parts else value)
            return
        while isinstance(target, ast.Subscript | ast.Starred):
            target = target.value
        if isinstance(target, ast.Attribute):
            for one in self.names.objects_of(target.value):
                self._lower(self._attributes, (one, target.attr), value)

    def _note_call(self, call: ast.Call) -> None:
        name = last_name(call.func)
        if isinstance(call.func, ast.Attribute) and name in FILLING_METHODS and call.args:
            self._note_attribute(call.func.value, meet(map(self.value, call.args)))
        if name == "replace" and call.args:  # of a dataclass or a struct
            for one in self.names.objects_of(call.args[0]):
                for word in call.keywords:
                    self._lower(self._attributes, (one, word.arg or ""), self.value(word.value))
        for made in self.names.made(call):
            self._note_fields(call, made)
            lineage = (made, *self.program.ancestors(made))
            init = next((one.methods["__init__"] for one in lineage if "__init__" in one.methods), None)
            if init is not None:
                self._pass(call, init)
        for callee in self.names.callees(call):
            if callee.is_open:
                self._pass(call, callee)

    def _note_fields(self, call: ast.Call, made: Class) -> None:
        names = list(made.fields)
        for place, argument in enumerate(call.args):
            if place < len(names) and "__init__" not in made.methods:
                self._lower(self._attributes, (made, names[place]), self.value(argument))
        for word in call.keywords:
            if word.arg in made.fields:
                self._lower(self._attributes, (made, word.arg), self.value(word.value))

    def _pass(self, call: ast.Call, callee: Function) -> None:
        """Hand the arguments of a call to the parameters of the function."""
        self._called.add(callee)
        rest = callee.node.args.vararg
        positional = [p for p in callee.parameters if p not in callee.node.args.kwonlyargs]
        for place, argument in enumerate(call.args):
            value = self.value(argument)
            if isinstance(argument, ast.Starred):
                for target in (*positional[place:], *([rest] if rest else [])):
                    self._lower(self._parameters, (callee, target.arg), whole(value))
                break
            taker = positional[place] if place < len(positional) else rest
            if taker is not None:
                self._lower(self._parameters, (callee, taker.arg), value)
        for word in call.keywords:
            unknown = [parameter.arg for parameter in callee.parameters]
            for name in [word.arg] if word.arg is not None else unknown:
                value = self.value(word.value) if word.arg is not None else Level.FOREIGN
                self._lower(self._parameters, (callee, name), value)

    def _lower(self, table: dict[_K, Value], key: _K, value: Value) -> None:
        after = meet((table.get(key, NOTHING), value))
        if key not in table or after != table[key]:
            table[key] = after
            self._changed = True

    def value(self, node: ast.expr) -> Value:
        """How harmless an expression is."""
        if self._is_looking:
            return NOTHING
        match node:
            case ast.Constant():
                return Level.OURS if node.value is not None else NOTHING
            case ast.JoinedStr():
                return min((as_text(self.value(part)) for part in node.values), default=Level.OURS)
            case ast.FormattedValue():
                if is_numeric_format(node.format_spec):
                    return Level.OURS
                level = as_text(self.value(node.value))
                # a representation escapes whatever is not printable
                return max(level, Level.INERT) if node.conversion in (ord("r"), ord("a")) else level
            case ast.BinOp():
                is_number = isinstance(node.op, _ARITHMETIC)
                return Level.OURS if is_number else meet(map(self.value, (node.left, node.right)))
            case ast.Compare() | ast.UnaryOp():
                return Level.OURS
            case ast.BoolOp():
                return meet(map(self.value, node.values))
            case ast.IfExp():
                return meet(map(self.value, (node.body, node.orelse)))
            case ast.Tuple():
                is_open = any(isinstance(part, ast.Starred) for part in node.elts)
                return meet(map(self.value, node.elts)) if is_open else tuple(map(self.value, node.elts))
            case ast.List() | ast.Set():
                return meet(map(self.value, node.elts))
            case ast.Dict():
                return meet(self.value(part) for part in (*node.keys, *node.values) if part is not None)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                return self.value(node.elt)
            case ast.DictComp():
                return meet(map(self.value, (node.key, node.value)))
            case ast.Subscript() | ast.Starred() | ast.Await() | ast.NamedExpr():
                return self.value(node.value)
            case ast.Lambda():
                return self.value(node.body)
            case ast.Name():
                return self._name(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Call():
                return self._call(node)
        return Level.FOREIGN

    def _name(self, node: ast.Name) -> Value:
        function = self.names.function_at(node)
        key = (function or self.program.module_at(node).name, node.id)
        if key in self._cache:
            return self._cache[key]
        if key in self._busy:
            return NOTHING
        self._busy.add(key)
        value = self._find(node.id, function, self.program.module_at(node).name)
        self._busy.discard(key)
        if not self._busy:
            self._cache[key] = value
        return value

    def _find(self, name: str, scope: Function | None, module: str) -> Value:
        while scope is not None:
            given = scope.node.args
            rest = {extra.arg for extra in (given.vararg, given.kwarg) if extra is not None}
            values = [self._parameter(scope, name)] if name in {p.arg for p in scope.parameters} | rest else []
            values += [
                self._bound(one) for one in self.names.bindings(scope).get(name, ()) if one.kind != "annotation"
            ]
            if values:
                return meet(values)
            scope = scope.outer
        return self._global(module, name)

    def _bound(self, binding: Binding) -> Value:
        if binding.kind == "match":
            return Level.FOREIGN
        value = self.value(binding.source)
        value = one_of(value) if binding.kind == "each" else value
        if binding.place is None:
            return value
        return value[binding.place] if isinstance(value, tuple) and binding.place < len(value) else whole(value)

    def _global(self, module: str, name: str) -> Value:
        here = self.program.modules.get(module)
        if here is None:
            return Level.FOREIGN
        if name in here.values:
            return meet(map(self.value, here.values[name]))
        if name in here.functions:
            return self._result(here.functions[name])
        return self._global(*here.imports[name]) if name in here.imports else Level.FOREIGN

    def _parameter(self, function: Function, name: str) -> Value:
        annotation = {parameter.arg: parameter.annotation for parameter in function.parameters}.get(name)
        declared = self.program.annotation_level(annotation)
        if declared > Level.FOREIGN:
            return declared
        if (
            function not in self._called
            or (function.is_method, function.name) in self._handed_on
            or name == "self"
        ):
            return Level.FOREIGN
        default = function.defaults.get(name)
        given = self._parameters.get((function, name), NOTHING)
        return meet((given, self.value(default))) if default is not None else given

    def _result(self, function: Function) -> Value:
        declared = self.program.annotation_level(function.node.returns)
        return (
            declared if declared > Level.FOREIGN or not function.is_open else self._returns.get(function, NOTHING)
        )

    def _attribute(self, node: ast.Attribute) -> Value:
        if node.attr in NUMBER_ATTRIBUTES:
            return Level.OURS
        if module := self.names.imported(node.value):
            return self._global(module, node.attr)
        values = [value for one in self.names.objects_of(node.value) for value in self._declared(one, node.attr)]
        return meet(values) if values else Level.FOREIGN

    def _declared(self, one: Class, attribute: str) -> list[Value]:
        """What a class, its bases and those derived from it say of an attribute; nothing when they know none."""
        values: list[Value] = []
        for base in self.program.lineage(one):
            if attribute in base.methods:
                values.append(self._result(base.methods[attribute]))
                continue
            level = self.program.annotation_level(base.fields.get(attribute))
            if attribute in base.fields and (level > Level.FOREIGN or not base.is_open):
                values.append(level)
                continue
            if (base, attribute) in self._attributes:
                values.append(self._attributes[base, attribute])
            for target, value in (pair for part in base.node.body for pair in assignments(part)):
                if isinstance(target, ast.Name) and target.id == attribute:
                    values.append(self.value(value))
        return values

    def _call(self, call: ast.Call) -> Value:
        if last_name(call.func) == "getattr" and len(call.args) > 1 and isinstance(call.args[1], ast.Constant):
            known = [one for group in self.program.classes.values() for one in group if one.is_open]
            values = [value for one in known for value in self._declared(one, str(call.args[1].value))]
            return meet([*values, *map(self.value, call.args[2:])]) if values else Level.FOREIGN
        called = self.names.callees(call)
        is_module = isinstance(call.func, ast.Attribute) and self.names.is_module(call.func.value)
        return known_call(call, self.value, [self._result(one) for one in called], is_module)
