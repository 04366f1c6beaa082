"""Promise 8: a full disk never ends training nor tears a file, is said, and is recovered from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from runs.spawn import child_environment
from tests.faults.figures import Figure, Scale

_SCRIPT = Path(__file__).with_name("disk_full.py")
_TIMEOUT_S = 900


def measure(folder: Path, scale: Scale) -> list[Figure]:
    """Fill a disk of memory under engines, ours and one that is broken on purpose, and under whole runs."""
    ours, gluing, whole = (200, 20, 6) if scale == "long" else (10, 3, 1)
    jobs = (f"ours:{ours}", f"gluing:{gluing}", f"supervised:{whole}")
    good, glued, runs = _run(folder, *jobs)
    assert good.paused > ours // 4 and runs.paused, "hardly an engine noticed the full disk, so this showed little"
    paused = f"{good.paused} paused recording, {good.in_a_save} a checkpoint, {good.at_end} waited at their end"
    ends = f"{runs.at_end} waited for room at their end"
    problems = "; ".join((*good.problems, *runs.problems))
    return [
        Figure(8, "disks filled: runs that ended of it, or not whole", good.tries, good.ended, detail=paused),
        Figure(8, "files torn, records lost", good.tries, good.torn + good.lost, detail=problems),
        Figure(8, "last checkpoints missing, half-made files left", good.tries, good.unsaved + good.left),
        Figure(8, "not said while it was full, or not that it was over", good.tries, good.unsaid),
        Figure(
            8,
            "whole runs, ended or killed on a full disk: wrong ends",
            runs.tries,
            runs.ended + runs.torn,
            detail=ends,
        ),
        Figure(8, "the same with a writer that ignores short writes", glued.tries, glued.torn, is_control=True),
    ]


def _run(folder: Path, *jobs: str) -> list[SimpleNamespace]:
    """The reports of the jobs. The disk is mounted for that process and its children alone, and goes with them."""
    environment = child_environment() | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    environment |= {"TINYTRAIN_CACHE": str(folder / "cache"), "TINYTRAIN_RUNS": str(folder / "runs")}
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    done = subprocess.run(
        [*unshare, sys.executable, str(_SCRIPT), str(folder / "disk"), str(folder / "runs"), "1", *jobs],
        env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return [SimpleNamespace(**json.loads(line)) for line in done.stdout.splitlines()]
