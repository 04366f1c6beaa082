"""Asks for a line or two and does something with them; what goes wrong is said under them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar, Generic, TypeVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.safe_text import plain, safe_text
from tui.widgets.line_input import LineInput

_T = TypeVar("_T")


@dataclass(frozen=True)
class Entry:
    """A line to fill in. id: of its input."""

    id: str
    caption: str
    value: str = ""
    max_length: int = 300


class EntryDialog(ModalScreen[_T | None], Generic[_T]):
    """Dismissed with what `act` returned for the lines, None on esc.

    act: gets the lines and whether to replace what is there; works in a thread. It raises FileExistsError for what
    a second enter replaces, and ValueError or OSError with a sentence for everything else.
    """

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "entry_dialog.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(
        self, title: str, entries: Sequence[Entry], hint: str, act: Callable[[dict[str, str], bool], _T]
    ) -> None:
        super().__init__()
        self._title = title
        self._entries = tuple(entries)
        self._hint = hint
        self._act = act
        self._refused: dict[str, str] | None = None  # for what is there; the same lines once more replace it

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = plain(self._title, 60)
            for entry in self._entries:
                yield Static(plain(entry.caption, 100), classes="caption")
                yield LineInput(entry.value, id=entry.id, max_length=entry.max_length)
            yield Static(Content(""), classes="error")
            yield Static(plain(self._hint, 200), classes="hint foot")

    def on_mount(self) -> None:
        """What stands in the first line is replaced by typing."""
        for field in self.query(LineInput).results():  # none, when a key closed it before it was composed
            field.focus()
            field.select_all()
            break

    def action_cancel(self) -> None:
        """Close without doing it."""
        self.dismiss(None)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._try({entry.id: self.query_one(f"#{entry.id}", Input).value.strip() for entry in self._entries})

    @work(exclusive=True, group="entry")
    async def _try(self, lines: dict[str, str]) -> None:
        try:
            result = await asyncio.to_thread(self._act, lines, self._refused == lines)
        except FileExistsError as error:
            self._refused = lines
            self._say(f"{_first_upper(str(error))}. Press enter again to replace it.")
        except (ValueError, OSError) as error:
            self._say(f"✗ {_words(error)}")
        else:
            self.dismiss(result)

    def _say(self, sentence: str) -> None:
        for shown in self.query(".error").results(Static):
            shown.update(plain(safe_text(sentence), 400))


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _words(error: ValueError | OSError) -> str:
    """What the system says of a file, without its number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)
