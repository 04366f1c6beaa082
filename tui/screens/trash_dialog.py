"""The deleted runs: one is brought back, or deleted for good, or all are."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.screens.pick_dialog import Choice, PickDialog

PURGE = "purge "
"""Before the id of a run that is to be deleted for good; ids have no spaces."""
EMPTY = "empty"

_HINT = "enter brings back, ^x deletes for good, ^e empties all, esc closes"


class TrashDialog(PickDialog):
    """Dismissed with the id of the run to bring back, `PURGE` and an id, `EMPTY`, or None; does nothing itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+x", "purge", show=False, priority=True),
        Binding("ctrl+e", "empty", show=False, priority=True),
    ]

    def __init__(self, title: str, choices: tuple[Choice, ...]) -> None:
        super().__init__(title, choices, hint=_HINT)

    def action_purge(self) -> None:
        """Delete the run under the cursor for good."""
        if id := self.under_cursor:
            self.dismiss(f"{PURGE}{id}")

    def action_empty(self) -> None:
        """Delete all of them for good."""
        self.dismiss(EMPTY)
