"""A person's own settings: `settings.toml`, read when the dashboard starts.

Wrong entries are left out and said; none of them keeps the dashboard from starting.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from runs.notify_settings import NotifySettings, notify_settings, read_settings_file, settings_path

_SWITCHES = ("mouse", "low_bandwidth", "ascii")


@dataclass(frozen=True)
class Settings:
    """theme: a theme's name, empty for the one that was chosen last.

    mouse: whether the terminal's mouse is used. low_bandwidth: fewer frames, slower redraws. ascii: nothing
    but ASCII is drawn. keys: keys by command, as "kill" on all screens that have it or "monitor.kill" on one.
    problems: what is wrong in the file, a sentence each.
    """

    path: Path = field(default_factory=settings_path)
    theme: str = ""
    mouse: bool = True
    low_bandwidth: bool = False
    ascii: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    notify: NotifySettings = field(default_factory=NotifySettings)
    problems: tuple[str, ...] = ()


def read_settings() -> Settings:
    """The settings of the file, and of the environment: `$TINYTRAIN_LOW_BANDWIDTH=1` for one slow connection."""
    path = settings_path()
    tree, problems = read_settings_file(path)
    notify, wrong = notify_settings(tree)
    problems += wrong
    known = {"theme", "keys", "notify", *_SWITCHES}
    problems += [f"{name}: there is no such setting" for name in tree if name not in known]
    low_bandwidth = _switch(tree, "low_bandwidth", False, problems) or bool(
        os.environ.get("TINYTRAIN_LOW_BANDWIDTH")
    )
    theme = tree.get("theme", "")
    if not isinstance(theme, str):
        problems.append("theme: this is the name of a theme, in quotes")
        theme = ""
    return Settings(
        path=path,
        theme=theme,
        mouse=_switch(tree, "mouse", True, problems),
        low_bandwidth=low_bandwidth,
        ascii=_switch(tree, "ascii", low_bandwidth, problems),
        keys=_keys(tree, problems),
        notify=notify,
        problems=tuple(problems),
    )


def _switch(tree: dict[str, Any], name: str, usual: bool, problems: list[str]) -> bool:
    value = tree.get(name, usual)
    if isinstance(value, bool):
        return value
    problems.append(f"{name}: this is true or false")
    return usual


def _keys(tree: dict[str, Any], problems: list[str]) -> Mapping[str, str]:
    """The [keys] table: `kill = "ctrl+k"`, and `[keys.monitor]` for one screen."""
    table = tree.get("keys", {})
    if not isinstance(table, dict):
        problems.append("keys: this is a table of commands and their keys")
        return MappingProxyType({})
    keys: dict[str, str] = {}
    for name, value in table.items():
        inner = value if isinstance(value, dict) else {"": value}
        for command, key in inner.items():
            path = f"{name}.{command}" if command else name
            if isinstance(key, str):
                keys[path] = key
            else:
                problems.append(f'keys.{path}: a key is text in quotes, as "ctrl+k"')
    return MappingProxyType(keys)


EXAMPLE = """\
# or tinytrain-light, colour-blind-dark, colour-blind-light,
# high-contrast, ansi-dark, ansi-light, no-colour
theme = "tinytrain-dark"

# false leaves selecting and copying to the terminal
mouse = true

# for a slow connection: fewer frames, plain characters
low_bandwidth = false

# draw nothing but ASCII; other letters lose accents, or are ?
ascii = false

# by the command's name: tinytrain-tui keys
[keys]
# quit = "Q"

# on one screen only
[keys.monitor]
# kill = "ctrl+k"

# when a run ends, fails, or looks unwell;
# desktop is OSC 9: iTerm2, kitty, WezTerm, ghostty ...
[notify]
bell = true
desktop = true
# webhook = "https://hooks.slack.com/services/..."
"""
"""What a settings file looks like, with every entry there is."""


def write_example(path: Path) -> None:
    """Write the example. Raises FileExistsError where there are settings already, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(EXAMPLE)
