"""Entry of one rank: `python -m engine <run folder> --attempt N [--resume last|best|step-00001000]`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from engine.console import allow_last_words, guard_console
from engine.last_words import LastWords
from engine.progress import ProgressMark
from runs.folder import RunFolder


def main(arguments: list[str] | None = None) -> int:
    """Train one attempt. Returns 0 when it finished, was stopped or paused, 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m engine", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--resume", default="")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    guard_console()
    folder = RunFolder(options.run.resolve())
    attempt = folder.attempt(options.attempt)
    rank = int(os.environ.get("RANK", "0"))
    last_words = LastWords(attempt, rank)
    mark = ProgressMark(attempt, rank, int(os.environ.get("WORLD_SIZE", "1")))
    try:
        # torch comes only now: what fails on import is reported like everything else
        from engine.attempt import train_attempt

        train_attempt(folder, attempt, rank, options.resume, mark)
    except BaseException as error:  # noqa: BLE001 (everything ends up here: said in full, then exit 1)
        allow_last_words()
        last_words.say(error, mark.step)
        print_exception(error)
        return 1
    return 0


def print_exception(error: BaseException) -> None:
    """The whole traceback, to the console file."""
    sys.excepthook(type(error), error, error.__traceback__)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # gloo's and NCCL's threads may wait for ranks that have failed
