"""The terminal: whatever ends the dashboard gives it back whole, and nothing spins; any size is survived.

The dashboard runs in a real pty, on several of its screens, a dialog and a screen with a feed among them.
"""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.faults.figures import Figure, Scale
from tests.faults.hostile_folder import ROOT
from tests.faults.terminal import PtyProgram
from tests.run_writer import AttemptWriter, Supervision, new_run

PROMISE = 14  # after those of the reference: issue 5, "Terminal"
_AT_ONCE: dict[Scale, int] = {"quick": 3, "long": 2}
_END_S = 3.0
_STEADY_S = 0.7
_BACK_S = 8.0  # a machine that is busy; on an idle one it takes a tenth of a second
_CPU_S = 1.0  # what a program may use that has nothing to do but end; one that spins uses all the time there is
_RESTORED = ("\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l", "\x1b[?1003l", "\x1b[?1006l", "\x1b[?2004l", "\x1b[?1004l")
_VIEWS: dict[str, tuple[tuple[str, str], ...]] = {
    "launch": (("1", "hidden size"),),
    "monitor with a feed": (),
    "runs": (("3", r"Runs ·"),),
    "data": (("6", r"Data ·"),),
    "help": (("?", "esc closes"),),
    "charts": (("g", "─ Charts of Monitor"),),
    "probes": (("B", "─ Probe sentences"),),
    "compare": (("4", r"Curves +Runs"),),
    "playground": (("5", "─ Text "),),
    "checkpoints": (("5", "─ Text "), ("m", "─ Which checkpoint")),
    "columns": (("3", r"Runs ·"), ("C", "─ Columns")),
    "sweep": (("1", "hidden size"), ("S", "─ Sweep over ")),
    "recent": (("1", "hidden size"), ("H", "─ Launched before")),
    "palette": (("\x10", "Search for commands"),),
    "stop dialog": (("x", r"Stop this run\?"),),
    "value dialog": (("+", "esc cancels"),),
    "log": (("l", r"─ Log"),),
}
_QUICK_RESIZED = ("sweep", "monitor with a feed", "charts", "compare")
# nothing that starts, deletes or ends a run, or leaves the dashboard
_HARMLESS_KEYS = [
    "1", "2", "3", "4", "5", "6", "g", "G", "B", "C", "H", "S", "A", "m", "w", "h", "[", "]", "i", "f", "L",
    "u", "\t", "\x1b[Z", "?", "\x1b", "e", "+", "-", "s", "x", "p", "l", "z", "o", "/", "c", " ", "\x10",
    "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[5~", "\x1b[6~", "a", "t", "\x12", "\x13", "n", "y",
]  # fmt: skip
_SIZES = ((20, 5), (10, 3), (1, 1), (80, 24), (200, 60), (40, 12), (300, 2), (2, 80))
_OF_ITSELF = re.compile(r" last \d+ [smh] |\d+[smhd]?\??|● running|… stalled")  # figures, a silent run's state
_GUARDS_OFF = (
    "import sys, tui.app as app\n"
    "app.exit_on_signals = app.exit_when_terminal_vanishes = lambda *_: None\n"
    "from tui.cli import main; sys.exit(main())"
)


@dataclass
class Tally:
    """What was complained about in each try; several threads may add to it."""

    tries: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    @property
    def wrong(self) -> list[str]:
        """The sentences of where it went wrong."""
        return [complaint for complaint in self.tries if complaint]

    def judge(self, complaints: Sequence[str]) -> None:
        """One try."""
        self.tries.append("; ".join(complaints))

    def figure(self, what: str, is_control: bool = False) -> Figure:
        """As a line of the report."""
        slowest = f"slowest {self.slowest_s:.1f} s" if self.slowest_s and not is_control else ""
        detail = " ".join(part for part in (slowest, *self.wrong[:2]) if part)
        return Figure(PROMISE, what, len(self.tries), len(self.wrong), is_control, detail)


