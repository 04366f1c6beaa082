"""What can be done on every screen, and how each screen is made when it is first shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.screen import Screen

from tui.commands import Command

APP_COMMANDS = (
    Command(
        "launch", "1", "Launch", "Choose a preset, change it, see what it will cost, start it.", "show_launch"
    ),
    Command("monitor", "2", "Monitor", "Watch the run that was opened last, or the newest.", "show_monitor"),
    Command("runs", "3", "Runs", "Every run: filter, open, resume, delete.", "show_runs"),
    Command(
        "compare", "4", "Compare", "Curves, settings and figures of several runs side by side.", "show_compare"
    ),
    Command(
        "playground", "5", "Playground", "Let a checkpoint fill in text, and look into it.", "show_playground"
    ),
    Command("data", "6", "Data", "Datasets and token caches: look into them, build, verify, clear.", "show_data"),
    Command("new", "n", "New run", "Go to the presets and start another run.", "show_launch", show=False),
    Command("help", "question_mark", "Help", "What this screen is for, and its keys.", "help", key_display="?"),
    Command(
        "screenshot", "f12", "Screenshot", "Write what is shown to a picture (SVG) in the current folder.",
        "screenshot", show=False,
    ),
    Command("repaint", "f5", "Repaint", "Paint the whole screen anew, should something else have written over it.",
            "repaint", show=False),
    Command("settings", "", "Settings", "Looks, keys, mouse, notifications: what holds, and where.", "settings"),
    Command("quit", "q", "Quit", "Leave the dashboard; runs go on without it.", "quit"),
)  # fmt: skip


def _launch() -> Screen[Any]:
    from tui.screens.launch import LaunchScreen

    return LaunchScreen()


def _runs() -> Screen[Any]:
    from tui.screens.browse import RunsScreen

    return RunsScreen()


def _compare() -> Screen[Any]:
    from tui.screens.compare import CompareScreen

    return CompareScreen()


def _playground() -> Screen[Any]:
    from tui.screens.playground import PlaygroundScreen

    return PlaygroundScreen()


def _data() -> Screen[Any]:
    from tui.screens.data import DataScreen

    return DataScreen()


SCREENS: dict[str, Callable[[], Screen[Any]]] = {
    "launch": _launch, "runs": _runs, "compare": _compare, "playground": _playground, "data": _data,
}  # fmt: skip
"""The screens that are there once; Monitor has one for each run."""
