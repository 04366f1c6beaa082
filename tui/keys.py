"""A person's own keys: the `[keys]` table of `settings.toml` laid over the commands of screens and panes.

A key goes by the command's id, for every screen that has it (`kill = "ctrl+k"`) or for one (`[keys.monitor]`).
What cannot be done is left as it was, and said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from textual.binding import Binding, BindingsMap
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, _character_to_key

from tui.commands import Command, bindings_of, declared_commands

EVERYWHERE = "app"
"""The scope of the commands that hold on every screen."""

_MODIFIERS = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})
_NAMED = {str(key.value) for key in Keys} | set(KEY_NAME_REPLACEMENTS.values()) | {f"f{n}" for n in range(1, 25)}
_TAKEN = frozenset({"ctrl+c", "ctrl+p"})  # Textual's own: how to leave, and the palette
_NAME = re.compile(r"\w+", re.ASCII)


@dataclass(frozen=True)
class Resolved:
    """Commands with the person's keys, in the order of those given. problems: sentences on what was left alone."""

    commands: tuple[Command, ...]
    problems: tuple[str, ...] = ()


def resolve(
    scope: str, commands: Sequence[Command], keys: Mapping[str, str], everywhere: Sequence[Command] = ()
) -> Resolved:
    """Lay keys over the commands of a screen.

    scope: the screen's name in the settings. everywhere: the commands below these, with their keys, whose keys
    nothing of the person's may hide.
    """
    problems: list[str] = []
    wanted: dict[str, str] = {}
    for command in commands:
        path = f"{scope}.{command.id}" if f"{scope}.{command.id}" in keys else command.id
        if path not in keys:
            continue
        try:
            wanted[command.id] = key_names(keys[path])
        except ValueError as error:
            problems.append(f"keys.{path}: {error}")
    while clash := _first_clash(commands, wanted, everywhere):
        mine, key, other = clash
        del wanted[mine]
        problems.append(
            f"keys: on {scope} {mine} stays as it was, since {key} is {other.label} ({other.id}); "
            "give that another key too"
        )
    changed = tuple(
        replace(command, **_key(wanted[command.id])) if command.id in wanted else command for command in commands
    )
    return Resolved(changed, tuple(problems))


def _key(key: str) -> dict[str, Any]:
    """A command's fields for another key: one of Textual's names, which hold no markup."""
    return {"key": key, "key_display": ""}


def key_names(text: str) -> str:
    """Keys as Textual names them, with commas between: `?, ctrl+k` gives `question_mark,ctrl+k`; empty for none.

    Raises ValueError with a sentence for what is no key.
    """
    if not text.strip():
        return ""
    parts = [text] if len(text) == 1 else [part.strip() for part in text.split(",")]
    return ",".join(_key_name(part) for part in parts)


def _key_name(text: str) -> str:
    *modifiers, last = text.split("+") if len(text) > 1 else [text]
    name = _character_to_key(last) if len(last) == 1 else last.lower()
    is_known = len(last) == 1 or name in _NAMED or (name.startswith("f") and name[1:].isdigit())
    if not is_known or not _MODIFIERS.issuperset(modifiers):
        raise ValueError(f"{text!r} is no key; keys are such as k, K, ctrl+k, f5, slash, space, left")
    name = "+".join((*modifiers, name))
    if name in _TAKEN:
        raise ValueError(f"{text} cannot be given another meaning")
    return name


def _first_clash(
    commands: Sequence[Command], wanted: Mapping[str, str], everywhere: Iterable[Command]
) -> tuple[str, str, Command] | None:
    """A command whose new key another one has, that key, and the other."""
    held: dict[str, list[Command]] = {}
    for command in (*commands, *everywhere):
        for key in (wanted.get(command.id, command.key) if command in commands else command.key).split(","):
            held.setdefault(key, []).append(command)
    for id in wanted:
        for key in wanted[id].split(","):
            others = [one for one in held.get(key, ()) if one.id != id]
            if key and others:
                return id, key, others[0]
    return None


def unknown_problems(keys: Mapping[str, str], scopes: Mapping[str, Sequence[Command]]) -> list[str]:
    """A sentence for each entry that means no command. scopes: all commands, by the screen's name."""
    everything = {command.id for commands in scopes.values() for command in commands}
    problems = []
    for path in keys:
        scope, _, id = path.rpartition(".")
        if scope and scope not in scopes:
            problems.append(f"keys.{path}: there is no screen {scope}; there are {', '.join(sorted(scopes))}")
        elif id not in ({command.id for command in scopes[scope]} if scope else everything):
            where = f" on {scope}" if scope else ""
            problems.append(f"keys.{path}: there is no command {id}{where}")
    return problems


