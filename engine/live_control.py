"""What a person may change while a run trains: its learning rate and its length; and what it may be told to do.

Everything here is the same on every process: the main one reads the requests, all of them decide alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from engine.checkpoints import TrainState
from engine.curriculum import sequence_length
from engine.data.masking import mask_rate_at
from engine.distributed import World
from engine.optim import learning_rate
from engine.stopping import StopSignal
from presets.probe_text import probes_problem
from presets.schema import RunConfig
from runs.control import ENDING_VERBS, MAX_RATE, MAX_STEPS, Request, check_probes, read_rate, read_steps
from runs.events import ControlAnswered


@dataclass(frozen=True)
class Change:
    """What holds from the next step on, as `TrainState` keeps it (total_steps 0: as configured).

    message: the answer, a plain sentence. probes: None where they stay as they are.
    """

    lr_factor: float
    total_steps: int
    message: str
    probes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Refusal:
    """Nothing changes. message: why, a plain sentence."""

    message: str


@dataclass(frozen=True)
class Task:
    """Something to do now, at this step boundary; who does it answers in its own words."""

    verb: Literal["evaluate", "checkpoint", "probe", "stop", "pause"]


@dataclass(frozen=True)
class Asked:
    """What there is to attend to, the same on every process.

    requests: oldest first. ending: how the run is to end now, or empty. reason: of that end.
    """

    requests: tuple[Request, ...]
    ending: Literal["", "stopped", "paused"] = ""
    reason: str = ""


def gather(stop: StopSignal, world: World) -> Asked:
    """Agree on what was asked. A collective call: every process makes it at the same step boundary."""
    signalled = torch.tensor([float(bool(stop.reason))], dtype=torch.float64, device=world.device)
    # asked of every process first: a signal may have reached only some
    is_signalled = bool(world.sum(signalled) > 0)
    said: tuple[tuple[Request, ...], str] = world.from_main((stop.requests(), stop.reason))
    requests, reason = said
    verbs = {request.verb for request in requests}
    if "stop" in verbs:
        return Asked(requests, "stopped", reason or "stopped on request")
    if "pause" in verbs:
        return Asked(requests, "paused", "paused on request")
    if is_signalled:
        return Asked(requests, "stopped", reason or "stopped on request of another process")
    return Asked(requests)


def apply(request: Request, state: TrainState, config: RunConfig, total_steps: int) -> Change | Refusal | Task:
    """Decide on one request at the boundary after `state.step` updates.

    total_steps: of the run as it stands, with what was changed before.
    """
    if request.verb in ENDING_VERBS:
        return Task("stop" if request.verb == "stop" else "pause")
    if state.step >= total_steps:
        return Refusal("the run has made all its steps")
    try:
        if request.verb == "lr":
            return _change_rate(request.value, state, config, total_steps)
        if request.verb == "steps":
            return _change_steps(request.value, state, config, total_steps)
        if request.verb == "probes":
            return _change_probes(request.value, state, config)
    except ValueError as error:
        return Refusal(str(error))
    if request.verb == "probe":
        if probe_texts(state, config):
            return Task("probe")
        return Refusal("the run has no probes (probes.texts is empty)")
    if request.verb == "evaluate":
        return Task("evaluate")
    if request.verb == "checkpoint":
        return Task("checkpoint")
    return Refusal(f"the engine knows no {request.verb}")


def answered(request: Request, message: str, *, accepted: bool = True, total_steps: int = 0) -> ControlAnswered:
    """The event that answers a request. total_steps: of the run from here on, for who watches it."""
    return ControlAnswered(
        request=request.id,
        verb=request.verb,
        accepted=accepted,
        message=message,
        value=request.value,
        total_steps=total_steps,
    )


def current_rate(state: TrainState, config: RunConfig, total_steps: int) -> float:
    """The rate of the next update: the schedule's, times what a person made of it."""
    return state.lr_factor * learning_rate(config.optim, state.step, total_steps)


def probe_texts(state: TrainState, config: RunConfig) -> tuple[str, ...]:
    """The probes that hold: as configured, or as somebody wrote them while it ran."""
    return config.probes.texts if state.probes is None else state.probes


