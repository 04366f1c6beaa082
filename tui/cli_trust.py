"""What a verb that starts a run says of a preset or configuration that this machine does not know."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from presets.catalog import Preset
from presets.config import Change, ConfigError, describe
from presets.schema import RunConfig
from runs import trust
from runs.folder import RunFolder, RunNotFound, find_run
from runs.references import split_reference
from tui.cli_output import WrongRequest, warn


def heed_preset(preset: Preset, options: argparse.Namespace) -> None:
    """Show what an unknown preset changes, and go on when a person agrees. Raises WrongRequest."""
    changes = trust.changes_of_preset(preset)
    if changes:
        _require_yes(f"the preset {preset.name}", changes, options.yes)
        trust.remember(preset.text)


def heed_run(folder: RunFolder, options: argparse.Namespace) -> None:
    """The same for the configuration of a run that came from elsewhere. Raises WrongRequest."""
    try:
        changes = trust.changes_of_run(folder)
        if changes:
            _require_yes(f"the configuration of {folder.about().name} ({folder.id})", changes, options.yes)
            trust.remember_run(folder)
    except (OSError, ConfigError) as error:
        raise WrongRequest(f"the configuration of {folder.id} cannot be read: {error}") from None


def heed_start_from(config: RunConfig, runs: Path, options: argparse.Namespace) -> None:
    """The same for the run whose weights a new one starts from, if it does. Raises WrongRequest."""
    if config.model.start_from:
        try:
            folder = find_run(runs, split_reference(config.model.start_from)[0])
        except RunNotFound as error:
            raise WrongRequest(f"model.start_from: {error}") from None
        heed_run(folder, options)


def _require_yes(what: str, changes: tuple[Change, ...], is_agreed: bool) -> None:
    """Print the changes, and ask when there is a terminal. Raises WrongRequest for everything but a yes."""
    warn(
        f"this program did not write {what} on this machine. It can name files to read, data to fetch and "
        f"machines to meet. It sets {len(changes)} fields otherwise than the defaults:"
    )
    for change in changes:
        warn(f"  {describe(change)}")
    if is_agreed:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise WrongRequest("nothing was started: look at it, then give --yes to use it; it is asked once")
    sys.stderr.write("use it? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise WrongRequest("nothing was started")
