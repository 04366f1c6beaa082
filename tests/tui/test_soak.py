"""Hours of a live run in seconds, with screens opened and left all the while: nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import time
from collections import Counter
from pathlib import Path

from textual.pilot import Pilot
from textual.widget import Widget

from runs.folder import RunFolder
from tests.run_writer import AttemptWriter, Supervision, finished_run, new_run
from tests.tui.pilots import until
from tui.app import TinyTrainApp
from tui.screens.monitor import MonitorScreen

_RECORDS = 600  # of a round: a minute at ten steps a second
_WARM_UP, _ROUNDS = 2, 4
_METRICS = tuple(f"metric_{number:02}" for number in range(20))
_TOUR = ("3", "2", "tab", "i", "left", "o", "f", "l", "l", "6", "question_mark", "escape", "1", "4", "2")


class Hours:
    """A run that records as if its clock were fast."""

    def __init__(self, folder: RunFolder) -> None:
        self.writer = AttemptWriter(folder, clock=time.time())
        self.writer.start(total_steps=1_000_000)
        self._chance = random.Random(0)

    def go_on(self) -> None:
        """A round's records, and what the engine says meanwhile."""
        writer = self.writer
        for _ in range(_RECORDS):
            writer.step += 1
            writer.clock += 0.1
            noise = self._chance.random()
            writer.metrics.write(
                {
                    "step": writer.step, "time": writer.clock, "elapsed_s": writer.clock - writer.began,
                    "tokens": writer.step * 4096, "loss": 3 + noise,
                    **{name: index + noise for index, name in enumerate(_METRICS)},
                }
            )  # fmt: skip


def left_over() -> Counter[str]:
    """Widgets that are in memory, by class; tasks and threads."""
    gc.collect()
    found = Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, Widget))
    return found + Counter({"tasks": len(asyncio.all_tasks()), "threads": threading.active_count()})


async def tour(pilot: Pilot[None], app: TinyTrainApp, hours: Hours) -> None:
    """Write on, go everywhere, and come back to Monitor, which has seen everything then."""
    hours.go_on()
    for key in _TOUR:
        await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
    await until(
        pilot,
        lambda: (
            isinstance(app.screen, MonitorScreen)
            and app.screen.snapshot is not None
            and app.screen.snapshot.step == hours.writer.step
        ),
    )


async def test_nothing_grows_while_a_run_goes_on_and_screens_come_and_go(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    finished_run(runs, "an-older-one", steps=100)
    folder = new_run(runs)
    supervision = Supervision(folder)
    supervision.state("running")
    hours = Hours(folder)
    hours.go_on()
    app = TinyTrainApp(runs)
    try:
        async with app.run_test(size=(160, 48)) as pilot:
            await app.open_run(folder)
            for _ in range(_WARM_UP):
                await tour(pilot, app, hours)
            before = left_over()
            num_nodes = len(app.screen.query("*"))
            for _ in range(_ROUNDS):
                await tour(pilot, app, hours)
            grown = left_over() - before
            assert len(app.screen.query("*")) == num_nodes
            # a few may be on their way out; one a round would be a leak
            assert all(number < _ROUNDS - 1 for number in grown.values()), grown
    finally:
        hours.writer.close()
        supervision.close()
