"""The threads behind the Data screen: one lists datasets and caches, one does what was asked for."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message
from textual.message_pump import MessagePump

from runs.cache_listing import CacheInfo, CacheNotFound, DiskUsage, disk_usage, list_caches
from runs.cache_verification import Verification, verify
from runs.data_inspection import Answer, DataProcess, Failure, Progress, Request, with_pace
from runs.pace import Pace
from tui.data_catalogue import Dataset, all_datasets
from tui.feeds import FeedFailed
from tui.polling_feed import PollingFeed

_POLL_S = 5.0
_JOIN_S = 1.0
_TELL_S = 0.25


@dataclass
class DataListed(Message):
    """What there is now."""

    datasets: tuple[Dataset, ...]
    caches: tuple[CacheInfo, ...]
    usage: DiskUsage

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, DataListed)


@dataclass
class JobProgressed(Message):
    """A job is so far."""

    job: Job
    progress: Progress

    def can_replace(self, message: Message) -> bool:
        """Only the newest of a job counts."""
        return isinstance(message, JobProgressed) and message.job is self.job


@dataclass
class JobEnded(Message):
    """A job gave its answer. Nothing comes of a job that was cancelled."""

    job: Job
    answer: Answer | Verification


class DataFeed(PollingFeed):
    """Lists everything every few seconds, and posts DataListed when something is new."""

    def __init__(self, runs: Path, target: MessagePump) -> None:
        super().__init__("data", target, self._list, _POLL_S)
        self._runs = runs
        self._told: object = None

    def _list(self) -> None:
        caches = list_caches(self._runs)
        datasets = all_datasets(self._runs)
        if (caches, datasets) != self._told:  # free space alone is no news: an idle screen sends no bytes
            self._told = (caches, datasets)
            self._target.post_message(DataListed(datasets, caches, disk_usage(caches)))


class _Cancelled(Exception):
    """Nobody wants the answer any more."""


class Job:
    """A look into a dataset, a build or a verification, in a daemon thread; posts JobProgressed and JobEnded.

    kind: inspect, build or verify. subject: the id of the list's entry that it is about. words: for the screen.
    """

    def __init__(self, kind: str, subject: str, words: str, target: MessagePump) -> None:
        self.kind = kind
        self.subject = subject
        self.words = words
        self._target = target
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._process: DataProcess | None = None
        self._thread: threading.Thread | None = None

    def ask(self, request: Request) -> Job:
        """Let a child process answer."""
        return self._start(lambda: self._converse(request))

    def verify(self, key: str) -> Job:
        """Read a whole cache."""
        return self._start(lambda: self._verify(key))

    def cancel(self) -> None:
        """End it; returns at once. Its child is killed."""
        self._cancelled.set()
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """Cancel it, and wait a second at most for its end."""
        self.cancel()
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    def _start(self, work: Callable[[], None]) -> Job:
        def run() -> None:
            try:
                work()
            except _Cancelled:
                return
            except (OSError, CacheNotFound) as error:
                self._tell(JobEnded(self, Failure(str(error))))
            except Exception:  # noqa: BLE001 - as in a feed
                self._tell(FeedFailed(traceback.format_exc()))

        self._thread = threading.Thread(target=run, name=f"{self.kind} {self.subject}", daemon=True)
        self._thread.start()
        return self

    def _converse(self, request: Request) -> None:
        with DataProcess(request) as process:
            with self._lock:
                self._process = process
            if self._cancelled.is_set():
                return
            try:
                for answer in process.answers():
                    if isinstance(answer, Progress):
                        self._tell(JobProgressed(self, answer))
                    else:
                        self._tell(JobEnded(self, answer))
            finally:
                with self._lock:
                    self._process = None

    def _verify(self, key: str) -> None:
        pace = Pace()
        told = 0.0

        def report(done: int, total: int) -> None:
            nonlocal told
            if self._cancelled.is_set():
                raise _Cancelled
            measured = with_pace(Progress("verifying", done, total, "bytes"), pace)
            if time.monotonic() - told >= _TELL_S:
                told = time.monotonic()
                self._tell(JobProgressed(self, measured))

        self._tell(JobEnded(self, verify(key, report)))

    def _tell(self, message: Message) -> None:
        if not self._cancelled.is_set():
            self._target.post_message(message)
