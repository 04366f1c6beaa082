"""Checksums of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from runs.safe_files import open_file


def sha256_of(path: Path) -> str:
    """SHA-256 of a plain file's content, in hexadecimal. Raises OSError."""
    with open_file(path, follow=True) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
