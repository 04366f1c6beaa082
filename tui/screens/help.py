"""The help overlay: what the screen under it and the pane one is in are for, and every key that works there."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.commands import Command, own_commands, own_help, panes_of, shown
from tui.safe_text import safe_text

_KEY_WIDTH = 10
_WIDTH = 84  # as in help.tcss
_ARROWS, _LETTERS = "↑ ↓ ← →", frozenset("hjkl")
_EVERYWHERE = (
    ("tab", "next control; shift+tab the one before"),
    (_ARROWS, "move; j k h l do the same outside text"),
    ("enter", "open, take"),
    ("esc", "one step back"),
    ("ctrl+p", "every command by name"),
)


class HelpScreen(ModalScreen[None]):
    """Speaks of the screen it stands on and of the pane one was in; any of esc, ? and q closes it."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "Close", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("pagedown,space", "scroll(12)", show=False),
        Binding("pageup", "scroll(-12)", show=False),
    ]

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self._about = about
        self._words = Static()

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help", can_focus=False) as frame:
            frame.border_title = Content(getattr(self._about, "HELP_TITLE", "Help"))
            frame.border_subtitle = "esc closes"
            self._words.update(self._text())
            yield self._words

    def on_resize(self) -> None:
        """Wrap the sentences to the width there is."""
        self._words.update(self._text())

    def _text(self) -> Content:
        about = str(getattr(self._about, "HELP", "") or "").strip()
        own = own_commands(self._about)
        everywhere: tuple[Command, ...] = getattr(self._about.app, "app_commands", ())
        width = min(_WIDTH, int(self.app.size.width * 0.96)) - 8  # without border, padding and scrollbar
        blocks = [Content(about)] if about else []
        for pane in panes_of(self._about):
            title = safe_text(str(getattr(pane, "HELP_TITLE", "") or pane.border_title or "")).strip()
            words = own_help(pane)
            blocks.append(
                _table(
                    f"in the pane {title}" if title else "where you are", _rows(own_commands(pane)), width, words
                )
            )
        if own:
            blocks.append(_table("on this screen", _rows(own), width))
        taken = {key for command in own for key in command.key.split(",")}
        # a screen that gives one of these letters another meaning does not move by them
        usual = [
            (key, text.split(";")[0] if key == _ARROWS and _LETTERS & taken else text) for key, text in _EVERYWHERE
        ]
        blocks.append(_table("everywhere", [*_rows(everywhere), *usual], width))
        return Content("\n\n").join(blocks)

    def action_scroll(self, lines: int) -> None:
        """Move the text when it is longer than the window."""
        self.query_one("#help").scroll_relative(y=lines, animate=False)


def _rows(commands: Iterable[Command]) -> list[tuple[str, str]]:
    """Key and sentence of each; a command without a key is one of the palette's."""
    return [(_keys(one) if one.key else "palette", one.tooltip) for one in commands]


def _keys(command: Command) -> str:
    if command.key_display:
        return command.key_display
    keys = [shown(key) for key in command.key.split(",")]
    text = " ".join(keys)
    return text if len(text) <= _KEY_WIDTH else keys[0]


def _table(title: str, rows: list[tuple[str, str]], width: int, words: str = "") -> Content:
    lines = [Content.styled(title, "$text-primary")]
    lines += [Content("  " + line) for line in textwrap.wrap(safe_text(words), max(width - 2, 20))]
    for key, text in rows:
        first, *rest = textwrap.wrap(safe_text(text), max(width - _KEY_WIDTH - 2, 16)) or [""]
        lines.append(Content.assemble((f"  {safe_text(key):<{_KEY_WIDTH}}", "bold"), first))
        lines += [Content(" " * (_KEY_WIDTH + 2) + line) for line in rest]
    return Content("\n").join(lines)
