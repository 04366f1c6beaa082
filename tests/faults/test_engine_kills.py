"""200 `kill -9` of a training engine: no acknowledged record and no saved checkpoint is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from engine_kill_harness import EngineReport

from runs.launch import child_environment

HARNESS = Path(__file__).with_name("engine_kill_harness.py")


def kills(folder: Path, writer: str, number: int) -> EngineReport:
    environment = child_environment()
    environment["PYTHONPATH"] = f"{HARNESS.parent}{os.pathsep}{environment['PYTHONPATH']}"
    environment["OMP_NUM_THREADS"] = "1"
    done = subprocess.run(
        [sys.executable, str(HARNESS), str(folder), f"record_writers:{writer}", str(number), "1"],
        env=environment, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    report = msgspec.json.decode(done.stdout, type=EngineReport)
    assert report.kills == number
    return report


@pytest.mark.slow
def test_200_kills_of_a_writing_engine_lose_no_acknowledged_record_and_no_checkpoint(tmp_path: Path) -> None:
    report = kills(tmp_path, "ours", 200)
    assert report.acknowledged > 200 * 3
    assert report.checkpoints > 50
    assert (report.lost, report.losing_kills, report.damaged, report.unreadable) == (0, 0, 0, 0)
    assert report.lost_checkpoints == 0


def test_the_same_kills_show_what_an_engine_with_a_buffering_writer_loses(tmp_path: Path) -> None:
    report = kills(tmp_path, "buffered", 6)
    assert report.losing_kills >= 4
    assert report.lost > 6
