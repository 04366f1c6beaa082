"""Read, check, change, compare and write configurations."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import msgspec
import tomli_w

from presets.fields import Value, format_value
from presets.rules import Problem, broken_rules
from presets.schema import FIELD_BY_PATH, FIELDS, RunConfig
from presets.toml_text import NotReadable, read_tree

_MOST_PROBLEMS = 20


class ConfigError(ValueError):
    """A configuration that cannot be run; `problems` says what is wrong at which field."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class Change(msgspec.Struct, frozen=True):
    """One field in which two configurations differ."""

    path: str
    before: Value
    after: Value


def get_value(config: RunConfig, path: str) -> Value:
    """The value at a dotted path such as `optim.lr`."""
    section, name = path.split(".")
    value: Value = getattr(getattr(config, section), name)
    return value


def with_values(config: RunConfig, values: Mapping[str, Value]) -> RunConfig:
    """A copy with the given dotted paths replaced. Raises ConfigError naming every field it refuses."""
    tree = msgspec.to_builtins(config)
    problems: list[Problem] = []
    for path, value in values.items():
        if path not in FIELD_BY_PATH:
            problems.append(_unknown(path))
            continue
        section, name = path.split(".")
        tree[section][name] = value
    if problems:
        raise ConfigError(tuple(problems))
    return decode(tree)


def with_overrides(config: RunConfig, assignments: tuple[str, ...]) -> RunConfig:
    """Apply `path=value` texts, as `--set` takes them. Raises ConfigError naming every one it refuses."""
    values: dict[str, Value] = {}
    problems: list[Problem] = []
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        path = path.strip()
        spec = FIELD_BY_PATH.get(path)
        if not equals:
            problems.append(Problem((path,), "give a value: --set path=value"))
        elif spec is None:
            problems.append(_unknown(path))
        else:
            try:
                values[path] = spec.parse(text.replace("\\n", "\n") if spec.kind == "texts" else text)
            except ValueError as error:
                problems.append(Problem((path,), str(error)))
    if problems:
        raise ConfigError(tuple(problems))
    return with_values(config, values)


def decode(tree: Mapping[str, Any], base: RunConfig | None = None) -> RunConfig:
    """Build a configuration from a two-level mapping; what it leaves out comes from `base`.

    Checks every field by itself, so that all mistakes are named at once. Rules across fields are not
    checked here (see `check`). Raises ConfigError.
    """
    known = {spec.section for spec in FIELDS}
    problems = [_unknown(name) for name in [name for name in tree if name not in known][:_MOST_PROBLEMS]]
    merged: dict[str, dict[str, Any]] = msgspec.to_builtins(base or RunConfig())
    for section, values in tree.items():
        if section not in known:
            continue
        if not isinstance(values, Mapping):
            problems.append(Problem((section,), "this is a group of fields, not a value"))
            continue
        for name, value in values.items():
            if len(problems) >= _MOST_PROBLEMS:  # a file of a million mistakes is no configuration
                break
            path = f"{section}.{name}"
            spec = FIELD_BY_PATH.get(path)
            if spec is None:
                problems.append(_unknown(path))
                continue
            try:
                spec.check(value)
            except ValueError as error:
                problems.append(Problem((path,), str(error)))
            merged[section][name] = float(value) if spec.kind == "float" and not problems else value
    if problems:
        raise ConfigError(tuple(problems))
    return msgspec.convert(merged, RunConfig)


def check(config: RunConfig) -> tuple[Problem, ...]:
    """Everything that is wrong with a configuration: fields out of bounds, then rules across fields."""
    problems: list[Problem] = []
    for spec in FIELDS:
        try:
            spec.check(get_value(config, spec.path))
        except ValueError as error:
            problems.append(Problem((spec.path,), str(error)))
    return tuple(problems) or broken_rules(config)


def require_valid(config: RunConfig) -> RunConfig:
    """The configuration itself. Raises ConfigError when anything is wrong with it."""
    problems = check(config)
    if problems:
        raise ConfigError(problems)
    return config


def diff(before: RunConfig, after: RunConfig) -> tuple[Change, ...]:
    """The fields in which two configurations differ, in the schema's order."""
    changes = (Change(s.path, get_value(before, s.path), get_value(after, s.path)) for s in FIELDS)
    return tuple(change for change in changes if change.before != change.after)


def to_toml(config: RunConfig, base: RunConfig | None = None) -> str:
    """The configuration as TOML: whole, or with `base` only what differs from it."""
    tree: dict[str, dict[str, Any]] = {}
    wanted = {change.path for change in diff(base, config)} if base else set(FIELD_BY_PATH)
    for spec in FIELDS:
        if spec.path in wanted:
            value = get_value(config, spec.path)
            tree.setdefault(spec.section, {})[spec.name] = list(value) if isinstance(value, tuple) else value
    return tomli_w.dumps(tree)


def from_toml(text: str) -> RunConfig:
    """Read a whole or partial configuration. Raises ConfigError, also for text that is not TOML."""
    try:
        tree = read_tree(text)
    except NotReadable as error:
        raise ConfigError((Problem((), str(error)),)) from None
    return decode(tree)


def describe(change: Change) -> str:
    """One changed field as a line: `optim.lr: 0.001 → 0.003`."""
    return f"{change.path}: {_one_line(change.before)} → {_one_line(change.after)}"


def _one_line(value: Value) -> str:
    return " | ".join(value) if isinstance(value, tuple) else format_value(value) or "(none)"


def _unknown(path: str) -> Problem:
    names = list(FIELD_BY_PATH) if "." in path else list(dict.fromkeys(s.section for s in FIELDS))
    close = difflib.get_close_matches(path, names, n=1, cutoff=0.5)
    if not close and "." not in path:
        close = [known for known in FIELD_BY_PATH if known.endswith(f".{path}")][:1]
    hint = f"; did you mean {close[0]}?" if close else ""
    return Problem((path,), f"there is no such field{hint}")
