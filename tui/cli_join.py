"""`join`: train this machine's share of a run that several machines train together."""

from __future__ import annotations

import argparse
import os

from presets.config import ConfigError
from runs.join import end_of_run, join_run
from runs.machines import MachineEnd
from runs.ownership import why_read_only
from runs.processes import this_host
from runs.status import latest_attempt
from tui.cli_output import DONE, FAILED, INTERRUPTED, WrongRequest, say, say_json, warn
from tui.cli_reference import the_run
from tui.cli_train import Interrupts
from tui.cli_trust import heed_run


def join(options: argparse.Namespace) -> int:
    """Run this machine's ranks until the run is over."""
    folder = the_run(options)
    refusal = why_read_only(folder)
    if refusal:
        raise WrongRequest(refusal)
    heed_run(folder, options)

    def begun() -> None:
        if not options.json:
            say(f"{this_host()} joins {folder.about().name}; Ctrl-C lets the whole run save and end")

    os.umask(0o077)  # what the run writes is for its owner
    with Interrupts() as interrupts:
        try:
            end: MachineEnd = join_run(folder, options.processes, lambda: interrupts.count, begun)
        except (ValueError, ConfigError) as error:
            raise WrongRequest(str(error)) from None
    attempt = latest_attempt(folder)
    outcome = end_of_run(attempt) if attempt is not None else None
    if options.json:
        say_json({"id": folder.id, "host": end.host, "returncode": end.returncode, "outcome": outcome})
    elif outcome is not None:
        say(f"{outcome.state} at step {outcome.step:,}: {outcome.reason}")
    else:
        warn(f"the processes of this machine ended with {end.returncode}; what became of the run is not known yet")
    if interrupts.count:
        return INTERRUPTED
    return DONE if end.returncode == 0 and (outcome is None or outcome.state != "failed") else FAILED
