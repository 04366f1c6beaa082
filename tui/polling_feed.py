"""A daemon thread that looks at something every few seconds, and rests while nobody does."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from textual.message_pump import MessagePump

from tui.messages import FeedFailed

REST_PER_WORK = 500
"""Seconds of rest for each second of work of a look at every run: thousands cost no more than a few do."""

_JOIN_S = 1.0


class PollingFeed:
    """Calls `look` in its thread; what goes wrong there is posted to the target as FeedFailed."""

    def __init__(
        self,
        name: str,
        target: MessagePump,
        look: Callable[[], float | None],
        every_s: float,
        close: Callable[[], None] | None = None,
    ) -> None:
        """look: may say after how many seconds it wants to look again. close: the last thing in the thread."""
        self._target = target
        self._look = look
        self._every_s = every_s
        self._close = close
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
                if self._paused:
                    self._awake.wait()
                    continue
                wanted_s = self._look()
                self._awake.wait(self._every_s if wanted_s is None else wanted_s)
        except Exception:  # noqa: BLE001 - a thread's defect is shown, or nobody would know why nothing moves
            self._target.post_message(FeedFailed(traceback.format_exc()))
        finally:
            if self._close is not None:
                self._close()
