"""A child process that answers in lines on its output: started apart from the terminal, ended when it is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import IO, Self

from runs.launch import child_environment

_REPORT_CHARACTERS = 20_000


class LineProcess:
    """`python -m MODULE …` at work; a context manager, which ends it. Call it off the event loop."""

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Start it. environment: beside what each child of ours has. Raises OSError when no process can be had."""
        self._closed = threading.Event()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `close` does
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**child_environment(), **(environment or {})},
                start_new_session=True,  # ctrl+c in a terminal is the reader's to handle
            )
        except BaseException:
            self._errors.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    @property
    def is_closed(self) -> bool:
        """Whether somebody ended it."""
        return self._closed.is_set()

    def write(self, line: bytes) -> None:
        """Send a line; a child that died already says why when its end is asked for."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def lines(self) -> Iterator[bytes]:
        """What it says, until it ends or is closed."""
        assert self._process.stdout is not None
        if self.is_closed:
            return
        while not self.is_closed:
            try:
                line = self._process.stdout.readline()
            except ValueError:  # another thread has just closed it
                return
            if not line or self.is_closed:
                return
            yield line

    def wait(self) -> int:
        """Its exit status."""
        return self._process.wait()

    def kill(self) -> None:
        """End the child at once, from any thread; `lines` ends with it. What it has written stays."""
        self._closed.set()
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill what is still there, and let go of its pipes."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def last_words(self) -> tuple[str, str]:
        """How a child that has ended came to its end, with its last line; and all that it said on stderr."""
        code = self._process.returncode
        self._errors.seek(0)
        report = self._errors.read()[-_REPORT_CHARACTERS:].decode("utf-8", "replace").strip()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        if code == -signal.SIGKILL:
            how += " (is the memory full?)"
        said = f": {report.splitlines()[-1]}" if report else ""
        return how + said, report
