"""What the dashboard remembers from one start to the next: the screen, the run, filters, layouts, what was tried.

Nothing here is needed: a file that is lost, damaged or somebody else's costs the arrangement and nothing more.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from runs.safe_files import open_file

_MAX_BYTES = 4_000_000
_WRITE_AFTER_S = 1.0
_BETWEEN_WRITES_S = 2.5  # while somebody types or scrolls


def remembered_path() -> Path:
    """Where it is kept: `dashboard.json` in the platform's folder for state."""
    base = os.environ.get("XDG_STATE_HOME")
    folder = Path(base) / "tinytrain-tui" if base else platformdirs.user_state_path("tinytrain-tui")
    return folder / "dashboard.json"


def _encoded(values: dict[str, Any]) -> bytes:
    """As JSON; what of a file's name is no UTF-8 becomes `?`, and then means no file any more."""
    try:
        return msgspec.json.encode(values)
    except UnicodeEncodeError:
        return json.dumps(values, ensure_ascii=False).encode("utf-8", "replace")


class Remembered:
    """Sections of JSON-able values, by name. problem: a sentence when the file could not be used, else empty.

    unkept: a sentence while the last values could not be written; the next time tries them again.

    It is read once; what is put is written by a thread a second later, or every few seconds while more and more
    is put; and on `flush`. Of two dashboards the one that wrote a section last wins it. Readers check each
    value they take: somebody may have written anything.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._changed: set[str] = set()
        self._timer: threading.Timer | None = None
        self._next_write = 0.0  # not before, in seconds of the monotonic clock
        self._is_foreign = False
        self.problem = ""
        self.unkept = ""
        self._sections = self._read()

    def get(self, section: str) -> dict[str, Any]:
        """A copy of what was put there last; empty when nothing was, or nothing that can be used."""
        with self._lock:
            raw = self._sections.get(section)
        if raw is None:
            return {}
        try:
            values = msgspec.json.decode(raw)
        except (ValueError, RecursionError):
            return {}
        return values if isinstance(values, dict) else {}

    def put(self, section: str, values: dict[str, Any]) -> None:
        """Keep these values in place of the section's former ones. Raises TypeError for what is no JSON."""
        raw = msgspec.Raw(_encoded(values))
        with self._lock:
            if self._sections.get(section) == raw:
                return
            self._sections[section] = raw
            self._changed.add(section)
            if self._timer is None:
                rest = self._next_write - time.monotonic()
                self._timer = threading.Timer(max(_WRITE_AFTER_S, rest), self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what was put since the last time, now. What cannot be written waits for the next; see `unkept`."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if not self._changed:
                return
            others = self._read()
            if self._is_foreign:
                return
            ours = {name: self._sections[name] for name in self._changed}
            self._next_write = time.monotonic() + _BETWEEN_WRITES_S
            try:
                self._write({**others, **ours})
            except OSError as error:
                self.unkept = (
                    f"where you were cannot be kept for the next start: {error.strerror or error}: {self._path}"
                )
            else:
                self._changed.clear()
                self.unkept = ""

    def _read(self) -> dict[str, msgspec.Raw]:
        try:
            with open_file(self._path, follow=True) as file:
                if os.fstat(file.fileno()).st_uid != os.geteuid():
                    self._is_foreign = True
                    self.problem = f"{self._path} belongs to another user, so it is neither used nor changed"
                    return {}
                content = file.read(_MAX_BYTES + 1)
            if len(content) > _MAX_BYTES:
                raise ValueError(f"it has more than {_MAX_BYTES:,} bytes")
            return msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            self.problem = f"{self._path} cannot be used, so the dashboard starts as new: {error}"
            return {}

    def _write(self, sections: dict[str, msgspec.Raw]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}.tmp")
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(sections))
            temporary.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()  # a full disk needs no empty file beside the old one
            raise
