"""Writes the tables of `docs/dashboard.md` from the program: `python -m tui.reference docs/dashboard.md`.

The page is written by hand but for its blocks between `<!-- NAME -->` and `<!-- end -->`: keys of a screen or a
pane, what a filter can ask for, looks, settings, verbs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tui.commands import Command, shown

_BLOCK = re.compile(r"<!-- (?P<name>[\w :]+) -->\n.*?<!-- end -->\n", re.DOTALL)
_KEYS = "keys "


def with_tables(page: str) -> str:
    """The page with each of its blocks as the program is now. Raises KeyError for a block that means nothing."""
    blocks = _blocks()
    return _BLOCK.sub(lambda found: f"<!-- {found['name']} -->\n\n{blocks[found['name']]}\n<!-- end -->\n", page)


def block_names(page: str) -> tuple[str, ...]:
    """The blocks that a page has."""
    return tuple(found["name"] for found in _BLOCK.finditer(page))


def scopes() -> dict[str, tuple[Command, ...]]:
    """All commands, by the name of the screen or pane in the settings; `app` is every screen."""
    from tui.app_commands import APP_COMMANDS
    from tui.keys import EVERYWHERE, every_scope

    return {EVERYWHERE: APP_COMMANDS, **every_scope()}


def _blocks() -> dict[str, str]:
    from tui.settings import EXAMPLE
    from tui.themes import LOOKS

    return {
        **{_KEYS + scope: _key_table(commands) for scope, commands in scopes().items()},
        "fields": _field_table(),
        "themes": _table(("theme", ""), ((f"`{name}`", about) for name, about in LOOKS.items())),
        "settings": f"```toml\n{EXAMPLE}```\n",
        "verbs": _verb_table(),
    }


def _key_table(commands: Sequence[Command]) -> str:
    """Key, what it does, and the name by which it is given another one."""
    rows = ((_key_words(one), one.tooltip, f"`{one.id}`") for one in commands)
    return _table(("key", "", "in `[keys]`"), rows)


def keys_of(command: Command) -> tuple[str, ...]:
    """A command's keys as a person reads them; none where it is the palette's alone."""
    if command.key_display:
        return (command.key_display,)
    return tuple(shown(key) for key in command.key.split(",")) if command.key else ()


def _key_words(command: Command) -> str:
    return " ".join(f"`{key}`" for key in keys_of(command)) or "palette"


def _field_table() -> str:
    from tui.run_fields import ALIASES, BUILT_IN

    def also(key: str) -> str:
        return ", ".join(f"`{name}`" for name, field in ALIASES.items() if field == key)

    rows = ((f"`{one.key}`", one.kind, one.help, also(one.key)) for one in BUILT_IN.values())
    return _table(("field", "is a", "", "also called"), rows)


def _verb_table() -> str:
    from tui.verbs import VERBS

    rows = ((f"`{verb.name}`", verb.help, f"`{verb.example}`") for verb in VERBS)
    return _table(("verb", "", "example"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def main(pages: Sequence[str]) -> int:
    """Bring the tables of these pages up to the program."""
    for page in map(Path, pages):
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
