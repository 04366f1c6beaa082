"""Promise 10: opening somebody's run executes nothing, shows nothing from outside of it, and writes nothing there.

Every attack changes a copy of a trained run; a process of its own then opens it in every way the program does, and
does to it whatever can be done. What lies outside, full of marked secrets, must be as it was and must not be seen.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runs.folder import RunFolder, all_runs
from tests.faults.checkpoint_attacks import checkpoint_attacks
from tests.faults.content_attacks import content_attacks
from tests.faults.figures import Figure, Scale
from tests.faults.file_attacks import Attack, place_attacks, set_bait

ROOT = Path(__file__).resolve().parents[2]
_MOST_GROWN_MB = 400
_IN_THE_RUN = (  # of each way, what only that has read
    *("index: [(RunSummary(", "a quiet console", "a quiet rank", "'val_loss': ([", "all steps done"),
    *("load last: TrainState(step=10", "load best: TrainState(step=10", "playground: Answer(", "StoredVerdict("),
    *("start_from: Start(", "tokenizer: {'", "pointer: ['step-00000010'", "analysis: TrainState("),
)  # fmt: skip
_READ = ("link at about.json", "link at attempts/0001/console.log", "link at attempts/0001/ranks/")
_WRITTEN = ("link at control/",)
_EXECUTED = ("pickle: archive as rng_state.pth", "pickle: nothing else")
_START_S = 90.0
_OPEN_S = 120.0


@dataclass
class Found:
    """What became of the attacks: by kind of failure, which ones."""

    tried: int = 0
    executed: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    hung: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
    flooded: list[str] = field(default_factory=list)


class Opening:
    """The process that opens runs; started anew when it was lost."""

    def __init__(self, folder: Path, innocent: RunFolder) -> None:
        self._argv = [sys.executable, "-m", "tests.faults.run_opener", "open", str(innocent.path)]
        self._environment = environment(folder)
        self._process: subprocess.Popen[bytes] | None = None

    def open(self, run: Path, mode: str = "", *, writes: bool) -> dict[str, Any] | None:
        """What it found; None when it hung or died."""
        process = self._process or self._start()
        if process is None or process.stdin is None:
            return None
        process.stdin.write(json.dumps({"run": str(run), "mode": mode, "writes": writes}).encode() + b"\n")
        process.stdin.flush()
        answer = self._answer(_OPEN_S)
        if answer is None:
            self.close()
        return answer

    def _start(self) -> subprocess.Popen[bytes] | None:
        self._process = subprocess.Popen(
            self._argv, cwd=ROOT, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip
        if self._answer(_START_S) is None:
            self.close()
            raise RuntimeError("the process that opens runs did not come up")
        return self._process

    def _answer(self, timeout_s: float) -> Any:
        assert self._process is not None and self._process.stdout is not None
        deadline, line = time.monotonic() + timeout_s, b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self._process.stdout.fileno(), 1 << 20) if ready else b""
            if not chunk:
                return None
            line += chunk
        return json.loads(line)

    def close(self) -> None:
        """End it, also when it hangs."""
        if self._process is None:
            return
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process = None


def environment(folder: Path) -> dict[str, str]:
    """Of all processes of the harness: nothing of them comes into anybody's own folders."""
    own = {"TINYTRAIN_CACHE": "cache", "TINYTRAIN_PRESETS": "presets", "HF_HOME": "hf", "TINYTRAIN_RUNS": "runs"}
    paths = {name: str(folder / value) for name, value in own.items()}
    return {**os.environ, **paths, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}


@dataclass
class Ground:
    """An innocent run, the bait outside of it, and the process that opens runs."""

    folder: Path
    innocent: RunFolder
    opening: Opening


@contextlib.contextmanager
def prepared(folder: Path) -> Iterator[Ground]:
    """Train the innocent run, and lay out the bait. Raises when there is nothing to attack."""
    subprocess.run(
        [sys.executable, "-m", "tests.faults.run_opener", "make", str(folder)],
        cwd=ROOT, env=environment(folder), check=True, capture_output=True, timeout=_START_S,
    )  # fmt: skip
    (innocent,) = all_runs(folder / "runs")
    lay_bait(folder / "outside", innocent)
    opening = Opening(folder, innocent)
    try:
        yield Ground(folder, innocent, opening)
    finally:
        opening.close()
        shutil.rmtree(folder / "cases", ignore_errors=True)


def lay_bait(outside: Path, innocent: RunFolder) -> None:
    """What lies outside, as it is before an attack."""
    shutil.rmtree(outside, ignore_errors=True)
    shutil.copytree(innocent.path, outside / "bait")
    set_bait(outside / "bait")
    os.mkfifo(outside / "pipe.json")


