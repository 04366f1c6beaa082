"""Where text reaches a person: what each of those places asks of it, and which lines do not give it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tests.flow.analysis import Analysis
from tests.flow.levels import Level, Value, as_text, whole
from tests.flow.program import Program, assignments, last_name

SANITISER = "tui.safe_text"  # shown to be right by tests/unit/test_safe_text.py
# reads markup in a string: brackets of a foreign text would be links, colours, or a crash
_MARKUP_WIDGETS = {"Static": ("content",), "Label": ("content",), "Button": ("label",), "Option": ("prompt",),
                   "Checkbox": ("label",), "RadioButton": ("label",), "Collapsible": ("title",),
                   "TabPane": ("title",), "Tab": ("label",)}  # fmt: skip
_MARKUP_METHODS = {"add_column": 0, "add_columns": None, "add_row": None, "add_option": 0, "add_options": 0,
                   "replace_option_prompt": 1, "update_cell": 2, "update_cell_at": 1,
                   "from_markup": 0}  # fmt: skip
_MARKUP_ATTRIBUTES = frozenset({"border_title", "border_subtitle", "tooltip", "placeholder", "label"})
_OURS_ALONE = frozenset({"Command", "Binding", "SystemCommand", "Hit", "DiscoveryHit"})
# draws a string as it stands
_TEXT_MAKERS = frozenset({"Content", "Text", "Segment", "Strip"})
_TEXT_METHODS = frozenset({"write_line", "write_lines", "cell", "print", "input"})
_STYLED = frozenset({"styled", "assemble", "append"})
_PLOT_METHODS = frozenset({"text", "title", "xlabel", "ylabel", "xticks", "yticks"})
_STREAMS = frozenset({"stdout", "stderr", "__stdout__", "__stderr__"})


@dataclass(frozen=True)
class Leak:
    """A place at which text from outside gets out as it came in."""

    module: str
    line: int
    place: str
    source: str
    level: Level

    def __str__(self) -> str:
        advice = "wrap it in plain(…)" if self.level is Level.INERT else "pass it through safe_text first"
        return f"{self.module}:{self.line}: {self.place} gets {self.source!r}, which may be anything; {advice}"


def leaks(program: Program) -> list[Leak]:
    """Every leak of the open packages, in the order of the files."""
    analysis = Analysis(program)
    analysis.run()
    found: list[Leak] = []
    for module in program.modules.values():
        if module.is_open and module.name != SANITISER:
            for node in ast.walk(module.tree):
                for place, expression, needed in _asked(node, analysis):
                    level = _level(analysis.value(expression), needed)
                    if level < needed:
                        source = ast.unparse(expression)[:120]
                        found.append(Leak(module.name, expression.lineno, place, source, level))
    return sorted(set(found), key=lambda leak: (leak.module, leak.line))


def _level(value: Value, needed: Level) -> Level:
    return as_text(value) if needed is Level.INERT else whole(value)


_Asked = Iterator[tuple[str, ast.expr, Level]]
"""What is handed to the screen: where, what, and how harmless it has to be."""


def _asked(node: ast.AST, analysis: Analysis) -> _Asked:
    for target, value in assignments(node):
        if isinstance(target, ast.Attribute) and target.attr in _MARKUP_ATTRIBUTES:
            is_a_widgets = target.attr != "label" or not analysis.names.classes_of(target.value)
            if is_a_widgets:
                yield target.attr, value, Level.CONTENT
    if isinstance(node, ast.Call):
        words = {word.arg: word.value for word in node.keywords if word.arg is not None}
        yield from _asked_by_call(node, last_name(node.func), words)
        for word in ("placeholder", "tooltip", "border_title"):
            if word in words:
                yield f"{word} of {last_name(node.func)}", words[word], Level.CONTENT


def _asked_by_call(node: ast.Call, name: str, words: dict[str, ast.expr]) -> _Asked:
    markup = words.get("markup")
    in_markup = Level.INERT if isinstance(markup, ast.Constant) and markup.value is False else Level.CONTENT
    is_method = isinstance(node.func, ast.Attribute)
    if is_method:
        yield from _asked_by_method(node, name, words, in_markup)
    elif name in _MARKUP_WIDGETS:
        for given in (*node.args[:1], *(words[word] for word in _MARKUP_WIDGETS[name] if word in words)):
            yield name, given, in_markup
    elif name in _OURS_ALONE:
        texts = {"Hit": node.args[1:2], "DiscoveryHit": node.args[:1]}.get(name, node.args)
        for given in (*texts, *(words[word] for word in ("help", "tooltip", "description") if word in words)):
            yield name, given, Level.CONTENT
    elif name in _TEXT_MAKERS | {"print", "input"}:
        for given in node.args if name == "print" else node.args[:1]:
            yield name, given, Level.INERT
    if "style" in words and name in _TEXT_MAKERS | {"plain"}:
        yield f"style of {name}", words["style"], Level.OURS
    if name == "plain":
        for style in node.args[2:3]:
            yield "style of plain", style, Level.OURS


def _asked_by_method(node: ast.Call, name: str, words: dict[str, ast.expr], in_markup: Level) -> _Asked:
    assert isinstance(node.func, ast.Attribute)
    receiver, first = last_name(node.func.value), node.args[:1]
    if name == "notify":
        yield from ((name, given, in_markup) for given in first)
        if "title" in words:
            yield "title of notify", words["title"], Level.INERT
    elif name in _MARKUP_METHODS:
        place = _MARKUP_METHODS[name]
        for given in node.args if place is None else node.args[place : place + 1]:
            yield name, given, Level.CONTENT
    elif name == "update" and len(node.args) == 1 and not _is_mapping(node.args[0]):
        yield name, node.args[0], Level.CONTENT
    elif name in _STYLED and receiver in _TEXT_MAKERS:
        for given in first if name == "styled" else node.args:
            text, *styles = given.elts if isinstance(given, ast.Tuple) else [given]
            yield f"{receiver}.{name}", text, Level.INERT
            yield from ((f"style of {name}", style, Level.OURS) for style in styles)
        for style in node.args[1:2] if name == "styled" else ():
            yield "style of styled", style, Level.OURS
    elif name in _TEXT_METHODS or (name == "write" and receiver in _STREAMS):
        yield from ((name, given, Level.INERT) for given in first)
    elif name == "from_ansi":
        # the picture's own colours are escape sequences; what goes into the picture is checked at `_plot`
        is_picture = isinstance(first[0], ast.Call) and last_name(first[0].func) == "build"
        yield from () if is_picture else ((name, first[0], Level.OURS),)
    elif receiver == "_plot" and name in _PLOT_METHODS:
        yield from ((f"plot.{name}", given, Level.INERT) for given in node.args)
    elif name == "exit" and "message" in words:
        yield "message of exit", words["message"], Level.CONTENT


def _is_mapping(given: ast.expr) -> bool:
    """Whether `.update` fills a dict or a set: what it is given is one."""
    return isinstance(given, ast.Dict | ast.DictComp | ast.Set) or (
        isinstance(given, ast.Call) and last_name(given.func) in ("fromkeys", "dict", "set")
    )
