"""Which texts of presets and configurations this machine knows: what it wrote itself, and what a person agreed to.

Only their SHA-256 is kept, one on a line, in `$TINYTRAIN_PRESETS/.known` or the platform's state folder. The file
may be deleted at any time: then a person is asked once more.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

import platformdirs

_MOST_BYTES = 64 << 20  # a million texts
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def known_file() -> Path:
    """Where the digests are kept."""
    override = os.environ.get("TINYTRAIN_PRESETS")
    return Path(override) / ".known" if override else platformdirs.user_state_path("tinytrain-tui") / "known"


def is_known(text: str) -> bool:
    """Whether this machine wrote that very text, or a person agreed to it; what cannot be read is unknown."""
    return _digest(text).encode() in _read(known_file()).split(b"\n")


def remember(text: str) -> None:
    """From now on the text is known. Raises nothing: where it cannot be kept, a person is asked again."""
    if is_known(text):
        return
    path = known_file()
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, flags, 0o600)
        try:
            # one write, so that two processes never mix their lines; the newline first ends what a full disk cut
            os.write(descriptor, f"\n{_digest(text)}\n".encode())
        finally:
            os.close(descriptor)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> bytes:
    """What the file holds; nothing when it could be somebody else's word."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        is_ours = status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_MAY_WRITE
        return file.read(_MOST_BYTES) if is_ours and stat.S_ISREG(status.st_mode) else b""
