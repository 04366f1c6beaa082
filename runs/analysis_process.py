"""Has a checkpoint analysed: the child process `python -m engine.analysis`, and what it says.

It prints a line for every Progress, Stored and Refused. It ends with its stdin, so it never outlives its reader.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from runs.analysis import KINDS, Kind, Question, Result
from runs.analysis_files import read_result
from runs.folder import RunFolder
from runs.launch import child_environment
from runs.pace import Pace

REFUSED = 3  # exit status of a child that said of something why it has no answer
_REPORT_CHARACTERS = 20_000


class Progress(msgspec.Struct, frozen=True, tag="progress", tag_field="said"):
    """How far an analysis is; the fields are those of `tui.progress_words.Step`."""

    phase: str
    done: int
    total: int
    unit: str
    rate: float | None = None
    eta_s: float | None = None


class Stored(msgspec.Struct, frozen=True, tag="stored", tag_field="said"):
    """An answer is in its file. was_there: it had been made before."""

    kind: Kind
    path: str
    was_there: bool = False

    def read(self) -> Result | None:
        """The answer; None when somebody cleared the cache in between."""
        return read_result(Path(self.path))


class Refused(msgspec.Struct, frozen=True, tag="refused", tag_field="said"):
    """Why there is no answer. kind: empty when it holds for all. report: the traceback of a defect of ours."""

    error: str
    kind: str = ""
    report: str = ""


Said = Progress | Stored | Refused
_decoder: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)


def start_analysis(
    folder: RunFolder,
    checkpoint: str = "last",
    kinds: tuple[Kind, ...] = KINDS,
    question: Question | None = None,
) -> AnalysisProcess:
    """Start the child; call it off the event loop. Raises ValueError for what cannot be asked, OSError."""
    question = question or Question()
    problem = question.problem(kinds)
    if problem:
        raise ValueError(problem)
    return AnalysisProcess(folder, checkpoint, kinds, question)


class AnalysisProcess:
    """One child at work; a context manager, which ends it."""

    def __init__(self, folder: RunFolder, checkpoint: str, kinds: tuple[Kind, ...], question: Question) -> None:
        self._closed = threading.Event()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `close` does
        argv = [
            *(sys.executable, "-m", "engine.analysis", str(folder.path), "--attached"),
            *(f"--checkpoint={checkpoint}", f"--kinds={','.join(kinds)}", f"--sentence={question.sentence}"),
            *(f"--word={word}" for word in question.words),
            *(f"--neighbours={question.neighbours}", f"--points={question.points}", f"--most={question.most}"),
            *(f"--min-count={question.min_count}", f"--bins={question.bins}"),
        ]
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                # other runs that the configuration names lie beside this one
                env={**child_environment(), "TINYTRAIN_RUNS": str(folder.path.parent)},
                start_new_session=True,  # ctrl+c in a terminal is the reader's to handle
            )
        except BaseException:
            self._errors.close()
            raise

    def __enter__(self) -> AnalysisProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    def answers(self) -> Iterator[Said]:
        """Progress as it comes, a Stored or Refused for each kind; nothing more once it was closed."""
        assert self._process.stdout is not None
        if self._closed.is_set():
            return
        pace = Pace()
        for line in self._process.stdout:
            if self._closed.is_set():
                return
            try:
                said = _decoder.decode(line)
            except (msgspec.MsgspecError, ValueError):
                continue  # a library printed something of its own
            if isinstance(said, Progress):
                rate, eta_s = pace.measure(said.phase, said.done, said.total)
                said = msgspec.structs.replace(said, rate=rate, eta_s=eta_s)
            yield said
        code = self._process.wait()
        if code not in (0, REFUSED) and not self._closed.is_set():
            yield self._died(code)

    def kill(self) -> None:
        """End the child at once, from any thread; `answers` ends with it. What is stored stays."""
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

    def _died(self, code: int) -> Refused:
        self._errors.seek(0)
        report = self._errors.read()[-_REPORT_CHARACTERS:].decode("utf-8", "replace").strip()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        if code == -signal.SIGKILL:
            how += " (is the memory full?)"
        said = f": {report.splitlines()[-1]}" if report else ""
        return Refused(f"the process that analyses the checkpoint {how}{said}", report=report)
