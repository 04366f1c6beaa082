"""Commands: one object gives a key, a footer text, a palette entry, a tooltip and a line of the help overlay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from textual.binding import Binding
from textual.keys import format_key
from textual.screen import Screen
from textual.widget import Widget


@dataclass(frozen=True)
class Command:
    """Something a person can do on a screen.

    id: unique within its screen; a person's own keys go by it. key: one key, or several with commas; empty for the
    palette alone. label: a word or two for the footer. tooltip: a sentence. action: as in a Binding ("stop",
    "app.quit"). show: whether the footer shows it. priority: taken before the focused widget gets the key.
    """

    id: str
    key: str
    label: str
    tooltip: str
    action: str
    show: bool = True
    priority: bool = False
    key_display: str = ""

    @property
    def shown_key(self) -> str:
        """The key as a person reads it."""
        return self.key_display or shown(self.key.split(",")[0])


_IN_WORDS = {"enter": "enter", "backspace": "backspace"}  # as everywhere in sentences; not every font has ⏎ and ⌫
_NONE = Command("", "", "", "", "")


def shown(key: str) -> str:
    """A key's name as a person reads it: `?` for question_mark, `^s` for ctrl+s."""
    *modifiers, last = key.split("+")
    text = _IN_WORDS.get(last) or format_key(last)
    for modifier in reversed(modifiers):
        text = f"^{text}" if modifier == "ctrl" else f"{modifier}+{text}"
    return text


def bindings_of(commands: Iterable[Command]) -> list[Binding]:
    """The Textual bindings of commands that have a key; a screen assigns it to `BINDINGS`."""
    return [
        Binding(
            command.key,
            command.action,
            command.label,
            show=command.show,
            tooltip=command.tooltip,
            priority=command.priority,
            key_display=command.key_display or None,
            id=command.id,
        )
        for command in commands
        if command.key
    ]


def declared_commands(node: Any) -> tuple[Command, ...]:
    """What a screen, or its class, declares in `SCREEN_COMMANDS`; a pane's are its bindings that have a text."""
    kind = node if isinstance(node, type) else type(node)
    commands: tuple[Command, ...] | None = getattr(kind, "SCREEN_COMMANDS", None)
    if commands is not None:
        return commands
    return () if issubclass(kind, Screen) or not issubclass(kind, Widget) else _of_bindings(kind)


@cache
def _of_bindings(kind: type[Widget]) -> tuple[Command, ...]:
    """The commands of a pane of ours, from its bindings and those of the panes it is made from."""
    ours = [base for base in kind.__mro__ if base.__module__.startswith("tui.")]
    bindings = [one for base in ours for one in base.__dict__.get("BINDINGS", ()) if isinstance(one, Binding)]
    found: dict[str, Binding] = {}
    for one in bindings:
        if one.description:
            found.setdefault(one.id or one.description.lower().replace(" ", "_"), one)
    return tuple(replace(_NONE, **_fields(id, one)) for id, one in found.items())


def _fields(id: str, one: Binding) -> dict[str, Any]:
    """A binding's fields as those of a command; its texts are the program's own."""
    return {
        "id": id, "key": one.key, "label": one.description, "tooltip": one.tooltip or f"{one.description}.",
        "action": one.action, "show": one.show, "priority": one.priority, "key_display": one.key_display or "",
    }  # fmt: skip


def own_commands(node: Any) -> tuple[Command, ...]:
    """The commands of a screen or a pane, with the person's own keys."""
    declared = declared_commands(node)
    own_keys = getattr(node.app, "own_keys", None) if declared else None
    if own_keys is None:
        return declared
    changed: tuple[Command, ...] = own_keys.commands(node, declared)
    return changed


def panes_of(screen: Screen[Any]) -> tuple[Widget, ...]:
    """The panes around the focus that have commands or a help text of their own, the innermost first."""
    focused = screen.focused
    nodes = list(focused.ancestors_with_self) if focused is not None else []
    inside = [one for one in nodes[: nodes.index(screen)] if isinstance(one, Widget)] if screen in nodes else []
    return tuple(one for one in inside if declared_commands(one) or own_help(one))


def own_help(pane: Widget) -> str:
    """What a pane of ours says about itself."""
    return (pane.HELP or "").strip() if type(pane).__module__.startswith("tui.") else ""


def commands_of(screen: Screen[Any]) -> tuple[Command, ...]:
    """The commands of the panes around the focus, those of the screen, then the application's."""
    everywhere: tuple[Command, ...] = getattr(screen.app, "app_commands", ())
    return (*(one for pane in panes_of(screen) for one in own_commands(pane)), *own_commands(screen), *everywhere)
