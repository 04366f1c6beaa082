"""Somebody who looks at every screen and dialog of the dashboard, and clicks on what looks like a payload."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.faults.hostile_folder import HostileFolder, command
from tests.faults.inertness import offences_on_screen
from tests.faults.payloads import MARK
from tests.faults.terminal import PtyProgram
from tests.run_writer import Supervision

_CLICKS = 6
_COLUMNS, _ROWS = 80, 24
_TRIES, _TRY_S = 5, 3.0
_REACTION_S, _PATIENCE_S = 0.3, 0.6
_QUIET_S, _AFTER_ESCAPE_S = 0.06, 0.15


@dataclass
class Findings:
    """views: screens and dialogs that were looked at. marked: of them, those that showed a payload."""

    views: int = 0
    marked: int = 0
    clicks: int = 0
    offences: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)


class Viewer:
    """The dashboard with somebody at it who looks everywhere, and clicks on what looks like a payload."""

    def __init__(self, place: HostileFolder, sanitiser: bool = True) -> None:
        self.found = Findings()
        environment = {**place.environment, "TEXTUAL_DEBUG": ""}
        self.program = PtyProgram(command(sanitiser), environment, _COLUMNS, _ROWS)

    def look_into(self, key: str, title: str, *keys: str) -> None:
        """Open a dialog, which has to show a payload below its title; press more keys there, and close it."""
        self.press(key, click=False)
        self.program.see(rf"(?s){title}.*{MARK}")
        self.press(*keys, "\x1b", click=False)
        deadline = time.monotonic() + _TRIES * _TRY_S
        while title in "\n".join(self.program.screen()):
            assert time.monotonic() < deadline, f"{title} was not closed"
            time.sleep(0.03)

    def press(self, *keys: str, click: bool = True) -> None:
        """Press keys; look at the screen after each of them, and click on the payloads in it."""
        for key in keys:
            if self.program.process.poll() is not None:
                return
            before, since = self.program.num_bytes, time.monotonic()
            self.program.type(key)
            while self.program.num_bytes == before and time.monotonic() - since < _REACTION_S:
                time.sleep(0.01)
            # what follows an escape at once would be read as a key with alt
            self.program.settle(_AFTER_ESCAPE_S if key == "\x1b" else _QUIET_S, _PATIENCE_S)
            self.look(click)

    def go(self, key: str, pattern: str) -> None:
        """Go to a screen; a key that a busy machine read together with an escape before it is pressed again."""
        for _ in range(_TRIES - 1):
            self.press(key, click=False)
            with contextlib.suppress(AssertionError):
                self.program.see(pattern, _TRY_S)
                return
            self.press("\x1b", click=False)
            time.sleep(_TRY_S / 5)
        self.press(key, click=False)
        self.program.see(pattern)

    def look(self, click: bool = False) -> None:
        """Count this view."""
        lines = self.program.screen()
        places = [(row, line.index(MARK)) for row, line in enumerate(lines[:-1]) if MARK in line]
        self.found.views += 1
        self.found.marked += bool(places)
        for row, column in places[:_CLICKS] if click else ():
            self.program.click(row, column)
            self.found.clicks += 1

    def end(self) -> Findings:
        """Quit, and judge all that was written."""
        status: int | None = None
        for _ in range(_TRIES):
            for key in ("\x1b", "\x1b", "q"):
                self.program.type(key)
                self.program.settle(3 * _AFTER_ESCAPE_S, 1.0)
            status = self.program.wait(_TRY_S)
            if status is not None:
                break
        if status != 0:
            self.found.crashes.append(f"ended with {status}: {self.program.output[-3000:]}")
        self.found.offences.update(offences_on_screen(self.program.output, _COLUMNS, _ROWS))
        self.program.close()
        return self.found


def look_everywhere(place: HostileFolder, num_runs: int, is_long: bool) -> Findings:
    """Every screen and the dialogs; in the long form every page of each list, and more of them."""
    live = place.run("")
    checkpoint = place.checkpoint(live)
    supervision = Supervision(live)
    supervision.state("running", message=place.next())
    try:
        viewer = Viewer(place)
        viewer.program.see(MARK)
        viewer.press("l", "z", "\t", "z", "l", "x", "\x1b", "X", "a", "\r", "\x1b", "+", "a", "\x1b", "e", "\x1b")
        if is_long:
            viewer.press(
                "p", "\x1b", "s", "b", "\x1b", "\x1b[D", "\x1b[D", "\x1b[C", "?", "\x1b", "\x10", "w", "\x1b"
            )
        _look_at_several_runs(viewer)
        viewer.go("3", "Runs ·")
        viewer.press(*["\x1b[6~"] * (30 if is_long else 1), "o", "\x1b[1~", "\x1b[B", click=False)
        for _ in range(num_runs):
            viewer.press("e", "\x1b", "d", "\x1b", "r", "\x1b", "y", "\r", click=False)
            viewer.press("l", "z", "\t", "\t", "z", "l")
            viewer.press("3", "\x1b[B", click=False)
        viewer.go("1", "Presets")
        viewer.press("\x1b[F", *["\x1b[A"] * (40 if is_long else 2), " ", "\x1b[A", " ", "c", "\x1b", click=False)
        if is_long:
            viewer.press(
                "\x13", "\x1b", "\t", "\t", "/", "d", "\x1b", "?", "\x1b", "\x10", "w", "\x1b", click=False
            )
        viewer.press("6", *["\x1b[B"] * (40 if is_long else 2), "\x1b[F", "c", "\x1b", click=False)
        if is_long:
            viewer.press("\x1b[A", "b", "\x1b", "/", "w", "\x1b", click=False)
        return viewer.end()
    finally:
        supervision.close()
        shutil.rmtree(checkpoint)  # or what looks next could resume from it


def _look_at_several_runs(viewer: Viewer) -> None:
    """From Monitor on: the sweep's table, Compare, Playground, and what each of them asks."""
    viewer.look_into("S", "─ Sweep ", "\x1b[B", " ")
    viewer.go("4", rf"(?s)Curves +Runs +Figures .*{MARK}")
    viewer.press(*["\t"] * 5, "A", ".", click=False)
    viewer.look_into("c", "─ Runs to compare ", "\x1b[B", " ", " ")
    viewer.look_into("g", "─ Metric of the curves ", "\x1b[F")
    viewer.go("5", rf"(?s)─ Text .*{MARK}")
    viewer.press("w", "w", "w", click=False)
    viewer.look_into("m", "─ Which checkpoint", "\x1b[B")
    viewer.look_into("c", "─ Against which checkpoint", "\x1b[B")


def look_briefly(place: HostileFolder) -> Findings:
    """The broken build: Runs, Monitor, Compare and Data are enough to see it leak; it may well crash."""
    viewer = Viewer(place, sanitiser=False)
    viewer.program.see("Presets|Runs|Log")  # before this a control would measure nothing
    viewer.press("3", "\r", "l", "4", "\t", "\t", "6", click=False)
    return viewer.end()
