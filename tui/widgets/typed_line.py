"""A line that is typed into a pane's border, where no room is for a field."""

from __future__ import annotations

from tui.safe_text import safe_text


class TypedLine:
    """Takes keys between `begin` and `end`; enter and esc end it, and esc takes back what was typed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._before = ""
        self.text = ""
        self.is_typing = False

    def begin(self, text: str) -> None:
        """Type on from a text."""
        self.text = self._before = text
        self.is_typing = True

    def end(self) -> None:
        """What stands there stays."""
        self.is_typing = False

    def press(self, key: str, character: str | None) -> None:
        """Take one key."""
        if key == "enter":
            self.end()
        elif key == "escape":
            self.text = self._before
            self.end()
        elif key == "backspace":
            self.text = self.text[:-1]
        elif key in ("ctrl+u", "ctrl+k"):
            self.text = ""
        elif key == "ctrl+w":
            self.text = self.text.rstrip().rpartition(" ")[0]
        elif character is not None and character.isprintable():
            self.paste(character)

    def paste(self, text: str) -> None:
        """Add text, of which what acts on a terminal becomes signs."""
        self.text = (self.text + safe_text(text.splitlines()[0] if text.strip() else text, self._most))[
            : self._most
        ]
