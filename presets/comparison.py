"""The models of several presets beside one another: parameters, memory, arithmetic, time, differing settings."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from presets import config as configs
from presets import corpora
from presets.catalog import Preset
from presets.estimate import Estimate, Machine, estimate, global_batch
from presets.fields import Value
from presets.schema import FIELDS


class PublishedCount(msgspec.Struct, frozen=True):
    """Parameters as somebody else gives them. stated: in the README; real: of the model that their code builds."""

    stated: int
    real: int
    why: str


class ModelRow(msgspec.Struct, frozen=True):
    """One preset's model and what training it costs. data: the text with its source."""

    name: str
    title: str
    data: str
    num_layers: int
    num_heads: int
    hidden_size: int
    sequence_length: int
    batch_size: int
    accumulation_steps: int
    num_processes: int
    global_batch: int
    estimate: Estimate
    published: PublishedCount | None

    @property
    def shape(self) -> str:
        """Layers, heads and width, as microBERT's tables write them."""
        return f"{self.num_layers}/{self.num_heads}/{self.hidden_size}"


class DifferingSetting(msgspec.Struct, frozen=True):
    """A field in which the presets are not all alike; values: one for each preset, in their order."""

    path: str
    label: str
    values: tuple[Value, ...]


_MICROBERT = "henrywoo/microbert"
_UNTIED = (
    "microBERT's README counts a pooler that is never used and leaves out the head. The model its code builds has "
    "both, the head with a matrix of its own; ours has no pooler, and its head shares the embedding's matrix."
)
_PUBLISHED: dict[str, dict[tuple[int, int, int], PublishedCount]] = {
    # README at 20073ab, and the models of that commit built and counted
    _MICROBERT: {
        (2, 2, 4): PublishedCount(41_048, 91_073, _UNTIED),
        (4, 4, 8): PublishedCount(84_640, 174_685, _UNTIED),
        (6, 8, 16): PublishedCount(182_112, 352_197, _UNTIED),
        (8, 12, 24): PublishedCount(301_632, 551_757, _UNTIED),
    }
}


def compare_models(presets: Sequence[Preset], machine: Machine) -> tuple[ModelRow, ...]:
    """One row a preset, in their order. machine: whose time and memory are estimated."""
    return tuple(_row(preset, machine) for preset in presets)


def differing_settings(presets: Sequence[Preset]) -> tuple[DifferingSetting, ...]:
    """The fields in which the presets differ, in the schema's order."""
    found: list[DifferingSetting] = []
    for spec in FIELDS:
        values = tuple(configs.get_value(preset.config, spec.path) for preset in presets)
        if any(value != values[0] for value in values):
            found.append(DifferingSetting(spec.path, spec.label, values))
    return tuple(found)


def published_count(preset: Preset) -> PublishedCount | None:
    """What the system that the preset is taken from says of a model of this shape."""
    model = preset.config.model
    shapes = next((table for system, table in _PUBLISHED.items() if preset.source.startswith(system)), {})
    return shapes.get((model.num_layers, model.num_heads, model.hidden_size))


def _row(preset: Preset, machine: Machine) -> ModelRow:
    config = preset.config
    return ModelRow(
        name=preset.name,
        title=preset.title,
        data=corpora.label(config.data),
        num_layers=config.model.num_layers,
        num_heads=config.model.num_heads,
        hidden_size=config.model.hidden_size,
        sequence_length=config.data.sequence_length,
        batch_size=config.train.batch_size,
        accumulation_steps=config.train.accumulation_steps,
        num_processes=config.launch.num_processes,
        global_batch=global_batch(config),
        estimate=estimate(config, machine),
        published=published_count(preset),
    )
