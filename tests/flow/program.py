"""The program as its classes and functions: who declares which attribute, and what a name stands for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.flow.levels import CONTENT_TYPES, NUMBER_TYPES, Level

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(eq=False)
class Class:
    """fields: annotated names in their order, those of the bases first. is_open: its values are worked out."""

    name: str
    module: str
    node: ast.ClassDef
    is_open: bool
    bases: list[str]
    fields: dict[str, ast.expr] = field(default_factory=dict)
    methods: dict[str, Function] = field(default_factory=dict)


@dataclass(eq=False)
class Function:
    """A function, a method or a lambda's owner. outer: the function it stands in."""

    name: str
    module: str
    node: FunctionNode
    owner: Class | None
    outer: Function | None
    is_open: bool

    @property
    def parameters(self) -> list[ast.arg]:
        """Without `self`."""
        given = self.node.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        is_static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in self.node.decorator_list)
        return every[1:] if self.is_method and not is_static else every

    @property
    def defaults(self) -> dict[str, ast.expr]:
        """By parameter."""
        given = self.node.args
        positional = [*given.posonlyargs, *given.args]
        found = zip(positional[len(positional) - len(given.defaults) :], given.defaults, strict=True)
        named = zip(given.kwonlyargs, given.kw_defaults, strict=True)
        return {p.arg: value for p, value in (*found, *named) if value is not None}

    @property
    def is_method(self) -> bool:
        """Called by way of an object."""
        return self.owner is not None and self.outer is None

    @property
    def is_property(self) -> bool:
        """Called by naming it."""
        names = {d.id for d in self.node.decorator_list if isinstance(d, ast.Name)}
        return bool(names & {"property", "cached_property"})


@dataclass
class Module:
    """imports: local name to (module, name). values: what its names are given at the top level."""

    name: str
    tree: ast.Module
    is_open: bool
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    values: dict[str, list[ast.expr]] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    annotations: dict[str, ast.expr] = field(default_factory=dict)