def attack_all(
    ground: Ground, attacks: Iterable[Sequence[Attack]], mode: str = "", *, until: float = float("inf")
) -> Found:
    """Try each of them, several at once where several are given, each on a copy of its own.

    until: by the monotonic clock; what would come later is left out.
    """
    found = Found()
    outside = ground.folder / "outside"
    for several in attacks:
        if time.monotonic() > until:
            break
        cases = ground.folder / "cases"
        shutil.rmtree(cases, ignore_errors=True)
        run = RunFolder(cases / "runs" / ground.innocent.id)
        shutil.copytree(ground.innocent.path, run.path)
        name = " and ".join(attack.name for attack in several)
        for attack in several:
            with contextlib.suppress(OSError, ValueError):  # what the one made leaves no room for the other
                attack.apply(run, outside)
        before = _snapshot(outside)  # an attack may itself have written through the link of another
        found.tried += 1
        answer = ground.opening.open(run.path, mode, writes=True)
        _take(found, name, answer, may_show=any(attack.shows_bait for attack in several))
        after = _snapshot(outside)
        if after != before:
            (found.executed if any("executed-" in path for path in after) else found.written).append(name)
            lay_bait(outside, ground.innocent)
    return found


def _take(found: Found, name: str, answer: dict[str, Any] | None, *, may_show: bool) -> None:
    if answer is None:
        found.hung.append(name)
        return
    if answer["leaks"] and not may_show:
        found.leaked.append(f"{name}: {answer['leaks'][0]}")
    if answer["slow"]:
        found.hung.append(f"{name}: {answer['slow']}")
    if answer["crashes"]:
        found.crashed.append(f"{name}: {answer['crashes']}")
    if answer["grown_mb"] > _MOST_GROWN_MB:
        found.flooded.append(f"{name}: {answer['grown_mb']} MB")


def _snapshot(outside: Path) -> dict[str, tuple[int, int, int, str]]:
    """Everything that stands outside: mode, size, time of change and content."""
    seen: dict[str, tuple[int, int, int, str]] = {}
    for path in outside.rglob("*"):
        status = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        size = status.st_size if digest else 0
        seen[str(path.relative_to(outside))] = (status.st_mode, size, status.st_mtime_ns, digest)
    return seen


def _figures(found: Found) -> list[Figure]:
    kinds = (
        ("opened and acted on; code executed", found.executed),
        ("written outside of the run", found.written),
        ("shown from outside of the run", found.leaked),
        ("opened in more than 2 s, or never", found.hung),
        ("ended in an error that nobody expects", found.crashed),
        (f"took more than {_MOST_GROWN_MB} MB", found.flooded),
    )
    return [
        Figure(10, f"hostile runs: {what}", found.tried, len(names), detail="; ".join(names[:5])[:1500])
        for what, names in kinds
    ]


def measure(folder: Path, scale: Scale) -> list[Figure]:
    """See the module's text. Long: every attack, and pairs of them at random; quick: one of every kind."""
    everything = [*place_attacks(), *checkpoint_attacks(), *content_attacks()]
    chance = random.Random(10)
    singles = [[one] for one in (everything if scale == "long" else _some(everything, chance, most=1))]
    pairs = [chance.sample(everything, 2) for _ in range(400 if scale == "long" else 3)]
    chance.shuffle(singles)  # a slow machine leaves out others each time the attacks change, never all of a kind
    until = time.monotonic() + (270 if scale == "long" else 60)
    with prepared(folder) as ground:
        figures = [_untouched(ground), *_controls(ground, everything)]
        return figures + _figures(attack_all(ground, singles + pairs, until=until))


def _untouched(ground: Ground) -> Figure:
    """A process that reads nothing is safe from everything."""
    answer = ground.opening.open(ground.innocent.path, writes=False)
    missing = [words for words in _IN_THE_RUN if answer is None or words not in answer["text"]]
    what = "ways of reading that find nothing in the untouched run"
    return Figure(10, what, len(_IN_THE_RUN), len(missing), detail=", ".join(missing))


def _controls(ground: Ground, everything: list[Attack]) -> list[Figure]:
    """Builds that follow links, or that unpickle, must be caught."""

    def tried(names: tuple[str, ...], mode: str) -> Found:
        return attack_all(ground, [[one] for one in everything if one.name in names], mode)

    reading, writing, trusting = tried(_READ, "naive"), tried(_WRITTEN, "naive"), tried(_EXECUTED, "trusting")
    return [
        Figure(10, "a reader that follows links shows", reading.tried, len(reading.leaked), True),
        Figure(10, "a writer that follows links writes", writing.tried, len(writing.written), True),
        Figure(10, "torch.load(weights_only=False) executes", trusting.tried, len(trusting.executed), True),
    ]


def _some(everything: list[Attack], chance: random.Random, most: int) -> list[Attack]:
    """At most so many of each kind, drawn at random but always the same."""
    drawn = chance.sample(everything, len(everything))
    taken: Counter[str] = Counter()
    kept: list[Attack] = []
    for attack in drawn:
        if taken[attack.kind] < most:
            taken[attack.kind] += 1
            kept.append(attack)
    return kept
