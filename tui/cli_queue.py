"""`queue`: the runs that wait for free devices, in their order; and the `--queue` of train and resume."""

from __future__ import annotations

import argparse
import time

from presets.config import ConfigError
from runs import queue as runs_queue
from runs.folder import RunFolder, runs_dir
from runs.launch import LaunchFailed
from runs.lock import RunBusy
from runs.queue import Waiting
from tui.cli_output import DONE, FAILED, WrongRequest, say, say_json, say_table, warn
from tui.cli_reference import the_run
from tui.figures import elapsed

_HEADER = ("", "name", "since", "id")


def queue(options: argparse.Namespace) -> int:
    """List the runs that wait, next first, or give one another place."""
    runs = runs_dir(options.runs_dir)
    if options.action == "move":
        if not options.run or not options.where:
            raise WrongRequest("queue move: say which run, and up, down, first or last")
        folder = the_run(options)
        try:
            runs_queue.move(folder, options.where)
        except ValueError as error:
            raise WrongRequest(str(error)) from None
    runs_queue.revive(runs)
    waiting = runs_queue.waiting(runs)
    if options.json:
        say_json([_document(one) for one in waiting])
    elif waiting:
        say_table([_HEADER, *(_cells(one) for one in waiting)])
        for one in waiting:
            if one.reason != runs_queue.place_sentence(one.place):
                say(f"{one.folder.about().name}: {one.reason}")
    else:
        warn(f"no run waits in {runs}; `train PRESET --queue` lets one wait for free devices")
    return DONE


def enqueue(folder: RunFolder, resume: str, options: argparse.Namespace) -> int:
    """Let a run wait for its turn, and say which place it has. `heed_logout` has spoken before."""
    try:
        num_processes = getattr(options, "processes", 0)
        runs_queue.enqueue(folder, resume, num_processes, despite_logout=True)
    except (RunBusy, ConfigError, ValueError) as error:
        raise WrongRequest(str(error)) from None
    except LaunchFailed as error:
        warn(f"the run could not be queued: {error}")
        return FAILED
    name = folder.about().name
    place = next((one for one in runs_queue.waiting(folder.path.parent) if one.folder == folder), None)
    if options.json:
        fields = {"id": folder.id, "name": name, "path": str(folder.path), "place": place.place if place else 0}
        say_json({"kind": "queued", **fields})
        return DONE
    say(f"{name}  {folder.path}")
    if place is None:
        say("its devices are free: it has begun")
    else:
        say(f"{runs_queue.place_sentence(place.place)}; it begins by itself (see `tinytrain-tui queue`)")
    return DONE


def _cells(one: Waiting) -> tuple[str, ...]:
    since = elapsed(max(0.0, time.time() - one.entry.since))
    return str(one.place), one.folder.about().name, since, one.folder.id


def _document(one: Waiting) -> dict[str, object]:
    entry = one.entry
    return {
        "id": one.folder.id,
        "name": one.folder.about().name,
        "path": str(one.folder.path),
        "place": one.place,
        "reason": one.reason,
        "since": entry.since,
        "host": entry.host,
        "resume": entry.resume,
    }
