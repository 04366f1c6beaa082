"""`plan`: what a run would cost and whether it fits, without starting it."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from presets import config as configs
from presets.catalog import Preset
from presets.config import ConfigError
from presets.memory_fit import MemoryFit
from presets.schema import RunConfig
from runs.folder import runs_dir
from tui.cli_output import DONE, WrongRequest, say, say_json
from tui.figures import count, duration, num_bytes
from tui.plan import Plan, measured_machine, plan_of
from tui.preset_table import flops


def plan(options: argparse.Namespace) -> int:
    """Print the plan of a preset with what is set otherwise."""
    from tui.cli_train import read

    preset = read(options.preset)
    config = changed(preset.config, options.set)
    made = plan_of(preset, config, measured_machine(), runs_dir(options.runs_dir))
    if options.json:
        say_json(_document(preset, made))
    else:
        _say(preset, made)
    return DONE


def changed(config: RunConfig, assignments: list[str]) -> RunConfig:
    """The configuration with what `--set` says. Raises WrongRequest with every mistake."""
    try:
        return configs.require_valid(configs.with_overrides(config, tuple(assignments)))
    except ConfigError as error:
        raise WrongRequest("; ".join(str(problem) for problem in error.problems)) from None


def _document(preset: Preset, plan: Plan) -> Any:
    figures = msgspec.to_builtins(plan.estimate)
    figures["parameters"]["total"] = plan.estimate.parameters.total
    return {
        "preset": preset.name,
        "changes": [msgspec.to_builtins(change) for change in plan.changes],
        "estimate": figures,
        "memory": {**msgspec.to_builtins(plan.fit), "word": plan.fit.word},
        "past": msgspec.to_builtins(plan.past),
        "warnings": list(plan.warnings),
        "machine": msgspec.to_builtins(plan.machine),
        "command": plan.command,
        "engine": list(plan.launch.argv),
        "config": msgspec.to_builtins(plan.config),
    }


def _say(preset: Preset, plan: Plan) -> None:
    figures = plan.estimate
    say(f"{preset.name}: {preset.summary}")
    for change in plan.changes:
        say(f"  {configs.describe(change)}")
    rows = (
        ("parameters", count(figures.parameters.total)),
        ("sequences", _about(figures.rows.value, count)),
        ("steps", _about(figures.steps.value, count, "")),
        ("tokens", _about(figures.tokens.value, count)),
        ("FLOPs", flops(figures.flops)),
        ("memory", memory_words(plan.fit)),
        ("measured", past_sentence(plan)),
        ("time", _about(figures.time_s.value, duration)),
        ("device", figures.device),
    )
    for label, value in rows:
        if value:
            say(f"{label:<11} {value}")
    for warning in plan.warnings:
        say(f"! {warning}")
    say(f"start it: {plan.command}", 8000)


def memory_words(fit: MemoryFit) -> str:
    """`~503 MB, at most 565 MB; 24 GB of 25 GB free: ✓ fits`."""
    needed = f"~{num_bytes(fit.needed_bytes)}, at most {num_bytes(fit.high_bytes)}"
    if fit.level == "unknown":
        return f"{needed}; the device's memory is unknown"
    free = f"{num_bytes(fit.free_bytes)} of {num_bytes(fit.total_bytes)} are free on {fit.place}"
    return f"{needed}; {free}: {fit.sign} {fit.word} ({fit.level})"


def past_sentence(plan: Plan) -> str:
    """How the estimate compares with what runs here measured; empty without any."""
    past = plan.past
    if past.same is not None:
        check = past.same.check
        return f"{num_bytes(check.measured_bytes)} in {past.same.name}, which has the same shape"
    if not past.num:
        return ""
    runs = "1 run" if past.num == 1 else f"{past.num} runs"
    return f"the peaks of {runs} here were {past.low:.0%} to {past.high:.0%} of their estimates"


def _about(value: float | None, write: Any, sign: str = "~") -> str:
    return "unknown until the data are read" if value is None else f"{sign}{write(value)}"
