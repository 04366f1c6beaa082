"""The verbs `events` and `log`: what happened to a run, as sentences, and what its processes printed."""

from __future__ import annotations

import argparse

from runs.clock import local_time
from runs.console import tail_console
from runs.reader import RunReader
from runs.status import latest_attempt
from tui.cli_output import DONE, WrongRequest, say, say_json
from tui.cli_reference import the_run
from tui.run_words import sentence_of

_MOST_LINES = 100_000


def events(options: argparse.Namespace) -> int:
    """Print the events of a run, oldest first; one JSON object a line with --json."""
    reader = RunReader(the_run(options))
    run = reader.poll()
    while run.is_behind:
        run = reader.poll()
    for event in run.events:
        if options.json:
            say_json(event)
        else:
            say(f"{local_time(event.time, '%Y-%m-%d %H:%M:%S')}  step {event.step:>7,}  {sentence_of(event)}")
    return DONE


def log(options: argparse.Namespace) -> int:
    """Print the last lines of what the processes of the newest attempt printed."""
    folder = the_run(options)
    if not 1 <= options.lines <= _MOST_LINES:
        raise WrongRequest(f"--lines {options.lines}: this is a number from 1 to {_MOST_LINES:,}")
    attempt = latest_attempt(folder)
    lines = tail_console(attempt, options.lines) if attempt is not None else ()
    if options.json:
        say_json({"run": folder.id, "attempt": attempt.number if attempt else 0, "lines": lines})
        return DONE
    for line in lines:
        say(line, limit=10_000)
    return DONE
