"""What stands in a list that has nothing to choose: why, and what to do."""

from __future__ import annotations

from textual.content import Content
from textual.widgets.option_list import Option

from tui.safe_text import FAINT, plain


def nothing_there(*lines: str) -> Option:
    """A line or two that cannot be chosen."""
    return Option(Content("\n").join(plain(line, 200, FAINT) for line in lines), disabled=True)
