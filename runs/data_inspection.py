"""Looking into a dataset, and building its token cache ahead: the child process that does it, and what it says.

The child is `python -m engine.data.inspect`: it reads one Request on its stdin and prints a line for every
Progress, then one Inspection, Built or Failure. It ends when its stdin does, so it never outlives its reader.
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
from typing import IO

import msgspec

from presets.schema import DataConfig
from runs.cache_format import LongDocument
from runs.launch import child_environment
from runs.pace import Pace

_REPORT_CHARACTERS = 20_000


class Request(msgspec.Struct, frozen=True):
    """rows: how many real rows to show. tokenize: without a cache, learn a tokenizer from the sample.

    build: make the whole token cache instead. labelled: the one with a label for each document.
    """

    data: DataConfig
    rows: int = 20
    tokenize: bool = False
    build: bool = False
    labelled: bool = False


class Progress(msgspec.Struct, frozen=True, tag="progress", tag_field="kind"):
    """How far a step is. total: 0 while unknown. rate: units a second, eta_s: to the end; None until known."""

    phase: str
    done: int
    total: int
    unit: str
    rate: float | None = None
    eta_s: float | None = None


class SampleRow(msgspec.Struct, frozen=True):
    """A real row, cleaned. text may be cut; words counts all of it. tokens: as a person reads them, may be cut."""

    text: str
    words: int
    tokens: tuple[str, ...] = ()


class TokenizerFigures(msgspec.Struct, frozen=True):
    """What a tokenizer makes of the text. origin: of the whole cache's training split, or of the sample alone.

    used: entries that occur. unknown_rate: share of tokens that are [UNK]. words_known: share of the sample's
    distinct words that hold no [UNK]; occurrences_known: the same, each word as often as it occurs.
    head: most frequent tokens and their counts. longest: the longest documents.
    """

    origin: str
    vocab_size: int
    used: int
    unknown_rate: float
    tokens_per_word: float
    words_known: float
    occurrences_known: float
    head: tuple[tuple[str, int], ...] = ()
    longest: tuple[LongDocument, ...] = ()


class Inspection(msgspec.Struct, frozen=True, tag="inspection", tag_field="kind"):
    """What the first documents of a dataset are like.

    num_documents: of all of it, None where only reading to the end would tell. sampled_*: what the figures come
    from; left_out: documents of the sample without a usable row; copies: documents that repeat another.
    lengths: (upper bound in words, documents) pairs, rising, with powers of two as bounds. notes: plain sentences.
    """

    label: str
    key: str
    is_cached: bool
    num_documents: int | None
    sampled_documents: int
    sampled_rows: int
    sampled_words: int
    left_out: int
    copies: int
    rows: tuple[SampleRow, ...]
    lengths: tuple[tuple[int, int], ...]
    median_words: float
    longest_words: int
    commit: str = ""
    columns: tuple[str, ...] = ()
    tokenizer: TokenizerFigures | None = None
    notes: tuple[str, ...] = ()


class Built(msgspec.Struct, frozen=True, tag="built", tag_field="kind"):
    """The token cache is there. was_there: it had been built before."""

    key: str
    was_there: bool
    elapsed_s: float


class Failure(msgspec.Struct, frozen=True, tag="failure", tag_field="kind"):
    """Why there is no result. report: the traceback of a defect of ours, else empty."""

    error: str
    report: str = ""


Answer = Progress | Inspection | Built | Failure
_decoder: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


class DataProcess:
    """One child at work; a context manager, which ends it. Call it off the event loop."""

    def __init__(self, request: Request) -> None:
        """Start it. Raises OSError when no process can be had."""
        self._closed = threading.Event()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `close` does
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "engine.data.inspect"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=child_environment(),
                start_new_session=True,  # ctrl+c in a terminal is the reader's to handle
            )
        except BaseException:
            self._errors.close()
            raise
        with contextlib.suppress(BrokenPipeError):  # it died at once; `answers` says why
            assert self._process.stdin is not None
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.flush()

    def __enter__(self) -> DataProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    def answers(self) -> Iterator[Answer]:
        """Progress as it comes, then one Inspection, Built or Failure; nothing more once it was closed."""
        assert self._process.stdout is not None
        pace = Pace()
        for line in self._process.stdout:
            if self._closed.is_set():
                return
            try:
                answer = _decoder.decode(line)
            except (msgspec.MsgspecError, ValueError):
                continue  # a library printed something of its own
            if isinstance(answer, Progress):
                yield with_pace(answer, pace)
                continue
            yield answer
            return
        self._process.wait()
        if not self._closed.is_set():
            yield self._died()

    def kill(self) -> None:
        """End the child at once, from any thread; `answers` ends with it. A half-built cache stays as it is."""
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

    def _died(self) -> Failure:
        self._errors.seek(0)
        report = self._errors.read()[-_REPORT_CHARACTERS:].decode("utf-8", "replace").strip()
        code = self._process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        if code == -signal.SIGKILL:
            how += " (is the memory full?)"
        said = f": {report.splitlines()[-1]}" if report else ""
        return Failure(f"the process that reads the data {how}{said}", report)


def with_pace(progress: Progress, pace: Pace, now: float | None = None) -> Progress:
    """The same progress with rate and eta_s, as far as they are known. now: seconds of a steady clock."""
    if progress.rate is not None:
        return progress
    rate, eta_s = pace.measure(progress.phase, progress.done, progress.total, now)
    return msgspec.structs.replace(progress, rate=rate, eta_s=eta_s)
