"""The help overlay: what the screen under it is for, and every key that works there."""

from __future__ import annotations

import textwrap
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.commands import Command, commands_of
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
    """Speaks of the screen it stands on; any of esc, ? and q closes it."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "Close", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
    ]

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self._about = about

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help", can_focus=False) as frame:
            frame.border_title = Content(getattr(self._about, "HELP_TITLE", "Help"))
            frame.border_subtitle = "esc closes"
            yield Static(self._text())

    def _text(self) -> Content:
        about = str(getattr(self._about, "HELP", "") or "").strip()
        own: tuple[Command, ...] = getattr(self._about, "SCREEN_COMMANDS", ())
        width = min(_WIDTH, int(self.app.size.width * 0.96)) - 8  # without border, padding and scrollbar
        everywhere = [command for command in commands_of(self._about) if command not in own]
        blocks = [Content(about)] if about else []
        if own:
            rows = [(command.shown_key or "palette", command.tooltip) for command in own]
            blocks.append(_table("on this screen", rows, width))
        moves = [(command.shown_key, command.tooltip) for command in everywhere]
        taken = {key for command in own for key in command.key.split(",")}
        # a screen that gives one of these letters another meaning does not move by them
        usual = [
            (key, text.split(";")[0] if key == _ARROWS and _LETTERS & taken else text) for key, text in _EVERYWHERE
        ]
        blocks.append(_table("everywhere", [*moves, *usual], width))
        return Content("\n\n").join(blocks)

    def action_scroll(self, lines: int) -> None:
        """Move the text when it is longer than the window."""
        self.query_one("#help").scroll_relative(y=lines, animate=False)


def _table(title: str, rows: list[tuple[str, str]], width: int) -> Content:
    lines = [Content.styled(title, "$text-primary")]
    for key, text in rows:
        first, *rest = textwrap.wrap(text, max(width - _KEY_WIDTH - 2, 16)) or [""]
        lines.append(Content.assemble((f"  {safe_text(key):<{_KEY_WIDTH}}", "bold"), first))
        lines += [Content(" " * (_KEY_WIDTH + 2) + line) for line in rest]
    return Content("\n").join(lines)
