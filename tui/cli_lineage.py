"""`clone` and `fork`: new runs out of old ones, from the beginning or from a checkpoint."""

from __future__ import annotations

import argparse

from presets import config
from presets.schema import RunConfig
from runs.folder import RunFolder, runs_dir
from runs.fork import CannotFork
from runs.fork import fork as make_fork
from runs.references import MissingReference, with_lasting_references
from tui.cli_logout import heed_logout
from tui.cli_output import DONE, WrongRequest, say, say_json
from tui.cli_reference import checkpoint_name, the_run
from tui.cli_train import Interrupts, make_run, start_and_follow
from tui.cli_trust import heed_run, heed_start_from


def clone(options: argparse.Namespace) -> int:
    """Make a run with another one's settings, a few of them changed, and start it."""
    folder = the_run(options)
    heed_run(folder, options)
    runs = runs_dir(options.runs_dir)
    wanted = _changed(folder, options)
    heed_start_from(wanted, runs, options)
    try:
        wanted = with_lasting_references(wanted, runs)
    except MissingReference as error:
        raise WrongRequest(str(error)) from None
    about = folder.about()
    if not options.no_start:
        heed_logout(options)
    with Interrupts() as interrupts:
        new = make_run(runs, wanted, options.name, about.preset)
        return _go(new, "", options, interrupts)


def fork(options: argparse.Namespace) -> int:
    """Make a run that goes on from another one's checkpoint, and start it."""
    folder = the_run(options)
    heed_run(folder, options)
    wanted = _changed(folder, options)
    if not options.no_start:
        heed_logout(options)
    with Interrupts() as interrupts:
        try:
            new = make_fork(folder, checkpoint_name(options.checkpoint), wanted, options.name)
        except (CannotFork, OSError) as error:
            raise WrongRequest(str(error)) from None
        return _go(new, "last", options, interrupts)


def _changed(folder: RunFolder, options: argparse.Namespace) -> RunConfig:
    """The run's settings with what `--set` changes. Raises WrongRequest."""
    try:
        return config.require_valid(config.with_overrides(folder.config(), tuple(options.set)))
    except config.ConfigError as error:
        raise WrongRequest("; ".join(str(problem) for problem in error.problems)) from None


def _go(new: RunFolder, resume: str, options: argparse.Namespace, interrupts: Interrupts) -> int:
    """Start it, or say where it is."""
    if not options.no_start:
        return start_and_follow(new, resume, options, interrupts)
    name = new.about().name
    if options.json:
        say_json({"kind": "made", "id": new.id, "name": name, "path": str(new.path)})
    else:
        say(f"{name}  {new.path}")
    return DONE