def measure(folder: Path, scale: Scale) -> list[Figure]:
    """See the module's text."""
    runs = folder / "runs"
    runs.mkdir(mode=0o700)
    run = new_run(runs)
    writer = AttemptWriter(run)
    writer.start()
    writer.run_to(300)
    hence = time.time() + 3600
    os.utime(run.attempt(1).metrics_file, (hence, hence))  # it must not turn silent while a window is resized
    supervision = Supervision(run)
    supervision.state("running")
    is_long = scale == "long"
    signals, vanished, nohup, resized, keyed = (Tally() for _ in range(5))
    broken = Tally(), Tally()
    kinds = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    end, take = partial(end_by_signal, folder), partial(take_terminal_away, folder)
    away, deaf = partial(take, tally=vanished, ignore_hangup=False), partial(take, tally=nohup, ignore_hangup=True)
    live = "monitor with a feed"
    jobs: list[Callable[[], None]] = [
        partial(resize_storm, folder, (view,), resized, 3 if is_long else 1)
        for view in (_VIEWS if is_long else _QUICK_RESIZED)
    ]
    jobs += [
        partial(key_storm, folder, keyed, random.Random(seed), 600 if is_long else 200)
        for seed in range(15 if is_long else 1)
    ]
    if is_long:
        for view in (*_VIEWS, *_VIEWS):
            jobs += [partial(end, view, kind, signals) for kind in kinds]
            jobs += [partial(away, view), partial(deaf, view)]
    else:
        jobs += [
            partial(end, view, kind, signals) for view, kind in zip((live, "playground", live), kinds, strict=True)
        ]
        jobs += [partial(away, "playground"), partial(deaf, live)]
    jobs.append(partial(end, live, signal.SIGTERM, broken[0], guarded=False))
    jobs.append(partial(take, live, broken[1], ignore_hangup=True, guarded=False))
    try:
        with ThreadPoolExecutor(_AT_ONCE[scale]) as pool:
            for job in [pool.submit(job) for job in jobs]:
                job.result()
    finally:
        supervision.close()
        writer.close()
    return [
        signals.figure("SIGTERM, SIGHUP, SIGINT: not ended within 3 s, terminal not restored, wrong status"),
        vanished.figure("terminal taken away: not ended within 3 s, or spinning"),
        nohup.figure("terminal taken away while SIGHUP is ignored: not ended within 3 s, or spinning"),
        resized.figure("windows resized down to 1×1 and back on each screen: crashed, or not as before"),
        keyed.figure("keys faster than the screens can be made: crashed, or did not end in order"),
        broken[0].figure("guards off, SIGTERM", is_control=True),
        broken[1].figure("guards off, terminal taken away under nohup", is_control=True),
    ]  # fmt: skip


def open_at(folder: Path, view: str, guarded: bool = True, ignore_hangup: bool = False) -> PtyProgram:
    """The dashboard, showing one of the views."""
    environment = {
        **os.environ,
        "TINYTRAIN_RUNS": str(folder / "runs"), "TINYTRAIN_PRESETS": str(folder / "presets"),
        "XDG_STATE_HOME": tempfile.mkdtemp(dir=folder),  # or it opens where another one was left
        "TINYTRAIN_CACHE": str(folder / "cache"), "HF_ENDPOINT": "http://127.0.0.1:9",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "fakes")]), "FAKE_NVML": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "tui"] if guarded else [sys.executable, "-c", _GUARDS_OFF]
    program = PtyProgram(command, environment, ignore_hangup=ignore_hangup)
    try:
        program.see("Probes @300")
        program.see("H200 ")
        for keys, pattern in _VIEWS[view]:
            program.type(keys)
            program.see(pattern)
    except AssertionError:
        program.close()
        raise
    program.settle(0.1, 1.0)
    return program


def end_by_signal(folder: Path, view: str, kind: signal.Signals, tally: Tally, guarded: bool = True) -> None:
    """Send a signal, and look at how it ends."""
    program = open_at(folder, view, guarded)
    try:
        before, sent = len(program.output), time.monotonic()
        program.process.send_signal(kind)
        status = program.wait(_END_S)
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - sent)
        complaints = _still_there(program, status)
        if status is not None:
            last = program.output[before:]
            missing = [sequence for sequence in _RESTORED if sequence not in last]
            complaints += [f"not restored: {missing}"] if missing else []
            if status != 128 + kind and guarded:
                complaints.append(f"exit status {status}")
            complaints += ["a traceback"] if "Traceback" in last else []
        tally.judge([f"{kind.name} on {view}: {complaint}" for complaint in complaints])
    finally:
        program.close()


