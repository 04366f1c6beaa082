"""A control of one line for a few choices: ‹ linear ›, turned with the arrow keys, space or a click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui.safe_text import safe_text

SHOWN = {"true": "yes", "false": "no"}


class ChoiceControl(Widget, can_focus=True):
    """Holds one of `choices`; never anything else, so there is nothing to validate."""

    DEFAULT_CSS = """
    ChoiceControl { height: 1; width: 14; color: $foreground; background: $panel; }
    ChoiceControl:focus { background: $primary; color: $text; }
    """
    KEYS_SCOPE = "form_choice"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space,enter,l", "turn(1)", "Next choice", id="next_choice", show=False),
        Binding("left,h", "turn(-1)", "Choice before", id="previous_choice", show=False),
    ]

    @dataclass
    class Chosen(Message):
        """Another choice was made."""

        value: str

    def __init__(self, choices: tuple[str, ...], value: str) -> None:
        super().__init__()
        self.choices = choices
        self._value = value

    @property
    def value(self) -> str:
        """The choice that holds; assigning posts nothing."""
        return self._value

    @value.setter
    def value(self, value: str) -> None:
        if value != self._value:
            self._value = value
            self.refresh()

    def render(self) -> Content:
        """The choice between its arrows."""
        shown = safe_text(SHOWN.get(self._value, self._value))
        return Content(f"‹ {shown:<{max(self.size.width - 4, 1)}} ›")

    def action_turn(self, by: int) -> None:
        """Go `by` choices on, around the end."""
        index = self.choices.index(self._value) if self._value in self.choices else 0
        self.value = self.choices[(index + by) % len(self.choices)]
        self.post_message(self.Chosen(self._value))

    def on_click(self, event: events.Click) -> None:
        """The left arrow goes back, everything else on."""
        self.action_turn(-1 if event.x < 2 else 1)
