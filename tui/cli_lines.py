"""What a followed run says, line by line: for people the news, for programs every record."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from presets.schema import RunConfig
from runs.events import (
    AttemptStarted,
    Baselines,
    CheckpointFellBack,
    CheckpointSaved,
    ControlAnswered,
    DiskNoticed,
    Evaluated,
    HealthNoticed,
    Notice,
    Probed,
    ProbeResult,
    Progress,
    decode_event,
)
from tui.cli_output import say, say_json
from tui.probe_words import rank_words
from tui.progress_words import progress_words
from tui.run_words import shares_of

_PROGRESS_EVERY_S = 10.0


class Lines:
    """Remembers what a line needs besides its own record."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._total_steps = 0
        self._train_loss: float | None = None
        self._rate: float | None = None
        self._phase = ""
        self._phase_said = 0.0
        self._probed: Probed | None = None

    def show(self, record: Mapping[str, Any]) -> None:
        """Print a record of metrics or events, if it is news."""
        if self._as_json:
            say_json({"kind": "metrics", **record})
        elif "kind" in record:
            self._show_event(record)
        else:
            self._train_loss = record.get("loss", self._train_loss)
            self._rate = record.get("tokens_per_second", self._rate)

    def say_probes(self) -> None:
        """The newest completions, a line for each sentence."""
        say_probes(self._probed.probes if self._probed else ())

    def _show_event(self, record: Mapping[str, Any]) -> None:
        event = decode_event(record)
        match event:
            case AttemptStarted():
                self._total_steps = event.total_steps
                processes = f", {event.num_processes} processes" if event.num_processes > 1 else ""
                start = f"from step {event.step:,} of" if event.resumed_from else "for"
                say(
                    f"training on {event.dataset} {start} {event.total_steps:,} steps: {event.num_parameters:,} "
                    f"parameters, {event.device} {event.precision}{processes}"
                )
            case Progress():
                self._show_progress(event)
            case Baselines():
                say(f"to beat: {to_beat(event)}")
            case Evaluated():
                self._show_evaluation(event)
            case CheckpointSaved():
                say(f"saved {event.name}{' (best)' if event.is_best else ''} in {event.elapsed_s:.1f} s")
            case CheckpointFellBack():
                say(f"! {event.wanted} cannot be used ({event.reason}); it goes on from {event.used}")
            case ControlAnswered():
                self._total_steps = event.total_steps or self._total_steps
                say(answer_words(event.verb, event.message, event.step, accepted=event.accepted))
            case Notice():
                say(event.message if event.level == "info" else f"! {event.message}")
            case HealthNoticed():
                say(f"! {event.message}")
            case DiskNoticed():
                say(f"! {event.message}" if event.is_full else event.message)
            case Probed():
                self._probed = event

    def _show_progress(self, event: Progress) -> None:
        now = time.monotonic()
        is_done = event.total > 0 and event.done >= event.total
        if event.phase == self._phase and not is_done and now - self._phase_said < _PROGRESS_EVERY_S:
            return
        self._phase, self._phase_said = event.phase, now
        say(progress_words(event))

    def _show_evaluation(self, event: Evaluated) -> None:
        train = "" if self._train_loss is None else f"  train {self._train_loss:.4f}"
        rate = "" if self._rate is None else f"  {self._rate:,.0f} tokens/s"
        best = "  best so far" if event.is_best else ""
        shares = "".join(f"  {name} {100 * share:.1f} %" for name, share in shares_of(event))
        say(
            f"step {event.step:,} of {self._total_steps:,}  validation {event.loss:.4f}{train}{shares}{rate}{best}"
        )


def answer_words(verb: str, message: str, at_step: int, *, accepted: bool) -> str:
    """What became of a request, at which step; the engine's own words may say the step already."""
    words = message if accepted else f"{verb} was refused: {message}"
    step = f"step {at_step:,}"
    return words if re.search(rf"\b{step}\b(?!,)", words) else f"{step}: {words}"


def to_beat(baselines: Baselines, config: RunConfig | None = None) -> str:
    """What guessing and frequency score, and the floor where it is known. config: says what is frequent or not."""
    frequency = "frequency alone"
    if config is not None:
        frequency = "label frequency" if config.objective.has_labels else "word frequency"
    words = f"{baselines.uniform_loss:.4f} by guessing, {baselines.unigram_loss:.4f} by {frequency}"
    floor = "" if baselines.floor_loss is None else f"; the floor is {baselines.floor_loss:.4f} (exact)"
    return words + floor


def say_probes(probes: tuple[ProbeResult, ...]) -> None:
    """A line for each [MASK] with its most probable words, and one for a text that goes on."""
    for probe in probes:
        if probe.generated:
            say(f"  {probe.text} →{probe.generated}")
        for candidates in probe.masks:
            words = "  ".join(f"{candidate.token} {candidate.probability:.2f}" for candidate in candidates)
            say(f"  {probe.text}  →  {words}")
        for word in probe.expected:
            say(f"      {rank_words(word)}")
