"""200 kills of a writing process: no acknowledged record is lost, and every reader opens what is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from kill_harness import Report

from runs.launch import child_environment

HARNESS = Path(__file__).with_name("kill_harness.py")


def kills(folder: Path, writer: str, number: int, seed: int = 1) -> Report:
    environment = child_environment()
    environment["PYTHONPATH"] = f"{HARNESS.parent}{os.pathsep}{environment['PYTHONPATH']}"
    done = subprocess.run(
        [sys.executable, str(HARNESS), str(folder), f"record_writers:{writer}", str(number), str(seed)],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = msgspec.json.decode(done.stdout, type=Report)
    assert report.kills == number
    return report


@pytest.mark.slow
def test_200_kills_lose_no_acknowledged_record_and_damage_none(tmp_path: Path) -> None:
    report = kills(tmp_path, "ours", 200)
    assert report.acknowledged > 200 * 10
    assert (report.lost, report.losing_kills, report.damaged, report.unreadable) == (0, 0, 0, 0)


def test_the_same_kills_show_what_a_buffering_writer_loses(tmp_path: Path) -> None:
    report = kills(tmp_path, "buffered", 30)
    assert report.losing_kills > 20 and report.lost > 20


def test_the_same_kills_show_records_that_were_never_finished(tmp_path: Path) -> None:
    assert kills(tmp_path, "in_two_pieces", 60).unfinished > 0
