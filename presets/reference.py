"""Writes `docs/configuration.md` from the schema: `python -m presets.reference > docs/configuration.md`."""

from __future__ import annotations

import sys

from presets import config as configs
from presets.catalog import Preset, shipped_presets
from presets.fields import FieldSpec, Value, format_value
from presets.schema import FIELDS, SECTION_LABELS, RunConfig

_HEAD = """# Configuration

Every field of a run, made from `presets/schema.py` by `python -m presets.reference`; do not edit by hand.
Set one on the command line with `--set path=value`, or in a preset's TOML file as `[section]` and `name = value`.
"""


def reference_markdown() -> str:
    """The whole page: a table for each section, then what each shipped preset changes and what was published."""
    parts = [_HEAD]
    for section, label in SECTION_LABELS.items():
        about = (type(getattr(RunConfig(), section)).__doc__ or "").strip()
        parts.append(f"## {label}: `[{section}]`\n\n{about}\n\n{_table(section)}")
    parts.append(
        "## Shipped presets\n\nWhat each changes; *published* is the value of the recipe it is taken from.\n"
    )
    parts.extend(_preset(preset) for preset in shipped_presets())
    return "\n".join(parts)


def _table(section: str) -> str:
    rows = ["| field | values | unit | default | what it is |", "| --- | --- | --- | --- | --- |"]
    for spec in FIELDS:
        if spec.section == section:
            cells = (f"`{spec.path}`", _values(spec), spec.unit, _value(spec.default), _help(spec))
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _values(spec: FieldSpec) -> str:
    names = {"int": "whole number", "float": "number", "bool": "true or false", "str": "text", "texts": "texts"}
    if spec.kind == "choice":
        return ", ".join(f"`{choice}`" for choice in spec.choices)
    return f"{names[spec.kind]} {spec.bounds()}".strip()


def _help(spec: FieldSpec) -> str:
    parts = [spec.help]
    if spec.zero:
        parts.append(f"0: {spec.zero}.")
    if spec.usual:
        parts.append(f"({spec.usual})")
    if spec.advanced:
        parts.append("*advanced*")
    return " ".join(parts)


def _value(value: Value) -> str:
    if isinstance(value, tuple):
        return "<br>".join(value)
    return f"`{format_value(value)}`" if format_value(value) else "(empty)"


def _preset(preset: Preset) -> str:
    rows = [f"### `{preset.name}`", "", preset.summary + (f" From {preset.source}." if preset.source else ""), ""]
    rows += ["| field | value | published |", "| --- | --- | --- |"]
    changed = {change.path: change.after for change in configs.diff(RunConfig(), preset.config)}
    for spec in FIELDS:
        if spec.path in changed or spec.path in preset.published:
            published = _value(preset.published[spec.path]) if spec.path in preset.published else ""
            value = configs.get_value(preset.config, spec.path)
            rows.append(f"| `{spec.path}` | {_value(value)} | {published} |".replace("  |", " |"))
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference_markdown())
