"""How a person wants to be told of the end of a run: the `[notify]` table of `settings.toml`.

It stands here because the supervisor of a run reads it too, which knows nothing of the dashboard.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs

from presets.toml_text import NotReadable, read_file, read_tree

WEBHOOK_VARIABLE = "TINYTRAIN_WEBHOOK"
CONFIG_VARIABLE = "TINYTRAIN_CONFIG"


@dataclass(frozen=True)
class NotifySettings:
    """bell, desktop: whether the terminal rings, and shows a notification (OSC 9). webhook: a URL, or empty."""

    bell: bool = True
    desktop: bool = True
    webhook: str = ""


def settings_path() -> Path:
    """Where a person's settings are: `$TINYTRAIN_CONFIG`, else `settings.toml` in the platform's folder."""
    override = os.environ.get(CONFIG_VARIABLE)
    return Path(override) if override else platformdirs.user_config_path("tinytrain-tui") / "settings.toml"


def read_settings_file(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The file as a tree, and what is wrong with it; an empty one when it is not there."""
    try:
        return read_tree(read_file(path)), []
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError, NotReadable) as error:
        return {}, [f"{path} cannot be read: {error}"]


def notify_settings(tree: dict[str, Any]) -> tuple[NotifySettings, list[str]]:
    """The `[notify]` table with what is wrong in it; `$TINYTRAIN_WEBHOOK` goes before the file's address."""
    table = tree.get("notify", {})
    problems: list[str] = []
    if not isinstance(table, dict):
        table, problems = {}, ["notify: this is a table"]
    switches: dict[str, bool] = {}
    for name in ("bell", "desktop"):
        value = table.get(name, True)
        switches[name] = value if isinstance(value, bool) else True
        if not isinstance(value, bool):
            problems.append(f"notify.{name}: this is true or false")
    problems += [
        f"notify.{name}: there is no such setting" for name in table if name not in ("bell", "desktop", "webhook")
    ]
    address = os.environ.get(WEBHOOK_VARIABLE) or table.get("webhook", "")
    if wrong := address_problem(address):
        problems.append(f"notify.webhook: {wrong}")
        address = ""
    return NotifySettings(webhook=address, **switches), problems


def address_problem(address: object) -> str:
    """What is wrong with a webhook's address, empty when nothing is. It never quotes it: it is a secret."""
    if not isinstance(address, str):
        return "this is an address, in quotes"
    if not address:
        return ""
    try:
        parts = urlsplit(address)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:
        wrong = True
    if wrong or any(ord(letter) <= 32 or ord(letter) == 127 for letter in address):
        return "this is no address that begins with https:// or http://"
    return ""
