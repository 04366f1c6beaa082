"""The files of one checkpoint: forced to the disk, listed in a manifest, checked before anything is read."""

from __future__ import annotations

import hashlib
import os
import struct
import time
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import psutil
import torch

from runs.checkpoint_manifest import MANIFEST as MANIFEST
from runs.checkpoint_manifest import MODEL as MODEL
from runs.checkpoint_manifest import OPTIMIZER as OPTIMIZER
from runs.checkpoint_manifest import STATE as STATE
from runs.checkpoint_manifest import Damage as Damage
from runs.checkpoint_manifest import FileEntry as FileEntry
from runs.checkpoint_manifest import Manifest as Manifest
from runs.checkpoint_manifest import encoded, sealed
from runs.checkpoint_manifest import read_manifest as read_manifest
from runs.folder import write_atomically
from runs.safe_files import UnsafeFile, open_file

_OURS = (MODEL, OPTIMIZER, STATE, "tokenizer.json", "config.toml", "labels.json")
_MOST_HEADER_BYTES = 16 << 20  # safetensors' own limit is 100 MB, which nobody needs
_CHUNK = 4 << 20


def write_files(folder: Path, contents: Mapping[str, bytes]) -> dict[str, FileEntry]:
    """Write files into a new folder and force them to the disk; listed is what was meant, not what was read.

    Raises OSError, also when a file reads back differently.
    """
    entries: dict[str, FileEntry] = {}
    for name, content in contents.items():
        path = folder / name
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w+b", buffering=0) as file:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
            _require_same(file, content, name)
        entries[name] = FileEntry(len(content), hashlib.sha256(content).hexdigest())
    return entries


def write_manifest(folder: Path, step: int, files: dict[str, FileEntry], serial: int, *, is_best: bool) -> None:
    """List the files; from here on the folder is whole. Raises OSError."""
    manifest = Manifest(step, str(torch.__version__), time.time(), files, serial, is_best)
    write_atomically(folder / MANIFEST, encoded(sealed(manifest)))
    sync_folder(folder)


def require_whole(folder: Path, step: int, *, with_optimizer: bool) -> None:
    """Check everything that is going to be read, sizes first. Raises Damage, as `read_manifest` does."""
    manifest = read_manifest(folder, step)
    needed = (MODEL, OPTIMIZER, STATE) if with_optimizer else (MODEL, STATE)
    missing = [name for name in needed if name not in manifest.files]
    if missing:
        raise Damage(f"{missing[0]} is not in its manifest")
    stray = [name for name in _OURS if name not in manifest.files and os.path.lexists(folder / name)]
    if stray:
        raise Damage(f"{stray[0]} is there, and not in its manifest")
    wanted = {name: entry for name, entry in manifest.files.items() if with_optimizer or name != OPTIMIZER}
    for name, entry in wanted.items():
        _require_size(folder / name, entry.num_bytes)
    if sum(entry.num_bytes for entry in wanted.values()) > psutil.virtual_memory().total:
        raise Damage("its files are larger than this machine's memory")
    for name, entry in wanted.items():
        _require_content(folder / name, entry)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_same(file: BinaryIO, content: bytes, name: str) -> None:
    """Read back what was written. Raises OSError when it is something else."""
    file.seek(0)
    for start in range(0, len(content), _CHUNK):
        piece = content[start : start + _CHUNK]
        if _read_exactly(file, len(piece)) != piece:
            raise OSError(f"{name} reads back differently from what was written; the disk may be failing")


def _read_exactly(file: BinaryIO, num_bytes: int) -> bytes:
    pieces: list[bytes] = []
    while num_bytes and (piece := file.read(num_bytes)):
        pieces.append(piece)
        num_bytes -= len(piece)
    return b"".join(pieces)


def _open(path: Path) -> BufferedReader:
    """Raises Damage for what is missing, or no plain file."""
    try:
        return open_file(path)
    except FileNotFoundError:
        raise Damage(f"{path.name} is missing") from None
    except UnsafeFile as error:
        raise Damage(f"{path.name}: {error.strerror}") from None
    except OSError as error:
        raise Damage(f"{path.name} cannot be read ({error})") from None


def _require_size(path: Path, num_bytes: int) -> None:
    with _open(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size != num_bytes:
            raise Damage(f"{path.name} was altered or cut short: it has {size:,} bytes of {num_bytes:,}")
        if path.suffix == ".safetensors":
            head = file.read(8)
            length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
            if not 0 < length <= min(_MOST_HEADER_BYTES, size - 8):
                raise Damage(f"the header of {path.name} says that it has {length:,} bytes, which cannot be")


def _require_content(path: Path, entry: FileEntry) -> None:
    try:
        with _open(path) as file:
            is_same = hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    except OSError as error:
        raise Damage(f"{path.name} cannot be read ({error})") from None
    if not is_same:
        raise Damage(f"{path.name} was altered")
