"""`stop`, `pause` and `kill`: end a run, for now or for good, and wait until it has ended."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from runs import launch
from runs.folder import RunFolder
from runs.status import RunStatus, read_status
from tui.cli_output import DONE, FAILED, WrongRequest, say, say_json, warn
from tui.cli_reference import the_run

_POLL_S = 0.1


def stop(options: argparse.Namespace) -> int:
    """Ask the run to save and end."""
    return _end(options, launch.stop, "was asked to save and end")


def pause(options: argparse.Namespace) -> int:
    """Ask the run to save, end and free its device until it is resumed."""
    return _end(options, launch.pause, "was asked to save and to free its device")


def _end(options: argparse.Namespace, ask: Callable[[RunFolder], None], said: str) -> int:
    folder = the_run(options)
    said = "was taken out of the queue" if read_status(folder).state == "queued" else said
    try:
        ask(folder)
    except ValueError as error:
        raise WrongRequest(str(error)) from None
    if not options.json:
        say(f"{folder.about().name} {said}")
    return _wait(folder, options.json)


def kill(options: argparse.Namespace) -> int:
    """End the run at once."""
    folder = the_run(options)
    try:
        launch.kill(folder)
    except ValueError as error:
        raise WrongRequest(str(error)) from None
    except launch.RunBusy as error:
        warn(str(error))
        return FAILED
    return _wait(folder, options.json, is_kill=True)


def _wait(folder: RunFolder, as_json: bool, *, is_kill: bool = False) -> int:
    """Wait for the end; the stop ladder bounds it. Ctrl-C ends only the waiting.

    Failed is also a stop or a pause that could not save what the run had learnt.
    """
    told = ""
    while (status := read_status(folder)).is_live:
        if not as_json and status.state in ("stopping", "pausing") and status.reason and status.reason != told:
            told = status.reason
            say(f"{told}; the next step comes in {max(0.0, status.deadline - time.time()):.0f} s")
        time.sleep(_POLL_S)
    _say_end(folder, status, as_json)
    has_lost = status.outcome is not None and status.outcome.num_lost > 0 and not is_kill
    return FAILED if status.state == "failed" or has_lost else DONE


def _say_end(folder: RunFolder, status: RunStatus, as_json: bool) -> None:
    if as_json:
        say_json({"id": folder.id, "status": status})
    else:
        proof = status.outcome.proof if status.outcome else ""
        say(f"{folder.about().name} {status.state}: {status.reason}" + (f"; {proof}" if proof else ""))