def take_terminal_away(
    folder: Path, view: str, tally: Tally, *, ignore_hangup: bool, guarded: bool = True
) -> None:
    """Close the other end of the pty, as a broken connection does."""
    program = open_at(folder, view, guarded, ignore_hangup)
    try:
        cpu_before, taken = program.cpu_s(), time.monotonic()
        program.hang_up()
        spent = 0.0
        while program.process.poll() is None and time.monotonic() - taken < _END_S:
            spent = max(spent, program.cpu_s() - cpu_before)
            if spent > _CPU_S:
                break
            time.sleep(0.02)
        status = program.process.poll()
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - taken)
        complaints = _still_there(program, status)
        complaints += [f"used {spent:.1f} s of processor time"] if spent > _CPU_S else []
        if status is not None and guarded and status != 128 + signal.SIGHUP:
            complaints.append(f"exit status {status}")
        tally.judge([f"{view}: {complaint}" for complaint in complaints])
    finally:
        program.close()


def resize_storm(folder: Path, views: Sequence[str], tally: Tally, rounds: int) -> None:
    """Through all sizes and back, slowly and then as fast as one can, on each view in a dashboard of its own."""
    for view in views:
        program = open_at(folder, view)
        try:
            program.settle(_STEADY_S, _BACK_S)
            before = _content(program)
            for number in range(rounds):
                for size in _SIZES:
                    program.resize(*size)
                    program.settle(0.03, 0.4)
                for _ in range(20):
                    for size in _SIZES[number % 3 :: 2]:
                        program.resize(*size)
                program.resize(80, 24)
                deadline = time.monotonic() + _BACK_S
                while (
                    not _is_back(_content(program), before)
                    and time.monotonic() < deadline
                    and program.process.poll() is None
                ):
                    time.sleep(0.05)
            complaints = [f"ended with {program.process.poll()}"] if program.process.poll() is not None else []
            complaints += ["a traceback"] if "Traceback" in program.output else []
            after = _content(program)
            if not complaints and not _is_back(after, before):
                differing = [f"{old!r} → {new!r}" for old, new in zip(before, after, strict=True) if old != new]
                complaints.append(f"other content than before: {differing[:3]}")
            tally.judge([f"{view}: {complaint}" for complaint in complaints])
        finally:
            program.close()


def key_storm(folder: Path, tally: Tally, rng: random.Random, num_keys: int) -> None:
    """Keys faster than screens can be made; then it is told to quit, and has to do so in order."""
    program = open_at(folder, "monitor with a feed")
    try:
        for _ in range(num_keys // 20):
            program.type("".join(rng.choices(_HARMLESS_KEYS, k=20)))
            program.settle(0.02, rng.choice((0.03, 0.1, 0.5)))
        program.settle(0.3, 5.0)
        for _ in range(3):
            program.type("\x1b")
            program.settle(0.3, 2.0)
        early = program.process.poll()
        program.process.send_signal(signal.SIGTERM)
        status = program.wait(_BACK_S)
        complaints = ["a traceback"] if "Traceback" in program.output else []
        complaints += [f"it ended by itself with {early}"] if early is not None else []
        complaints += [f"told to end, it ended with {status}"] if status != 128 + signal.SIGTERM else []
        if complaints:
            complaints.append(program.output[-3000:])
        tally.judge(complaints)
    finally:
        program.close()


def _content(program: PtyProgram) -> list[str]:
    """What stands on the screen, without what changes by itself."""
    lines = [_OF_ITSELF.sub("", line) for line in program.screen()]
    return [re.sub(r"─+", "─", re.sub(r"[▁-▓▔▕┃╸╺· ]+", " ", line)) for line in lines]


def _is_back(now: list[str], before: list[str]) -> bool:
    """Whether the same panes are there, each of them full; a list may be scrolled to where its cursor is."""
    frames = [[line for line in lines if "╭" in line or "╰" in line] for lines in (now, before)]
    return frames[0] == frames[1] and sum(map(bool, now)) >= sum(map(bool, before))


def _still_there(program: PtyProgram, status: int | None) -> list[str]:
    if status is None:
        return [f"still there after {_END_S:g} s"]
    deadline = time.monotonic() + _END_S
    while (left := program.others_left()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [f"left processes behind: {left}"] if left else []
