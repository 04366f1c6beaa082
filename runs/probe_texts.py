"""Which probes a run has now: as configured, or as somebody wrote them while it trained."""

from __future__ import annotations

from collections.abc import Iterable

from presets.probe_text import read_probes
from presets.schema import RunConfig
from runs.events import ControlAnswered


def probes_now(config: RunConfig | None, controls: Iterable[ControlAnswered]) -> tuple[str, ...]:
    """The probes as they are written. controls: granted requests that a resume has not hidden, oldest first."""
    texts = config.probes.texts if config is not None else ()
    for control in controls:
        if control.verb == "probes" and control.accepted:
            texts = read_probes(control.value)
    return texts
