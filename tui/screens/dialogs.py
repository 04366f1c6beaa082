"""Small questions that stand over a screen: yes or no, a word typed to be sure, a line of text.

A key may close one before it was composed; `query(…).focus()` then finds nothing and does nothing.
"""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.containers import Vertical as Column
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Static

from runs.folder import RunFolder
from tui.safe_text import plain, safe_lines
from tui.widgets.line_input import LineInput


class _Question(Column):
    """The frame of a question: a title in the border, a text that scrolls when it is long, then the rest."""

    def __init__(self, title: str, body: str, *rest: Widget, danger: bool = False) -> None:
        text = Static(Content(safe_lines(body)), classes="body")
        super().__init__(text, Column(*rest, classes="foot"), classes="dialog")
        self.border_title = plain(title, 60)
        self.set_class(danger, "-danger")


SCROLL_KEYS = (
    Binding("down,j", "scroll_text(1)", show=False),
    Binding("up,k", "scroll_text(-1)", show=False),
    Binding("pagedown", "scroll_text(8)", show=False),
    Binding("pageup", "scroll_text(-8)", show=False),
)
"""Of a question whose text may be longer than there is room for; its answers always stand there."""


def scroll_text(screen: ModalScreen[Any], lines: int) -> None:
    """Move the text of a question."""
    for frame in screen.query(".dialog"):
        frame.scroll_relative(y=lines, animate=False)


class ConfirmDialog(ModalScreen[bool]):
    """Asks a yes-or-no question; dismissed with the answer. esc says no, y says yes.

    about: what is to be done to which run, so that the question can be withdrawn when that is no longer possible.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No", show=False),
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("left,right", "app.focus_next", show=False),
        *SCROLL_KEYS,
    ]

    def __init__(self, title: str, body: str, confirm: str = "Yes", danger: bool = False) -> None:
        super().__init__()
        self._question = (title, body)
        self.about: tuple[str, RunFolder] | None = None
        self._confirm = confirm
        self._danger = danger

    def compose(self) -> ComposeResult:
        yes = Button(plain(self._confirm), variant="error" if self._danger else "primary", id="yes", compact=True)
        no = Button("Cancel", id="no", compact=True)
        buttons = (
            Horizontal(no, yes, classes="buttons") if self._danger else Horizontal(yes, no, classes="buttons")
        )
        yield _Question(*self._question, buttons, danger=self._danger)

    def on_mount(self) -> None:
        """What is dangerous is never one stray enter away: Cancel has the focus then."""
        self.query("#no" if self._danger else "#yes").focus()

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)

    def action_scroll_text(self, lines: int) -> None:
        """Move the text."""
        scroll_text(self, lines)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


class TypedConfirmDialog(ModalScreen[bool]):
    """For what cannot be taken back: goes on only when `word` has been typed; esc says no. about: as above."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", show=False)]

    def __init__(self, title: str, body: str, word: str) -> None:
        super().__init__()
        self._question = (title, body)
        self.about: tuple[str, RunFolder] | None = None
        self._word = word

    def compose(self) -> ComposeResult:
        hint = Static(Content.assemble("type ", plain(self._word, 60, "bold"), " and press enter; esc cancels"))
        hint.add_class("hint")
        yield _Question(*self._question, LineInput(id="word"), hint, danger=True)

    def on_mount(self) -> None:
        self.query(LineInput).focus()

    def action_cancel(self) -> None:
        """Close without doing it."""
        self.dismiss(False)

    @on(LineInput.Submitted)
    def _submitted(self, event: LineInput.Submitted) -> None:
        if event.value.strip() == self._word.strip():
            self.dismiss(True)
        else:
            hint = Content.assemble("that is not ", plain(self._word, 60, "bold"), "; esc cancels")
            self.query_one(".hint", Static).update(hint)


class TextDialog(ModalScreen[str | None]):
    """Asks for a line of text; dismissed with it, or with None on esc."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", show=False)]

    def __init__(self, title: str, body: str, value: str = "") -> None:
        super().__init__()
        self._question = (title, body)
        self._value = value

    def compose(self) -> ComposeResult:
        hint = Static("enter takes it, esc cancels", classes="hint")
        yield _Question(*self._question, LineInput(self._value, id="text"), hint)

    def on_mount(self) -> None:
        self.query(LineInput).focus()

    def action_cancel(self) -> None:
        """Close without a text."""
        self.dismiss(None)

    @on(LineInput.Submitted)
    def _submitted(self, event: LineInput.Submitted) -> None:
        self.dismiss(event.value)


class ChoiceDialog(ModalScreen[str | None]):
    """Offers several ways on, a button a line; dismissed with the id of the chosen one, None on esc."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, title: str, body: str, choices: tuple[tuple[str, str], ...]) -> None:
        """choices: id and label of each."""
        super().__init__()
        self._question = (title, body)
        self._choices = choices

    def compose(self) -> ComposeResult:
        buttons = [Button(plain(label), id=choice, compact=True) for choice, label in self._choices]
        yield _Question(*self._question, Column(*buttons, classes="choices"))

    def on_mount(self) -> None:
        self.query(Button).focus()

    def action_cancel(self) -> None:
        """Close without a choice."""
        self.dismiss(None)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id)
