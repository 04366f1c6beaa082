"""What stands over everything of a run until it is over: a full disk, or that the run is not ours to change."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from tui.safe_text import plain


class Banner(Static):
    """Hidden while there is nothing to say; red for what is wrong, calm for what is merely so."""

    DEFAULT_CSS = """
    Banner { height: auto; max-height: 3; padding: 0 1; background: $panel; }
    Banner.-bad { background: $error; color: $text; text-style: bold; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id)
        self._shown: tuple[str, str] = ("", "")
        self.display = False

    def show(self, trouble: str = "", fact: str = "") -> None:
        """trouble: a sentence on what is wrong. fact: one on what holds besides."""
        if (trouble, fact) == self._shown:
            return
        self._shown = (trouble, fact)
        self.display = bool(trouble or fact)
        self.set_class(bool(trouble), "-bad")
        lines = [plain(f"! {trouble}", 500)] if trouble else []
        lines += [plain(f"⊘ {fact}", 500)] if fact else []
        self.update(Content("\n").join(lines))
