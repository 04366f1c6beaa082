"""Shows what a preset or a configuration from elsewhere sets, before it is used for the first time."""

from __future__ import annotations

from pathlib import PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from presets.config import Change, describe
from tui.safe_text import MUTED, plain, safe_text
from tui.screens.dialogs import SCROLL_KEYS, scroll_text


class ChangesDialog(ModalScreen[bool]):
    """Dismissed with whether it shall be used. esc says no, y says yes; Cancel has the focus."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "changes_dialog.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No", show=False),
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
        *SCROLL_KEYS,
    ]

    def __init__(
        self, what: str, changes: tuple[Change, ...], *, replaces: bool = False, confirm: str = ""
    ) -> None:
        """what: such as `the preset wide`. changes: from the defaults, as in the schema's order.

        replaces: there is one of that name, and the changes are from that. confirm: on the button; `Use it`.
        """
        super().__init__()
        self._what = what
        self._changes = changes
        self._replaces = replaces
        self._confirm = confirm or "Use it"

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -danger") as frame:
            frame.border_title = "From elsewhere: look before you use it"
            num = len(self._changes)
            fields = "one field" if num == 1 else f"{num} fields"
            if self._replaces:
                then = f"It replaces the one of that name, and changes {fields if num else 'no field'}"
            else:
                then = f"Otherwise than the defaults it sets {fields if num else 'no field'}"
            said = (
                f"This program did not write {self._what} on this machine. Such a text can name files to read, "
                f"data to fetch and machines to meet. {then}{':' if num else '.'}"
            )
            yield Static(plain(said, 400), classes="caption")
            with Vertical(id="changes"):
                yield Static(Content("\n").join(_line(change) for change in self._changes))
            with Vertical(classes="foot"):
                yield Static("↑ ↓ scroll; a yes is kept, so it is asked once", classes="hint")
                with Horizontal(classes="buttons"):
                    yield Button("Cancel", id="no", compact=True)
                    yield Button(plain(self._confirm), variant="error", id="yes", compact=True)

    def on_mount(self) -> None:
        """A stray enter uses nothing."""
        self.query("#no").focus()  # a key may have closed it before it was composed

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)

    def action_scroll_text(self, lines: int) -> None:
        """Move the list of changes."""
        scroll_text(self, lines)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


def _line(change: Change) -> Content:
    path, _, rest = safe_text(describe(change), 400).partition(": ")
    before, arrow, after = rest.partition(" → ")
    return Content.assemble(path, (f": {before}{arrow}", MUTED), (after, "bold"))
