"""The command without a verb: opens the dashboard, or does the next best thing where there is no terminal."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from dataclasses import replace

from tui.cli_output import PROGRAM, let_go_of_output, warn
from tui.tmux import is_tmux

_FEW_FRAMES = 8  # a second, over a slow connection


def dashboard(options: argparse.Namespace) -> int:
    """Open the dashboard; without a terminal train the quickstart preset instead, and say so."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        from tui.cli import main

        warn(f"there is no terminal here, so this does what `{PROGRAM} train quickstart` does")
        runs = ["--runs-dir", str(options.runs_dir)] if options.runs_dir else []
        return main([*runs, "train", "quickstart"])
    from runs.folder import runs_dir
    from tui.settings import read_settings

    if options.low_bandwidth:
        os.environ["TINYTRAIN_LOW_BANDWIDTH"] = "1"
    settings = read_settings()
    if options.no_mouse:
        settings = replace(settings, mouse=False)
    if settings.low_bandwidth:
        os.environ.setdefault("TEXTUAL_FPS", str(_FEW_FRAMES))  # read when Textual is imported
    if is_tmux(os.environ):
        os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "truecolor")  # also read then
    from tui.app import TinyTrainApp

    gc.disable()  # until the app has painted: collecting among the objects of a start takes a tenth of it
    for variable in ("COLUMNS", "LINES"):  # a parent's, and Textual would believe them rather than the terminal
        os.environ.pop(variable, None)
    app = TinyTrainApp(runs=runs_dir(options.runs_dir), settings=settings)
    app.run(mouse=settings.mouse)
    let_go_of_output()
    return app.return_code or 0
