"""What would happen if one launched now: figures, what stands against it, the command, the changes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from presets import config as configs
from presets import corpora
from presets.catalog import Preset, all_presets
from presets.command_line import shell_text, train_command
from presets.config import Change
from presets.estimate import DeviceMemory, Estimate, Machine, TokenCounts, estimate
from presets.memory_fit import MemoryFit, memory_fit
from presets.rules import Problem
from presets.schema import RunConfig
from runs.folder import runs_dir
from runs.launch import LaunchPlan, plan_launch
from runs.memory_check import PastChecks, PastRun, compare_with_past, past_runs
from runs.readings import DeviceReading
from tui.figures import num_bytes
from tui.machine import this_machine as this_machine
from tui.widgets.form_model import FormModel

if TYPE_CHECKING:
    from runs.hub import HubStatus  # brings urllib; only asked in the background


@dataclass(frozen=True)
class Plan:
    """hub: None while the check is under way. warnings do not stand against launching, problems do.

    fit: of the memory. past: how good that estimate was for runs here. command: for a shell, if it was made.
    """

    config: RunConfig
    preset_name: str
    estimate: Estimate
    machine: Machine
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    changes: tuple[Change, ...]
    launch: LaunchPlan
    hub: HubStatus | None
    fit: MemoryFit
    past: PastChecks
    command: str = ""

    @property
    def can_launch(self) -> bool:
        """Nothing is wrong with the configuration."""
        return not self.problems


def make_plan(
    model: FormModel,
    machine: Machine,
    hub: HubStatus | None,
    counts: TokenCounts | None = None,
    *,
    past: tuple[PastRun, ...] = (),
    command: str = "",
) -> Plan:
    """Everything the plan shows, from what was typed; fast enough for every key.

    past: runs here that measured what memory they took. command: that starts this run from a shell.
    """
    return _plan(model.preset, model.to_config(), machine, model.problems(), hub, counts, past, command)


def plan_of(preset: Preset, config: RunConfig, machine: Machine, runs: Path) -> Plan:
    """The same without a form, for a configuration without mistakes; reads runs and token caches."""
    from runs.token_caches import count_sequences  # the form asks in the background

    counts = count_sequences(config.data, labelled=config.objective.has_labels)
    command = command_of(config, all_presets(), preset.name, "", runs)
    return _plan(preset, config, machine, (), None, counts, past_runs(runs), command)


def command_of(config: RunConfig, presets: Sequence[Preset], preferred: str, name: str, runs: Path) -> str:
    """What one types into a shell to start this run; presets: those that the command line knows."""
    folder = "" if runs == runs_dir() else str(runs)
    return shell_text(train_command(config, presets, preferred=preferred, name=name, runs_dir=folder))


def _plan(
    preset: Preset,
    config: RunConfig,
    machine: Machine,
    problems: tuple[Problem, ...],
    hub: HubStatus | None,
    counts: TokenCounts | None,
    past: tuple[PastRun, ...],
    command: str,
) -> Plan:
    launch = plan_launch(config)
    figures = estimate(config, machine, counts)
    fit = memory_fit(config, figures, machine)
    return Plan(
        config=config,
        preset_name=preset.name,
        estimate=figures,
        machine=machine,
        problems=problems,
        warnings=(*_warnings(config, machine, figures, fit), *launch.notes),
        changes=configs.diff(preset.config, config),
        launch=launch,
        hub=hub,
        fit=fit,
        past=compare_with_past(config, figures.on_gpu, past),
        command=command,
    )


def measured_machine() -> Machine:
    """The same with its GPUs; asks the driver, for 3 s at most where there may be any."""
    from runs.devices import GpuReadings  # which starts processes; the form asks in the background

    reading = GpuReadings().read(os.environ)
    devices = reading.devices if reading is not None else ()
    return this_machine(len(devices), tuple(filter(None, map(memory_of, devices))))


def memory_of(device: DeviceReading) -> DeviceMemory | None:
    """Total and free memory of a device, None where its driver does not tell."""
    total, used = device.memory_total_bytes, device.memory_used_bytes
    return None if total is None or used is None else DeviceMemory(total, max(0, total - used))


def data_key(config: RunConfig) -> str:
    """Changes when the hub, or the token caches, would have to be asked again."""
    data = config.data
    key = corpora.token_cache_key(data, labelled=config.objective.has_labels)
    return f"{key} {data.sequence_length} {data.long_documents}"


def dataset_sentence(config: RunConfig) -> str:
    """The dataset with its source, and what is known of it."""
    facts = corpora.facts(config.data)
    return f"{corpora.label(config.data)}: {facts.about}" if facts else corpora.label(config.data)


def _memory_warning(fit: MemoryFit) -> str:
    """What is said of memory that is lacking, or may lack."""
    has = f"{fit.place} has {num_bytes(fit.total_bytes)}, of which {num_bytes(fit.free_bytes)} are free now"
    if fit.level == "red":
        return f"too large for the memory: about {num_bytes(fit.needed_bytes)} are needed, and {has}"
    if fit.level == "amber":
        return f"the memory may not do: up to {num_bytes(fit.high_bytes)} may be needed, and {has}"
    return ""


def _warnings(config: RunConfig, machine: Machine, figures: Estimate, fit: MemoryFit) -> tuple[str, ...]:
    warnings: list[str] = []
    processes, on_gpu = config.launch.num_processes, figures.on_gpu
    if config.launch.device == "cuda" and machine.num_gpus == 0:
        warnings.append("device is cuda, and no GPU was found on this machine")
    elif config.optim.algorithm == "adamw8bit" and machine.num_gpus == 0:
        warnings.append("adamw8bit needs a GPU, and none was found on this machine; choose adamw")
    elif on_gpu and machine.num_gpus and processes > machine.num_gpus:
        warnings.append(f"{processes} processes, and this machine has {machine.num_gpus} GPU(s)")
    if not on_gpu and processes > machine.num_cores:
        warnings.append(f"{processes} processes share {machine.num_cores} CPU cores")
    if warning := _memory_warning(fit):
        warnings.append(warning)
    if config.model.start_from:
        start = config.model.start_from
        warnings.append(f"model and tokenizer will be those of {start}; figures are of the sizes in the form")
    if figures.steps.value is not None and figures.steps.value < config.train.eval_every:
        warnings.append("the run ends before its first evaluation; lower “evaluate every”")
    return tuple(warnings)
