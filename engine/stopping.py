"""How a run is asked for something while it trains: by SIGTERM and SIGINT, or by requests in `control/`."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType
from typing import Literal

from runs import control
from runs.control import Request
from runs.folder import RunFolder


class StopRequested(Exception):
    """Raised while data are prepared or waited for, where there is no step boundary to wait for."""


class StopSignal:
    """Remembers that somebody asked; the trainer looks at every step boundary.

    Only rank 0 reads requests; the others learn of them from the gradients' flag.
    """

    def __init__(self, folder: RunFolder, is_main: bool) -> None:
        self.folder = folder
        self.is_main = is_main
        self.reason = ""
        """Why the run ends, once it is to end: a signal's name, or that it was requested."""
        self.is_interruptible = False
        """Whether a signal raises StopRequested wherever it comes; else it is only remembered."""
        self._answered: set[str] = set()
        self._inbox = os.fspath(folder.control_dir)  # making the path takes a third of a poll
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def allow_interruption(self) -> None:
        """From here on a signal raises StopRequested wherever it comes; at once when one has come already."""
        self.is_interruptible = True
        if self.reason:
            raise StopRequested(self.reason)

    def poll(self) -> bool:
        """Whether there is anything to attend to at this step boundary: a signal, or any request for the engine.

        Costs one look into an empty folder (about 10 µs).
        """
        return bool(self.reason) or bool(self.requests())

    def wants_end(self) -> bool:
        """Whether the run is to save and end: a signal, `stop` or `pause`. Sets `reason`."""
        if not self.reason:
            verbs = {request.verb for request in self.requests()}
            if "stop" in verbs:
                self.reason = "stopped on request"
            elif "pause" in verbs:
                self.reason = "paused on request"
        return bool(self.reason)

    @property
    def ending(self) -> Literal["stopped", "paused"]:
        """What the run is after this end: paused when that was asked for, also when SIGTERM had to help."""
        verbs = {request.verb for request in self.requests()}
        return "paused" if "pause" in verbs and "stop" not in verbs else "stopped"

    def raise_if_asked(self) -> None:
        """Raises StopRequested."""
        if self.wants_end():
            raise StopRequested(self.reason)

    def requests(self) -> tuple[Request, ...]:
        """Rank 0's unanswered requests, oldest first; empty on the other ranks. `kill` is the supervisor's."""
        if not self.is_main or not self._has_files():
            return ()
        pending = control.pending(self.folder)
        return tuple(r for r in pending if r.verb != "kill" and r.id not in self._answered)

    def answer(self, request: Request) -> None:
        """Take a request out of the inbox; call it once the answer is in the events."""
        if self.is_main:
            self._answered.add(request.id)  # a file that cannot be removed is not granted anew at every step
            with contextlib.suppress(OSError):
                control.answer(self.folder, request)

    def take_requests(self) -> tuple[Request, ...]:
        """All requests, which leave the inbox: for a run that ends, whoever asked for what."""
        requests = self.requests()
        for request in requests:
            self.answer(request)
        return requests

    def _has_files(self) -> bool:
        """Whether anything could be a request: what a killed asker left half-written makes no step dearer."""
        try:
            with os.scandir(self._inbox) as entries:
                return any("0" <= entry.name[0] <= "9" for entry in entries)
        except OSError:
            return False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.reason = f"stopped by {signal.Signals(number).name}"
        if self.is_interruptible:
            raise StopRequested(self.reason)
