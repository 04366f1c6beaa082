"""The command that starts a run of a configuration from a shell: a preset, and what is set otherwise."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from presets.catalog import Preset
from presets.config import diff
from presets.fields import format_value
from presets.schema import RunConfig

PROGRAM = "tinytrain-tui"
_FAR = 8  # changes, from which on another preset is looked for: that takes some milliseconds


def train_command(
    config: RunConfig, presets: Sequence[Preset], *, preferred: str = "", name: str = "", runs_dir: str = ""
) -> tuple[str, ...]:
    """The words of a short `train` command that makes exactly this configuration.

    presets: those that the command line knows; of two of one name it finds the later. preferred: the one it is
    taken from; where it is not among them, or far away, the one that needs the fewest changes is used. runs_dir:
    where the run shall go, when that is not the usual folder.
    """
    presets = tuple({preset.name: preset for preset in presets}.values())
    base = next((preset for preset in presets if preset.name == preferred), None)
    changes = diff(base.config, config) if base is not None else ()
    if base is None or len(changes) > _FAR:
        base = min(presets, key=lambda preset: len(diff(preset.config, config)))
        changes = diff(base.config, config)
    words = [PROGRAM, *(("--runs-dir", runs_dir) if runs_dir else ()), "train", base.name]
    for change in changes:
        words += ["--set", f"{change.path}={_one_line(format_value(change.after))}"]
    if name:
        words.append(f"--name={name}" if name.startswith("-") else "--name")
        words += [] if name.startswith("-") else [name]
    return tuple(words)


def shell_text(words: Sequence[str]) -> str:
    """The words as one types them into a shell."""
    return shlex.join(words)


def _one_line(text: str) -> str:
    """Lines of a field of several are separated by a backslash and an n, as `--set` takes them."""
    return text.replace("\n", "\\n")
