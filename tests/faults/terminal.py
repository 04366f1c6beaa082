"""A terminal for harnesses: a real pty with a program in it, each byte that it wrote, and what one would see."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len

# control strings, control sequences, other escapes, single control characters, text
_TOKEN = re.compile(
    r"(?P<string>(?:\x1b[\]PX^_k]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?)"
    r"|(?P<sequence>(?:\x1b\[|\x9b)(?P<parameters>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~]?))"
    r"|(?P<escape>\x1b[ -/]*[0-Z\\^-~]?)"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
    r"|(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_k][^\x07\x1b]*)?\Z")
_STARTED_S = 30.0


@dataclass(frozen=True)
class Token:
    """A piece of a program's output. kind: string, sequence, escape, control or text."""

    kind: str
    text: str
    parameters: str = ""
    between: str = ""
    final: str = ""


def tokens(output: str) -> Iterator[Token]:
    """The output in pieces, as a terminal reads it."""
    for match in _TOKEN.finditer(output):
        kind = match.lastgroup or "text"
        if match["sequence"] is not None:
            yield Token("sequence", match[0], match["parameters"], match["between"], match["final"])
        else:
            yield Token(kind, match[0])


class Screen:
    """The cells that a program has written, from the few sequences that Textual uses."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._cells: dict[tuple[int, int], str] = {}
        self._at = (0, 0)

    def write(self, output: str) -> None:
        """Take a part of the output."""
        for token in tokens(output):
            row, column = self._at
            if token.kind == "text":
                for character in token.text:
                    width = cell_len(character)
                    self._cells[row, column] = character
                    for covered in range(1, width):
                        self._cells[row, column + covered] = ""
                    column += width
                self._at = (row, column)
            elif token.text == "\r":
                self._at = (row, 0)
            elif token.text == "\n":
                self._at = (row + 1, column)
            elif token.final in ("H", "f") and not token.between:
                places = [int(part or 1) - 1 for part in (token.parameters or "1;1").split(";")]
                self._at = (places[0], places[1] if len(places) > 1 else 0)
            elif token.final == "J" and token.parameters in ("2", "3"):
                self._cells.clear()

    def resize(self, columns: int, rows: int) -> None:
        """What is outside of a smaller window is lost; a larger one shows nothing there until it is drawn."""
        self.columns, self.rows = columns, rows
        self._cells = {at: c for at, c in self._cells.items() if at[0] < rows and at[1] < columns}

    def lines(self) -> list[str]:
        """What stands there, from the top."""
        return [
            "".join(self._cells.get((row, column), " ") for column in range(self.columns)).rstrip()
            for row in range(self.rows)
        ]


class PtyProgram:
    """A program with a pty as its terminal, in a session of its own; everything it writes is kept."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        columns: int = 80,
        rows: int = 24,
        ignore_hangup: bool = False,
        folder: Path | None = None,
    ) -> None:
        """ignore_hangup: SIGHUP is ignored from the start, as under nohup. folder: that it works in."""
        self.columns, self.rows = columns, rows
        self._master, slave = os.openpty()
        _set_size(slave, columns, rows)

        def prepare() -> None:
            if ignore_hangup:
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        given = {**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=given, cwd=folder, start_new_session=True,
            preexec_fn=prepare,
        )  # fmt: skip
        os.close(slave)
        self._output = bytearray()
        self._is_hung_up = False
        self._taken, self._rest = 0, ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._seen = Screen(columns, rows)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._is_hung_up:
            try:
                ready, _, _ = select.select([self._master], [], [], 0.1)
                part = os.read(self._master, 65536) if ready else None
            except (OSError, ValueError):
                return
            if part == b"":
                return
            if part is not None:
                self._output += part
            elif self.process.poll() is not None:
                return

    @property
    def output(self) -> str:
        """All that was written; a byte that is no UTF-8 is a lone surrogate, as by `surrogateescape`."""
        return bytes(self._output).decode("utf-8", "surrogateescape")

    @property
    def num_bytes(self) -> int:
        """How much was written."""
        return len(self._output)

    def screen(self) -> list[str]:
        """What one would see now, line by line."""
        pending = self._rest + self._decoder.decode(bytes(self._output[self._taken :]))
        self._taken = len(self._output)
        cut = _UNFINISHED.search(pending)
        self._rest = pending[cut.start() :] if cut else ""
        self._seen.write(pending[: cut.start()] if cut else pending)
        return self._seen.lines()

    def see(self, pattern: str, timeout_s: float = _STARTED_S) -> list[str]:
        """Wait until a pattern stands on the screen; the lines that one sees then."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            lines = self.screen()
            if re.search(pattern, "\n".join(lines)):
                return lines
            if self.process.poll() is not None:
                break
            time.sleep(0.015)
        state = f"it ended with {self.process.poll()}" if self.process.poll() is not None else "it runs"
        shown = "\n".join(self.screen() if self.process.poll() is None else [self.output[-6000:]])
        raise AssertionError(f"{pattern!r} never came within {timeout_s:g} s; {state}; the screen shows\n{shown}")

    def settle(self, quiet_s: float = 0.15, timeout_s: float = 5.0) -> None:
        """Wait until it has written nothing for a moment."""
        deadline = time.monotonic() + timeout_s
        before, since = -1, time.monotonic()
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.num_bytes != before:
                before, since = self.num_bytes, time.monotonic()
            elif time.monotonic() - since >= quiet_s:
                return
            time.sleep(min(0.02, quiet_s / 4))

    def type(self, keys: str | bytes) -> None:
        """Send what a keyboard, or a mouse, would."""
        with contextlib.suppress(OSError):
            os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def click(self, row: int, column: int) -> None:
        """Press and release the left button on a cell, counted from 0."""
        place = f"{column + 1};{row + 1}"
        self.type(f"\x1b[<0;{place}M\x1b[<0;{place}m")

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size."""
        self.screen()
        self.columns, self.rows = columns, rows
        self._seen.resize(columns, rows)
        _set_size(self._master, columns, rows)
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGWINCH)

    def hang_up(self) -> None:
        """Take the terminal away, as when a connection breaks."""
        if not self._is_hung_up:
            self._is_hung_up = True
            self._reader.join()  # before the number is another program's
            os.close(self._master)

    def cpu_s(self) -> float:
        """Processor seconds that the program's own process has used; 0 when it is gone."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait(self, timeout_s: float) -> int | None:
        """Its exit status, as `Popen.returncode`; None when it still runs then."""
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join(1.0)
        return status

    def others_left(self) -> list[int]:
        """Processes of its session that are still there."""
        left = []
        for path in Path("/proc").glob("[0-9]*"):
            pid = int(path.name)
            with contextlib.suppress(OSError):
                if os.getsid(pid) == self.process.pid and pid != self.process.pid:
                    left.append(pid)
        return left

    def close(self) -> None:
        """End it and everything in its session."""
        for pid in (self.process.pid, *self.others_left()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.hang_up()


def _set_size(descriptor: int, columns: int, rows: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
