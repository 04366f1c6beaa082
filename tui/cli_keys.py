"""The verb `keys`: every command of every screen and pane with its key, by its name in `settings.toml`."""

from __future__ import annotations

import argparse

from tui.cli_output import DONE, FAILED, say, say_json, say_table, warn


def keys(options: argparse.Namespace) -> int:
    """List the commands; 1 when an entry of the settings' keys means nothing or cannot hold."""
    from tui.app_commands import APP_COMMANDS
    from tui.keys import EVERYWHERE, OwnKeys, every_scope, unknown_problems
    from tui.settings import read_settings

    settings = read_settings()
    own, scopes = OwnKeys(settings.keys, APP_COMMANDS), every_scope()
    found = {EVERYWHERE: own.app_commands}
    found |= {scope: own.resolved(scope, commands).commands for scope, commands in sorted(scopes.items())}
    problems = unknown_problems(settings.keys, {EVERYWHERE: APP_COMMANDS, **scopes}) + own.problems
    if options.json:
        say_json(
            {
                "keys": [
                    {"screen": scope, "command": one.id, "key": one.key, "label": one.label, "does": one.tooltip}
                    for scope, commands in found.items()
                    for one in commands
                ],
                "problems": problems,
                "settings": str(settings.path),
            }
        )
    else:
        for scope, commands in found.items():
            say(f"[keys.{scope}]" if scope != EVERYWHERE else "[keys]  on every screen")
            say_table([(f"  {one.id}", one.shown_key if one.key else "-", one.tooltip) for one in commands])
    for problem in problems:
        warn(f"! {problem}")
    return FAILED if problems else DONE
