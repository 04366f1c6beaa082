"""What a person names on the command line: a run, a checkpoint."""

from __future__ import annotations

import argparse

from runs.folder import RunFolder, RunNotFound, find_run, runs_dir
from runs.ownership import why_read_only
from tui.cli_output import WrongRequest


def the_run(options: argparse.Namespace) -> RunFolder:
    """The run that `RUN` means. Raises WrongRequest."""
    try:
        return find_run(runs_dir(options.runs_dir), options.run)
    except RunNotFound as error:
        raise WrongRequest(str(error)) from None


def the_runs(options: argparse.Namespace) -> list[RunFolder]:
    """The runs that `RUN …` means, all of them there and ours. Raises WrongRequest."""
    found: list[RunFolder] = []
    for reference in options.runs:
        try:
            folder = find_run(runs_dir(options.runs_dir), reference)
        except RunNotFound as error:
            raise WrongRequest(str(error)) from None
        if refusal := why_read_only(folder):
            raise WrongRequest(refusal)
        found.append(folder)
    return list(dict.fromkeys(found))


def checkpoint_name(text: str) -> str:
    """`last`, `best`, or the folder's name of a step. Raises WrongRequest."""
    if text in ("last", "best"):
        return text
    digits = text.removeprefix("step-")
    if not digits.isascii() or not digits.isdigit():
        raise WrongRequest(f"{text!r} is no checkpoint; say last, best or a step such as 1000")
    return f"step-{int(digits):08d}"
