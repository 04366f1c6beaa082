"""A screen that shows what a feed reads: the feed rests while another screen is shown, and ends with this one."""

from __future__ import annotations

from typing import ClassVar, Protocol

from textual import on
from textual.screen import Screen

from tui.messages import FeedFailed
from tui.safe_text import safe_text


class Feed(Protocol):
    """A thread that reads for a screen."""

    def pause(self, paused: bool) -> None:
        """Rest while nobody looks."""

    def stop(self) -> None:
        """End the thread; waits a second at most."""


class FedScreen(Screen[None]):
    """_feed: None until the screen has one. FEED_FAILED: what is said before the last words of its defect."""

    FEED_FAILED: ClassVar[str]
    _feed: Feed | None = None

    def on_unmount(self) -> None:
        """End the feed."""
        if self._feed is not None:
            self._feed.stop()

    def on_screen_suspend(self) -> None:
        """Rest when another screen is shown, not when a question stands over this one."""
        if self._feed is not None and self not in self.app.screen_stack:
            self._feed.pause(True)

    def on_screen_resume(self) -> None:
        """Go on reading."""
        if self._feed is not None:
            self._feed.pause(False)

    @on(FeedFailed)
    def _feed_failed(self, message: FeedFailed) -> None:
        message.stop()
        self.log.error(message.report)
        words = f"{self.FEED_FAILED}: {message.last_line}"
        self.notify(safe_text(words, 500), severity="error", markup=False, timeout=30)
