"""Follows what the processes of an attempt print: every file from where it was read to, with rank and level."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runs.console import logs_of, rank_of
from runs.folder import Attempt
from runs.safe_files import file_status, open_file

Level = Literal["info", "warning", "error"]
MOST_LINES = 5000
_FIRST_BYTES = 64 << 10  # of each file, when it is looked at first
_SLICE_BYTES = 256 << 10  # of each file at a time
_MOST_CHARACTERS = 4000
_FILES_EVERY = 8  # polls between two looks for files that were not there

_EVENT_LEVEL = re.compile(r'\{"kind": "(?P<kind>\w+)"(?:.*"level": "(?P<level>\w+)")?')
_ERROR = re.compile(r"\b(error|exception|traceback|fatal|critical|failed|killed|aborted|out of memory)\b", re.I)
_ERROR_NAME = re.compile(r"\b\w+(Error|Exception)\b")
_WARNING = re.compile(r"\b(warn|warning|userwarning|futurewarning|deprecat\w+)\b|Warning\b", re.I)
_IN_TRACEBACK = re.compile(r'  File "|    \S|Traceback \(most recent call last\)')


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """What a process printed. rank: None of what belongs to no single one, such as torchrun's own words.

    words: the same for people, or empty where it is plain already.
    """

    text: str
    rank: int | None
    level: Level
    words: str = ""

    @property
    def shown(self) -> str:
        """What a person reads."""
        return self.words or self.text


class ConsoleReader:
    """Holds the place in each file; the newest MOST_LINES lines are kept, in the order in which they came.

    readable: a line's words for people, empty where it is plain already. Of a long file that is looked at first
    only the end is read, and its first line says so.
    """

    def __init__(self, attempt: Attempt, readable: Callable[[str], str] = lambda text: "") -> None:
        self.attempt = attempt
        self._readable = readable
        self.lines: deque[ConsoleLine] = deque(maxlen=MOST_LINES)
        self.num_read = 0
        """Lines so far; the number of `lines[-1]`, counted from 1."""
        self._files: dict[Path, _File] = {}
        self._polls = self._size = 0

    def poll(self) -> bool:
        """Read what is new; whether there was anything. A file that cannot be read is passed over."""
        if self._polls % _FILES_EVERY == 0:
            self._find_files()
        self._polls += 1
        before = self.num_read
        for file in self._files.values():
            for text in file.read():
                self.lines.append(ConsoleLine(text, file.rank, file.level_of(text), self._readable(text)))
                self.num_read += 1
        size = sum(file.offset for file in self._files.values())
        has_news = self.num_read > before or size != self._size
        self._size = size
        return has_news

    def unended(self) -> tuple[ConsoleLine, ...]:
        """What stands in each file after its last line feed, such as a progress bar's state."""
        texts = ((file, _text(file.partial)) for file in self._files.values() if file.partial)
        return tuple(ConsoleLine(text, file.rank, level_of(text)) for file, text in texts if text.strip())

    def _find_files(self) -> None:
        """Those written last come last, so that the end is what was printed last."""
        new = [path for path in logs_of(self.attempt) if path not in self._files]
        for path in sorted(new, key=_written):
            self._files[path] = _File(path, rank_of(path))


class _File:
    def __init__(self, path: Path, rank: int | None) -> None:
        self.path, self.rank = path, rank
        self.offset = -1
        self.partial = b""
        self._is_traceback = False

    def read(self) -> list[str]:
        """Lines that were ended since; of one that was overwritten with carriage returns, its last state."""
        try:
            size = file_status(self.path).st_size
            if size == self.offset:
                return []
            if size < self.offset:
                self.offset, self.partial = 0, b""  # begun anew
            with open_file(self.path) as file:
                is_cut = self.offset < 0 and size > _FIRST_BYTES
                if self.offset < 0:
                    self.offset = max(0, size - _FIRST_BYTES)
                file.seek(self.offset)
                data = file.read(_SLICE_BYTES)
        except OSError:
            return []
        self.offset += len(data)
        *lines, self.partial = (self.partial + data).split(b"\n")
        if len(self.partial) > _SLICE_BYTES:
            self.partial = self.partial[-_SLICE_BYTES:]  # a progress bar that never ends its line
        said = [f"… {self.offset - len(data):,} bytes before this are in {self.path.name}"] if is_cut else []
        return [*said, *(_text(line) for line in lines[is_cut:])]

    def level_of(self, text: str) -> Level:
        """By its own words; the lines of a traceback are errors to its end."""
        level = level_of(text)
        if text.startswith("Traceback (most recent call last)"):
            self._is_traceback = True
        elif self._is_traceback and not _IN_TRACEBACK.match(text):
            self._is_traceback = False
            return "error"  # the exception itself
        return "error" if self._is_traceback else level


def level_of(text: str) -> Level:
    """How bad a line is, as far as its words tell: of an event of ours by its kind."""
    if event := _EVENT_LEVEL.search(text):
        said, kind = event["level"], event["kind"]
        if said in ("warning", "error"):
            return "error" if said == "error" else "warning"
        if '"state": "failed"' in text:
            return "error"
        return "warning" if kind in ("health", "disk", "checkpoint_fell_back") else "info"
    if _WARNING.search(text):
        return "warning"
    return "error" if _ERROR.search(text) or _ERROR_NAME.search(text) else "info"


def _text(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace").rstrip("\r").rpartition("\r")[2]
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"


def _written(path: Path) -> int:
    try:
        return file_status(path).st_mtime_ns
    except OSError:
        return 0
