"""Token caches on disk are described as they are, verified, and cleared only when nothing stands against it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from presets.config import with_values
from presets.estimate import TokenCounts
from presets.schema import DataConfig, RunConfig
from runs.cache_format import MANIFEST, PROBLEM
from runs.cache_listing import CacheNotFound, disk_usage, find_cache, list_caches
from runs.cache_management import CacheBusy, clear, clear_all
from runs.cache_verification import verify
from runs.folder import create_run
from runs.lock import take_lock
from runs.token_caches import cache_key, count_sequences
from tests.cache_writer import hold_build_lock, write_cache, write_older_cache

OTHER = DataConfig(vocab_size=500)


def test_without_caches_nothing_is_listed_and_the_disk_is_still_known() -> None:
    assert list_caches() == ()
    usage = disk_usage()
    assert (usage.num_caches, usage.cache_bytes) == (0, 0) and usage.free_bytes > 0


def test_a_complete_cache_says_what_it_holds_and_who_uses_it(runs_path: Path) -> None:
    folder = write_cache()
    run = create_run(runs_path, RunConfig(), name="warm-otter")
    create_run(runs_path, with_values(RunConfig(), {"data.vocab_size": 77}), name="another")
    (info,) = list_caches()
    assert (info.key, info.state, info.label) == (folder.name, "complete", "addresses (embedded)")
    assert (info.num_shards, info.train.documents, info.train.tokens, info.num_duplicates) == (2, 4, 107, 3)
    assert info.num_bytes == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert [(user.id, user.name, user.is_live) for user in info.used_by] == [(run.id, "warm-otter", False)]
    assert info.data == DataConfig() and info.statistics is not None and info.statistics.head[0] == ("the", 40)


def test_a_build_at_work_and_one_that_was_left_are_told_apart() -> None:
    folder = write_cache(complete=False)
    (folder / PROBLEM).write_text('{"message": "the hub went away", "time": 1.0}')
    (left,) = list_caches()
    assert (left.state, left.problem, left.train.documents) == ("half-built", "the hub went away", 4)
    lock = hold_build_lock(folder.name)
    try:
        assert list_caches()[0].state == "building"
        shutil.rmtree(folder)
        assert [info.state for info in list_caches()] == ["building"], "its folder is not made yet"
    finally:
        os.close(lock)
    assert list_caches() == ()


def test_damage_is_named_without_reading_the_large_files() -> None:
    folder = write_cache()
    tokens = folder / "shard-00001" / "train.tokens"
    tokens.write_bytes(tokens.read_bytes()[:-2])
    (info,) = list_caches()
    assert info.state == "damaged" and info.problem == "shard-00001/train.tokens has 118 bytes, not 120"
    shutil.rmtree(tokens.parent)
    assert list_caches()[0].problem == "it has 1 of 2 shards"
    (folder / MANIFEST).write_text("{")
    assert list_caches()[0].problem == "manifest.json cannot be read"


def test_verifying_finds_the_one_byte_that_changed() -> None:
    folder = write_cache()
    heard: list[tuple[int, int]] = []
    sound = verify(folder.name, lambda done, total: heard.append((done, total)))
    assert sound.is_intact and sound.is_complete and heard[-1][0] == sound.num_bytes <= heard[-1][1]
    path = folder / "shard-00000" / "train.tokens"
    path.write_bytes(b"\x08" + path.read_bytes()[1:])
    assert list_caches()[0].state == "complete", "a look at the sizes cannot see it"
    assert verify(folder.name).problems == ("shard-00000/train.tokens was altered",)
    path.unlink()
    (folder / "tokenizer.json").write_text("{}")
    assert verify(folder.name).problems == ("tokenizer.json was altered", "shard-00000/train.tokens is missing")


def test_a_half_built_cache_can_be_intact() -> None:
    folder = write_cache(complete=False)
    found = verify(folder.name)
    assert found.is_intact and not found.is_complete and "the next build continues it" in found.sentence()


def test_clearing_frees_what_it_says_and_leaves_the_others() -> None:
    folder, other = write_cache(), write_cache(OTHER)
    before = disk_usage().cache_bytes
    freed = clear(folder.name)
    assert freed > 0 and disk_usage().cache_bytes == before - freed
    assert [info.key for info in list_caches()] == [other.name]
    with pytest.raises(CacheNotFound, match="no token cache"):
        clear(folder.name)
    for name in ("", ".", "..", "../runs"):
        with pytest.raises(CacheNotFound):
            clear(name)


def test_a_cache_that_is_being_built_is_not_cleared_even_by_force() -> None:
    folder = write_cache(complete=False)
    lock = hold_build_lock(folder.name)
    try:
        with pytest.raises(CacheBusy, match="is being built now"):
            clear(folder.name, force=True)
    finally:
        os.close(lock)
    assert clear(folder.name) > 0


def test_a_live_run_keeps_its_cache_unless_forced(runs_path: Path) -> None:
    folder = write_cache()
    write_cache(OTHER)
    run = create_run(runs_path, RunConfig(), name="warm-otter")
    lock = take_lock(run)
    assert lock is not None
    try:
        assert find_cache(folder.name).is_used_live
        with pytest.raises(CacheBusy, match="warm-otter, which is live"):
            clear(folder.name)
        freed, kept = clear_all()
        assert freed > 0 and len(kept) == 1 and "warm-otter" in kept[0]
        assert clear(folder.name, force=True) > 0
    finally:
        os.close(lock)


def test_caches_of_the_older_format_are_listed_and_cleared() -> None:
    write_older_cache()
    (info,) = list_caches()
    assert (info.state, info.label) == ("older format", "addresses (embedded)")
    assert disk_usage().reclaimable_bytes == info.num_bytes
    assert clear_all() == (info.num_bytes, ()) and list_caches() == ()


def test_what_a_killed_clearing_left_goes_with_the_next() -> None:
    folder = write_cache()
    folder.rename(folder.with_name(f".{folder.name}.abcd.cleared"))
    assert list_caches() == ()
    freed, _ = clear_all()
    assert freed > 0 and not list(folder.parent.glob(".*"))


def test_a_cache_is_found_by_a_unique_beginning() -> None:
    folder = write_cache()
    assert find_cache(folder.name[:6]).key == folder.name
    with pytest.raises(CacheNotFound, match="'zz'"):
        find_cache("zz")


def test_files_that_only_look_like_caches_are_left_alone(tmp_path: Path) -> None:
    caches = write_cache().parent
    (caches / "notes").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (caches / "0000000000000000").symlink_to(tmp_path / "elsewhere")
    assert len(list_caches()) == 1
    clear_all()
    assert (caches / "notes").is_dir() and (tmp_path / "elsewhere").is_dir()


def test_sequences_are_counted_over_all_shards_of_a_complete_cache() -> None:
    data = DataConfig(sequence_length=12)
    folder = write_cache(data, shards=((30, 12, 5), (60,)))
    assert count_sequences(data) == TokenCounts(3 + 2 + 1 + 6, 107 + 2 * 12)
    truncated = DataConfig(sequence_length=12, long_documents="truncate")
    assert cache_key(truncated) == folder.name
    assert count_sequences(truncated) == TokenCounts(4, 10 + 10 + 5 + 10 + 2 * 4)
    (folder / MANIFEST).unlink()
    assert count_sequences(data) is None
