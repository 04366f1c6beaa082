"""How a run is asked to stop: SIGTERM and SIGINT alike, or a request in the run's `control` folder."""

from __future__ import annotations

import os
import signal
from types import FrameType

from runs import control
from runs.control import Request
from runs.folder import RunFolder


class StopRequested(Exception):
    """Raised while data are prepared, where there is no step boundary to wait for."""


class StopSignal:
    """Remembers that somebody asked; the trainer looks at every step boundary."""

    def __init__(self, folder: RunFolder, is_main: bool) -> None:
        self.folder = folder
        self.is_main = is_main
        self.reason = ""
        self.is_training = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def poll(self) -> bool:
        """Whether to stop now; only rank 0 reads the requests, the others learn it from the gradients."""
        if not self.reason and self.is_main and self._has_files() and control.pending(self.folder, "stop"):
            self.reason = "stopped on request"
        return bool(self.reason)

    def raise_if_asked(self) -> None:
        """Raises StopRequested."""
        if self.poll():
            raise StopRequested(self.reason)

    def take_requests(self) -> tuple[Request, ...]:
        """The stop requests that this stop answers; they leave the inbox."""
        if not self.is_main:
            return ()
        requests = control.pending(self.folder, "stop")
        for request in requests:
            control.answer(self.folder, request)
        return requests

    def _has_files(self) -> bool:
        try:
            with os.scandir(self.folder.control_dir) as entries:
                return next(entries, None) is not None
        except OSError:
            return False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.reason = f"stopped by {signal.Signals(number).name}"
        if not self.is_training:
            raise StopRequested(self.reason)