def _change_probes(value: str, state: TrainState, config: RunConfig) -> Change | Refusal:
    texts, before = check_probes(value), probe_texts(state, config)
    objective = config.objective
    if problem := probes_problem(texts, objective.kind, objective.has_masks):
        return Refusal(problem)
    if texts == before:
        words = f"{_sentences(len(texts))} probed, as before"
    else:
        new = len(set(texts) - set(before))
        words = f"{_sentences(len(texts))} probed from step {state.step:,} on, {new} new, before {len(before)}"
    return Change(state.lr_factor, state.total_steps, words, texts)


def _sentences(number: int) -> str:
    return "1 sentence is" if number == 1 else f"{number} sentences are"


def _change_rate(value: str, state: TrainState, config: RunConfig, total_steps: int) -> Change | Refusal:
    wanted = read_rate(value)
    scheduled = learning_rate(config.optim, state.step, total_steps)
    if wanted.is_factor:
        factor = state.lr_factor * wanted.number
    elif scheduled > 0:
        factor = wanted.number / scheduled
    else:
        return Refusal("learning rate: the schedule is at 0 here, and no factor makes a rate of that")
    highest = factor * _highest_left(state.step, config, total_steps)
    if highest > MAX_RATE:
        return Refusal(f"learning rate: it would rise to {highest:.3g}, above the limit {MAX_RATE:g}")
    before, after = state.lr_factor * scheduled, factor * scheduled
    words = f"learning rate {after:.3g} from step {state.step + 1:,} on, before {before:.3g}"
    return Change(factor, state.total_steps, words + _rise(after, highest))


def _highest_left(step: int, config: RunConfig, total_steps: int) -> float:
    """The schedule's highest rate from this step on: it rises to the end of warm-up and never after."""
    last_of_warmup = round(config.optim.warmup_ratio * total_steps) - 1
    return learning_rate(config.optim, max(step, last_of_warmup), total_steps)


def _change_steps(value: str, state: TrainState, config: RunConfig, total_steps: int) -> Change | Refusal:
    wanted = read_steps(value)
    total = total_steps + wanted.count if wanted.is_difference else wanted.count
    if total > MAX_STEPS:
        return Refusal(f"steps: {total:,} is above the limit {MAX_STEPS:,}")
    if total <= state.step:
        # an unused run still has its first step to make: 0 would mean "as configured" when it is resumed
        total = max(state.step, 1)
        done = f"{state.step:,} steps are done already" if state.step else "no step is made yet"
        ends = "the run ends now" if state.step else "the run ends after its first"
        return Change(state.lr_factor, total, f"{done}, so {ends}")
    if total == total_steps:
        return Change(state.lr_factor, total, f"the run ends at step {total:,}, as before")
    before = current_rate(state, config, total_steps)
    after = current_rate(state, config, total)
    highest = state.lr_factor * _highest_left(state.step, config, total)
    if highest > MAX_RATE:
        return Refusal(
            f"steps: the schedule would span {total:,} steps, and with the factor {state.lr_factor:.3g} that was "
            f"asked for the learning rate would go to {highest:.3g}, above the limit {MAX_RATE:g}; lower it first"
        )
    words = f"the run ends at step {total:,}, before {total_steps:,}"
    if abs(after - before) > 1e-3 * before:
        words += f"; its schedule spans the new length, so the learning rate goes from {before:.3g} to {after:.3g}"
    return Change(
        state.lr_factor, total, words + _rise(after, highest) + _moved(state.step, config, total_steps, total)
    )


def _rise(rate: float, highest: float) -> str:
    """That a warm-up goes on rising, where it does."""
    return f"; warm-up goes on, to {highest:.3g}" if highest > rate * (1 + 1e-9) else ""


def _moved(step: int, config: RunConfig, before: int, after: int) -> str:
    """What else goes by the share of all steps, and is not where it was: the sequences' length, the mask rate."""
    way = "go back" if after > before else "go on"
    words = ""
    lengths = [sequence_length(config, step / total) for total in (before, after)]
    if lengths[0] != lengths[1]:
        words += f"; sequences {way} from {lengths[0]:,} to {lengths[1]:,} tokens"
    if config.objective.has_masks and config.objective.mask_rate_end:
        rates = [f"{mask_rate_at(config.objective, step / total):.3g}" for total in (before, after)]
        if rates[0] != rates[1]:
            words += f"; the mask rate {way.replace('go', 'goes')} from {rates[0]} to {rates[1]}"
    return words
