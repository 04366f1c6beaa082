"""The command `tinytrain-tui`: the dashboard without arguments, and everything it does as verbs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

from tui.cli_output import FAILED, INTERRUPTED, PROGRAM, WRONG, WrongRequest, let_go_of_output, speak_plainly, warn


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit status.

    0 done; 1 the run failed; 2 the request was wrong, nothing was started; 130 interrupted.
    """
    speak_plainly()
    try:
        options = _read(sys.argv[1:] if arguments is None else arguments)
        status = _function(options.does)(options)
        sys.stdout.flush()
        return status
    except WrongRequest as error:
        warn(str(error))
        return WRONG
    except BrokenPipeError:
        let_go_of_output()  # `| head` has seen enough; a run that was followed goes on
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        warn(f"{PROGRAM}: {error}")
        return FAILED


def _read(words: Sequence[str]) -> argparse.Namespace:
    if not words:
        return without_a_word()
    from tui.verbs import make_parser

    return make_parser().parse_args(words)


def without_a_word() -> argparse.Namespace:
    """What the parser makes of no argument at all: the dashboard does not wait for those of all verbs."""
    return argparse.Namespace(
        version=None, runs_dir=None, no_mouse=False, low_bandwidth=False, does="cli_dashboard.dashboard"
    )


def _function(path: str) -> Callable[[argparse.Namespace], int]:
    """The function of that module of ours, imported now: a verb starts without what the others need."""
    module, _, name = path.partition(".")
    function: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(f"tui.{module}"), name)
    return function
