"""The token caches on this disk: what each is, who uses it, and how much room they take."""

from __future__ import annotations

import functools
import os
import re
import shutil
from pathlib import Path
from typing import Literal

import msgspec

from presets.config import ConfigError
from presets.schema import DataConfig
from runs.cache_format import (
    MANIFEST,
    PROBLEM,
    SHARD,
    SOURCE,
    BuildProblem,
    CacheManifest,
    ShardRecord,
    SourceRecord,
    SplitCounts,
    Statistics,
)
from runs.checksums import sha256_of
from runs.disk import bytes_under
from runs.folder import RunFolder, all_runs, read_struct, runs_dir, token_caches_dir
from runs.lock import is_held
from runs.safe_files import file_status
from runs.status import read_status
from runs.token_caches import cache_key, shard_folder
from runs.trust import is_known

CacheState = Literal["complete", "building", "half-built", "damaged", "older format"]
RECLAIMABLE: frozenset[CacheState] = frozenset({"half-built", "damaged", "older format"})

_KEY = re.compile(r"[0-9a-f]{16}")
_FOLDER = re.compile(r"[0-9a-f]{16}(\.building)?")  # the older format built beside the place of the cache


class CacheNotFound(LookupError):
    """No cache, or more than one, has that key; the text says so."""


class CacheUser(msgspec.Struct, frozen=True):
    """A run that reads a cache, or would rebuild it."""

    id: str
    name: str
    is_live: bool


class CacheInfo(msgspec.Struct, frozen=True):
    """What one cache is. problem: why it is damaged, or why its build ended; created, last_used: Unix seconds.

    train, validation: of a half-built cache those of the shards that are there. data: None where nothing says it.
    """

    key: str
    path: str
    label: str
    state: CacheState
    num_bytes: int
    problem: str = ""
    data: DataConfig | None = None
    created: float = 0.0
    last_used: float = 0.0
    num_shards: int = 0
    train: SplitCounts = SplitCounts()
    validation: SplitCounts = SplitCounts()
    statistics: Statistics | None = None
    num_duplicates: int = 0
    commit: str = ""
    vocab_size: int = 0
    labels: tuple[str, ...] = ()
    used_by: tuple[CacheUser, ...] = ()

    @property
    def is_used_live(self) -> bool:
        """A run that is live now reads it."""
        return any(user.is_live for user in self.used_by)


class DiskUsage(msgspec.Struct, frozen=True):
    """reclaimable_bytes: of caches that nothing trains from as they are. free_bytes, disk_bytes: of the disk."""

    path: str
    num_caches: int
    cache_bytes: int
    reclaimable_bytes: int
    free_bytes: int
    disk_bytes: int


def list_caches(runs: Path | None = None) -> tuple[CacheInfo, ...]:
    """Every cache, the one used last first. runs: where the runs are that may use them.

    Blocking: reads small files of every cache, and the configuration of every run. Checksums of the large files
    are left to `runs.cache_verification`.
    """
    folders = cache_folders()
    users = runs_using(runs or runs_dir(), {path.name for path in folders}) if folders else {}
    infos = (_describe(path, users.get(path.name, ())) for path in folders)
    return tuple(sorted(infos, key=lambda info: (-info.last_used, info.key)))


def find_cache(reference: str, runs: Path | None = None) -> CacheInfo:
    """The cache with that key or a unique beginning of one. Raises CacheNotFound."""
    found = [info for info in list_caches(runs) if reference and info.key.startswith(reference)]
    exact = [info for info in found if info.key == reference]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        raise CacheNotFound(f"{reference!r} means {len(found)} caches: {', '.join(info.key for info in found)}")
    raise CacheNotFound(f"there is no token cache {reference!r} in {token_caches_dir()}")


def disk_usage(caches: tuple[CacheInfo, ...] | None = None) -> DiskUsage:
    """The room that caches take, and what the disk has left. caches: from `list_caches`, when it is at hand."""
    found = list_caches() if caches is None else caches
    folder = token_caches_dir()
    existing = next(path for path in (folder, *folder.parents) if path.is_dir())
    disk = shutil.disk_usage(existing)
    return DiskUsage(
        path=str(folder),
        num_caches=len(found),
        cache_bytes=sum(info.num_bytes for info in found),
        reclaimable_bytes=sum(info.num_bytes for info in found if info.state in RECLAIMABLE),
        free_bytes=disk.free,
        disk_bytes=disk.total,
    )


def is_being_built(key: str) -> bool:
    """Somebody holds the cache's lock, as whoever builds it does."""
    return is_held(lock_file(key))


def shards_of(path: Path) -> list[Path]:
    """The folders of a cache's shards, in their order."""
    return sorted(entry for entry in path.glob("shard-*") if re.fullmatch(r"shard-\d+", entry.name))


def cache_folders() -> list[Path]:
    """The folders of caches, and the places of those whose build has made no folder yet."""
    caches = token_caches_dir()
    try:
        entries = list(os.scandir(caches))
    except OSError:
        return []
    found = {e.name for e in entries if e.is_dir(follow_symlinks=False) and _FOLDER.fullmatch(e.name)}
    locks = {e.name.removesuffix(".lock") for e in entries if e.name.endswith(".lock")} - found
    found |= {key for key in locks if _KEY.fullmatch(key) and is_being_built(key)}
    return [caches / name for name in sorted(found)]


