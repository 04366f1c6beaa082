"""The options of `tinytrain-tui data …`; light, since every start of the command line makes them."""

from __future__ import annotations

import argparse
from pathlib import Path

_NAME_HELP = "a preset, a dataset's name, owner/name of the hub, a file or folder of text, or a grammar"


def add_data_actions(data: argparse.ArgumentParser, parser_class: type[argparse.ArgumentParser]) -> None:
    """Give the verb its actions; without one it is the overview."""
    data.set_defaults(action="overview")
    actions = data.add_subparsers(metavar="ACTION", title="actions", parser_class=parser_class)

    def action(name: str, help: str, example: str, json: str = "print JSON") -> argparse.ArgumentParser:
        made = actions.add_parser(
            name,
            help=help,
            description=help[0].upper() + help[1:] + ".",
            epilog=f"example: tinytrain-tui data {example}",
            allow_abbrev=False,
        )
        made.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=json)
        made.add_argument("--runs-dir", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        made.set_defaults(action=name)
        return made

    def takes_settings(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="FIELD=VALUE",
            help="change a data setting, such as data.text_column=review; may be given again",
        )

    action("list", "list the datasets that have a name here", "list")
    show = action("show", "show real rows of a dataset, and what they are like", "show imdb --rows 5")
    show.add_argument("name", metavar="NAME", help=_NAME_HELP)
    show.add_argument("--rows", type=int, default=5, metavar="N", help="rows to print (default: 5)")
    show.add_argument(
        "--tokenize",
        action="store_true",
        help="when it is not cached, learn a tokenizer from the rows that were read, to show what it does",
    )
    takes_settings(show)

    action("caches", "list the token caches", "caches")
    info = action("info", "show one token cache: counts, tokenizer, who uses it", "info 3f2a")
    info.add_argument("key", metavar="KEY", help="a cache's key, or a unique beginning of one")
    clear = action("clear", "delete a token cache, or all; it can be built again", "clear --all --yes")
    clear.add_argument("key", nargs="?", default="", metavar="KEY", help="a cache's key, or a beginning of one")
    clear.add_argument("--all", action="store_true", help="every cache")
    clear.add_argument("--yes", action="store_true", help="do not ask")
    clear.add_argument("--force", action="store_true", help="also caches that a live run uses")
    action("usage", "show how much room the token caches take", "usage")
    verify = action("verify", "compare every byte of one token cache, or of all, with its checksums", "verify")
    verify.add_argument("key", nargs="?", default="", metavar="KEY", help="a cache's key, or a beginning of one")
    build = action(
        "build", "build the token cache of a dataset ahead", "build v1-imdb-small", "print one JSON object a line"
    )
    build.add_argument("name", metavar="PRESET|FILE.toml|NAME", help=_NAME_HELP)
    takes_settings(build)
