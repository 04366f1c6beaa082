"""`presets`: what can be trained, and one preset in full."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from presets import catalog, config, corpora
from presets.fields import format_value
from tui.cli_output import DONE, WrongRequest, say, say_json, say_table, warn


def presets(options: argparse.Namespace) -> int:
    """List the presets, or show one."""
    if options.action == "show":
        if not options.name:
            raise WrongRequest("say which preset to show: tinytrain-tui presets show NAME")
        try:
            preset = catalog.find_preset(options.name)
        except KeyError as error:
            raise WrongRequest(str(error.args[0])) from None
        say_json(_document(preset)) if options.json else _say(preset)
        return DONE
    own, problems = catalog.own_presets()
    found = (*catalog.shipped_presets(), *own)
    if options.json:
        say_json([_document(preset) for preset in found])
    else:
        rows = [(preset.name, corpora.label(preset.config.data), preset.summary) for preset in found]
        say_table([("preset", "data", "what it is for"), *rows])
    for problem in problems:
        warn(f"left out: {problem}")
    return DONE


def _document(preset: catalog.Preset) -> Any:
    return msgspec.to_builtins(preset)


def _say(preset: catalog.Preset) -> None:
    say(f"# {preset.title}: {preset.summary}")
    if preset.source:
        say(f"# from {preset.source}")
    for path, value in preset.published.items():
        ours = config.get_value(preset.config, path)
        say(f"# published {path} = {format_value(value)}, here {format_value(ours)}")
    for line in config.to_toml(preset.config).splitlines():
        say(line)
