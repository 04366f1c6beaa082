"""Promises 1 and 2: `kill -9` loses no acknowledged record and no checkpoint; no damage is loaded unseen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from runs.spawn import child_environment
from tests.faults.figures import Figure, Scale

_HERE = Path(__file__).parent
_TIMEOUT_S = 900


def measure(folder: Path, scale: Scale) -> list[Figure]:
    """Kill writers, engines and savers, damage checkpoints; do the same to builds that are broken on purpose."""
    is_long = scale == "long"
    figures = [*_writers(folder, 2000 if is_long else 40), *_saves(folder, is_long=is_long)]
    if is_long:  # in the suite, test_engine_kills has the quick form
        figures += _engines(folder, 300)
    return figures


def _writers(folder: Path, number: int) -> list[Figure]:
    what = "`kill -9` of a writer: acknowledged records lost, or damaged ones"
    ours = _report(folder, "kill_harness.py", "record_writers:ours", number)
    control = _report(folder, "kill_harness.py", "record_writers:buffered", max(20, number // 50))
    return [
        Figure(1, what, ours.kills, ours.lost + ours.damaged, detail=f"{ours.acknowledged:,} acknowledged"),
        Figure(1, "the same with a buffering writer", control.kills, control.lost, is_control=True),
    ]


def _engines(folder: Path, number: int) -> list[Figure]:
    what = "`kill -9` of a training engine: acknowledged records or checkpoints lost"
    ours = _report(folder, "engine_kill_harness.py", "record_writers:ours", number)
    control = _report(folder, "engine_kill_harness.py", "record_writers:buffered", 10)
    lost = ours.lost + ours.damaged + ours.lost_checkpoints
    assert ours.checkpoints, "no engine had saved anything before its kill"
    detail = f"{ours.acknowledged:,} records acknowledged, {ours.checkpoints} runs with a checkpoint"
    return [
        Figure(1, what, ours.kills, lost, detail=detail),
        Figure(1, "the same with a buffering writer", control.kills, control.lost, is_control=True),
    ]


def _saves(folder: Path, *, is_long: bool) -> list[Figure]:
    kills, damages = (500, 1000) if is_long else (50, 120)
    jobs = [f"kills:ours:{kills}", f"kills:in_place:{kills // 5}"]
    jobs += [f"damage:ours:{damages}", f"damage:trusting:{damages // 5}"]
    lines = _run("save_kills.py", folder / "saves", "1", *jobs)
    ours, in_place, checked, trusting = lines
    assert ours.in_a_save > kills // 20, "hardly a kill came in the middle of a save, so they showed little"
    in_a_save = f"{ours.in_a_save} in the middle of one"
    fell_back = f"{checked.fell_back} fallbacks, all announced"
    return [
        Figure(2, "`kill -9` during saves: newest checkpoint lost", ours.kills, ours.lost, detail=in_a_save),
        Figure(2, "of these: something half-made left after the next start", ours.kills, ours.left),
        Figure(2, "the same with saves in place", in_place.kills, in_place.lost, is_control=True),
        Figure(
            2, "files flipped, cut, exchanged or gone: loaded unseen, or nothing to load",
            checked.tried, checked.silent + checked.refused, detail=fell_back,
        ),
        Figure(2, "the same with loads that check nothing", trusting.tried, trusting.silent, is_control=True),
    ]  # fmt: skip


def _report(folder: Path, script: str, writer: str, number: int) -> SimpleNamespace:
    """What a kill harness says, which asserts by itself that every victim had begun."""
    (report,) = _run(script, folder / f"{script}-{writer}", writer, str(number), "1")
    return report


def _run(script: str, folder: Path, *arguments: str) -> list[SimpleNamespace]:
    """The reports that a script prints, a line each; it says what their fields are."""
    folder.mkdir(parents=True)
    environment = child_environment()
    environment["PYTHONPATH"] = f"{_HERE}{os.pathsep}{environment['PYTHONPATH']}"
    environment |= {"OMP_NUM_THREADS": "1", "TINYTRAIN_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, str(_HERE / script), str(folder), *arguments],
        env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return [SimpleNamespace(**json.loads(line)) for line in done.stdout.splitlines()]
