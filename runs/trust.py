"""Presets and configurations that others wrote: what they would change is shown before they are used.

A configuration names files to read, datasets to fetch and machines to meet, so whoever gets one from elsewhere
looks at it first. Texts that this program wrote on this machine, and those a person agreed to, are known.
"""

from __future__ import annotations

from presets import known
from presets.catalog import Preset, read_preset
from presets.config import Change, diff
from presets.schema import RunConfig
from runs.folder import RunFolder


def is_known(text: str) -> bool:
    """Whether this machine wrote that very text, or a person here agreed to it."""
    return known.is_known(text)


def remember(text: str) -> None:
    """A person agreed to this text, or we wrote it ourselves. Raises nothing."""
    known.remember(text)


def unknown_changes(text: str) -> tuple[Change, ...]:
    """What an unknown preset or configuration sets otherwise than the defaults, in the schema's order.

    Nothing when the text is known, or sets nothing: then nobody needs to be asked. Raises ConfigError.
    """
    return () if is_known(text) else diff(RunConfig(), read_preset(text, "").config)


def changes_of_preset(preset: Preset) -> tuple[Change, ...]:
    """See `unknown_changes`; a preset that ships with the program is known."""
    return unknown_changes(preset.text) if preset.text else ()


def changes_of_run(folder: RunFolder) -> tuple[Change, ...]:
    """See `unknown_changes`: of the run that is about to be resumed, or whose weights another one starts from.

    Raises OSError or ConfigError when its `config.toml` cannot be read.
    """
    return unknown_changes(folder.config_text())


def remember_run(folder: RunFolder) -> None:
    """A person agreed to the configuration of this run. Raises OSError or ConfigError when it cannot be read."""
    remember(folder.config_text())
