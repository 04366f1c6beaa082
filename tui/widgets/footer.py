"""The key line at the bottom, without the leak of Textual 8.2's own footer."""

from __future__ import annotations

from typing import Any

from textual.widgets import Footer

_ROOMY = 110


class KeyFooter(Footer):
    """Drops the watchers of keys that are gone.

    Footer binds data to each key it makes, on every move of the focus, and Textual prunes such watchers only
    when the observed value changes (Textual #6666): 300 presses of tab kept 2,400 dead keys.
    """

    DEFAULT_CSS = """
    KeyFooter.-compact FooterKey.-command-palette { display: none; }
    """

    def on_resize(self) -> None:
        """Where there is little room the keys stand closer, and the palette's own is left out."""
        self.compact = self.size.width < _ROOMY

    async def recompose(self) -> None:
        """Make the keys anew, then forget the old ones."""
        await super().recompose()
        watchers: dict[str, list[tuple[Any, Any]]] = getattr(self, "__watchers", {})
        for watching in watchers.values():
            watching[:] = [pair for pair in watching if not (pair[0]._closing or pair[0]._closed)]
