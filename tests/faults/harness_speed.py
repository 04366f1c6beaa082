"""Promises 4 and 5: the dashboard cannot slow a run; ten million points open at once, and new ones show at once.

The quick form has a twentieth of the points and generous bounds, since other work may share the machine: it counts
processor time where that says the same. The long form holds the bounds that are promised, by the clock.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from runs.folder import RunFolder
from runs.launch import child_environment
from runs.records import RecordTail
from runs.series_cache import FILE_NAME
from tests.faults import talking_engine
from tests.faults.fault_runs import FaultRuns, begun, wait_for
from tests.faults.figures import Figure, Scale
from tests.faults.live_app import SLOW_LOOKS, Observation
from tests.faults.long_run import METRICS, is_kept, opening, write_long_run
from tests.faults.terminal import PtyProgram

_RECORDS = {"quick": 50_000, "long": 1_000_000}
_COLD_S = {"quick": 2.0, "long": 10.0}
_CACHED_S = {"quick": 0.5, "long": 1.0}
_PEAK_BYTES = 300_000_000
_BYTES_PER_POINT = {"quick": 40.0, "long": 20.0}  # 300 MB for ten million, less what the dashboard takes by itself
_LAG_S = {"quick": 0.2, "long": 0.1}
_FRAME_S = {"quick": 1.0, "long": 0.05}
_LATE_SHARE = {"quick": 0.5, "long": 0.01}
_WATCHED_S = {"quick": 2.0, "long": 60.0}
_WATCHED_BROKEN_S = {"quick": 2.0, "long": 10.0}
_ROUNDS = {"quick": 1, "long": 5}
_PHASE_S = {"quick": 0.8, "long": 12.0}
_SLOWER = {"quick": 2.0, "long": 1.01}
_RECORDING_SHARE = 0.005
_LEFT_OUT_S = 0.3  # of each phase, in which programs come and go


def measure(folder: Path, scale: Scale) -> list[Figure]:
    """Open a long run, follow it while it grows, and train beside a dashboard that stands still."""
    run = write_long_run(folder / "long" / "runs", _RECORDS[scale])
    return [*_openings(run, scale), *_lags(run, scale), *_stopped_dashboard(folder / "talking", scale)]


def _openings(run: RunFolder, scale: Scale) -> Iterator[Figure]:
    by_clock = scale == "long"
    cold = opening(run)
    assert cold.num_points >= METRICS * _RECORDS[scale], "the whole run was opened"
    assert is_kept(run), "so it has a cache now"
    cached = opening(run)
    again = opening(run)
    for what, found, most_s in (
        ("opens without a cache", [cold], _COLD_S[scale]),
        ("opens with a cache", [cached, again], _CACHED_S[scale]),
    ):
        seconds = [one.seconds if by_clock else one.cpu_s for one in found]
        failed = sum(
            s > most_s or one.peak_bytes > _PEAK_BYTES or one.bytes_per_point > _BYTES_PER_POINT[scale]
            for s, one in zip(seconds, found, strict=True)
        )
        peak = max(one.peak_bytes for one in found) / 1e6
        bound = f"{most_s:g} s{'' if by_clock else ' of the processor'}"
        yield Figure(
            5, f"{cold.num_points:,} points {what} within {bound}, {_PEAK_BYTES / 1e6:.0f} MB", len(found), failed,
            detail=f"{max(one.seconds for one in found):.2f} s, of the processor "
            f"{max(one.cpu_s for one in found):.2f} s; {peak:.0f} MB, {found[0].bytes_per_point:.0f} B a point",
        )  # fmt: skip
    naive = opening(run, naively=True)
    yield Figure(
        5, "a reader that keeps records as they come", 1, int(naive.bytes_per_point > _BYTES_PER_POINT[scale]),
        is_control=True, detail=f"{naive.seconds:.2f} s, {naive.bytes_per_point:.0f} B a point",
    )  # fmt: skip


def _lags(run: RunFolder, scale: Scale) -> Iterator[Figure]:
    """tried: records, or frames; failed: those that came too late, beyond the share that may."""
    most_s, share = _LAG_S[scale], _LATE_SHARE[scale]
    (run.cache_dir / FILE_NAME).unlink()
    with _live(run, _RECORDS[scale]):
        for broken in ("", SLOW_LOOKS):
            seen = _observed(run, (_WATCHED_BROKEN_S if broken else _WATCHED_S)[scale], broken)
            if not broken:
                yield _opening_frames(seen, scale)
            lags = sorted(seen.lags)
            late = sum(lag > most_s for lag in lags)
            p99 = lags[int(0.99 * len(lags))] if lags else float("nan")
            what = f"records that show within {1000 * most_s:.0f} ms while it grows, of {1 - share:.0%}"
            yield Figure(
                5, f"a feed that looks once a second: {what}" if broken else what, len(lags),
                max(0, late - int(share * len(lags))), is_control=bool(broken),
                detail=f"median {1000 * statistics.median(lags or [0]):.0f} ms, p99 {1000 * p99:.0f} ms",
            )  # fmt: skip


def _opening_frames(seen: Observation, scale: Scale) -> Figure:
    """While the records of a run are read that has no cache."""
    most_s, frames = _FRAME_S[scale], sorted(seen.opening_frames)
    late = sum(late_s > most_s for late_s in frames)
    assert seen.shares == sorted(seen.shares), "how far it is only rises"
    return Figure(
        5, f"frames within {1000 * most_s:.0f} ms while a run is read for the first time, of 99%", len(frames),
        max(0, late - len(frames) // 100),
        detail=f"longest {1000 * max(frames, default=0.0):.0f} ms; {len(seen.shares)} times it said how far it is",
    )  # fmt: skip


def _observed(run: RunFolder, seconds: float, broken: str) -> Observation:
    environment = child_environment() | {"TINYTRAIN_RUNS": str(run.path.parent)}
    argv = [sys.executable, "-m", "tests.faults.live_app", run.id, str(seconds), *broken.split()]
    done = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, check=True, timeout=seconds + 120)
    return msgspec.json.decode(done.stdout, type=Observation)


@contextmanager
def _live(run: RunFolder, step: int) -> Iterator[None]:
    """The run is gone on with, until the end."""
    argv = [sys.executable, "-m", "tests.faults.live_writer", str(run.path), str(step)]
    with subprocess.Popen(argv, env=child_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            writer.communicate()


def _stopped_dashboard(folder: Path, scale: Scale) -> Iterator[Figure]:
    """tried: phases in which a dashboard stands still; failed: those in which the steps took longer."""
    with FaultRuns(folder, fake=False) as runs:
        engine = talking_engine.install(folder / "engine")
        runs.environment["PYTHONPATH"] = os.pathsep.join((str(engine), runs.environment["PYTHONPATH"]))
        run = runs.make()
        runs.start(run)
        begun(run)
        console = run.attempt(1).console_file
        wait_for(lambda: console.stat().st_size > talking_engine.BYTES_PER_SECOND, "it prints")
        ratios = []
        for _ in range(_ROUNDS[scale]):
            before = _step_s(run, *_phase(scale))
            dashboard = PtyProgram([sys.executable, "-m", "tui", "--runs-dir", str(runs.runs)], runs.environment)
            try:
                dashboard.see("running")
                dashboard.process.send_signal(signal.SIGSTOP)
                during = _step_s(run, *_phase(scale))
            finally:
                dashboard.close()
            after = _step_s(run, *_phase(scale))
            ratios.append(during / statistics.fmean((before, after)))
        most = _SLOWER[scale]
        yield Figure(
            4, f"a dashboard stopped while 1 MB/s is printed: steps at most {most - 1:.0%} slower", len(ratios),
            sum(ratio > most for ratio in ratios),
            detail=f"median {statistics.median(ratios) - 1:+.2%}, at most {max(ratios) - 1:+.2%}, each over "
            f"{_PHASE_S[scale]:g} s",
        )  # fmt: skip
        if scale == "long":  # a busy disk lets the quick form wait
            yield _recording(run)
        yield _piped(runs, scale)


def _piped(runs: FaultRuns, scale: Scale) -> Figure:
    """What is promised against: the log goes through a pipe, to a reader that stands still."""
    run = runs.make()
    run.attempt(1).path.mkdir(parents=True, mode=0o700)
    reading = [sys.executable, "-c", "import sys\nwhile sys.stdin.buffer.read(65536): pass"]
    argv = [sys.executable, "-m", "engine", str(run.path), "--attempt", "1"]
    with subprocess.Popen(reading, stdin=subprocess.PIPE, env=runs.environment) as reader:
        with subprocess.Popen(argv, stdout=reader.stdin, env=runs.environment) as engine:
            assert reader.stdin is not None
            reader.stdin.close()
            metrics = run.attempt(1).metrics_file
            wait_for(lambda: metrics.exists() and metrics.stat().st_size > 1000, "it trains")
            reader.send_signal(signal.SIGSTOP)
            during = _step_s(run, *_phase(scale))
            engine.kill()
        reader.kill()
    return Figure(
        4, "the log goes through a pipe to the dashboard", 1, int(during == float("inf")), is_control=True,
        detail="no step ends any more" if during == float("inf") else "",
    )  # fmt: skip


def _phase(scale: Scale) -> tuple[float, float]:
    """Wait; the Unix times that are looked at."""
    begin = time.time() + _LEFT_OUT_S
    time.sleep(_LEFT_OUT_S + _PHASE_S[scale])
    return begin, time.time()


def _step_s(run: RunFolder, begin: float, end: float) -> float:
    """Lower quartile of the steps' times, which other work on the machine hardly moves; infinite without steps."""
    records = RecordTail(run.attempt(1).metrics_file).poll_all()
    seconds = sorted(record["step_time_s"] for record in records if begin <= record["time"] <= end)
    return seconds[len(seconds) // 4] if seconds else float("inf")


def _recording(run: RunFolder) -> Figure:
    """Ten steps of a few milliseconds for each record, as with the smallest models; bench_overhead has others."""
    records = RecordTail(run.attempt(1).metrics_file).poll_all()
    first, last = records[0], records[-1]
    share = (last["recording_s"] - first["recording_s"]) / (last["elapsed_s"] - first["elapsed_s"])
    return Figure(
        4, f"recording takes less than {_RECORDING_SHARE:.1%} of the steps' time", last["step"],
        int(share >= _RECORDING_SHARE), detail=f"{share:.2%}",
    )  # fmt: skip
