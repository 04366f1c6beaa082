"""Shows what a preset or a configuration from elsewhere sets, before it is used for the first time."""

from __future__ import annotations

from pathlib import PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from presets.config import Change, describe
from tui.safe_text import MUTED, plain, safe_text

_LEAST_LINES = 2


class ChangesDialog(ModalScreen[bool]):
    """Dismissed with whether it shall be used. esc says no, y says yes; Cancel has the focus."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "changes_dialog.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No", show=False),
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(8)", show=False),
        Binding("pageup", "scroll(-8)", show=False),
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
            with VerticalScroll(id="changes", can_focus=False):
                yield Static(Content("\n").join(_line(change) for change in self._changes))
            hint = Static("↑ ↓ scroll; a yes is kept, so it is asked once", classes="hint")
            yield hint
            yes = Button(plain(self._confirm), variant="error", id="yes", compact=True)
            yield Horizontal(Button("Cancel", id="no", compact=True), yes, classes="buttons")

    def on_mount(self) -> None:
        """A stray enter uses nothing."""
        self.query("#no").focus()  # a key may have closed it before it was composed

    def on_resize(self) -> None:
        """The list of changes takes the room that there is."""
        for changes in self.query("#changes"):
            changes.styles.max_height = None
        self.call_after_refresh(self._give_room)

    def _give_room(self) -> None:
        """The list gives up the lines that the answers below it lack."""
        for frame, changes in zip(self.query(".dialog"), self.query("#changes"), strict=False):
            lacking = frame.virtual_size.height - frame.content_size.height
            if lacking > 0:
                changes.styles.max_height = max(_LEAST_LINES, changes.outer_size.height - lacking)

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)

    def action_scroll(self, lines: int) -> None:
        """Move the list of changes."""
        self.query_one("#changes").scroll_relative(y=lines, animate=False)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


def _line(change: Change) -> Content:
    path, _, rest = safe_text(describe(change), 400).partition(": ")
    before, arrow, after = rest.partition(" → ")
    return Content.assemble(path, (f": {before}{arrow}", MUTED), (after, "bold"))
