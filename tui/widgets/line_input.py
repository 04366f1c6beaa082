"""Text inputs that never blink, and in which pasted or loaded control characters become visible signs.

A blinking cursor sends 1.3 kB twice a second over SSH.
"""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.keys import KEY_NAME_REPLACEMENTS
from textual.widgets import Input

from tui.safe_text import safe_text

_LONGEST = 100_000
_TYPED = frozenset(KEY_NAME_REPLACEMENTS.values())
"""Keys such as slash and plus, of which Textual does not know that they are typed; a footer would offer them."""


class LineInput(Input):
    """A compact Input without a blinking cursor; its value is checked by whoever reads it, never by `type`."""

    def __init__(
        self, value: str = "", *, placeholder: str = "", max_length: int = 0, id: str | None = None
    ) -> None:
        super().__init__(value, placeholder=placeholder, max_length=max_length, id=id, compact=True)
        self.cursor_blink = False

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whatever can be typed is text here, and no command."""
        return key in _TYPED or super().check_consume_key(key, character)

    def validate_value(self, value: str) -> str:
        """Nothing that acts on a terminal gets into the value, wherever it comes from."""
        return safe_text(value, _LONGEST)


class FilterInput(LineInput):
    """Filters what stands below it while one types; the footer says how to get out of it."""

    KEYS_SCOPE = "filter"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "To the list", id="to_list", key_display="enter"),
        Binding("escape", "screen.back", "Clear", id="clear", key_display="esc"),
    ]
