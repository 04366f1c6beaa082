"""What would happen if one launched now: figures, what stands against it, the command, the changes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from presets import config as configs
from presets import corpora
from presets.config import Change
from presets.estimate import Estimate, Machine, TokenCounts, estimate
from presets.rules import Problem
from presets.schema import RunConfig
from runs.launch import LaunchPlan, plan_launch
from tui.figures import num_bytes
from tui.widgets.form_model import FormModel

if TYPE_CHECKING:
    from runs.hub import HubStatus  # brings urllib; only asked in the background


@dataclass(frozen=True)
class Plan:
    """hub: None while the check is under way. warnings do not stand against launching, problems do."""

    config: RunConfig
    preset_name: str
    estimate: Estimate
    machine: Machine
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    changes: tuple[Change, ...]
    launch: LaunchPlan
    hub: HubStatus | None

    @property
    def can_launch(self) -> bool:
        """Nothing is wrong with the configuration."""
        return not self.problems


def make_plan(
    model: FormModel, machine: Machine, hub: HubStatus | None, counts: TokenCounts | None = None
) -> Plan:
    """Everything the plan shows, from what was typed; fast enough for every key."""
    config = model.to_config()
    launch = plan_launch(config)
    figures = estimate(config, machine, counts)
    return Plan(
        config=config,
        preset_name=model.preset.name,
        estimate=figures,
        machine=machine,
        problems=model.problems(),
        warnings=(*_warnings(config, machine, figures), *launch.notes),
        changes=configs.diff(model.preset.config, config),
        launch=launch,
        hub=hub,
    )


def this_machine(num_gpus: int | None = None) -> Machine:
    """Cores this process may use, and memory. num_gpus: None while nobody has looked."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    can_ask = hasattr(os, "sched_getaffinity")  # a container may allow fewer cores than there are
    num_cores = len(os.sched_getaffinity(0)) if can_ask else os.cpu_count() or 1
    return Machine(num_cores=num_cores, memory_bytes=memory, num_gpus=num_gpus)


def data_key(config: RunConfig) -> str:
    """Changes when the hub, or the token caches, would have to be asked again."""
    data = config.data
    key = corpora.token_cache_key(data, labelled=config.objective.has_labels)
    return f"{key} {data.sequence_length} {data.long_documents}"


def dataset_sentence(config: RunConfig) -> str:
    """The dataset with its source, and what is known of it."""
    facts = corpora.facts(config.data)
    return f"{corpora.label(config.data)}: {facts.about}" if facts else corpora.label(config.data)


def _warnings(config: RunConfig, machine: Machine, figures: Estimate) -> tuple[str, ...]:
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
    needed = (figures.memory_bytes.value or 0) * processes
    if not on_gpu and machine.memory_bytes and needed > 0.8 * machine.memory_bytes:
        has = num_bytes(machine.memory_bytes)
        warnings.append(f"about {num_bytes(needed)} of memory are needed, and this machine has {has}")
    if config.model.start_from:
        start = config.model.start_from
        warnings.append(f"model and tokenizer will be those of {start}; figures are of the sizes in the form")
    if figures.steps.value is not None and figures.steps.value < config.train.eval_every:
        warnings.append("the run ends before its first evaluation; lower “evaluate every”")
    return tuple(warnings)