def rebind(bindings: BindingsMap, before: Sequence[Command], after: Sequence[Command]) -> None:
    """Move the bindings of commands whose keys changed, with those that stand beside them for the same meaning."""
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old.key != new.key]
    moving: list[tuple[Command, list[Binding]]] = []
    for old, new in changed:
        found: dict[str, Binding] = {}
        for key in filter(None, old.key.split(",")):
            there = bindings.key_to_bindings.get(key, [])
            found |= {one.action: one for one in there if _means(one, old)}
            bindings.key_to_bindings[key] = [
                one for one in there if not _means(one, old)
            ]  # the list is the class's
        moving.append((new, list(found.values())))
    for new, own in moving:
        for key in filter(None, new.key.split(",")):
            moved = [one.with_key(key, key_display=None) for one in own or bindings_of([new])]
            bindings.key_to_bindings[key] = [*moved, *bindings.key_to_bindings.get(key, [])]


def _means(binding: Binding, command: Command) -> bool:
    """Whether a binding is the command's, or says why it cannot be done, or does it where it is all there is."""
    action = _action_name(command.action)
    return (
        binding.action == command.action
        or binding.action.startswith(f"refuse('{action}'")
        or (binding.action.startswith(f"{action}_") and binding.action.endswith(("_only", "_now")))
    )


def _action_name(action: str) -> str:
    match = _NAME.match(action.rpartition(".")[2] if "(" not in action else action)
    return match[0] if match else action


def scope_of(node: Any) -> str:
    """What a screen or pane, or its class, is called in the settings: `KEYS_SCOPE`, else its title or class."""
    kind = node if isinstance(node, type) else type(node)
    title = str(getattr(kind, "KEYS_SCOPE", "") or getattr(kind, "HELP_TITLE", ""))
    return (title or kind.__name__.removesuffix("Screen").removesuffix("Pane")).lower().replace(" ", "_")


class OwnKeys:
    """Gives screens and panes the person's keys as they come up. problems: what was found wrong until now."""

    def __init__(self, keys: Mapping[str, str], everywhere: Sequence[Command]) -> None:
        self._keys = keys
        self._known: dict[str, Resolved] = {}
        self._app = resolve(EVERYWHERE, everywhere, keys)
        self._hidden_by_none = [
            new for old, new in zip(everywhere, self._app.commands, strict=True) if old.key != new.key
        ]
        self.problems = list(self._app.problems)

    @property
    def app_commands(self) -> tuple[Command, ...]:
        """The commands that hold on every screen."""
        return self._app.commands

    def commands(self, node: Any, declared: Sequence[Command]) -> tuple[Command, ...]:
        """A screen's or a pane's commands with their keys."""
        return self.resolved(scope_of(node), declared).commands

    def resolved(self, scope: str, declared: Sequence[Command]) -> Resolved:
        """The same, with what is wrong; a screen's own key also hides one of everywhere that was given anew."""
        if not self._keys:
            return Resolved(tuple(declared))
        if scope not in self._known:
            found = resolve(scope, declared, self._keys, self.app_commands)
            hidden = [
                f"keys.{mine.id}: on {scope} {key} is {theirs.label}, not {mine.label}"
                for mine in self._hidden_by_none
                for theirs in found.commands
                for key in set(filter(None, mine.key.split(","))) & set(theirs.key.split(","))
            ]
            self._known[scope] = found
            self.problems += [*found.problems, *hidden]
        return self._known[scope]

    def give(self, node: Any) -> None:
        """Bind the keys of a screen or pane that comes up."""
        if self._keys and (declared := declared_commands(node)):
            rebind(node._bindings, declared, self.commands(node, declared))


def every_scope() -> dict[str, tuple[Command, ...]]:
    """All commands of all screens and panes, by the name of their screen; imports every screen and widget."""
    import importlib
    import pkgutil

    from textual.widget import Widget

    for package in ("tui.screens", "tui.widgets", "tui.charts"):
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            importlib.import_module(f"{package}.{module.name}")
    found: dict[str, tuple[Command, ...]] = {}
    waiting: list[Any] = [Widget]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        declared = declared_commands(kind)
        if declared and kind.__module__.startswith("tui."):
            found.setdefault(scope_of(kind), declared)
    return found
