"""Every budget of the dashboard, in a real pty of 160×48, beside a minimal Textual app and W&B LEET.

`python -m tests.benchmarks.bench_dashboard [--quick] [--only WORD] [--keep FOLDER] [--no-leet]` prints a table in
markdown. LEET is found by `$LEET` or on the PATH (see `leet`); without it, ours is measured alone, and it says so.
Times count from exec, or from the key; memory is that of all processes of the program.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from runs.launch import child_environment
from tests.benchmarks import leet as leets
from tests.benchmarks.long_runs import metric_names, write_run, write_short_runs
from tests.benchmarks.pty_program import TimedProgram
from tui.chart_arrangement import Arrangement, arrangement_to_remember
from tui.remembered import Remembered

MINIMAL = """
from textual.app import App
from textual.widgets import Static
class Minimal(App):
    def compose(self):
        yield Static("READY")
Minimal().run()
"""
LOADS = ((20, 50_000), (100, 20_000), (1, 1_000_000))
_LEFT, _RIGHT = "\x1b[D", "\x1b[C"
KEYS = (_LEFT, _LEFT, "i", _LEFT, "i", "[", "]", "o", "o", "f", "L", "L", "m", "m", _RIGHT, "a", "a", "a", "a")
_TITLE = r"tinytrain-tui"
_PAINTED = r"Launch"
_MONITOR = r"Monitor"
_LIVE_S = 20.0
_QUIET_S = 1.0
_LEET_S = 300.0


class Place:
    """Where the runs of a measurement are; what was opened before is remembered there, as it would be at home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        self.runs.mkdir(parents=True, exist_ok=True, mode=0o700)

    def environment(self) -> dict[str, str]:
        """Nothing of the person who measures."""
        names = {"TINYTRAIN_RUNS": "runs", "TINYTRAIN_PRESETS": "presets", "TINYTRAIN_CACHE": "cache"}
        names |= {f"XDG_{kind}_HOME": kind.lower() for kind in ("STATE", "CONFIG", "DATA", "CACHE")}
        mine = {name: str(self.folder / folder) for name, folder in names.items()}
        # compiled once, as what pip installed is: a checkout that may not be written to compiles at every start
        compiled = {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "tinytrain-bench-pycache")}
        given = {name: value for name, value in child_environment().items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**given, **compiled, **mine}

    def dashboard(self) -> TimedProgram:
        """Ours, started as one starts it."""
        return TimedProgram([sys.executable, "-m", "tui"], self.environment())


class Table:
    """Rows of the report, printed as they are found, and once more at the end."""

    def __init__(self) -> None:
        self._rows = ["| what | budget | ours | LEET |", "| --- | --- | --- | --- |"]

    def add(self, what: str, budget: str, ours: str, leet: str = "") -> None:
        """A row; an empty cell says that it was not measured."""
        row = f"| {what} | {budget} | {ours} | {leet} |"
        self._rows.append(row)
        print(row, flush=True)

    def __str__(self) -> str:
        return "\n".join(self._rows)


class Bench:
    """What all measurements share. kept: runs that take long to write are kept there."""

    def __init__(self, kept: Path, scratch: Path, quick: bool, leet: Path | None) -> None:
        self.kept, self.scratch, self.quick, self.leet = kept, scratch, quick, leet
        self.table = Table()

    def place(self, name: str) -> Place:
        """An empty one."""
        shutil.rmtree(self.scratch / name, ignore_errors=True)
        return Place(self.scratch / name)

    def kept_place(self, num_metrics: int, num_records: int) -> Place:
        """With one ended run of that size, written once and without what was cached of it."""
        folder = self.kept / f"{num_metrics}x{num_records}"
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            write_run(Place(folder).runs, "long-run", num_metrics, num_records)
            (folder / "done").touch()
        place = Place(folder)
        shutil.rmtree(folder / "state", ignore_errors=True)
        for run in place.runs.iterdir():
            shutil.rmtree(run / "cache", ignore_errors=True)
        return place


