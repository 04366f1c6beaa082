"""The dashboard: which screen is shown, the keys that mean the same everywhere, and how it ends.

It holds no state that matters: kill it at any time, open it again, and it shows the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual import events, on
from textual._context import active_message_pump
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.command import CommandPalette, Provider
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.screen import Screen
from textual.theme import Theme
from textual.widget import Widget

from tui.app_commands import APP_COMMANDS, SCREENS
from tui.commands import Command, bindings_of, shown
from tui.farewell import farewell
from tui.garbage import collect_from_now_on
from tui.keys import OwnKeys, rebind
from tui.messages import FeedFailed
from tui.navigation import BOTTOM_SCREENS, Navigation
from tui.notify import RunTold, WatchFeed, tell
from tui.painting import Painting
from tui.polling_feed import REST_PER_WORK, PollingFeed
from tui.remembered import Remembered, remembered_path
from tui.safe_text import safe_text
from tui.settings import Settings, read_settings
from tui.terminal import exit_on_signals, exit_when_terminal_vanishes, harmless_report
from tui.textual_defects import guard_textual, is_of_something_taken_away, missed_size
from tui.themes import LOOKS, PLAIN, first_theme, follow_theme, frame_colour, use_themes

_COLLECT_AFTER_S = 2.0
_REVIVE_S = 10.0
_SIZE_AGAIN_S = 0.2  # after the terminal has got another size
_WATCH_AFTER_S = 3.0
_SETTLED_S = 20.0  # after which a failure is not the fault of where one began


def _palette() -> type[Provider]:
    """What the palette has, imported when it is first opened."""
    from tui.palette import PaletteProvider

    return PaletteProvider


def _only_ascii() -> LineFilter:
    """What makes all that is drawn ASCII, imported where it is wanted."""
    from tui.ascii_signs import OnlyAscii

    return OnlyAscii()


class TinyTrainApp(Navigation):
    """`runs` is the folder in which all runs are."""

    TITLE = "tinytrain-tui"
    CSS_PATH = "app.tcss"
    APP_COMMANDS: ClassVar[tuple[Command, ...]] = APP_COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(APP_COMMANDS)]
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_palette}
    SCREENS: ClassVar[dict[str, Callable[[], Screen[Any]]]] = SCREENS
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it without ClassVar
        (0, "-tiny"), (76, "-narrow"), (110, "-normal"), (150, "-wide"),
    ]  # fmt: skip
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012

    def __init__(self, runs: Path, settings: Settings | None = None) -> None:
        super().__init__(runs, Remembered(remembered_path()))
        self.settings = settings or read_settings()
        self.own_keys = OwnKeys(self.settings.keys, APP_COMMANDS)
        self.app_commands = self.own_keys.app_commands
        if self.settings.keys:
            rebind(self._bindings, APP_COMMANDS, self.app_commands)
        self._said: set[str] = set()
        self._shown_since = time.monotonic()
        self._began_plain = self.no_color
        use_themes(self)
        remembered_theme = self.remembered.get("app").get("theme")
        self.theme = first_theme(self.settings.theme, remembered_theme, os.environ, self._began_plain)
        follow_theme(self)
        if self.settings.ascii:
            self._filters.append(_only_ascii())
        self.chosen_theme = remembered_theme if isinstance(remembered_theme, str) else ""
        self.animation_level = "none"  # every frame is bytes over SSH
        self._painting = Painting()
        self._queue_feed = PollingFeed("queue", self, self._revive_queue, _REVIVE_S)
        self._watch_feed = WatchFeed(runs, self)

    def on_mount(self) -> None:
        """Show what was shown last, or what is more urgent."""
        self._paint_title()
        self.set_timer(_COLLECT_AFTER_S, partial(collect_from_now_on, self))
        self.set_timer(_WATCH_AFTER_S, self._watch)
        exit_on_signals(self)
        guard_textual()
        if not self.is_headless:
            exit_when_terminal_vanishes(self)
        self.theme_changed_signal.subscribe(self, self._theme_chosen)
        self.push_screen(self.first_screen())
        self.call_after_refresh(self._say_problems)
        if self.settings.keys:
            self.set_timer(_COLLECT_AFTER_S, partial(self.run_worker, self._check_keys, thread=True))

    def _watch(self) -> None:
        """Look after the queue and the runs, once the first screen is there: threads hold its drawing up."""
        self._queue_feed.start()
        self._watch_feed.start()

    def _paint_title(self) -> None:
        """Not an empty terminal while the first screen is being made; its first frame covers this."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(f"\x1b[1;2H\x1b[1m{self.TITLE}\x1b[0m")
            self._driver.flush()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The colour of the panes' frames, for looks that have none of their own."""
        return {"frame": frame_colour(self.current_theme)}

    def _say_problems(self) -> None:
        """What is wrong with the settings, and with what was remembered, is said once."""
        asked = self.settings.theme
        unknown = [f"theme: there is no {asked}; there are {', '.join(LOOKS)}"] * bool(
            asked and asked not in LOOKS
        )
        problems = [*self.settings.problems, *unknown, *self.own_keys.problems, self.remembered.problem]
        said = [problem for problem in problems if problem and problem not in self._said]
        self._said |= set(said)
        if said:
            more = f" (and {len(said) - 1} more: tinytrain-tui doctor)" if len(said) > 1 else ""
            title = "" if said[0] == self.remembered.problem else safe_text(self.settings.path.name, 60)
            text = safe_text(said[0] + more, 600)
            self.notify(text, title=title, severity="warning", markup=False, timeout=20)

    def _check_keys(self) -> None:
        """Look, beside the dashboard, for keys of commands that are not there: all screens are imported for it."""
        from tui.keys import EVERYWHERE, every_scope, unknown_problems

        problems = unknown_problems(self.settings.keys, {EVERYWHERE: APP_COMMANDS, **every_scope()})
        self.own_keys.problems += problems
        if problems:
            self.call_later(self._say_problems)

    def get_key_display(self, binding: Binding) -> str:
        """A key in the footer as it is in the help."""
        return binding.key_display or shown(binding.key.split(",")[0])

    def _theme_chosen(self, theme: Theme) -> None:
        follow_theme(self)
        self.refresh(layout=True)
        if not (self._began_plain and theme.name == PLAIN):
            self.chosen_theme = theme.name
            self.note_place()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Write no more than what differs from what the terminal shows."""
        super()._display(screen, self._painting.of(renderable))

    def _register_child(self, parent: DOMNode, child: Widget, before: int | None, after: int | None) -> None:
        """Whatever comes up gets the person's own keys, and a screen the classes of its size before its styles."""
        self.own_keys.give(child)
        if isinstance(child, Screen):
            child.add_class(*self._size_classes(child), update=False)
        super()._register_child(parent, child, before, after)

    def _size_classes(self, screen: Screen[Any]) -> set[str]:
        """What Textual gives a screen once it is laid out, and works out all of its styles anew for it."""
        across, down = self.size
        return {
            *screen._get_breakpoint_classes(across, screen.HORIZONTAL_BREAKPOINTS or self.HORIZONTAL_BREAKPOINTS),
            *screen._get_breakpoint_classes(down, screen.VERTICAL_BREAKPOINTS or self.VERTICAL_BREAKPOINTS),
        }

    def on_unmount(self) -> None:
        """End the threads that look after the queue and the runs, and keep what is to be remembered."""
        self._queue_feed.stop()
        self._watch_feed.stop()
        self.remembered.flush()

    def _revive_queue(self) -> float:
        """Start the supervisors of waiting runs anew that were killed, or did not outlive a reboot.

        Returns after how many seconds to look again: among thousands of runs less often.
        """
        from runs.queue import revive

        began = time.thread_time()
        if revive(self.runs):
            return _REVIVE_S
        return max(_REVIVE_S, REST_PER_WORK * (time.thread_time() - began))

    @on(FeedFailed)
    def _feed_failed(self, message: FeedFailed) -> None:
        self.log.error(message.report)
        words = f"looking after the runs failed; a defect of ours: {message.last_line}"
        self.notify(safe_text(words, 500), severity="error", markup=False, timeout=30)

    @on(RunTold)
    def _run_told(self, message: RunTold) -> None:
        tell(self, message, self.settings.notify, is_in_view=self._chosen_run() == message.folder)

    def pop_screen(self) -> AwaitComplete:
        """Close what lies over the screen, never the screen itself.

        A dialog that is closed twice, as by a double click, takes away whatever is on top then (Textual 8.2).
        """
        is_over_another = len(self.screen_stack) > BOTTOM_SCREENS
        return super().pop_screen() if is_over_another else AwaitComplete()

    def on_resize(self) -> None:
        """Paint everything again, since what was cut off between is gone.

        Where the size is the old one after all, at once or after others, Textual sees that nothing changed.
        """
        self._painting.forget()
        self.refresh(layout=True)
        self.set_timer(_SIZE_AGAIN_S, self._look_at_size)

    def _look_at_size(self) -> None:
        if (size := missed_size(self)) is not None:
            self.post_message(events.Resize(size, size))

    def _handle_exception(self, error: Exception) -> None:
        """End with a report, unless all that happened is that something was closed before it was finished."""
        node = active_message_pump.get(None)
        if is_of_something_taken_away(self, error, node):
            self.log.warning(f"{node!r} was closed before {error}")
        else:
            if time.monotonic() - self._shown_since < _SETTLED_S:
                self.forget_place()  # or the next start would show, and fail, the same
            super()._handle_exception(error)

    def _print_error_renderables(self) -> None:
        """The report of a defect holds the text that the program stumbled over."""
        self._exit_renderables = [harmless_report(one) for one in self._exit_renderables]
        super()._print_error_renderables()

    def action_command_palette(self) -> None:
        """Open the palette, unless it is open below a question that came later: there is one of that id."""
        if not any(isinstance(screen, CommandPalette) for screen in self.screen_stack):
            super().action_command_palette()

    def action_help(self) -> None:
        """Lay the keys of this screen over it."""
        from tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.screen))

    async def action_quit(self) -> None:
        """Leave at once, and say after the terminal is restored which runs go on, and what was not kept."""
        live = self.live_runs()
        self.remembered.flush()
        said = [farewell(live)] if live else []
        if self.remembered.unkept:
            said.append(safe_text(self.remembered.unkept, 500))
        self.exit(message=Text("\n".join(said)) if said else None)

    def action_repaint(self) -> None:
        """Paint every cell again: other programs may write to the terminal too, and nobody hears of it."""
        self._painting.forget()
        self.refresh(layout=True)

    def action_screenshot(self, filename: str | None = None, path: str | None = None) -> None:
        """Write what is shown as an SVG picture into the folder the dashboard was started in."""
        from tui.screenshot import save_screenshot

        try:
            said = f"screenshot written to {save_screenshot(self, self.place)}"
        except OSError as error:
            self.notify(safe_text(f"no screenshot could be written: {error}", 500), severity="error", markup=False)
        else:
            self.notify(safe_text(said, 500), markup=False, timeout=8)

    def action_settings(self) -> None:
        """Show what holds, and where it is changed."""
        from tui.screens.settings_dialog import SettingsDialog

        self.push_screen(SettingsDialog(self.settings))
