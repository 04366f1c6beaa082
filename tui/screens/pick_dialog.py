"""A list of choices over a screen, narrowed by typing; for sorting and grouping."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.safe_text import FAINT, plain
from tui.widgets.line_input import LineInput
from tui.widgets.nothing_there import nothing_there


@dataclass(frozen=True)
class Choice:
    """A line to choose. id: what the dialog is dismissed with. detail: said behind it in grey."""

    id: str
    label: str
    detail: str = ""

    def content(self, width: int) -> Content:
        """The line, its label so wide that the details stand below each other."""
        return Content.assemble(plain(self.label, 60), "  ".ljust(max(2, width - len(self.label) + 2)),
                                plain(self.detail, 120, FAINT))  # fmt: skip


class PickDialog(ModalScreen[str | None]):
    """Dismissed with the id of what was chosen, or None on esc. Typing narrows the list, arrows move in it."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "pick_dialog.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("down", "move('down')", show=False, priority=True),
        Binding("up", "move('up')", show=False, priority=True),
        Binding("pagedown", "move('page_down')", show=False, priority=True),
        Binding("pageup", "move('page_up')", show=False, priority=True),
    ]

    def __init__(self, title: str, choices: tuple[Choice, ...], chosen: str = "", hint: str = "") -> None:
        """chosen: the id under the cursor at first. hint: instead of "enter takes it"."""
        super().__init__()
        self._title = title
        self._choices = choices
        self._chosen = chosen
        self._hint = hint or "type to narrow, ↑ ↓ move, enter takes it, esc cancels"
        self._shown: tuple[Choice, ...] = ()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = plain(self._title, 60)
            yield LineInput(placeholder="type to narrow the list", id="narrow", max_length=100)
            yield OptionList(id="choices")
            yield Static(plain(self._hint), classes="hint foot")

    def on_mount(self) -> None:
        """All choices, the present one under the cursor."""
        if not self.query(OptionList):
            return  # a key closed it before it was composed
        self._fill("")
        ids = [choice.id for choice in self._shown]
        self.query_one(OptionList).highlighted = ids.index(self._chosen) if self._chosen in ids else 0
        self.query("#narrow").focus()

    def action_cancel(self) -> None:
        """Choose nothing."""
        self.dismiss(None)

    def action_move(self, where: str) -> None:
        """Move in the list while the line above it keeps the focus."""
        if lists := self.query(OptionList):
            getattr(lists.first(), f"action_{'cursor_' if where in ('up', 'down') else ''}{where}")()

    def _fill(self, words: str) -> None:
        parts = words.lower().split()
        self._shown = tuple(
            choice
            for choice in self._choices
            if all(part in f"{choice.id} {choice.label} {choice.detail}".lower() for part in parts)
        )
        width = max((len(choice.label) for choice in self._shown), default=0)
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(choice.content(min(width, 40))) for choice in self._shown])
        if not self._shown:
            options.add_option(nothing_there("nothing is called that"))

    @on(LineInput.Changed, "#narrow")
    def _typed(self, event: LineInput.Changed) -> None:
        self._fill(event.input.value)
        if self._shown:
            self.query_one(OptionList).highlighted = 0

    @property
    def under_cursor(self) -> str | None:
        """The id of the line under the cursor."""
        lists = self.query(OptionList)
        at = lists.first().highlighted if lists else None
        return self._shown[at].id if at is not None and at < len(self._shown) else None

    @on(LineInput.Submitted, "#narrow")
    def _entered(self) -> None:
        if (id := self.under_cursor) is not None:
            self.dismiss(id)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_index < len(self._shown):
            self.dismiss(self._shown[event.option_index].id)
