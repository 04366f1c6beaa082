"""A line that tells how far something is: rewritten in place on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import shutil
import sys
import time

from tui.cli_output import warn
from tui.safe_text import safe_text

_REDRAW_S = 0.1
_PLAIN_EVERY_S = 5.0


class StatusLine:
    """Writes to stderr, so that what is piped on stays clean. quiet: says nothing at all."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._is_terminal = sys.stderr.isatty()
        self._shown_at = 0.0
        self._topic = ""
        self._is_drawn = False

    def show(self, words: str, topic: str = "") -> None:
        """Say it, unless something was said a moment ago about the same topic."""
        now = time.monotonic()
        wait = _REDRAW_S if self._is_terminal else _PLAIN_EVERY_S
        if self._quiet or (topic == self._topic and now - self._shown_at < wait):
            return
        self._topic, self._shown_at = topic, now
        if not self._is_terminal:
            warn(words)
            return
        width = shutil.get_terminal_size().columns
        print(f"\r\x1b[2K{safe_text(words, max(20, width - 1))}", end="", file=sys.stderr, flush=True)
        self._is_drawn = True

    def clear(self) -> None:
        """Take the line away, before something is said that stays."""
        if self._is_drawn:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
            self._is_drawn = False
