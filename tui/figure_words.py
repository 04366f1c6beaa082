"""The figures of runs as people read them, by their units; the same in Compare, its table and the report."""

from __future__ import annotations

from presets.fields import Value, format_value
from runs.compared_figures import Unit
from tui.axes import short_number
from tui.figures import count, elapsed, num_bytes
from tui.safe_text import safe_text


def figure_words(value: float | None, unit: Unit) -> str:
    """A figure with its unit: `5.412`, `33.8 %`, `1m 44s`, `443 MB`; `-` where there is none."""
    if value is None:
        return "-"
    match unit:
        case "nats" | "bits/byte":
            return f"{value:.4f}"
        case "share":
            return f"{100 * value:.1f} %"
        case "s":
            return elapsed(value)
        case "tok/s":
            return f"{short_number(value)} tok/s"
        case "bytes":
            return num_bytes(value)
        case "steps" | "tokens" | "count":
            return count(value)
        case _:
            return short_number(value, 4)


def unit_words(unit: Unit) -> str:
    """What stands behind a label, where the figures themselves do not say it."""
    return f" ({unit})" if unit == "nats" else ""


def value_words(value: Value | None) -> str:
    """A setting in one line, made safe; `?` where the configuration cannot be read, `(none)` for an empty text."""
    if value is None:
        return "?"
    words = " | ".join(value) if isinstance(value, tuple) else format_value(value)
    return safe_text(words, 400) or "(none)"
