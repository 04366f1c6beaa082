"""`presets`: what can be trained, one preset in full, the models of several; `cli_keep` has one's own."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from presets import catalog, config
from presets.comparison import ModelRow, compare_models, differing_settings
from presets.fields import format_value
from tui.cli_output import DONE, WrongRequest, say, say_json, say_table, warn
from tui.machine import this_machine
from tui.preset_table import bases, comparison_rows, list_rows, text_table


def presets(options: argparse.Namespace) -> int:
    """List the presets, show one, compare several, or keep one's own."""
    names: list[str] = options.names
    if options.action not in (None, "show", "compare"):
        from tui.cli_keep import keep

        return keep(options)
    if options.action == "show":
        if len(names) != 1:
            raise WrongRequest("say which preset to show: tinytrain-tui presets show NAME")
        preset = _find(names[0])
        say_json(_document(preset)) if options.json else _say(preset)
    elif options.action == "compare":
        _compare(names, options.json)
    else:
        _list(options.json)
    return DONE


def _list(as_json: bool) -> None:
    own, problems = catalog.own_presets()
    found = (*catalog.shipped_presets(), *own)
    if as_json:
        say_json([_document(preset) for preset in found])
    else:
        say_table(list_rows(found, this_machine()))
    for problem in problems:
        warn(f"left out: {problem}")


def _compare(names: list[str], as_json: bool) -> None:
    if not names:
        raise WrongRequest("say which presets to compare: tinytrain-tui presets compare NAME NAME …")
    found = [_find(name) for name in names]
    models, settings = compare_models(found, this_machine()), differing_settings(found)
    if as_json:
        say_json({"models": [_model_document(model) for model in models], "settings": settings})
        return
    for line in text_table(names, comparison_rows(models, settings)):
        say(line)
    for sentence in bases(models):
        say(f"# {sentence}")


def _find(name: str) -> catalog.Preset:
    try:
        return catalog.find_preset(name)
    except KeyError as error:
        raise WrongRequest(str(error.args[0])) from None


def _model_document(model: ModelRow) -> Any:
    """The row, with the sum that people ask for first."""
    document = msgspec.to_builtins(model)
    document["estimate"]["parameters"]["total"] = model.estimate.parameters.total
    return document


def _document(preset: catalog.Preset) -> Any:
    document = msgspec.to_builtins(preset)
    del document["text"]  # what it says stands in the fields beside it
    return document


def _say(preset: catalog.Preset) -> None:
    say(f"# {preset.title}: {preset.summary}")
    if preset.source:
        say(f"# from {preset.source}")
    for path, value in preset.published.items():
        ours = config.get_value(preset.config, path)
        say(f"# published {path} = {format_value(value)}, here {format_value(ours)}")
    for line in config.to_toml(preset.config).splitlines():
        say(line)