def first_paint(bench: Bench) -> None:
    """With no run, and with 50."""
    for num_runs in (0, 50):
        place = bench.place(f"paint-{num_runs}")
        if num_runs:
            write_short_runs(place.runs, num_runs)
        with place.dashboard() as program:
            _seen(program, _PAINTED)
        minimal, ours, whole, theirs = [], [], [], []
        for _ in range(3 if bench.quick else 9):
            with TimedProgram([sys.executable, "-c", MINIMAL], place.environment()) as program:
                minimal.append(_seen(program, "READY"))
            with place.dashboard() as program:
                whole.append(_seen(program, _PAINTED))
                ours.append(_seen(program, _TITLE))
            if bench.leet and not num_runs:
                with leets.open_leet(bench.leet, leets.kept_run(bench.leet, bench.kept, 20, 5_000)) as program:
                    time.sleep(3.0)
                    theirs.append(leets.first_paint(program))
        low, high = statistics.median(minimal), statistics.median(ours)
        told = f"title {high:.2f} s, minimal app {low:.2f} s: {high / low:.1f}×"
        drawn_s = statistics.median(whole)
        told += f"; Launch drawn {drawn_s:.2f} s: {drawn_s / low:.1f}×"
        leet = f"{statistics.median(theirs):.2f} s" if theirs else ""
        bench.table.add(f"first paint, {num_runs} runs", "≤ 1.0 s, ≤ 2×", told, leet)


def loads(bench: Bench) -> None:
    """Open a long run: from exec to the last change of the screen, without and with the cache."""
    for num_metrics, num_records in LOADS:
        place = bench.kept_place(num_metrics, num_records)
        leet = ""
        if bench.leet:
            file = leets.kept_run(bench.leet, bench.kept, num_metrics, num_records)
            with leets.open_leet(bench.leet, file) as program:
                with contextlib.suppress(TimeoutError):
                    leet = f"{program.wait_quiet(4.0, _LEET_S):.1f} s"
                leet = f"{leet or f'more than {_LEET_S:.0f} s'}, {program.memory_mb()[1]:.0f} MB"
        first = _load(place, num_records, asks=True)
        again = min(_load(place, num_records) for _ in range(1 if bench.quick else 3))
        what = f"{num_metrics} × {num_records:,} points complete"
        told = f"{first.seconds:.1f} s, {first.memory_mb:.0f} MB; a key meanwhile {first.answer_s * 1e3:.0f} ms"
        bench.table.add(f"{what}, without cache", "≤ 10 s", told, leet)
        bench.table.add(f"{what}, cached", "≤ 1 s", f"{again.seconds:.2f} s, {again.memory_mb:.0f} MB")


class Load(NamedTuple):
    """Seconds from exec until all is shown; megabytes then; seconds until a key was answered meanwhile."""

    seconds: float
    memory_mb: float
    answer_s: float


def _load(place: Place, num_records: int, asks: bool = False) -> Load:
    """Open the run as a person would: Monitor's key as soon as there is a screen. asks: for help meanwhile."""
    with _on_monitor(place) as program:
        asked = 0.0
        if asks:
            asked = program.press("?")
            program.see(r"esc closes", 60.0)
            program.press("\x1b")
        program.see(rf"{num_records:,}|{num_records}", 120.0)
        complete = program.wait_quiet(_QUIET_S, 120.0)
        while "reading:" in "\n".join(program.screen()):
            complete = program.wait_quiet(_QUIET_S, 120.0)
        kept_by = time.monotonic() + 60.0
        while not any(place.runs.glob("*/cache/series.bin")) and time.monotonic() < kept_by:
            time.sleep(0.05)
        time.sleep(0.5)  # what was kept is let go from memory
        answered = program.first_seen("esc closes", asked) if asked else 0.0
        assert answered is not None
        return Load(complete, program.memory_mb()[1], answered - asked)


@contextlib.contextmanager
def _on_monitor(place: Place) -> Iterator[TimedProgram]:
    with place.dashboard() as program:
        program.see(_PAINTED)
        program.press("2")
        program.see(_MONITOR)
        yield program


def _seen(program: TimedProgram, pattern: str) -> float:
    """When a pattern came to stand on the screen, from exec."""
    program.see(pattern)
    while (moment := program.first_seen(pattern)) is None:
        time.sleep(0.05)  # it stands in a piece whose end has not come yet
    return moment


def ten_million(bench: Bench) -> None:
    """Ten metrics of a million points."""
    place = bench.kept_place(10, 1_000_000)
    first = _load(place, 1_000_000)
    again = min(_load(place, 1_000_000) for _ in range(1 if bench.quick else 3))
    bench.table.add("10⁷ points, cached", "≤ 1 s", f"{again.seconds:.2f} s, {again.memory_mb:.0f} MB")
    bench.table.add("10⁷ points, without cache", "", f"{first.seconds:.1f} s, {first.memory_mb:.0f} MB")


