"""`report`: a run as one HTML file with its plots, figures, settings, probes and events."""

from __future__ import annotations

import argparse
from pathlib import Path

from tui.cli_output import DONE, WrongRequest, say, say_json
from tui.cli_reference import the_run
from tui.report.document import report_name, write_report


def report(options: argparse.Namespace) -> int:
    """Write the report and say where it is."""
    folder = the_run(options)
    wanted = Path(options.output) if options.output else Path(report_name(folder))
    try:
        path = write_report(folder, wanted / report_name(folder) if wanted.is_dir() else wanted)
    except OSError as error:
        raise WrongRequest(f"the report cannot be written: {error}") from None
    num_bytes = path.stat().st_size
    if options.json:
        say_json({"run": folder.id, "path": str(path), "num_bytes": num_bytes})
    else:
        say(f"{path}", 4096)
    return DONE
