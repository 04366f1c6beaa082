"""A program in a pty of 160×48 whose every byte has a moment: what it showed when is worked out afterwards.

While the program runs, only its bytes are taken, so that the measurement costs the machine next to nothing.
"""

from __future__ import annotations

import os
import re
import select
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.faults.terminal import PtyProgram, Screen

COLUMNS, ROWS = 160, 48
_TICK_S = 0.01
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_k][^\x07\x1b]*)?\Z")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_CLOCK = os.sysconf("SC_CLK_TCK")
_ANSWERS = {  # what a terminal says to what Textual and Bubble Tea ask it, so that neither waits for nothing
    b"\x1b[?2026$p": b"\x1b[?2026;2$y",
    b"\x1b[?2048$p": b"\x1b[?2048;0$y",
    b"\x1b[?2027$p": b"\x1b[?2027;0$y",
    b"\x1b]11;?": b"\x1b]11;rgb:0000/0000/0000\x07",
    b"\x1b]10;?": b"\x1b]10;rgb:ffff/ffff/ffff\x07",
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b[c": b"\x1b[?62;4c",
}


class TimedProgram(PtyProgram):
    """Times are seconds since it was started."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._chunks: list[tuple[float, int]] = []  # when, and how many bytes there were then
        self._started = time.perf_counter()
        super().__init__(command, environment, COLUMNS, ROWS)

    def __enter__(self) -> TimedProgram:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        while True:
            try:
                ready, _, _ = select.select([self._master], [], [], 0.1)
                part = os.read(self._master, 1 << 20) if ready else None
            except (OSError, ValueError):
                return
            if part:
                self._output += part
                self._chunks.append((time.perf_counter() - self._started, len(self._output)))
                for question, answer in _ANSWERS.items():
                    if question in part:
                        self.type(answer)
            elif part == b"" or self.process.poll() is not None:
                return

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._started

    def press(self, key: str) -> float:
        """Type; the moment."""
        moment = self.now
        self.type(key)
        return moment

    def last_output(self) -> float:
        """When it wrote last; 0 when it never did."""
        return self._chunks[-1][0] if self._chunks else 0.0

    def wait_quiet(self, quiet_s: float, limit_s: float) -> float:
        """Wait until it has written nothing for that long; when it wrote last. Raises TimeoutError."""
        deadline = self.now + limit_s
        while self.now < deadline:
            if self._chunks and self.now - self.last_output() >= quiet_s:
                return self.last_output()
            if self.process.poll() is not None:
                raise RuntimeError("it ended:\n" + "\n".join(self.screen()))
            time.sleep(_TICK_S)
        raise TimeoutError(f"still writing after {limit_s:g} s")

    def bytes_between(self, start: float, stop: float) -> int:
        """How much it wrote then."""
        times = [moment for moment, _ in self._chunks]
        first, last = bisect_right(times, start), bisect_right(times, stop)
        return (self._chunks[last - 1][1] if last else 0) - (self._chunks[first - 1][1] if first else 0)

    def pieces(self) -> list[tuple[float, bytes]]:
        """What it wrote, and when."""
        output, before, found = bytes(self._output), 0, []
        for moment, size in list(self._chunks):
            found.append((moment, output[before:size]))
            before = size
        return found

    def replay(self, is_shown: Callable[[list[str]], bool], since: float = 0.0) -> float | None:
        """When the screen first showed that, after a moment; None when it never did."""
        return next((moment for moment, lines in self.screens() if moment > since and is_shown(lines)), None)

    def screens(self) -> Iterator[tuple[float, list[str]]]:
        """What one saw, each time that it wrote."""
        screen, done = Screen(COLUMNS, ROWS), 0
        output = bytes(self._output)
        for moment, size in list(self._chunks):
            try:
                text = output[done:size].decode("utf-8")
            except UnicodeDecodeError:
                continue  # cut within a character: the next piece completes it
            if _UNFINISHED.search(text):
                continue
            screen.write(text)
            done = size
            yield moment, screen.lines()

    def first_seen(self, pattern: str, since: float = 0.0) -> float | None:
        """When a pattern first stood on the screen."""
        return self.replay(lambda lines: bool(re.search(pattern, "\n".join(lines))), since)

    def session(self) -> list[int]:
        """Every process of it, itself first."""
        return [self.process.pid, *self.others_left()]

    def used_cpu_s(self) -> float:
        """Processor seconds of all its processes so far."""
        return sum(_cpu_s(pid) for pid in self.session())

    def memory_mb(self) -> tuple[float, float]:
        """Resident megabytes (10^6 bytes) of its largest process, and of all together."""
        each = [_resident(pid) / 1e6 for pid in self.session()]
        return max(each, default=0.0), sum(each)


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _CLOCK


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]) * _PAGE
    except OSError:
        return 0
