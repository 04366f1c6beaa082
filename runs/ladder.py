"""The stop ladder: a request, then SIGTERM to the agent, then SIGKILL to everything; when which rung is due."""

from __future__ import annotations

import time
from typing import Literal

Rung = Literal["", "terminate", "kill"]

_SAVES_OF_GRACE = 3
_GRACE_BEFORE_START_S = 5.0


class Ladder:
    """Keeps how far up the ladder a stopping run is. Clocks: monotonic inside, Unix seconds in `deadline`.

    A run that has made no step has nothing to save, and is given little time; one that saves slowly is
    given three times its last save.
    """

    def __init__(self, grace_s: float) -> None:
        self._configured_s = grace_s
        self._last_save_s = 0.0
        self._begun = False
        self._since = 0.0
        self._rung: Literal["", "asked", "terminated", "killed"] = ""
        self._kill_asked = False

    @property
    def grace_s(self) -> float:
        """Seconds that one rung lasts."""
        full = max(self._configured_s, _SAVES_OF_GRACE * self._last_save_s)
        return full if self._begun else min(full, _GRACE_BEFORE_START_S)

    @property
    def is_stopping(self) -> bool:
        return self._rung != ""

    @property
    def was_terminated(self) -> bool:
        """SIGTERM was due, and nothing ended before it."""
        return self._rung in ("terminated", "killed") and not self._kill_asked

    @property
    def kill_asked(self) -> bool:
        return self._kill_asked

    @property
    def deadline(self) -> float:
        """Unix seconds at which the next rung is due; 0 while nothing was asked."""
        return time.time() + self._since + self.grace_s - time.monotonic() if self.is_stopping else 0.0

    @property
    def message(self) -> str:
        """What is being waited for."""
        if self._rung == "asked":
            return "asked to save and end"
        return "told to end by SIGTERM" if self._rung == "terminated" else ""

    def begin(self) -> None:
        """Training has begun: from now on a stop has something to save."""
        self._begun = True

    def saved(self, elapsed_s: float) -> None:
        """A checkpoint took that long."""
        self._last_save_s = elapsed_s

    def ask(self) -> None:
        """A stop was asked for; asking again changes nothing."""
        if not self._rung:
            self._rung, self._since = "asked", time.monotonic()

    def kill(self) -> None:
        """A kill was asked for."""
        self._kill_asked = True

    def due(self) -> Rung:
        """What must be done now; each rung is named once."""
        if self._rung == "killed":
            return ""
        if self._kill_asked:
            self._rung = "killed"
            return "kill"
        if not self._rung or time.monotonic() - self._since < self.grace_s:
            return ""
        self._since = time.monotonic()
        if self._rung == "asked":
            self._rung = "terminated"
            return "terminate"
        self._rung = "killed"
        return "kill"
