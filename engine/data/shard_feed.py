"""The shards of a stream as they come: every rank learns of a new one at the same step."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from engine.data.documents import DataError, Report
from engine.data.shards import Shard, open_shard, shard_damage, shard_name
from engine.data.soundness import is_sound
from engine.data.token_cache import TokenCache, open_cache
from engine.distributed import World
from engine.stopping import StopRequested, StopSignal
from presets.schema import DataConfig
from runs.cache_format import (
    MANIFEST,
    PROBLEM,
    PROGRESS,
    SOURCE,
    BuildProblem,
    BuildProgress,
    CacheManifest,
    SourceRecord,
)
from runs.folder import read_struct
from runs.token_caches import cache_key

_POLL_S = 0.05
_END_S = 5.0
_ROUND_S = 60.0
_MOST_STARTS = 4
_AHEAD = 4  # a run that was made longer reads so small a part of what it had before beyond its need


class _State(msgspec.Struct, frozen=True):
    """What rank 0 found: whole shards, whether the stream has come to its end, or why there will be no more."""

    num_shards: int = 0
    is_complete: bool = False
    stop: str = ""
    problem: str = ""


class ShardFeed:
    """Rank 0 starts the process that reads the stream and waits for shards; the others wait for its word."""

    def __init__(
        self, data: DataConfig, caches: Path, num_sequences: int, world: World, report: Report, stop: StopSignal
    ) -> None:
        """num_sequences: more than so many are not read before somebody asks for them; 0 for all of the stream."""
        self.is_complete = False
        self._num_shards = 0
        self._data = data
        self._num_sequences = num_sequences
        self._source: SourceRecord | None = None
        self._caches = caches
        self._world = world
        self._report = report
        self._stop = stop
        self._reader: subprocess.Popen[bytes] | None = None
        self._num_starts = 0
        self._started_for = 0  # sequences that the reader which was started last was to read
        self._key = str(world.from_main(cache_key(data) if world.is_main else None))
        self._folder = caches / self._key

    def open(self) -> TokenCache:
        """The cache with the shards that are there, once there is one. Raises DataError or StopRequested."""
        self.more()
        return open_cache(self._folder, self._num_shards)

    def more(self, needed: int = 0) -> tuple[Shard, ...]:
        """Wait for further shards, or for the stream's end: then none come back and `is_complete` is true.

        needed: sequences, from the stream's first one on, that the run is to train on now. Where that is more
        than was said before (a person made the run longer), more is read.

        Called by all ranks at the same point. Raises, on all of them, DataError when the stream cannot be read
        any further, and StopRequested when somebody asked to stop meanwhile.
        """
        if 0 < self._num_sequences < needed:
            # and some more: a reader that is started anew goes through what it has read before
            self._num_sequences = needed + self._num_sequences // _AHEAD
        found = _State()
        while not (found.stop or found.problem or found.is_complete or found.num_shards > self._num_shards):
            found = self._world.from_main(self._wait() if self._world.is_main else None)
        if found.stop:
            raise StopRequested(found.stop)
        if found.problem:
            raise DataError(found.problem)
        new = range(self._num_shards, found.num_shards)
        self._num_shards, self.is_complete = found.num_shards, found.is_complete
        return tuple(open_shard(self._folder / shard_name(index)) for index in new)

    def close(self) -> None:
        """End the process that reads; its whole shards stay, and the next one goes on after them."""
        if self._reader is not None and self._reader.poll() is None:
            self._reader.terminate()
            try:
                self._reader.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._reader.kill()
                self._reader.wait()

    def _wait(self) -> _State:
        """What is new; after a while nothing, since the other ranks cannot wait for one word for ever."""
        until = time.monotonic() + min(_ROUND_S, self._world.limit_s / 4)
        if self._reader is None:
            self._reader = self._start()
        while time.monotonic() < until:
            if self._stop.wants_end():
                return _State(stop=self._stop.reason)
            has_ended = self._reader.poll() is not None
            found = self._look()
            if found is not None:
                return found
            if has_ended:
                if self._reader.returncode == 0 and self._started_for < self._num_sequences:
                    self._num_starts = 0  # it did all that it was asked for, and now there is more to read
                problem = read_struct(self._folder / PROBLEM, BuildProblem)
                if problem is not None or self._num_starts >= _MOST_STARTS:
                    return _State(problem=problem.message if problem else _died(self._reader.returncode))
                self._reader = self._start()  # it was killed, or the cache was cleared behind it
                continue
            progress = read_struct(self._folder / PROGRESS, BuildProgress) or BuildProgress("starting", 0, 0, "")
            self._report(
                f"waiting for the stream ({progress.phase})", progress.done, progress.total, progress.unit
            )
            time.sleep(_POLL_S)
        return _State(self._num_shards)

    def _look(self) -> _State | None:
        """What has come since, if anything; what is damaged is left for the reader to replace."""
        source = read_struct(self._folder / SOURCE, SourceRecord)
        if self._source is not None and source is not None and source != self._source:
            return _State(problem="the token cache was built anew while the run was reading it; resume the run")
        if self._source is None and not is_sound(self._folder, self._key):
            return None
        self._source = source
        count = self._num_shards
        while (shard := self._folder / shard_name(count)).is_dir() and not shard_damage(shard):
            count += 1
        manifest = read_struct(self._folder / MANIFEST, CacheManifest)
        is_complete = manifest is not None and count == len(manifest.shards)
        return _State(count, is_complete) if count > self._num_shards or is_complete else None

    def _start(self) -> subprocess.Popen[bytes]:
        self._num_starts += 1
        self._started_for = self._num_sequences
        (self._folder / PROBLEM).unlink(missing_ok=True)  # an earlier reader's
        environment = {**os.environ, "RAYON_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // 4))}
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "engine.data.stream_reader"),
                *(str(self._caches), str(os.getpid()), str(self._num_sequences)),
            ],
            stdin=subprocess.PIPE,
            env=environment,
        )
        assert process.stdin is not None
        with process.stdin as pipe:
            pipe.write(msgspec.json.encode(self._data))
        return process


def _died(code: int) -> str:
    return (
        f"the process that reads the stream ended with exit code {code}; its last words are in the run's console"
    )
