"""Which function a call means, and of which of the program's classes an object is, as far as its text tells."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.flow.bindings import Bindings, bindings, own_nodes
from tests.flow.program import Class, Function, Program, assignments, last_name


class Resolver:
    """A container counts as an object of the classes of what it holds."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._classes: dict[int, set[str]] = {}
        self._callees: dict[int, list[Function]] = {}
        self._function_at: dict[int, Function] = {}
        self._inner: dict[tuple[Function, str], list[Function]] = {}
        self._bindings: dict[Function, Bindings] = {}
        for function in program.functions:
            if function.outer is not None:
                self._inner.setdefault((function.outer, function.name), []).append(function)
            if function.is_open:
                self._bindings[function] = bindings(function.node)
                for node in own_nodes(function.node):
                    self._function_at[id(node)] = function

    def function_at(self, node: ast.AST) -> Function | None:
        """The innermost function in which a node stands; None at the top of a module or class."""
        return self._function_at.get(id(node))

    def bindings(self, function: Function) -> Bindings:
        """What the names in a function stand for."""
        return self._bindings.get(function, {})

    def imported(self, node: ast.expr) -> str:
        """The module of the program that a name stands for, or "" when it is something else."""
        if not isinstance(node, ast.Name):
            return ""
        at, name = self.program.module_at(node).imports.get(node.id, ("", ""))
        full = f"{at}.{name}" if name else at
        return full if full in self.program.modules else ""

    def is_module(self, node: ast.expr) -> bool:
        """Whether a name was imported, so that what follows its dot is a function and no method."""
        return isinstance(node, ast.Name) and node.id in self.program.module_at(node).imports

    def made(self, call: ast.Call) -> list[Class]:
        """The open classes that a call makes an object of, or the bases that `super().__init__` reaches."""
        name, function = last_name(call.func), self.function_at(call)
        if name == "__init__" and function is not None and function.owner is not None:
            return [c for base in function.owner.bases for c in self.program.classes.get(base, ()) if c.is_open]
        if isinstance(call.func, ast.Name | ast.Subscript):
            return [one for one in self.program.classes.get(name, ()) if one.is_open]
        return []

    def callees(self, call: ast.Call) -> list[Function]:
        """The program's functions that a call may mean."""
        if id(call) not in self._callees:
            self._callees[id(call)] = self._find_callees(call)
        return self._callees[id(call)]

    def _find_callees(self, call: ast.Call) -> list[Function]:
        func = call.func
        if isinstance(func, ast.Name):
            scope = self.function_at(call)
            while scope is not None:
                if (scope, func.id) in self._inner:
                    return self._inner[scope, func.id]
                scope = scope.outer
            return self._global_function(self.program.module_at(call).name, func.id)
        if not isinstance(func, ast.Attribute):
            return []
        if module := self.imported(func.value):
            return self._global_function(module, func.attr)
        lineages = [self.program.lineage(one) for one in self.objects_of(func.value)]
        return [one.methods[func.attr] for lineage in lineages for one in lineage if func.attr in one.methods]

    def _global_function(self, module: str, name: str) -> list[Function]:
        here = self.program.modules.get(module)
        if here is None:
            return []
        if name in here.functions:
            return [here.functions[name]]
        return self._global_function(*here.imports[name]) if name in here.imports else []

    def objects_of(self, node: ast.expr) -> Iterator[Class]:
        """The classes of `classes_of` themselves."""
        for name in self.classes_of(node):
            yield from self.program.classes[name]

    def classes_of(self, node: ast.expr) -> set[str]:
        """The names of the program's classes that an object, or what a container holds, is of."""
        if id(node) not in self._classes:
            self._classes[id(node)] = set()  # what is asked for while it is worked out adds nothing
            self._classes[id(node)] = self._find_classes(node)
        return self._classes[id(node)]

    def _find_classes(self, node: ast.expr) -> set[str]:
        match node:
            case ast.Name():
                return self._classes_of_name(node)
            case ast.Attribute():
                return {name for one in self.objects_of(node.value) for name in self._attribute(one, node.attr)}
            case ast.Call():
                return self._classes_of_call(node)
            case ast.Tuple() | ast.List() | ast.Set():
                parts = node.elts
            case ast.Dict() | ast.BoolOp():
                parts = node.values
            case ast.IfExp():
                parts = [node.body, node.orelse]
            case ast.BinOp():
                parts = [node.left, node.right]
            case ast.Subscript() | ast.Starred() | ast.Await() | ast.NamedExpr():
                parts = [node.value]
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                parts = [node.elt]
            case _:
                parts = []
        return {name for part in parts for name in self.classes_of(part)}

    def _classes_of_name(self, node: ast.Name) -> set[str]:
        scope = self.function_at(node)
        if node.id == "self" and scope is not None and scope.owner is not None:
            return {scope.owner.name}
        while scope is not None:
            for parameter in scope.parameters:
                if parameter.arg == node.id:
                    return self.program.annotation_classes(parameter.annotation)
            if bound := self.bindings(scope).get(node.id):
                typed = [one.source for one in bound if one.kind in ("annotation", "match")]
                given = [one.source for one in bound if one.kind in ("value", "each")]
                found = {name for source in typed for name in self.program.annotation_classes(source)}
                return found | {name for source in given for name in self.classes_of(source)}
            scope = scope.outer
        return self._global_classes(self.program.module_at(node).name, node.id)

    def _global_classes(self, module: str, name: str) -> set[str]:
        here = self.program.modules.get(module)
        if here is None:
            return set()
        if name in here.values:
            return {found for value in here.values[name] for found in self.classes_of(value)}
        return self._global_classes(*here.imports[name]) if name in here.imports else set()

    def _classes_of_call(self, call: ast.Call) -> set[str]:
        name = last_name(call.func)
        if name in self.program.classes and isinstance(call.func, ast.Name):
            return {name}
        if name in ("query_one", "query", "query_exactly_one"):
            return {last_name(given) for given in call.args if last_name(given) in self.program.classes}
        if called := self.callees(call):
            return {found for one in called for found in self.program.annotation_classes(one.node.returns)}
        receiver = [call.func.value] if isinstance(call.func, ast.Attribute) else []
        return {found for given in (*call.args, *receiver) for found in self.classes_of(given)}

    def _attribute(self, one: Class, name: str) -> set[str]:
        found: set[str] = set()
        for base in (one, *self.program.ancestors(one)):
            if name in base.fields:
                found |= self.program.annotation_classes(base.fields[name])
            elif name in base.methods and base.methods[name].is_property:
                found |= self.program.annotation_classes(base.methods[name].node.returns)
            else:
                for method in base.methods.values():
                    found |= self._assigned(method, name)
        return found

    def _assigned(self, method: Function, attribute: str) -> set[str]:
        """The classes that a method's `self.attribute = …` says."""
        found: set[str] = set()
        for node in own_nodes(method.node):
            if isinstance(node, ast.AnnAssign) and _is_self(node.target, attribute):
                found |= self.program.annotation_classes(node.annotation)
            elif isinstance(node, ast.Assign):
                for target, value in assignments(node):
                    found |= self.classes_of(value) if _is_self(target, attribute) else set()
        return found


def _is_self(target: ast.expr, attribute: str) -> bool:
    return (
        isinstance(target, ast.Attribute)
        and target.attr == attribute
        and isinstance(target.value, ast.Name)
        and target.value.id == "self"
    )
