"""What of a run pauses for lack of room on the disk: recording, saving, or both; said once when it changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from runs.disk import free_bytes
from runs.events import DiskNoticed
from runs.reserve import RESERVE_BYTES, Reserve

Work = Literal["recording", "saving"]
_LOOK_INTERVAL_S = 1.0
_ROOM_BYTES = 4 * RESERVE_BYTES  # less would be full again with the next record


class DiskWatch:
    """Holds the reserve of an attempt, and knows what pauses. say: writes an event now, whatever pauses."""

    def __init__(self, reserve: Reserve, say: Callable[[DiskNoticed], None]) -> None:
        self._reserve = reserve
        self._say = say
        self._paused: dict[Work, str] = {}
        self._looked_at = 0.0
        reserve.take()

    def is_paused(self, work: Work) -> bool:
        """Whether it waits for room."""
        return work in self._paused

    def pause(self, work: Work, message: str) -> None:
        """It found no room. message: a sentence on what pauses, and what to do; said unless it was said last."""
        if work == "recording":
            self._reserve.give_up()  # so that this can be said at all
            self._looked_at = time.monotonic()
        if self._paused.get(work) != message:
            self._paused[work] = message
            self._say(DiskNoticed(is_full=True, message=message))

    def go_on(self, work: Work, message: str) -> None:
        """There is room for it again; nothing when it did not pause. message: a sentence."""
        if self._paused.pop(work, None) is not None:
            rest = "; ".join(self._paused.values())
            self._say(DiskNoticed(is_full=bool(rest), message=f"{message}; {rest}" if rest else message))

    def finds_room(self, *, at_once: bool = False) -> bool:
        """Look for room to record in, and take the reserve back when there is some.

        at_once: also when it looked less than a second ago.
        """
        now = time.monotonic()
        if not at_once and now - self._looked_at < _LOOK_INTERVAL_S:
            return False
        self._looked_at = now
        free = free_bytes(self._reserve.path.parent)
        return (free is None or free >= _ROOM_BYTES) and self._reserve.take()

    def close(self) -> None:
        """Give the reserve up, for what is written last."""
        self._reserve.give_up()