def idle(bench: Bench) -> None:
    """Nothing happens: each screen that one may leave open."""
    place = bench.kept_place(20, 50_000)
    with _on_monitor(place) as program:
        program.wait_quiet(2.0, 60.0)
        for key, screen in (("2", "Monitor"), ("1", "Launch"), ("3", "Runs"), ("6", "Data")):
            program.press(key)
            time.sleep(2.0)
            num_bytes, share = _watch(program, 5.0 if bench.quick else 15.0)
            bench.table.add(f"idle, {screen}", "0 bytes, ≤ 1 % CPU", f"{num_bytes:.0f} bytes/s, {share:.1%}")
    if bench.leet:
        with leets.open_leet(bench.leet, leets.kept_run(bench.leet, bench.kept, 20, 50_000)) as program:
            program.wait_quiet(4.0, 120.0)
            num_bytes, share = _watch(program, 10.0)
            bench.table.add("idle, a run", "", "", f"{num_bytes:.0f} bytes/s, {share:.1%}")


def live(bench: Bench) -> None:
    """20 metrics ten times a second: what it costs, and how long a record takes to the screen."""
    seconds = _LIVE_S / 2 if bench.quick else _LIVE_S
    place = bench.place("live")
    with _live_run(place, 20, 10.0, seconds + 30.0), place.dashboard() as program:
        program.see(_MONITOR)
        time.sleep(8.0)
        num_bytes, share = _watch(program, seconds)
    leet = ""
    if bench.leet:
        folder = bench.place("live-leet").folder
        writer = leets.start_writer(bench.leet, folder, 20, 10**9, 10.0, seconds + 30.0)
        with writer, leets.open_leet(bench.leet, leets.run_file(folder)) as program:
            time.sleep(8.0)
            their_bytes, their_share = _watch(program, seconds)
            writer.terminate()
        leet = f"{their_share:.1%}, {their_bytes / 1e3:.1f} kB/s"
    told = f"{share:.1%}, {num_bytes / 1e3:.1f} kB/s"
    bench.table.add("live: 20 metrics × 10 steps/s", "≤ 10 % of a core, ≤ 4 kB/s", told, leet)


def drawn(bench: Bench) -> None:
    """A record now and then: until its step stands on the screen, and until a curve has changed."""
    place = bench.place("drawn")
    number = 10 if bench.quick else 30
    with _live_run(place, 20, 0.8, number / 0.8 + 8.0) as written, place.dashboard() as program:
        program.see(_MONITOR)
        time.sleep(number / 0.8 + 4.0)
        began = time.time() - program.now
        until_told, until_drawn = _lags(program, [(step, moment - began) for step, moment in written], number)
    for what, lags in (("its step stands there", until_told), ("its curve is drawn", until_drawn)):
        told = f"median {statistics.median(lags) * 1e3:.0f} ms, p95 {_p95(lags) * 1e3:.0f} ms, {len(lags)} records"
        bench.table.add(f"record written, until {what}", "≤ 300 ms", told)


def _lags(program: TimedProgram, written: list[tuple[int, float]], number: int) -> tuple[list[float], list[float]]:
    """Seconds from each record to the first screen that tells of it, and to the first other curve."""
    timed = []
    for at, lines in program.screens():
        text = "\n".join(lines)
        timed.append((at, text, "".join(filter(_is_braille, text))))
    told: list[float] = []
    curves: list[float] = []
    for step, moment in written[3 : 3 + number]:
        before = [curve for at, _, curve in timed if at <= moment][-1:]
        later = [one for one in timed if one[0] > moment]
        seen = [at for at, text, _ in later if re.search(rf"\b{step}\b", text)]
        other = [at for at, _, curve in later if [curve] != before]
        told += [seen[0] - moment] if seen else [float("inf")]
        curves += [other[0] - moment] if other else [float("inf")]
    return told, curves


def _is_braille(character: str) -> bool:
    return "\u2800" <= character <= "\u28ff"


@contextlib.contextmanager
def _live_run(place: Place, num_metrics: int, rate: float, seconds: float) -> Iterator[list[tuple[int, float]]]:
    """A run that records while this holds; the steps and the Unix times at which they were written."""
    argv = [sys.executable, "-m", "tests.benchmarks.long_runs", str(place.runs), "live-run"]
    with subprocess.Popen(
        [*argv, str(num_metrics), str(rate), str(seconds)],
        env=place.environment(), stdout=subprocess.PIPE, text=True,
    ) as writer:  # fmt: skip
        assert writer.stdout is not None
        writer.stdout.readline()
        written: list[tuple[int, float]] = []

        def follow(lines: IO[str]) -> None:
            for line in lines:
                step, moment = line.split()
                written.append((int(step), float(moment)))

        follower = threading.Thread(target=follow, args=(writer.stdout,), daemon=True)
        follower.start()
        try:
            yield written
        finally:
            writer.kill()
            follower.join(5.0)


