"""A parser that answers a mistake in one line, and how a verb comes into it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from tui.cli_output import PROGRAM, WrongRequest, say


class Parser(argparse.ArgumentParser):
    """Of the whole command line, of a verb, or of an action of one."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """One line instead of the whole usage."""
        raise WrongRequest(f"{self.prog}: {message} (see {self.prog} --help)")


class Version(argparse.Action):
    """Prints the version and ends; installed packages are asked for it only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib import metadata

        try:
            version = metadata.version(PROGRAM)
        except metadata.PackageNotFoundError:
            version = "(a source tree that is not installed)"
        say(f"{PROGRAM} {version}")
        parser.exit()


def add_verb(
    verbs: argparse._SubParsersAction[Any],
    name: str,
    help: str,
    example: str,
    json: str = "print JSON",
    json_default: bool | str = False,
) -> argparse.ArgumentParser:
    """A verb, or an action of one, with what each of them takes. example: without the program's name.

    json: what the option of that name does. json_default: SUPPRESS where the verb above may have been given it.
    """
    made: argparse.ArgumentParser = verbs.add_parser(
        name, help=help, description=help[0].upper() + help[1:] + ".", epilog=f"example: {PROGRAM} {example}"
    )
    made.add_argument("--runs-dir", type=Path, default=argparse.SUPPRESS, metavar="FOLDER", help=argparse.SUPPRESS)
    made.add_argument("--json", action="store_true", default=json_default, help=json)
    return made
