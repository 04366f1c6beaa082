"""Writes the report of a run from a screen, in a thread, and says where it is."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from textual.screen import Screen

from runs.folder import RunFolder
from tui.remembered import remembered_path
from tui.safe_text import safe_text


def write_for(screen: Screen[Any], folder: RunFolder) -> None:
    """Write it into the folder one stands in; where that is not possible, beside the dashboard's own state."""
    screen.run_worker(_write(screen, folder), group="report", exit_on_error=True)


async def _write(screen: Screen[Any], folder: RunFolder) -> None:
    try:
        path = await asyncio.to_thread(_write_somewhere, folder)
    except OSError as error:
        words = f"The report cannot be written: {error}"
        screen.notify(safe_text(words, 500), severity="error", markup=False, timeout=12)
        return
    screen.notify(safe_text(f"report written: {path}", 500), markup=False, timeout=12)


def _write_somewhere(folder: RunFolder) -> Path:
    from tui.report.document import report_name, write_report  # most sessions write none

    here = Path.cwd()
    if os.access(here, os.W_OK):
        return write_report(folder, here / report_name(folder))
    reports = remembered_path().parent / "reports"
    reports.mkdir(parents=True, exist_ok=True, mode=0o700)
    return write_report(folder, reports / report_name(folder))