def _describe(path: Path, users: tuple[CacheUser, ...]) -> CacheInfo:
    key = path.name
    info = CacheInfo(key, str(path), "", "half-built", bytes_under(path), used_by=users)
    source = read_struct(path / SOURCE, SourceRecord)
    manifest = read_struct(path / MANIFEST, CacheManifest)
    changed = _modified(path / MANIFEST) or _modified(path)
    if source is None:
        if not (path / SOURCE).exists() and not is_being_built(key):
            label = _older_label(path)
            if label:
                return _with(info, label=label, state="older format", created=_modified(path), last_used=changed)
        state: CacheState = "building" if is_being_built(key) else "half-built"
        problem = ""
        if (path / SOURCE).exists():
            state, problem = "damaged", f"{SOURCE} cannot be read"
        label = "being prepared" if state == "building" else "unknown"
        return _with(info, label=label, state=state, problem=problem, created=changed, last_used=changed)
    shards = [read_struct(folder / SHARD, ShardRecord) for folder in shards_of(path)]
    known = [shard for shard in shards if shard is not None]
    problem = _damage(path, source, manifest, shards)
    state = "damaged" if problem else "complete"
    if manifest is None and not (path / MANIFEST).exists():
        state = "building" if is_being_built(key) else "half-built"
        broke = read_struct(path / PROBLEM, BuildProblem)
        problem = broke.message if broke else ""
    return _with(
        info,
        label=source.label,
        state=state,
        problem=problem,
        data=_data_of(source),
        created=source.created,
        last_used=max(changed, source.created),
        num_shards=len(shards),
        train=manifest.train if manifest else sum((shard.train for shard in known), SplitCounts()),
        validation=manifest.validation if manifest else sum((shard.validation for shard in known), SplitCounts()),
        statistics=manifest.statistics if manifest else None,
        num_duplicates=manifest.num_duplicates if manifest else sum(shard.duplicates for shard in known),
        commit=source.commit,
        vocab_size=source.vocab_size,
        labels=source.labels,
    )


def _with(info: CacheInfo, **values: object) -> CacheInfo:
    return msgspec.structs.replace(info, **values)


def _damage(
    path: Path, source: SourceRecord, manifest: CacheManifest | None, shards: list[ShardRecord | None]
) -> str:
    """What a look at the small files shows to be wrong; the large ones have to have the size they should."""
    if source.key != path.name:
        return f"{SOURCE} is that of cache {source.key}"
    if manifest is None:
        return f"{MANIFEST} cannot be read"
    if len(shards) < len(manifest.shards):
        return f"it has {len(shards)} of {len(manifest.shards)} shards"
    for index, digest in enumerate(manifest.shards):
        shard = shards[index]
        folder = shard_folder(path, index)
        try:
            if shard is None or sha256_of(folder / SHARD) != digest:
                return f"{folder.name}/{SHARD} was altered"
        except OSError:
            return f"{folder.name}/{SHARD} is missing"
        for name in shard.files:
            if not (folder / name).is_file():
                return f"{folder.name}/{name} is missing"
        width = 2 if source.vocab_size <= 1 << 16 else 4
        for split, counts in (("train", shard.train), ("validation", shard.validation)):
            file = folder / f"{split}.tokens"
            if file.name in shard.files and file.stat().st_size != width * counts.tokens:
                return f"{folder.name}/{file.name} has {file.stat().st_size} bytes, not {width * counts.tokens}"
    return ""


class _OlderData(msgspec.Struct):
    dataset: str = ""
    source: str = ""


class _OlderManifest(msgspec.Struct):
    data: _OlderData


def _older_label(path: Path) -> str:
    """What a cache of an earlier version was made from; empty when it is none of those."""
    manifest = read_struct(path / MANIFEST, _OlderManifest)
    if manifest is not None:
        return f"{manifest.data.dataset} ({manifest.data.source})"
    is_older = path.name.endswith(".building") or (path / "train.tokens").is_file()
    return "unknown" if is_older else ""


def _data_of(source: SourceRecord) -> DataConfig | None:
    try:
        return msgspec.convert(source.data, DataConfig)
    except msgspec.ValidationError:
        return None  # written by a version with other settings


def runs_using(runs: Path, keys: set[str]) -> dict[str, tuple[CacheUser, ...]]:
    """The runs whose data settings mean one of these caches, newest first."""
    users: dict[str, list[CacheUser]] = {}
    for folder in all_runs(runs):
        key = _key_of(folder)
        if key in keys:
            user = CacheUser(folder.id, folder.about().name, read_status(folder).is_live)
            users.setdefault(key, []).append(user)
    return {key: tuple(found) for key, found in users.items()}


def _key_of(folder: RunFolder) -> str:
    try:
        data, labelled = _data_of_run(folder, file_status(folder.config_file).st_mtime_ns)
        if data.source == "files" and not is_known(folder.config_text()):
            return ""  # a run from elsewhere may name the whole disk, and every file of it would be looked at
    except (OSError, ConfigError):
        return ""
    return cache_key(data, labelled=labelled)


@functools.lru_cache(maxsize=4096)
def _data_of_run(folder: RunFolder, modified_ns: int) -> tuple[DataConfig, bool]:
    """The data settings, and whether the run needs labels."""
    config = folder.config()
    return config.data, config.objective.has_labels


def lock_file(key: str) -> Path:
    return token_caches_dir() / f"{key.removesuffix('.building')}.lock"


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
