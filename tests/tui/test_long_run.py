"""A run that takes long to read says how far it is, and one that grows is shown as it grows."""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runs import reader
from runs.folder import RunFolder
from runs.records import seal
from tests.run_writer import AttemptWriter, Supervision, finished_run, new_run
from tests.tui.pilots import shown_text
from tui import feeds
from tui.app import TinyTrainApp
from tui.screens.monitor import MonitorScreen


async def until(is_true: Callable[[], object], what: str, timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not is_true():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        await asyncio.sleep(0.005)


def long_run(runs: Path, num_records: int) -> RunFolder:
    folder = finished_run(runs, steps=10)
    with folder.attempt(1).metrics_file.open("ab") as file:
        for step in range(11, num_records):
            file.write(
                seal(b'{"step":%d,"time":1.0,"elapsed_s":%d,"tokens":1,"loss":2.5,"lr":0.1}' % (step, step))
            )
    return folder


async def test_a_run_that_is_still_being_read_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_SLICE_S", 0.0)
    monkeypatch.setattr(reader, "_SLICE_BYTES", 16 << 10)
    monkeypatch.setattr(feeds, "_YIELD_S", 0.02)
    folder = long_run(tmp_path, 10_000)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)):
        await app.open_run(folder)
        screen = app.screen
        assert isinstance(screen, MonitorScreen)
        told: list[int] = []

        def is_read() -> bool:
            shares = [int(share) for share in re.findall(r"reading: (\d+)%", shown_text(app))]
            told.extend([max(shares)] if shares else [])  # charts are drawn in turn
            return screen.snapshot is not None and not screen.snapshot.is_behind

        await until(is_read, "all of it")
        assert told == sorted(told) and len(set(told)) > 2 and 0 < told[0] < told[-1] <= 100
        await until(lambda: "reading: " not in shown_text(app), "the curves")
        assert screen.snapshot is not None and len(screen.snapshot.series["lr"]) == 9_989 + 1


async def test_a_record_is_shown_before_the_next_regular_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "POLL_S", 60.0)
    folder = new_run(tmp_path)
    supervision = Supervision(folder)
    supervision.state("running")
    writer = AttemptWriter(folder, clock=time.time())
    writer.start()
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)):
        await app.open_run(folder)
        screen = app.screen
        assert isinstance(screen, MonitorScreen)
        for step in (10, 20, 30):
            writer.train(step, 1.0)
            await until(lambda: screen.snapshot is not None and screen.snapshot.step == step, "the step", 10)  # noqa: B023
    writer.close()
    supervision.close()
