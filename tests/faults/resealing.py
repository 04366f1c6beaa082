"""Lets a checkpoint's manifest say that its files are as they ought to be, as whoever made them can."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import msgspec

from engine.checkpoint_files import MANIFEST, FileEntry, Manifest, write_manifest


def manifest_of(checkpoint: Path) -> Manifest:
    """The manifest, whatever it says."""
    return msgspec.json.decode((checkpoint / MANIFEST).read_bytes(), type=Manifest)


def reseal(checkpoint: Path) -> None:
    """Write the manifest anew, with every plain file of the folder."""
    paths = [path for path in checkpoint.iterdir() if path.name != MANIFEST and stat.S_ISREG(path.lstat().st_mode)]
    seal_as(checkpoint, {path.name: entry_of(path) for path in paths})


def seal_as(checkpoint: Path, files: dict[str, FileEntry]) -> None:
    """Write the manifest anew, with these files."""
    manifest = manifest_of(checkpoint)
    write_manifest(checkpoint, manifest.step, files, manifest.serial, is_best=manifest.is_best)


def entry_of(path: Path) -> FileEntry:
    """What a manifest says of a file."""
    content = path.read_bytes()
    return FileEntry(len(content), hashlib.sha256(content).hexdigest())
