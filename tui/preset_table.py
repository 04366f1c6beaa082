"""Presets and their models as cells of text, for the command line and the comparison screen alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from presets import corpora
from presets.catalog import Preset
from presets.comparison import DifferingSetting, ModelRow
from presets.estimate import Estimate, Figure, Machine, estimate
from presets.fields import Value, format_value
from tui.figures import count, duration, num_bytes
from tui.safe_text import safe_text

UNKNOWN = "?"
_WIDEST_CELL = 26
_FLOP_UNITS = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"))


@dataclass(frozen=True)
class TableRow:
    """A label and one cell for each preset; a row without cells is the heading of those below it."""

    label: str
    cells: tuple[str, ...] = ()


def list_rows(presets: Sequence[Preset], machine: Machine) -> list[tuple[str, ...]]:
    """The table of `presets`, its heading first."""
    rows: list[tuple[str, ...]] = [("preset", "title", "layers/heads/width", "parameters", "time", "data")]
    for preset in presets:
        model, figures = preset.config.model, estimate(preset.config, machine)
        rows.append(
            (
                preset.name,
                preset.title,
                f"{model.num_layers}/{model.num_heads}/{model.hidden_size}",
                f"{figures.parameters.total:,}",
                _time(figures) + (f", {figures.device}" if figures.on_gpu else ""),
                corpora.label(preset.config.data),
            )
        )
    return rows


def comparison_rows(models: Sequence[ModelRow], settings: Sequence[DifferingSetting]) -> list[TableRow]:
    """The model comparison table: the models, what training them takes, then the settings that differ."""
    figures = [model.estimate for model in models]

    def row(label: str, *cells: str) -> TableRow:
        return TableRow(label, cells)

    rows = [
        row("layers/heads/width", *(model.shape for model in models)),
        row("data", *(model.data for model in models)),
        row("sequence length", *(f"{model.sequence_length:,}" for model in models)),
        TableRow("parameters"),
        row("  embedding", *(f"{one.parameters.embedding:,}" for one in figures)),
        row("  encoder", *(f"{one.parameters.encoder:,}" for one in figures)),
        row("  head", *(f"{one.parameters.head:,}" for one in figures)),
        row("  total", *(f"{one.parameters.total:,}" for one in figures)),
    ]
    if any(model.published for model in models):
        published = [model.published for model in models]
        rows += [
            row("  published", *(f"{one.stated:,}" if one else "–" for one in published)),
            row("  of its real model", *(f"{one.real:,}" if one else "–" for one in published)),
        ]
    rows += [
        TableRow("training"),
        row("  global batch", *(_batch(model) for model in models)),
        row("  steps", *(_whole(one.steps) for one in figures)),
        row("  sequences", *(_approximate(one.rows) for one in figures)),
        row("  tokens", *(_approximate(one.tokens) for one in figures)),
        row("  FLOPs", *(flops(one.flops) for one in figures)),
        row("  memory/device", *(_memory(one) for one in figures)),
        row("  time", *(_time(one) for one in figures)),
        row("  on", *(one.device for one in figures)),
    ]
    if settings:
        rows.append(TableRow("settings that differ"))
        rows += [row(f"  {one.path}", *(_setting(value) for value in one.values)) for one in settings]
    return rows


def bases(models: Sequence[ModelRow]) -> tuple[str, ...]:
    """What the figures of all these models rest on, each sentence once."""
    sentences: list[str] = [model.published.why for model in models if model.published]
    for model in models:
        figures = model.estimate
        sentences += [figures.parameters_basis, figures.flops.basis, figures.time_s.basis]
    return tuple(dict.fromkeys(sentences))


def text_table(heads: Sequence[str], rows: Sequence[TableRow]) -> list[str]:
    """The comparison as lines: labels to the left, every cell to the right and cut where it is too long."""
    cells = [[safe_text(cell, _WIDEST_CELL) for cell in row.cells] or [""] * len(heads) for row in rows]
    columns = [[head, *column] for head, column in zip(heads, zip(*cells, strict=True), strict=True)]
    widths = [max(cell_len(cell) for cell in column) for column in columns]
    label_width = max(cell_len(row.label) for row in rows)
    lines = []
    for label, *line in zip(["", *(row.label for row in rows)], *columns, strict=True):
        padded = [" " * (width - cell_len(cell)) + cell for cell, width in zip(line, widths, strict=True)]
        lines.append("  ".join([label + " " * (label_width - cell_len(label)), *padded]).rstrip())
    return lines


def flops(figure: Figure) -> str:
    """`11.9 TFLOP`; a question mark while it is unknown."""
    if figure.value is None:
        return UNKNOWN
    size, unit = next(((size, unit) for size, unit in _FLOP_UNITS if figure.value >= size), (1.0, ""))
    return f"{figure.value / size:.3g} {unit}FLOP"


def _time(figures: Estimate) -> str:
    if figures.time_s.value is None:
        return UNKNOWN
    return f"~{duration(figures.time_s.value)}"


def _memory(figures: Estimate) -> str:
    return UNKNOWN if figures.memory_bytes.value is None else f"~{num_bytes(figures.memory_bytes.value)}"


def _approximate(figure: Figure) -> str:
    return UNKNOWN if figure.value is None else f"~{count(figure.value)}"


def _whole(figure: Figure) -> str:
    return UNKNOWN if figure.value is None else f"{figure.value:,.0f}"


def _batch(model: ModelRow) -> str:
    """`512 = 64 × 8`, the factors where there are several."""
    factors = [n for n in (model.batch_size, model.accumulation_steps, model.num_processes) if n > 1]
    product = " × ".join(str(n) for n in factors)
    return f"{model.global_batch} = {product}" if len(factors) > 1 else f"{model.global_batch}"


def _setting(value: Value) -> str:
    return " | ".join(value) if isinstance(value, tuple) else format_value(value) or "(none)"
