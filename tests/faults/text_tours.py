"""Who looks at what: tours of the dashboard over hostile folders, through every screen and what it asks."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from tests.faults.hostile_folder import QUIET, HostileFolder
from tests.faults.payloads import MARK
from tests.faults.text_viewer import Findings, Viewer
from tests.run_writer import Supervision

_AT_ONCE = 4
_DOWN, _UP, _LEFT, _RIGHT = "\x1b[B", "\x1b[A", "\x1b[D", "\x1b[C"
_HOME, _END, _NEXT_PAGE = "\x1b[1~", "\x1b[F", "\x1b[6~"
_ELSEWHERE = "From elsewhere"
_WORD = MARK[:1]  # of the payloads; the other letter would quit, should it not be typed into a line


def look_everywhere(place: HostileFolder, num_runs: int, is_long: bool, models: Future[None]) -> Findings:
    """All tours, some at once, each in a dashboard of its own.

    num_runs: that are opened one after the other. models: those of the folder are being made.
    """
    live = place.run("")
    checkpoint = place.checkpoint(live)
    supervision = Supervision(live)
    supervision.state("running", message=place.next())
    tours: dict[str, Callable[[Viewer], None]] = {
        "monitor": lambda viewer: _monitor(viewer, is_long),
        "launch": lambda viewer: _launch(viewer, place, is_long),
        "runs": lambda viewer: _runs(viewer, num_runs, is_long, models),
        "models": lambda viewer: _models(viewer, is_long, models),
        "compare": _compare,
        "settings": _settings,
    }
    if not is_long:  # there it may turn silent, which is said over all screens
        hence = time.time() + 3600
        os.utime(live.attempt(1).metrics_file, (hence, hence))
    for name in tours:
        (place.folder / f"settings-{name}.toml").write_text(QUIET, encoding="utf-8")
        place.remembered(place.folder / f"state-{name}")
    place.settings(place.folder / "settings-settings.toml")
    found = Findings()
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for seen in pool.map(lambda name: _go(place, name, tours[name]), tours):
                found.add(seen)
        return found
    finally:
        supervision.close()
        shutil.rmtree(checkpoint)  # or what looks next could resume from it


def _go(place: HostileFolder, name: str, tour: Callable[[Viewer], None]) -> Findings:
    viewer = Viewer(place, name)
    try:
        viewer.program.see(MARK)
        tour(viewer)
        return viewer.end()
    finally:
        viewer.program.close()


def look_briefly(place: HostileFolder) -> Findings:
    """The broken build: Runs, Monitor, Compare and Data are enough to see it leak; it may well crash."""
    viewer = Viewer(place, "broken", sanitiser=False)
    viewer.program.see("Presets|Runs|Log")  # before this a control would measure nothing
    for key, pattern in (("3", "Runs ·"), ("\r", "─ Probes"), ("l", "─ Log"), ("4", "Figures"), ("6", "─ Data")):
        viewer.press(key)
        with contextlib.suppress(AssertionError):
            viewer.program.see(pattern, 3.0)
    return viewer.end()


def _monitor(viewer: Viewer, is_long: bool) -> None:
    """A live run: its panes, what it is asked, its charts and probes; then settings, palette and looks."""
    viewer.go("2", "Probes")
    viewer.press("l")
    viewer.program.see("u Rank")
    viewer.press("/", _WORD, "\r", "n", "\x1b")
    viewer.press("z", "\t", "z", "l", click=True)
    viewer.look_into("x", "Stop this run")
    viewer.look_into("X", "Kill this run", "a", "\r")
    viewer.look_into("+", "─ Learning rate", "a")
    viewer.look_into("e", "─ Name, tags, group and note", "\t", "\t", "\t")
    viewer.look_into("g", "─ Charts of Monitor", _END, " ", "K", "/", _WORD)
    viewer.press(_NEXT_PAGE, _NEXT_PAGE, "z", _LEFT, "a", "z", "\x1b[5~", click=True)
    viewer.look_into("B", "─ Probe sentences", "a", _UP)
    viewer.press("\t", _LEFT, "w", "z", "z", "\t", "z", "z", "W")
    viewer.program.see("report written")
    viewer.look_into("S", "─ Sweep ", _DOWN, " ")
    viewer.look_into("N", _ELSEWHERE, _DOWN)
    viewer.look_into("?", "esc closes")
    if is_long:
        viewer.press("p", "\x1b", "s", "b", "\x1b", _LEFT, _LEFT, _RIGHT, "k", "v", "y")


def _settings(viewer: Viewer) -> None:
    """Wrong settings and what is said of them, looks, and the palette with the names of the runs."""
    viewer.command("Settings")
    viewer.look_into("", "─ Settings", "t", "t", _DOWN, "y")
    viewer.command("Theme no-colour")
    viewer.press("\x10", _WORD, _DOWN, _DOWN)
    viewer.program.see(rf"Open run .*{MARK}")
    viewer.press("\r")


def _runs(viewer: Viewer, num_runs: int, is_long: bool, models: Future[None]) -> None:
    """The list, each way to arrange it, what is done to one run and to several."""
    viewer.go("3", "Runs ·")
    viewer.look_into("\x1a", "─ Deleted runs", _DOWN, _WORD, end="\r")
    viewer.look_into("C", "─ Columns", _END, " ", "K", "/", _WORD, "\r", " ")
    viewer.look_into("o", "─ Order by", _WORD, end="\r")
    viewer.press(*[_NEXT_PAGE] * (30 if is_long else 1), _HOME, _DOWN)
    for heading in ("tag", "group", "sweep", "preset"):
        viewer.look_into("g", "─ Group by", heading, end="\r")
        viewer.press(_DOWN, _LEFT, _RIGHT, click=True)
    viewer.look_into("g", "─ Group by", "no groups", end="\r")
    viewer.press("/", f"tag:{_WORD}", _HOME, "\x1b[3~", "tag:[", "\x1b", _HOME, *[_DOWN] * 8, " ")
    viewer.press(" ", "x")
    viewer.look_into("t", "Tags of")
    viewer.look_into("d", "Delete .*runs", end="y")
    viewer.press("\x1a", "*", "a", "A")
    viewer.go("3", "Runs ·")
    for _ in range(num_runs):
        viewer.press("e", "\x1b", "d", "\x1b", "r", "\x1b", "t", "\x1b", "y", "\r")
        viewer.press("l", "z", "\t", "\t", "z", "l", click=True)
        viewer.press("3", _DOWN)
    models.result()
    viewer.go("3", "Runs ·")
    viewer.press("/", "optim.lr>5e-3", "\r")  # that of the models alone
    viewer.program.see(r"─ [12] of \d+")
    viewer.press(_HOME)
    viewer.look_into("F", _ELSEWHERE, end="y")
    viewer.look_into("", "─ Fork ", "model.norm=x", _UP)


def _compare(viewer: Viewer) -> None:
    """Curves, runs, figures, settings and probes side by side, and what is asked there."""
    viewer.go("4", rf"(?s)Curves +Runs +Figures .*{MARK}")
    viewer.program.see("step 0")  # the run was read
    viewer.look_into("g", "─ Metric of the curves ", _END, end="\r")
    viewer.look_into("S", "─ Sweep ")
    viewer.press(".", "W")
    viewer.program.see("report written")
    viewer.look_into("c", "─ Runs to compare ", _DOWN, " ", _DOWN, " ", _DOWN, " ", "/", _WORD, "\r", end="\r")
    viewer.press("\t", "\t", "\t", "A", "/", "data", "\r", "]", "\t", _LEFT, "z", "z", "\t", _LEFT, "y", "\t", "y")


def _models(viewer: Viewer, is_long: bool, models: Future[None]) -> None:
    """A checkpoint whose words are hostile answers, then two beside one another."""
    models.result()
    viewer.go("5", "─ Text ")
    after_live = [_DOWN, _DOWN] if is_long else [_DOWN]  # the live run's, which is no model, stands first
    viewer.look_into("m", "─ Which checkpoint", *after_live, _RIGHT, _LEFT, end="\r")
    viewer.press("e", "\x15", "the [MASK] of", "\r")  # the live run's probe may be too long for a small model
    viewer.program.see(rf"(?s)Likely words.*{MARK}.*%")
    viewer.press("\r", "\x1a", *["w", _DOWN] * 4, "y")
    viewer.look_into("G", "─ How it draws")
    viewer.look_into("c", "─ Against which checkpoint", *after_live, _RIGHT, _DOWN, end="\r")
    viewer.press(*"wwwww")
    viewer.look_into("h", "─ History", _DOWN, "/", _WORD, "\r", end="\r")
    viewer.press("e", f" [MASK] {_WORD}\x1f the", "\x0f", "\r")
    viewer.press("w", click=True)
    viewer.press("e", "\r")  # from the text that a click may have led to
    if is_long:
        viewer.look_into("m", "─ Which checkpoint", _DOWN, end="\r")
        viewer.program.see("next")
        viewer.press("g", "w", "w", "w", click=True)
        viewer.press("e", "\r")
    viewer.press("3")  # where escapes lead to no text


def _launch(viewer: Viewer, place: HostileFolder, is_long: bool) -> None:
    """Presets of one's own and of others, what was launched before, sweeps; then the data."""
    viewer.go("1", "Presets")
    viewer.press(_END, *[_UP] * (40 if is_long else 2), " ", _UP, " ", "c", "\x1b")
    viewer.look_into("H", r"(?s)─ Launched before .*\d\d:\d\d  ", _DOWN, _DOWN, end="\r")
    viewer.look_into("D", "─ Duplicate the preset", "qq", _DOWN)
    viewer.look_into("e", "─ Rename the preset|cannot be renamed", "\t")
    viewer.look_into("E", "─ Export the preset", "/nowhere\x1b[31m/x\r")
    viewer.look_into("I", "─ Import a preset", str(place.handed_preset), "\r", end="")
    viewer.look_into("", _ELSEWHERE, _DOWN, end="y")
    viewer.program.see("ready to launch")  # it is in the list
    viewer.look_into("\x13", "─ Save", "qq")
    viewer.look_into("S", "─ Sweep over ", "1e-4,1e-3")
    viewer.command("Sweep results")
    viewer.look_into("", "Which sweep", _DOWN, "\r", end="")
    viewer.look_into("", "─ Sweep ", _DOWN, " ")
    if is_long:
        viewer.press("\t", "\t", "/", "d", "\x1b", "?", "\x1b", "\x10", "w", "\x1b")
    viewer.press("6", *[_DOWN] * (40 if is_long else 2), _END, "c", "\x1b")
    if is_long:
        viewer.press(_UP, "b", "\x1b", "/", "w", "\x1b")
