"""Commands: one object gives a key, a footer text, a palette entry, a tooltip and a line of the help overlay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.screen import Screen


@dataclass(frozen=True)
class Command:
    """Something a person can do on a screen.

    id: unique within its screen. key: one key, or several with commas; empty for the palette alone.
    label: a word or two for the footer. tooltip: a sentence. action: as in a Binding ("stop", "app.quit").
    show: whether the footer shows it. priority: taken before the focused widget gets the key.
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
        return self.key_display or self.key.split(",")[0].replace("question_mark", "?").replace("slash", "/")


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
        )
        for command in commands
        if command.key
    ]


def commands_of(screen: Screen[Any]) -> tuple[Command, ...]:
    """The commands a screen declares in its `SCREEN_COMMANDS`, then the application's."""
    own: tuple[Command, ...] = getattr(screen, "SCREEN_COMMANDS", ())
    everywhere: tuple[Command, ...] = getattr(screen.app, "APP_COMMANDS", ())
    return (*own, *everywhere)


class CommandsProvider(Provider):
    """Puts the commands of the screen one stands on, and of the application, into the palette."""

    async def discover(self) -> Hits:
        """Every command, before anything is typed."""
        for command in commands_of(self.screen):
            run = partial(self.screen.run_action, command.action)
            yield DiscoveryHit(_title(command), run, help=command.tooltip)

    async def search(self, query: str) -> Hits:
        """The commands whose label or tooltip match what was typed."""
        matcher = self.matcher(query)
        for command in commands_of(self.screen):
            title = _title(command)
            score = max(matcher.match(title), matcher.match(command.tooltip) * 0.9)
            if score > 0:
                run = partial(self.screen.run_action, command.action)
                yield Hit(score, matcher.highlight(title), run, help=command.tooltip)


def _title(command: Command) -> str:
    return f"{command.label} ({command.shown_key})" if command.key else command.label
