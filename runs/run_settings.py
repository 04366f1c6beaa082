"""The settings of a run that differ from the defaults, found without parsing what it has in common with them."""

from __future__ import annotations

from collections.abc import Mapping

from presets.config import ConfigError, decode, get_value, to_toml
from presets.fields import Value
from presets.schema import FIELDS, RunConfig
from presets.toml_text import NotReadable, read_tree
from runs.folder import RunFolder

_HEAD = "\n["


def settings_of(folder: RunFolder) -> Mapping[str, Value]:
    """The fields in which the run differs from the defaults, by their dotted paths; none of a damaged file."""
    try:
        tree = read_tree(_without_defaults(folder.config_text()))
        config = decode(tree)
    except (OSError, ConfigError, NotReadable):
        return {}
    there = {f"{section}.{name}" for section, values in tree.items() for name in values}
    found = {spec.path: get_value(config, spec.path) for spec in FIELDS if spec.path in there}
    return {path: value for path, value in found.items() if value != get_value(_DEFAULTS, path)}


def _without_defaults(text: str) -> str:
    """A configuration's text without the entries that are letter for letter those of the defaults.

    Parsing TOML is most of what a row of a list costs, and most entries of most runs are the defaults.
    """
    if '"""' in text or "'''" in text:  # a line within such a text may look like an entry
        return text
    kept: list[str] = []
    for section in f"\n{text}".split(_HEAD):
        head, entries = _entries(section)
        usual = _USUAL.get(head)
        kept.append(section if usual is None else "\n".join((head, *(e for e in entries if e not in usual))))
    return _HEAD.join(kept)


def _entries(section: str) -> tuple[str, list[str]]:
    """The rest of a section's head, and its entries: a line each, or several where a list goes on below it."""
    head, *lines = section.split("\n")
    entries: list[str] = []
    for line in lines:
        if entries and line[:1] in (" ", "]"):
            entries[-1] = f"{entries[-1]}\n{line}"
        else:
            entries.append(line)
    return head, entries


_DEFAULTS = RunConfig()
_USUAL = {
    head: frozenset(entries) - {""}
    for head, entries in map(_entries, f"\n{to_toml(_DEFAULTS)}".split(_HEAD))
    if head
}
