"""The options of the verbs that list runs, edit them, and make new ones out of them."""

from __future__ import annotations

import argparse

_SET = "change a field, such as optim.lr=1e-3; may be given again"


def add_list_options(runs: argparse.ArgumentParser) -> None:
    """`runs [FILTER] [--sort FIELD] [--columns A,B]`."""
    runs.add_argument(
        "filter", nargs="*", default=[], metavar="FILTER",
        help="words, state:failed, 'loss<3', tag:keep, 'age<2d', has:note; all of them hold; OR, NOT",
    )  # fmt: skip
    runs.add_argument("--sort", default="", metavar="FIELD", help="order by it, such as best, size or optim.lr")
    runs.add_argument("--reverse", action="store_true", help="the other way round")
    runs.add_argument(
        "--columns", default="", metavar="A,B", help="print these fields: ours, settings, metrics; ? lists them"
    )
    runs.add_argument("--archived", action="store_true", help="list archived runs too")
    runs.add_argument("--limit", type=int, default=0, metavar="N", help="the first N only")


def add_edit_options(edit: argparse.ArgumentParser) -> None:
    """`edit RUN [--name …] [--tag …]`."""
    edit.add_argument("--name", default=None, help="call it that")
    edit.add_argument("--note", default=None, help="what the run was for; an empty one takes it off")
    edit.add_argument("--group", default=None, help="a heading of your own in the list; an empty one takes it off")
    edit.add_argument("--tag", action="append", default=[], metavar="TAG", help="add a tag; may be given again")
    edit.add_argument("--untag", action="append", default=[], metavar="TAG", help="take a tag off")
    for name, yes, no in (
        ("pin", "keep it at the top of the list", "no longer"),
        ("archive", "out of sight, without deleting it", "bring it back"),
    ):
        pair = edit.add_mutually_exclusive_group()
        pair.add_argument(f"--{name}", action="store_true", help=yes)
        pair.add_argument(f"--un{name}", action="store_true", help=no)


def add_undelete_options(undelete: argparse.ArgumentParser) -> None:
    """`undelete [RUN …]`."""
    undelete.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="an id, a unique beginning of one, a name, `last`; without: list them",
    )


def add_copy_options(clone: argparse.ArgumentParser, fork: argparse.ArgumentParser) -> None:
    """`clone RUN --set …` and `fork RUN --checkpoint … --set …`."""
    for verb in (clone, fork):
        verb.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help=_SET)
        verb.add_argument("--name", default="", help="what to call the new run; made up without it")
        verb.add_argument("--no-start", action="store_true", help="make the run and leave it; resume starts it")
        verb.add_argument("--detach", action="store_true", help="return once the run is started; it goes on")
    fork.add_argument(
        "--checkpoint", default="last", metavar="best|last|STEP", help="where it begins (default: last)"
    )