class Program:
    """Everything in some packages. opened: those of them, or modules in them, whose functions are looked into.

    Of the others the annotations alone are believed: a number is harmless, a string is foreign.
    """

    def __init__(self, root: Path, packages: tuple[str, ...], opened: tuple[str, ...]) -> None:
        self.modules: dict[str, Module] = {}
        self.classes: dict[str, list[Class]] = {}
        self.functions: list[Function] = []
        self._module_at: dict[int, Module] = {}
        self._aliases: dict[str, ast.expr] = {}
        self._derived: dict[Class, list[Class]] = {}
        for package in packages:
            for path in sorted((root / package).rglob("*.py")):
                name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
                is_open = any(f"{name}.".startswith(f"{one}.") for one in opened)
                self._read(Module(name, ast.parse(path.read_text(encoding="utf-8")), is_open))
        for group in self.classes.values():
            for one in group:
                inherited: dict[str, ast.expr] = {}
                for base in self.ancestors(one):
                    inherited = {**base.fields, **inherited}
                one.fields = {**inherited, **one.fields}

    def _read(self, module: Module) -> None:
        self.modules[module.name] = module
        for node in ast.walk(module.tree):
            self._module_at[id(node)] = module
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    module.imports[alias.asname or alias.name] = (node.module, alias.name)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    module.imports[alias.asname or alias.name.split(".")[0]] = (alias.name, "")
        for node in module.tree.body:
            for target, value in assignments(node):
                if isinstance(target, ast.Name):
                    module.values.setdefault(target.id, []).append(value)
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                module.annotations[node.target.id] = node.annotation
        self._read_scope(module, module.tree, None, None)

    def _read_scope(self, module: Module, scope: ast.AST, owner: Class | None, outer: Function | None) -> None:
        for node in ast.iter_child_nodes(scope):
            if isinstance(node, FunctionNode):
                made = Function(node.name, module.name, node, owner, outer, module.is_open)
                self.functions.append(made)
                if outer is None and owner is not None:
                    owner.methods[node.name] = made
                elif outer is None:
                    module.functions[node.name] = made
                self._read_scope(module, node, owner, made)
            elif isinstance(node, ast.ClassDef):
                bases = [last_name(base) for base in node.bases]
                one = Class(node.name, module.name, node, module.is_open, bases)
                for part in node.body:
                    if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                        one.fields[part.target.id] = part.annotation
                self.classes.setdefault(node.name, []).append(one)
                self._read_scope(module, node, one, None)
            else:
                self._read_scope(module, node, owner, outer)

    def module_at(self, node: ast.AST) -> Module:
        """The module in which a node stands."""
        return self._module_at[id(node)]

    def ancestors(self, one: Class) -> Iterator[Class]:
        """Its bases that are in the program, and theirs."""
        for base in one.bases:
            for found in self.classes.get(base, ()):
                if found is not one:
                    yield found
                    yield from self.ancestors(found)

    def lineage(self, one: Class) -> list[Class]:
        """The class, its bases and those that are derived from it."""
        if not self._derived:
            for derived in (c for group in self.classes.values() for c in group):
                for base in self.ancestors(derived):
                    self._derived.setdefault(base, []).append(derived)
        return [one, *self.ancestors(one), *self._derived.get(one, ())]

    def alias(self, name: str) -> ast.expr | None:
        """What a name of a type stands for: `State` for `Literal["queued", …]`."""
        if not self._aliases:
            for module in self.modules.values():
                for one, values in module.values.items():
                    if one[:1].isupper() and not one.isupper() and one not in self.classes:
                        self._aliases[one] = values[0]
        return self._aliases.get(name)

    def annotation_level(self, annotation: ast.expr | None, depth: int = 0) -> Level:
        """How harmless every value of a type is."""
        if annotation is None or depth > 8:
            return Level.FOREIGN
        if isinstance(annotation, ast.Constant):
            if isinstance(annotation.value, str):
                return self.annotation_level(ast.parse(annotation.value, mode="eval").body, depth + 1)
            return Level.OURS  # None, or the `...` of a tuple
        if isinstance(annotation, ast.BinOp):
            sides = (annotation.left, annotation.right)
            return min(self.annotation_level(side, depth + 1) for side in sides)
        if isinstance(annotation, ast.Tuple | ast.List):
            return min((self.annotation_level(part, depth + 1) for part in annotation.elts), default=Level.OURS)
        name = last_name(annotation)
        if isinstance(annotation, ast.Subscript):
            if name == "Literal":
                return Level.OURS
            if name == "Annotated":
                assert isinstance(annotation.slice, ast.Tuple)
                return self.annotation_level(annotation.slice.elts[0], depth + 1)
            return self.annotation_level(annotation.slice, depth + 1)
        if name in NUMBER_TYPES:
            return Level.OURS
        if name in CONTENT_TYPES:
            return Level.CONTENT
        if any("Enum" in base for one in self.classes.get(name, ()) for base in one.bases):
            return Level.OURS
        meaning = self.alias(name)
        return self.annotation_level(meaning, depth + 1) if meaning is not None else Level.FOREIGN

    def annotation_classes(self, annotation: ast.expr | None, depth: int = 0) -> set[str]:
        """The program's classes that a type speaks of, also inside a container."""
        if annotation is None or depth > 8:
            return set()
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            return self.annotation_classes(ast.parse(annotation.value, mode="eval").body, depth + 1)
        found: set[str] = set()
        for node in ast.walk(annotation):
            name = last_name(node) if isinstance(node, ast.Name | ast.Attribute) else ""
            if name in self.classes:
                found.add(name)
            elif name and (meaning := self.alias(name)) is not None:
                found |= self.annotation_classes(meaning, depth + 1)
        return found


def assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The targets and values of one statement, its own only."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield target, node.value
    elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, node.value


def last_name(node: ast.AST) -> str:
    """`Content` of `Content`, `textual.content.Content` and `Content[...]`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript | ast.Starred):
        return last_name(node.value)
    return ""
