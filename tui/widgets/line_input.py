"""Text inputs that never blink, and in which pasted or loaded control characters become visible signs.

A blinking cursor sends 1.3 kB twice a second over SSH.
"""

from __future__ import annotations

from textual import events
from textual.widgets import Input

from tui.safe_text import safe_text

_LONGEST = 100_000


class LineInput(Input):
    """A compact Input without a blinking cursor; its value is checked by whoever reads it, never by `type`."""

    def __init__(
        self, value: str = "", *, placeholder: str = "", max_length: int = 0, id: str | None = None
    ) -> None:
        super().__init__(value, placeholder=placeholder, max_length=max_length, id=id, compact=True)
        self.cursor_blink = False

    def on_key(self, event: events.Key) -> None:
        """Rub out at once: as a binding it waits in more queues than letters do, and would come after the next."""
        rub_out = {"backspace": self.action_delete_left, "delete": self.action_delete_right}.get(event.key)
        if rub_out is not None:
            event.stop()
            event.prevent_default()
            rub_out()

    def validate_value(self, value: str) -> str:
        """Nothing that acts on a terminal gets into the value, wherever it comes from."""
        return safe_text(value, _LONGEST)
