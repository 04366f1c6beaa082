"""How fast a long step goes, and how long it still takes."""

from __future__ import annotations

import collections
import time

_WINDOW_S = 20.0  # of which the rate is the mean
_LEAST_S = 0.4  # a rate over less says nothing


class Pace:
    """Rate and end of the step that is going on, from what the last seconds brought."""

    def __init__(self) -> None:
        self._phase = ""
        self._seen: collections.deque[tuple[float, int]] = collections.deque()

    def measure(
        self, phase: str, done: int, total: int, now: float | None = None
    ) -> tuple[float | None, float | None]:
        """Units a second and seconds to the end; None while one cannot be told. now: of a steady clock.

        total: 0 while it is not known.
        """
        now = time.monotonic() if now is None else now
        if phase != self._phase or (self._seen and done < self._seen[-1][1]):
            self._phase = phase
            self._seen.clear()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()
        seconds, num_units = now - self._seen[0][0], done - self._seen[0][1]
        if seconds < _LEAST_S or num_units <= 0:
            return None, None
        rate = num_units / seconds
        return rate, max(0.0, total - done) / rate if total else None
