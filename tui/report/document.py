"""Writes the report of a run: plots, figures, settings, probes, events and how it was run, in one HTML file."""

from __future__ import annotations

import contextlib
import secrets
import time
from pathlib import Path

from runs.clock import local_time
from runs.compare import read_whole
from runs.disk import bytes_under
from runs.folder import RunFolder
from runs.reader import RunSnapshot
from tui.report import sections
from tui.report.charts import loss_chart, other_charts
from tui.report.html import Html, element, join, section
from tui.report.style import STYLE

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing is loaded and no script runs, even if a reader found a way to put one in."""


def write_report(folder: RunFolder, path: Path) -> Path:
    """Write the report of the run as it stands now to a file, whole or not at all; returns its absolute path.

    Raises OSError, such as IsADirectoryError for a folder.
    """
    path = path.expanduser().absolute()
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    page = report_page(read_whole(folder), bytes_under(folder.path)).encode("utf-8", "replace")
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        beside.write_bytes(page)
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    return path


def report_name(folder: RunFolder) -> str:
    """The usual name of its file: the run's id, which is no path whatever the run is called."""
    return f"{folder.id}.html"


def report_page(run: RunSnapshot, num_bytes: int | None) -> Html:
    """The whole page. num_bytes: of the run on disk. Call it in the thread that polls the run."""
    now = f"written {local_time(time.time(), '%Y-%m-%d %H:%M:%S')} by tinytrain-tui"
    still = f"; the run goes on, at step {run.step:,}" if run.status.is_live else ""
    body = element(
        "body",
        sections.heading(run),
        sections.failure(run),
        section("Loss", loss_chart(run)),
        sections.cards(run, num_bytes),
        sections.labels(run),
        sections.probes(run.probes),
        section("Metrics", other_charts(run)),
        sections.settings(run),
        sections.events(run),
        sections.provenance(run.folder, run),
        element("p", now + still, class_="soft"),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{run.about.name} · tinytrain-tui"),
        element("style", STYLE),
    )
    return join(Html("<!doctype html>\n"), element("html", head, body, lang="en"), Html("\n"))
