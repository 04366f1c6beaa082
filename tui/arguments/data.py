"""The actions of `tinytrain-tui data …`, and the arguments of each."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser

from tui.arguments import common
from tui.arguments.parser import add_verb

_NAME_HELP = "a preset, a dataset's name, owner/name of the hub, a file or folder of text, or a grammar"
_SET_HELP = "change a data setting, such as data.text_column=review; may be given again"
_KEY_HELP = "a cache's key, or a beginning of one"


def data(verb: ArgumentParser) -> None:
    """Give the verb its actions; without one it is the overview."""
    verb.set_defaults(action="overview")
    actions = verb.add_subparsers(metavar="ACTION", title="actions")

    def action(name: str, help: str, example: str, json: str = "print JSON") -> ArgumentParser:
        made = add_verb(actions, name, help, f"data {example}", json, json_default=SUPPRESS)
        made.set_defaults(action=name)
        return made

    action("list", "list the datasets that have a name here", "list")
    show = action("show", "show real rows of a dataset, and what they are like", "show imdb --rows 5")
    show.add_argument("name", metavar="NAME", help=_NAME_HELP)
    show.add_argument("--rows", type=int, default=5, metavar="N", help="rows to print (default: 5)")
    show.add_argument(
        "--tokenize",
        action="store_true",
        help="when it is not cached, learn a tokenizer from the rows that were read, to show what it does",
    )
    common.changes(show, _SET_HELP)

    action("caches", "list the token caches", "caches")
    info = action("info", "show one token cache: counts, tokenizer, who uses it", "info 3f2a")
    info.add_argument("key", metavar="KEY", help="a cache's key, or a unique beginning of one")
    clear = action("clear", "delete a token cache, or all; it can be built again", "clear --all --yes")
    clear.add_argument("key", nargs="?", default="", metavar="KEY", help=_KEY_HELP)
    clear.add_argument("--all", action="store_true", help="every cache")
    clear.add_argument("--yes", action="store_true", help="do not ask")
    clear.add_argument("--force", action="store_true", help="also caches that a live run uses")
    action("usage", "show how much room the token caches take", "usage")
    verify = action("verify", "compare every byte of one token cache, or of all, with its checksums", "verify")
    verify.add_argument("key", nargs="?", default="", metavar="KEY", help=_KEY_HELP)
    build = action(
        "build", "build the token cache of a dataset ahead", "build v1-imdb-small", "print one JSON object a line"
    )
    build.add_argument("name", metavar="PRESET|FILE.toml|NAME", help=_NAME_HELP)
    common.changes(build, _SET_HELP)
