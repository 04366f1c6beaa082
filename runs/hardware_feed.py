"""The reading end of the hardware process: starts it, takes its lines without waiting, tells how old they are."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from runs.hardware_history import NO_HISTORY, HardwareHistory, HistoryKeeper
from runs.launch import child_environment
from runs.readings import HardwareReading

STALE_AFTER_S = 3.0
_RESTART_AFTER_S = 10.0
_CLOSE_WAIT_S = 0.5
_decoder = msgspec.json.Decoder(HardwareReading)


@dataclass(frozen=True)
class HardwareState:
    """The last reading, if any. stale_s: whole seconds since it came, 0 while it is fresh.

    problem: a sentence when the helper has ended, or empty. history: of the last minutes.
    """

    reading: HardwareReading | None = None
    stale_s: int = 0
    problem: str = ""
    history: HardwareHistory = NO_HISTORY


class HardwareFeed:
    """Owns one helper process. A helper that hangs is never joined by a second one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._stuck: subprocess.Popen[bytes] | None = None  # killed, but held in the kernel by the driver
        self._reading: HardwareReading | None = None
        self._keeper, self._history = HistoryKeeper(), NO_HISTORY
        self._partial = b""
        self._heard_at = 0.0
        self._started_at = -math.inf
        self._problem = ""

    @property
    def pid(self) -> int | None:
        """The helper's pid while it runs."""
        return self._process.pid if self._process else None

    def poll(self) -> HardwareState:
        """What is known now; starts the helper when there is none."""
        now = self._clock()
        if self._stuck is not None and self._stuck.poll() is not None:
            self._stuck = None
        if self._process is None and self._stuck is None and now - self._started_at >= _RESTART_AFTER_S:
            self._start(now)
        if self._process is not None:
            self._take_lines(now)
            code = self._process.poll()
            if code is not None:
                self._problem = f"hardware readings ended (exit {code}); they are tried again"
                self._forget_process()
        age = now - self._heard_at
        return HardwareState(self._reading, int(age) if age >= STALE_AFTER_S else 0, self._problem, self._history)

    def close(self) -> None:
        """End the helper; one that hangs in the driver is left to the kernel after half a second."""
        process = self._process
        if process is None:
            return
        process.kill()
        try:
            process.wait(_CLOSE_WAIT_S)
        except subprocess.TimeoutExpired:
            self._stuck = process
            self._problem = "the hardware helper hangs in the driver and could not be ended"
        self._forget_process()
        self._started_at = -math.inf  # it was ended on purpose, so it may start again at once

    def _start(self, now: float) -> None:
        self._started_at = self._heard_at = now
        self._partial = b""
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "runs.hardware"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=child_environment(),
                start_new_session=True,
            )
        except OSError as error:
            self._problem = f"no hardware readings: {error}"
            return
        if self._process.stdout is not None:
            os.set_blocking(self._process.stdout.fileno(), False)

    def _take_lines(self, now: float) -> None:
        stdout = self._process.stdout if self._process else None
        if stdout is None:
            return
        while chunk := _read_some(stdout.fileno()):
            *lines, self._partial = (self._partial + chunk).split(b"\n")
            if not lines:
                continue
            try:
                self._reading = _decoder.decode(lines[-1])
                self._history = self._keeper.add(self._reading)
            except (msgspec.MsgspecError, ValueError) as error:
                self._problem = f"a hardware reading could not be understood: {error}"
            else:
                self._problem, self._heard_at = "", now

    def _forget_process(self) -> None:
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
        self._process = None


def _read_some(descriptor: int) -> bytes:
    """What is waiting in a non-blocking pipe; empty when nothing is, or at its end."""
    try:
        return os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return b""
