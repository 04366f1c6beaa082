"""Changes what a person may change of a run: its name, its tags, its group, its note."""

from __future__ import annotations

from pathlib import PurePath
from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from runs.folder import About
from tui.widgets.line_input import LineInput


class EditRunDialog(ModalScreen[About | None]):
    """Dismissed with the changed description, or None on esc."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "edit_run.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, about: About) -> None:
        super().__init__()
        self._about = about

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = "Name, tags, group and note"
            yield Static("name", classes="caption")
            yield LineInput(self._about.name, id="name", max_length=60)
            yield Static("tags", classes="caption")
            yield LineInput(" ".join(self._about.tags), placeholder="words with spaces between", id="tags")
            yield Static("group", classes="caption")
            yield LineInput(
                self._about.group, placeholder="a heading of your own, for g", id="group", max_length=60
            )
            yield Static("note", classes="caption")
            yield LineInput(self._about.note, placeholder="what was this run for?", id="note", max_length=500)
            yield Static("enter takes it, esc cancels", classes="hint foot")

    def on_mount(self) -> None:
        self.query("#name").focus()  # a key may have closed it before it was composed

    def action_cancel(self) -> None:
        """Change nothing."""
        self.dismiss(None)

    @on(LineInput.Submitted)
    def _submitted(self) -> None:
        texts = (self.query_one(f"#{id}", LineInput).value for id in ("name", "tags", "note", "group"))
        self.dismiss(edited(self._about, *texts))


def edited(about: About, name: str, tags: str, note: str, group: str) -> About:
    """The description with what was typed; an empty name keeps the old one."""
    words = tuple(dict.fromkeys(tags.replace(",", " ").split()))
    name = name.strip() or about.name
    return msgspec.structs.replace(about, name=name, tags=words, note=note.strip(), group=group.strip())
