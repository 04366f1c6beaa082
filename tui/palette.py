"""The command palette: what can be done here, what can be done on the other screens, every run, every look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual.actions import parse
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.fuzzy import Matcher
from textual.markup import escape

from runs.folder import RunFolder, all_runs
from tui.commands import Command, commands_of
from tui.safe_text import safe_text

_SCREENS = {
    "launch": ("launch", "LaunchScreen"),
    "monitor": ("monitor", "MonitorScreen"),
    "runs": ("browse", "RunsScreen"),
    "compare": ("compare", "CompareScreen"),
    "playground": ("playground", "PlaygroundScreen"),
    "data": ("data", "DataScreen"),
}
_FAR = 0.7  # what leads to another screen comes after what is here


@dataclass(frozen=True)
class _Entry:
    title: str
    help: str
    run: Callable[[], Any]
    weight: float = 1.0


class PaletteProvider(Provider):
    """Everything the palette has, in one order: what can be done, the runs, the looks."""

    async def startup(self) -> None:
        """Let each part begin to find what it has.

        Textual waits for this in the search that the next letter cancels, and a cancelled start is never made up
        for: who types fast would find nothing (Textual 8.2). So nothing is waited for here.
        """
        self._parts = [
            part(self.screen, self.match_style) for part in (CommandsProvider, RunsProvider, LooksProvider)
        ]
        self._begun = asyncio.gather(*(part.startup() for part in self._parts))

    async def discover(self) -> Hits:
        """What there is before anything is typed."""
        await asyncio.shield(self._begun)
        for part in self._parts:
            async for hit in part.discover():
                yield hit

    async def search(self, query: str) -> Hits:
        """What matches."""
        await asyncio.shield(self._begun)
        for part in self._parts:
            async for hit in part.search(query):
                yield hit


class CommandsProvider(Provider):
    """The commands of the pane and the screen one stands on, and of the app; typed, those elsewhere too."""

    _elsewhere: list[_Entry] | None = None

    async def discover(self) -> Hits:
        """What can be done here, before anything is typed."""
        for one in self._here():
            yield _offer(one.title, one.run, one.help)

    def _here(self) -> list[_Entry]:
        screen = self.screen
        return [_Entry(_title(one), one.tooltip, partial(perform, screen, one)) for one in commands_of(screen)]

    async def search(self, query: str) -> Hits:
        """The commands whose label or tooltip match what was typed."""
        if self._elsewhere is None:
            declared = await asyncio.to_thread(_commands_elsewhere, type(self.screen))
            self._elsewhere = [
                _Entry(
                    f"{screen.capitalize()} › {one.label}", one.tooltip,
                    partial(_go_and_perform, self.app, screen, one), _FAR,
                )
                for screen, one in declared
            ]  # fmt: skip
        matcher = self.matcher(query)
        for one in (*self._here(), *self._elsewhere):
            score = max(matcher.match(one.title), matcher.match(one.help) * 0.9) * one.weight
            if score > 0:
                yield Hit(score, _marked(matcher, one.title), one.run, one.title, safe_text(escape(one.help)))


class RunsProvider(Provider):
    """Opens a run by its name."""

    async def startup(self) -> None:
        """Read the names of the runs, newest first."""
        self._runs = await asyncio.to_thread(_names, self.app)

    async def discover(self) -> Hits:
        """The newest runs."""
        for name, folder in self._runs[:5]:
            yield _offer(f"Open run {name}", self._open(folder), folder.id)

    async def search(self, query: str) -> Hits:
        """Runs whose name or id matches."""
        matcher = self.matcher(query)
        for name, folder in self._runs:
            title = f"Open run {name}"
            score = max(matcher.match(title), matcher.match(folder.id) * 0.8)
            if score > 0:
                yield Hit(score, _marked(matcher, title), self._open(folder), title, safe_text(escape(folder.id)))

    def _open(self, folder: RunFolder) -> Callable[[], Awaitable[None]]:
        app: Any = self.app
        return partial(app.open_run, folder)


class LooksProvider(Provider):
    """Chooses the look of the dashboard."""

    async def discover(self) -> Hits:
        """Every look."""
        for name, run, about in self._looks():
            yield _offer(f"Theme {name}", run, about)

    async def search(self, query: str) -> Hits:
        """The looks whose name or description matches."""
        matcher = self.matcher(query)
        for name, run, about in self._looks():
            title = f"Theme {name}"
            score = max(matcher.match(title), matcher.match(about) * 0.8)
            if score > 0:
                yield Hit(score, _marked(matcher, title), run, title, safe_text(escape(about)))

    def _looks(self) -> list[tuple[str, Callable[[], None], str]]:
        from tui.themes import LOOKS

        return [(name, partial(setattr, self.app, "theme", name), about) for name, about in LOOKS.items()]


async def perform(screen: Any, command: Command) -> None:
    """Do what the command's key would do there; where it cannot be done, say why, as the key does."""
    app, (destination, name, _) = screen.app, parse(command.action)
    focused = [] if screen.focused is None else list(screen.focused.ancestors_with_self)
    nodes = [app] if destination else [*focused, screen, app]
    target = next((one for one in nodes if hasattr(one, f"action_{name}")), None)
    if target is not None and target.check_action(name, parse(command.action)[2]) is not False:
        await app.run_action(command.action, target)
    elif hasattr(screen, "action_refuse"):
        screen.action_refuse(name)
    else:
        screen.notify(f"{safe_text(command.label)} is not possible now.", markup=False, timeout=4)


async def _go_and_perform(app: Any, screen: str, command: Command) -> None:
    await app.run_action(f"show_{screen}", app)
    app.call_after_refresh(perform, app.screen, command)


def _offer(title: str, run: Callable[[], Any], help: str) -> DiscoveryHit:
    """A hit whose title and help are taken as they are, brackets and all."""
    return DiscoveryHit(Content(safe_text(title)), run, title, escape(safe_text(help)))


def _marked(matcher: Matcher, title: str) -> Content:
    """The title with the letters that match marked; brackets in it are letters."""
    content = Content(safe_text(title))
    for offset in matcher.fuzzy_search.match(matcher.query, title)[1]:
        content = content.stylize(matcher.match_style, offset, offset + 1)
    return content


def _title(command: Command) -> str:
    return f"{command.label} ({command.shown_key})" if command.key else command.label


def _commands_elsewhere(here: type[Any]) -> list[tuple[str, Command]]:
    """The commands of the other screens, by the name of the screen."""
    import importlib

    found = []
    for screen, (module, kind) in _SCREENS.items():
        declared = getattr(importlib.import_module(f"tui.screens.{module}"), kind)
        if declared is not here:
            found += [(screen, one) for one in declared.SCREEN_COMMANDS]
    return found


def _names(app: Any) -> list[tuple[str, RunFolder]]:
    return [(safe_text(folder.about().name, 60), folder) for folder in all_runs(app.runs)]