def keys(bench: Bench) -> None:
    """From a key to the last byte of its answer, with 12 charts."""
    for num_records in (100_000, 1_000_000):
        place = bench.kept_place(12, num_records)
        remembered = Remembered(place.folder / "state" / "tinytrain-tui" / "dashboard.json")
        arranged = Arrangement(charts=metric_names(12), columns=4, has_lead=False)
        remembered.put("monitor", arrangement_to_remember(arranged))
        remembered.flush()
        _load(place, num_records)
        with _on_monitor(place) as program:
            program.wait_quiet(2.0, 60.0)
            program.press("\t")
            program.wait_quiet(0.5, 5.0)
            lags: list[float] = []
            for _ in range(2 if bench.quick else 8):
                for key in KEYS:
                    pressed = program.press(key)
                    time.sleep(0.25)
                    if program.last_output() > pressed:
                        lags.append(program.last_output() - pressed)
            memory_mb = program.memory_mb()[1]
        told = f"p50 {statistics.median(lags) * 1e3:.0f} ms, p95 {_p95(lags) * 1e3:.0f} ms, {memory_mb:.0f} MB"
        bench.table.add(f"key to settled screen, 12 charts × {num_records:,}", "p95 ≤ 60 ms", told)


def many_runs(bench: Bench) -> None:
    """5,000 runs: from Runs' key until they are counted on the screen; without and with what it remembers."""
    number = 5_000
    folder = bench.kept / f"runs-{number}"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        write_short_runs(Place(folder).runs, number)
        (folder / "done").touch()
    for remembered in ("state", "cache"):
        shutil.rmtree(folder / remembered, ignore_errors=True)
    place = Place(folder)
    for attempt in ("first time", "again"):
        with place.dashboard() as program:
            program.see(_PAINTED)
            pressed = program.press("3")
            program.see(r"\b5,?000\b", 120.0)
            listed = program.first_seen(r"\b5,?000\b", pressed)
            assert listed is not None
            settled = program.wait_quiet(_QUIET_S, 120.0)
            told = f"{listed - pressed:.2f} s, settled {settled - pressed:.1f} s, {program.memory_mb()[1]:.0f} MB"
        bench.table.add(f"{number:,} runs listed, {attempt}", "≤ 1 s", told)


def soak(bench: Bench) -> None:
    """Eight hours of a live run, as fast as they can be written, with screens switched meanwhile."""
    num_records = 8 * 3600 * (1 if bench.quick else 10)
    place = bench.place("soak")
    with _live_run(place, 20, num_records / 60.0, 75.0), place.dashboard() as program:
        program.see(_MONITOR)
        time.sleep(5.0)
        seen = [program.memory_mb()[1]]
        began = program.now
        while program.now - began < 65.0:
            for key in ("3", "2", "1", "2", "6", "2", "?", "\x1b", "\t"):
                program.press(key)
                time.sleep(0.4)
            seen.append(program.memory_mb()[1])
        time.sleep(15.0)  # what came last is kept and let go, as it would be all along at a real pace
        after = program.memory_mb()[1]
    told = f"{seen[0]:.0f} MB at first, {after:.0f} MB at the end, {max(seen):.0f} MB at most"
    bench.table.add(f"8 simulated hours, 20 metrics × {num_records:,} records", "≤ 120 MB", told)


def _watch(program: TimedProgram, seconds: float) -> tuple[float, float]:
    """Bytes a second and share of a core over a stretch."""
    cpu_s, began = program.used_cpu_s(), program.now
    time.sleep(seconds)
    ended = program.now
    used = program.used_cpu_s() - cpu_s
    return program.bytes_between(began, ended) / (ended - began), used / (ended - began)


def _p95(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


MEASUREMENTS: tuple[Callable[[Bench], None], ...] = (
    first_paint, loads, ten_million, idle, live, drawn, keys, many_runs, soak,
)  # fmt: skip


def main() -> None:
    """Print each row as it is found, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", default="", help="measurements whose name has this in it")
    parser.add_argument("--keep", type=Path, help="where long runs stay for the next time")
    parser.add_argument("--no-leet", action="store_true")
    options, _ = parser.parse_known_args()
    leet = None if options.no_leet else leets.find_leet()
    if leet is None:
        print("W&B LEET is not measured: no `wandb` on the PATH and none in $LEET")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        bench = Bench(options.keep or scratch / "kept", scratch, options.quick, leet)
        for measure in MEASUREMENTS:
            if options.only in measure.__name__:
                measure(bench)
    print(f"\n{bench.table}\n\nload average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
