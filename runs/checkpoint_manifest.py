"""What a checkpoint says of itself: its step, its files with their sums, and a seal over all that."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec

from runs.safe_files import read_bytes

MANIFEST = "manifest.json"
MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}")


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Size and SHA-256 of one file."""

    num_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`manifest.json`, written last: without it a folder is no checkpoint.

    serial: counts the saves of a run; the highest is the newest, whatever the clock or the step. is_best: it was
    the best when it was saved. digest: SHA-256 of all this without the digest, so that no field can change unseen.
    The last three are missing in checkpoints of the first version.
    """

    step: int
    torch_version: str
    created: float
    files: dict[str, FileEntry]
    serial: int = 0
    is_best: bool = False
    digest: str = ""


class Damage(ValueError):
    """What is wrong with a checkpoint, in a few words."""


def read_manifest(folder: Path, step: int) -> Manifest:
    """The manifest of a checkpoint, itself unaltered. step: that the folder's name promises. Raises Damage."""
    if folder.is_symlink():
        raise Damage("it is a link, not a folder")
    try:
        content = read_bytes(folder / MANIFEST).rstrip(b"\n")
        manifest = msgspec.json.decode(content, type=Manifest)
    except FileNotFoundError:
        raise Damage(f"{MANIFEST} is missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise Damage(f"its manifest cannot be read ({error})") from None
    # byte for byte as it was written: whatever else says the same is not from here
    if content != encoded(manifest) or (manifest.digest and manifest.digest != _digest(manifest)):
        raise Damage(f"{MANIFEST} was altered")
    strange = next((name for name in manifest.files if not _PLAIN.fullmatch(name) or name == MANIFEST), None)
    if strange is not None:
        raise Damage(f"its manifest names {strange[:40]!r}, which is no plain file name")
    if manifest.step != step:
        raise Damage(f"its manifest is of step {manifest.step:,}")
    return manifest


def sealed(manifest: Manifest) -> Manifest:
    """The same with the digest over its fields."""
    return msgspec.structs.replace(manifest, digest=_digest(manifest))


def encoded(manifest: Manifest) -> bytes:
    """The file's content."""
    return msgspec.json.format(msgspec.json.encode(manifest))


def _digest(manifest: Manifest) -> str:
    return hashlib.sha256(encoded(msgspec.structs.replace(manifest, digest=""))).hexdigest()
