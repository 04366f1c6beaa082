"""Whether the files of a token cache are what was written, and what is left when some are not."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from engine.data.shards import shard_damage, shard_name, shard_number
from runs.cache_format import MANIFEST, SHARD, SOURCE, TOKENIZER, CacheManifest, SourceRecord
from runs.folder import read_struct


def is_sound(folder: Path, key: str) -> bool:
    """Everything that is there is what was written, and there is something. Changes nothing."""
    return (folder / SOURCE).exists() and not _base_damage(folder, key) and not _shard_damage(folder)[0]


def drop_damage(folder: Path, key: str) -> str:
    """Remove what is damaged, and whatever was built on it. Returns a sentence on it, or nothing."""
    if not (folder / SOURCE).exists() and not shards_there(folder):
        (folder / MANIFEST).unlink(missing_ok=True)  # left of a cache that was being removed
        return ""  # nothing is there, or a build that had only begun
    damage = _base_damage(folder, key)
    if damage:
        (folder / MANIFEST).unlink(missing_ok=True)  # first, or a half removed cache would look complete
        shutil.rmtree(folder)
        return damage
    damage, num_sound = _shard_damage(folder)
    if damage:
        (folder / MANIFEST).unlink(missing_ok=True)
        for shard in reversed(shards_there(folder)):  # from the end, so that no gap is left when this is killed
            if shard_number(shard) >= num_sound:
                shutil.rmtree(shard)
    return damage


def shards_there(folder: Path) -> list[Path]:
    """The folders of whole shards, in order."""
    return sorted(path for path in folder.glob("shard-*") if path.suffix != ".building")


def _base_damage(folder: Path, key: str) -> str:
    """What is wrong with the files that everything else rests on, or nothing."""
    source = read_struct(folder / SOURCE, SourceRecord)
    if source is None or source.key != key:
        return f"{SOURCE} is missing or unreadable"
    try:
        text = (folder / TOKENIZER).read_bytes()
    except OSError:
        return f"{TOKENIZER} is missing"
    return "" if hashlib.sha256(text).hexdigest() == source.tokenizer_sha256 else f"{TOKENIZER} was altered"


def _shard_damage(folder: Path) -> tuple[str, int]:
    """What is wrong with the shards or the manifest, or nothing; and how many shards are sound."""
    manifest = read_struct(folder / MANIFEST, CacheManifest)
    damage = "" if manifest is not None or not (folder / MANIFEST).exists() else f"{MANIFEST} is unreadable"
    there = shards_there(folder)
    for index, shard in enumerate(there):
        if shard.name != shard_name(index):
            return f"{shard_name(index)} is missing", index
        found = shard_damage(shard)
        listed = manifest.shards[index : index + 1] if manifest is not None else None
        if not found and listed is not None and digest_of(shard / SHARD) not in listed:
            found = f"{shard.name}/{SHARD} was altered"
        if found:
            return found, index
    if manifest is not None and len(there) < len(manifest.shards):
        return f"{shard_name(len(there))} is missing", len(there)
    return damage, len(there)


def digest_of(path: Path) -> str:
    """SHA-256 of a small file. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
