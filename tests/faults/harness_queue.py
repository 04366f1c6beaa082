"""The queue under fire: supervisors are shot at random while two dashboards queue and move runs at once.

Counts runs that were acknowledged and never ran, runs that ran twice, and devices that two runs had at once.
The supervisors are real, on what they take for a machine of four cores with a slow disk; `queue_machine` holds
their engine and the broken builds.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from presets.config import with_values
from presets.schema import RunConfig
from runs import launch, queue
from runs.folder import RunFolder, all_runs, create_run
from runs.launch import child_environment
from runs.lock import is_locked
from runs.processes import identify, is_alive, send_signal
from runs.queue_entry import leave
from runs.status import read_state
from tests.faults.figures import Figure, Scale

PROMISE = 3
MACHINE = Path(__file__).with_name("queue_machine")
ENQUEUER = Path(__file__).with_name("queue_enqueuer.py")
_PATIENCE_S = 60.0  # nothing may move for that long; on a busy machine a start alone takes seconds
_REVIVE_S = 1.0
_LOOK_S = 0.25


@dataclass
class Story:
    """What was seen of some runs. Each is counted once, except devices: there each engine that overlaps counts."""

    acknowledged: list[str] = field(default_factory=list)
    began: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    overlaps: int = 0
    shot: Counter[str] = field(default_factory=Counter)

    @property
    def lost(self) -> int:
        return sum(not self.ended[run] for run in self.acknowledged)

    @property
    def doubled(self) -> int:
        return sum(count > 1 for count in self.began.values())


class Machine:
    """A folder of runs with the build that its supervisors are of; leaves no process."""

    def __init__(
        self,
        folder: Path,
        build: str = "ours",
        *,
        fsync_s: float = 0.02,
        engine_s: float = 0.3,
        threads: str = "1124",
    ) -> None:
        self.build = build
        self.runs = folder / "runs"
        self.runs.mkdir(parents=True, mode=0o700)
        self._journal = folder / "journal"
        self._variables = {
            "TINYTRAIN_RUNS": str(self.runs),
            "TINYTRAIN_PRESETS": str(folder / "presets"),
            "PYTHONPATH": str(MACHINE),
            "QUEUE_JOURNAL": str(self._journal),
            "QUEUE_BUILD": build,
            "QUEUE_FSYNC_S": str(fsync_s),
            "QUEUE_ENGINE_S": str(engine_s),
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Start what follows on this machine, and end all that is left of it afterwards."""
        before = dict(os.environ)
        os.environ.update(self._variables)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            self._end_all()

    def story(self) -> Story:
        """What the engines have written down up to now."""
        story = Story()
        with contextlib.suppress(FileNotFoundError):
            for line in self._journal.read_text(encoding="ascii").splitlines():
                what, _, run = line.partition(" ")
                if what == "overlaps":
                    story.overlaps += 1
                else:
                    getattr(story, what)[run] += 1
        return story

    def shoot(self, rng: random.Random) -> str:
        """SIGKILL one of the supervisors; returns what its run was doing, or nothing when there was none.

        Of those that begin or run there are always few, and they are shot as often as the many that wait.
        """
        states = [read_state(folder) for folder in all_runs(self.runs) if is_locked(folder)]
        targets = [state for state in states if state is not None and is_alive(state.supervisor)]
        if not targets:
            return ""
        begun = [state for state in targets if state.state != "queued"]
        target = rng.choice(begun if begun and rng.random() < 0.5 else targets)
        return target.state if send_signal(target.supervisor, signal.SIGKILL) else ""

    def pids(self) -> list[int]:
        """The processes of this machine, except the caller."""
        wanted = f"TINYTRAIN_RUNS={self.runs}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if wanted in path.read_bytes().split(b"\0") and int(path.parent.name) != os.getpid():
                    found.append(int(path.parent.name))
        return found

    def _end_all(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for folder in all_runs(self.runs):
                leave(folder)
            identities = [identity for pid in self.pids() if (identity := identify(pid)) is not None]
            if not identities:
                return
            for identity in identities:
                send_signal(identity, signal.SIGKILL)
            time.sleep(0.05)
        raise TimeoutError(f"processes are left: {self.pids()}")


def under_fire(machine: Machine, num_runs: int, num_shots: int, *, seed: int = 1) -> Story:
    """Let two dashboards queue runs while supervisors are shot, and wait until nothing happens any more."""
    rng = random.Random(seed)
    shot: Counter[str] = Counter()
    with machine.running():
        readers = [
            _Reader([sys.executable, str(ENQUEUER), str(num_runs // 2), str(seed + number)]) for number in range(2)
        ]
        moved_at = shot_at = revived_at = time.monotonic()
        looked_at, before = 0.0, ""
        while time.monotonic() - moved_at < _PATIENCE_S:
            now = time.monotonic()
            if shot.total() < num_shots and now >= shot_at:
                what = machine.shoot(rng)
                shot.update([what] if what else [])
                shot_at = now + rng.uniform(0.02, 0.5)
            if now >= revived_at:
                queue.revive(machine.runs)  # as a dashboard does
                revived_at = time.monotonic() + _REVIVE_S
            if now >= looked_at + _LOOK_S:
                looked_at = now
                story = machine.story()
                is_alive = any(reader.is_alive() for reader in readers) or bool(machine.pids())
                is_over = not is_alive and not queue.waiting(machine.runs)
                if is_over or (machine.build != "ours" and story.doubled):
                    break
                seen = f"{story} {shot} {[reader.lines for reader in readers]}"
                moved_at = moved_at if seen == before else now
                before = seen
            time.sleep(0.02)
        story = machine.story()
    for reader in readers:
        reader.join()
        story.acknowledged += reader.lines
    story.shot = shot
    return story


def forsaken(machine: Machine, num_runs: int) -> Story:
    """Queue runs of which each needs all cores, and shoot the supervisors of all that wait, once each."""
    config = with_values(RunConfig(), {"launch.device": "cpu", "launch.threads": 4})
    with machine.running():
        folders = [create_run(machine.runs, config, preset="queue") for _ in range(num_runs)]
        for folder in folders:
            queue.enqueue(folder)
        waiting = [one.folder for one in queue.waiting(machine.runs)]
        assert waiting, "all have begun, so that nobody can be forsaken"
        for folder in waiting:
            while (state := read_state(folder)) is None:  # its supervisor has the lock, and is about to write
                time.sleep(0.01)
            assert send_signal(state.supervisor, signal.SIGKILL)
        while machine.pids():
            time.sleep(0.05)
        story = machine.story()
    story.acknowledged = [folder.id for folder in folders]
    return story


def at_once(machine: Machine, num_rounds: int) -> Story:
    """Start as many runs at the same moment as there are cores, each of which needs one; again and again."""
    config = with_values(RunConfig(), {"launch.device": "cpu", "launch.threads": 1})
    acknowledged: list[str] = []
    with machine.running():
        for _ in range(num_rounds):
            folders = [create_run(machine.runs, config, preset="queue") for _ in range(4)]
            barrier = threading.Barrier(len(folders))

            def start(one: RunFolder, barrier: threading.Barrier = barrier) -> None:
                barrier.wait()
                launch.start(one)
                acknowledged.append(one.id)

            threads = [threading.Thread(target=start, args=(one,)) for one in folders]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            while any(map(is_locked, folders)):
                time.sleep(0.02)
            if machine.build != "ours" and machine.story().overlaps:
                break
        story = machine.story()
    story.acknowledged = acknowledged
    return story


class _Reader(threading.Thread):
    """Starts a dashboard, and takes the ids that it prints."""

    def __init__(self, argv: list[str]) -> None:
        super().__init__(daemon=True)
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            argv, env=child_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        self.start()

    def run(self) -> None:
        with self._process as process:
            assert process.stdout is not None
            for line in process.stdout:
                self.lines.append(line.strip())


def measure(folder: Path, scale: Scale) -> list[Figure]:
    """See the module's text."""
    num_runs, num_shots, num_rounds = (8, 8, 1) if scale == "quick" else (120, 200, 20)
    ours = under_fire(Machine(folder / "ours"), num_runs, num_shots)
    direct = at_once(Machine(folder / "direct", fsync_s=0.1, engine_s=1.0), num_rounds)
    lost = forsaken(Machine(folder / "alone", "nobody revives", engine_s=3.0), 3)
    twice = under_fire(Machine(folder / "stays", "keeps its place"), 2, 0)
    no_lock = at_once(Machine(folder / "unlocked", "no lock", fsync_s=0.1, engine_s=1.0), 8)
    doing = ", ".join(f"{count} {state}" for state, count in sorted(ours.shot.items()))
    detail = f"{ours.shot.total()} supervisors shot ({doing})"
    began = len(ours.began)
    return [
        Figure(PROMISE, "runs that were queued and never ran", len(ours.acknowledged), ours.lost, detail=detail),
        Figure(PROMISE, "queued runs that ran twice", began, ours.doubled, detail=detail),
        Figure(PROMISE, "queued runs that had a device of another run", began, ours.overlaps),
        Figure(PROMISE, "runs started at once that had a device of another", len(direct.began), direct.overlaps),
        Figure(PROMISE, "nobody revives: runs that never ran", len(lost.acknowledged), lost.lost, True),
        Figure(PROMISE, "a run that begins keeps its place: ran twice", len(twice.began), twice.doubled, True),
        Figure(PROMISE, "no lock: had a device of another", len(no_lock.began), no_lock.overlaps, True),
    ]
