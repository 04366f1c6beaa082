"""Somebody at the dashboard, who looks at what each key brings, and clicks on what looks like a payload."""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.faults.hostile_folder import HostileFolder, command
from tests.faults.inertness import offences_on_screen
from tests.faults.payloads import MARK
from tests.faults.terminal import PtyProgram

_CLICKS = 6
_COLUMNS, _ROWS = 80, 24
_TRIES, _TRY_S = 5, 3.0
_SLOW_S = 10.0  # sooner, a key that was just slow would open two dialogs
_REACTION_S, _PATIENCE_S = 0.15, 0.6
_QUIET_S, _AFTER_ESCAPE_S = 0.03, 0.05
_ESCAPE_DELAY_MS = 25  # what follows an escape sooner is read as a key with alt


@dataclass
class Findings:
    """views: screens and dialogs that were looked at. marked: of them, those that showed a payload.

    dialogs: that were opened by their names, each with whether it ever showed one.
    """

    views: int = 0
    marked: int = 0
    clicks: int = 0
    dialogs: dict[str, bool] = field(default_factory=dict)
    offences: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """What somebody else found."""
        self.views += other.views
        self.marked += other.marked
        self.clicks += other.clicks
        self.dialogs |= {name: shown or self.dialogs.get(name, False) for name, shown in other.dialogs.items()}
        self.offences += other.offences
        self.crashes += other.crashes


class Viewer:
    """The dashboard with somebody at it who looks everywhere, and clicks on what looks like a payload."""

    def __init__(self, place: HostileFolder, name: str, sanitiser: bool = True, rows: int = _ROWS) -> None:
        """name: of what it remembers from one start to the next, and of its settings."""
        self.found = Findings()
        self._rows = rows
        environment = {
            **place.environment, "TEXTUAL_DEBUG": "", "ESCDELAY": str(_ESCAPE_DELAY_MS),
            "XDG_STATE_HOME": str(place.folder / f"state-{name}"),
            "TINYTRAIN_CONFIG": str(place.folder / f"settings-{name}.toml"),
        }  # fmt: skip
        self.program = PtyProgram(command(sanitiser), environment, _COLUMNS, rows, folder=place.folder)

    def look_into(self, key: str, title: str, *keys: str, end: str = "\x1b") -> None:
        """Open a dialog by that title, a pattern; press more keys there, and close it with the last one.

        key, end: empty when a key before it has done that.
        """
        self._reach(key, title)
        self.program.settle(_QUIET_S, _PATIENCE_S)
        marked = self.found.marked
        self.look()
        self.press(*keys)
        self.found.dialogs[title] = self.found.dialogs.get(title, False) or self.found.marked > marked
        self.press(end)
        pressed = time.monotonic()
        deadline = pressed + _TRIES * _TRY_S
        while re.search(title, shown := "\n".join(self.program.screen())):
            assert time.monotonic() < deadline, f"{title} was not closed; the screen shows\n{shown}"
            if end == "\x1b" and time.monotonic() - pressed > _TRY_S / 3:  # the first one left a line in it
                self.press(end)
                pressed = time.monotonic()
            time.sleep(0.03)

    def command(self, words: str) -> None:
        """Choose what the palette finds first for these words."""
        self.press("\x10")
        self.program.see("Search for commands")
        self.program.type(words)
        self.program.see(rf"(?s){words}.*{words}")
        self.press("\r")

    def press(self, *keys: str, click: bool = False) -> None:
        """Press keys; look at the screen after each of them, and click on its payloads where that is wanted."""
        for key in filter(None, keys):
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
        """Go to a screen."""
        self._reach(key, pattern)

    def _reach(self, key: str, pattern: str) -> None:
        """Press a key that leads there; one that a busy machine took for a part of an escape once more."""
        for _ in range(_TRIES):
            self.press(key)
            with contextlib.suppress(AssertionError):
                self.program.see(pattern, _SLOW_S)
                return
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
                self.program.settle(0.2, 1.0)
            status = self.program.wait(_TRY_S)
            if status is not None:
                break
        if status != 0:
            shown = "\n".join(self.program.screen()) if status is None else self.program.output[-3000:]
            self.found.crashes.append(f"ended with {status}: {shown}")
        self.found.offences.update(offences_on_screen(self.program.output, _COLUMNS, self._rows))
        self.program.close()
        return self.found
