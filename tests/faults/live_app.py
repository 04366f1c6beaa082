"""The dashboard on a live run, measured from within: `python -m tests.faults.live_app RUN_ID SECONDS [BROKEN]`.

Prints an Observation as JSON. The environment says what the GPU driver does (tests/fakes/pynvml) and where the
runs are. BROKEN: `slow looks` looks for records once a second only; `driver in loop` asks the driver in the
event loop. With texts in LIVE_APP_UNTIL, a line each, it looks on until the devices pane shows all of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import traceback
from pathlib import Path

import msgspec

from runs.folder import find_run, runs_dir
from runs.hardware_feed import HardwareFeed
from runs.nvml import Nvml
from runs.reader import RunSnapshot
from tui import feeds
from tui.app import TinyTrainApp
from tui.screens.monitor import MonitorScreen
from tui.widgets.gpu_rows import DevicePane

UNTIL = "LIVE_APP_UNTIL"
_TICK_S = 0.01
_LONGEST_S = 60.0
_LEAST_FRAMES = 30
_OPEN_S = 60.0
_SETTLED_S = 0.5  # after the first figures, in which the screen is laid out
SLOW_LOOKS = "slow looks"
DRIVER_IN_LOOP = "driver in loop"


class Observation(msgspec.Struct):
    """What happened.

    frames: seconds by which the event loop was late, a hundred times a second once the run is shown;
    opening_frames: while its records were read. shares: how much of them had been read, as it was told. lags:
    seconds from each record to the message that has it. devices: each (second, title and text of the pane) that
    was shown, in order. num_helpers: most at once. helpers: the pids of all that there were.
    """

    frames: list[float] = []
    opening_frames: list[float] = []
    shares: list[float] = []
    lags: list[float] = []
    devices: list[tuple[float, str]] = []
    num_helpers: int = 0
    helpers: list[int] = []


class _Lags:
    """Notes, in the feed's thread, when each record that came since it was opened is told of."""

    def __init__(self, lags: list[float]) -> None:
        self._lags = lags
        self._num_seen = -1
        post = feeds.RunFeed._post

        def told(feed: feeds.RunFeed, snapshot: RunSnapshot) -> None:
            post(feed, snapshot)
            self._note(snapshot)

        feeds.RunFeed._post = told  # type: ignore[method-assign]

    def _note(self, snapshot: RunSnapshot) -> None:
        loss = snapshot.series.get("loss")
        if snapshot.is_behind or loss is None:
            return
        if self._num_seen >= 0:
            now = time.time()
            self._lags += [now - moment for moment in loss.time[self._num_seen :]]
        self._num_seen = len(loss)


def _note_helpers(seen: Observation) -> None:
    """Have the pid of every helper noted when it is started, and how many there are then."""
    start = HardwareFeed._start

    def noted(feed: HardwareFeed, now: float) -> None:
        start(feed, now)
        if feed.pid is not None:
            seen.helpers.append(feed.pid)
            seen.num_helpers = max(seen.num_helpers, sum(Path(f"/proc/{pid}").exists() for pid in seen.helpers))

    HardwareFeed._start = noted  # type: ignore[method-assign]


async def observe(run: str, seconds: float, broken: str) -> Observation:
    """Open Monitor and look on."""
    seen = Observation()
    _Lags(seen.lags)
    _note_helpers(seen)
    if broken == SLOW_LOOKS:
        feeds.RunFeed._wait = lambda self, seconds: self._awake.wait(1.0)  # type: ignore[assignment,method-assign]
    app = TinyTrainApp(runs_dir())
    async with app.run_test(size=(200, 60)):
        await app.open_run(find_run(app.runs, run))
        screen = app.screen
        assert isinstance(screen, MonitorScreen)
        pane = screen.query_one(DevicePane)
        if broken == DRIVER_IN_LOOP:
            nvml = Nvml()
            app.set_interval(0.5, lambda: nvml.read(with_processes=False))
        started = before = time.monotonic()
        shown_at = 0.0
        until = [text for text in os.environ.get(UNTIL, "").split("\n") if text]
        while not (
            shown_at
            and before - shown_at >= seconds
            and (before - shown_at >= _LONGEST_S or _has_seen(seen, until))
        ):
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            if shown_at and before - shown_at > _SETTLED_S:
                seen.frames.append(now - before - _TICK_S)
            elif screen.snapshot is not None and not screen.snapshot.is_behind:
                shown_at = shown_at or now
            elif screen.snapshot is not None:
                seen.opening_frames.append(now - before - _TICK_S)
                if screen.snapshot.share_read not in seen.shares:
                    seen.shares.append(screen.snapshot.share_read)
            elif now - started > _OPEN_S:
                raise TimeoutError(f"the run is not shown after {_OPEN_S:g} s")
            before = now
            _look(seen, pane, now - started)
    return seen


def _has_seen(seen: Observation, texts: list[str]) -> bool:
    return len(seen.frames) >= _LEAST_FRAMES and all(text in seen.devices[-1][1] for text in texts)


def _look(seen: Observation, pane: DevicePane, at_s: float) -> None:
    shown = f"{pane.border_title}\n{pane.render()}"
    if not seen.devices or seen.devices[-1][1] != shown:
        seen.devices.append((at_s, shown))


def main() -> None:
    """Observe, and print it."""
    run, seconds, *broken = sys.argv[1:]
    try:
        seen = asyncio.run(observe(run, float(seconds), " ".join(broken)))
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # no thread of the dashboard may keep a harness waiting
    print(json.dumps(msgspec.to_builtins(seen)))


if __name__ == "__main__":
    main()
