"""The text that the Playground begins with: one that the run's objective knows what to do with."""

from __future__ import annotations

from dataclasses import dataclass

from presets.config import ConfigError
from presets.probe_text import probe_problem, read_probe
from presets.schema import MASK_TOKEN
from runs.folder import RunFolder

_BEGINNING = "the people of the united"


@dataclass(frozen=True)
class FirstText:
    """kind: of the run's objective; empty when its settings cannot be read, and then the text is empty too."""

    kind: str = ""
    text: str = ""

    def instead_of(self, text: str) -> str:
        """What to begin with where somebody's own text was for another objective; the same where it will do."""
        if self.kind != "clm" or MASK_TOKEN not in text:
            return text
        return text.partition(MASK_TOKEN)[0].rstrip() or self.text


def first_text(folder: RunFolder) -> FirstText:
    """The run's first probe without the words that it expects, or a text that fits where it has none."""
    try:
        config = folder.config()
    except (OSError, ConfigError):
        return FirstText()
    kind, has_masks = config.objective.kind, config.objective.has_masks
    for written in config.probes.texts:
        if not probe_problem(written, kind, has_masks):
            return FirstText(kind, read_probe(written).text)
    return FirstText(kind, f"{_BEGINNING} {MASK_TOKEN}" if has_masks else _BEGINNING)
