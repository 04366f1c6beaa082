"""A daemon thread that looks at something every few seconds, and rests while nobody does."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from textual.message_pump import MessagePump

from tui.messages import FeedFailed

_JOIN_S = 1.0


class PollingFeed:
    """Calls `look` in its thread; what goes wrong there is posted to the target as FeedFailed."""

    def __init__(self, name: str, target: MessagePump, look: Callable[[], None], every_s: float) -> None:
        self._target = target
        self._look = look
        self._every_s = every_s
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._paused = False
        self._thread = threading.Thread(target=self._run, name=f"feed {name}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, if it was ever started; waits a second at most."""
        self._stopping.set()
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def pause(self, paused: bool) -> None:
        """Rest while nobody looks."""
        self._paused = paused
        self._awake.set()

    def look_now(self) -> None:
        """Do not wait for the next turn."""
        self._awake.set()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._awake.clear()
                if not self._paused:
                    self._look()
                self._awake.wait(self._every_s if not self._paused else None)
        except Exception:  # noqa: BLE001 - a thread's defect is shown, or nobody would know why nothing moves
            self._target.post_message(FeedFailed(traceback.format_exc()))
