"""Whether the files of a token cache are what was written, and what is left when some are not."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from engine.data.shards import shard_damage, shard_name
from runs.cache_format import MANIFEST, SHARD, SOURCE, TOKENIZER, CacheManifest, SourceRecord
from runs.folder import read_struct


def drop_damage(folder: Path, key: str) -> str:
    """Remove what is damaged, and whatever was built on it. Returns a sentence on it, or nothing."""
    if not (folder / SOURCE).exists() and not any(folder.glob("shard-[0-9]*[0-9]")):
        return ""  # nothing is there, or a build that had only begun
    source = read_struct(folder / SOURCE, SourceRecord)
    if source is None or source.key != key:
        shutil.rmtree(folder)
        return f"{SOURCE} is missing or unreadable"
    try:
        text = (folder / TOKENIZER).read_bytes()
    except OSError:
        text = b""
    if hashlib.sha256(text).hexdigest() != source.tokenizer_sha256:
        shutil.rmtree(folder)
        return f"{TOKENIZER} is missing or was altered"
    manifest = read_struct(folder / MANIFEST, CacheManifest)
    damage = "" if manifest is not None or not (folder / MANIFEST).exists() else f"{MANIFEST} is unreadable"
    index = 0
    while (folder / shard_name(index)).is_dir() and not damage:
        shard = folder / shard_name(index)
        damage = shard_damage(shard)
        if (
            not damage
            and manifest is not None
            and digest_of(shard / SHARD) not in manifest.shards[index : index + 1]
        ):
            damage = f"{shard.name}/{SHARD} was altered"
        index += 0 if damage else 1
    if not damage and manifest is not None and index < len(manifest.shards):
        damage = f"{shard_name(index)} is missing"
    if damage:
        (folder / MANIFEST).unlink(missing_ok=True)
        for late in sorted(folder.glob("shard-*")):
            if late.name >= shard_name(index):
                shutil.rmtree(late)
    return damage


def digest_of(path: Path) -> str:
    """SHA-256 of a small file. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
