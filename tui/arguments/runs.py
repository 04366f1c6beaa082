"""The arguments of the verbs that list runs, show what they came to, and edit them."""

from __future__ import annotations

from argparse import ArgumentParser

from tui.arguments import common


def listing(verb: ArgumentParser) -> None:
    """`runs [FILTER] [--sort FIELD] [--columns A,B]`."""
    verb.add_argument(
        "filter", nargs="*", default=[], metavar="FILTER",
        help="words, state:failed, 'loss<3', tag:keep, 'age<2d', has:note; all of them hold; OR, NOT",
    )  # fmt: skip
    verb.add_argument("--sort", default="", metavar="FIELD", help="order by it, such as best, size or optim.lr")
    verb.add_argument("--reverse", action="store_true", help="the other way round")
    verb.add_argument(
        "--columns", default="", metavar="A,B", help="print these fields: ours, settings, metrics; ? lists them"
    )
    verb.add_argument("--archived", action="store_true", help="list archived runs too")
    verb.add_argument("--limit", type=int, default=0, metavar="N", help="the first N only")


def compare(verb: ArgumentParser) -> None:
    """`compare RUN RUN … [--metric NAME]`."""
    common.runs(verb, f"two or more; {common.RUN}")
    verb.add_argument("--metric", default="", metavar="NAME", help="the values of one metric instead")
    verb.add_argument("--all", action="store_true", help="all settings, not only those that differ")
    verb.add_argument("--step", type=int, metavar="N", help="the probes of that step; the newest without it")


def report(verb: ArgumentParser) -> None:
    """`report RUN [-o FILE]`."""
    common.run(verb)
    verb.add_argument(
        "-o", "--output", default="", metavar="FILE", help="where to (default: the run's id, in this folder)"
    )


def metrics(verb: ArgumentParser) -> None:
    """`metrics RUN [--names A,B] [--csv]`."""
    common.run(verb)
    verb.add_argument("--names", default="", metavar="A,B", help="only these metrics; all without it")
    verb.add_argument("--csv", action="store_true", help="print comma-separated values")


def log(verb: ArgumentParser) -> None:
    """`log RUN [--lines N]`."""
    common.run(verb)
    verb.add_argument("--lines", type=int, default=200, metavar="N", help="how many lines (default: 200)")


def edit(verb: ArgumentParser) -> None:
    """`edit RUN [--name …] [--tag …]`."""
    common.runs(verb)
    verb.add_argument("--name", default=None, help="call it that")
    verb.add_argument("--note", default=None, help="what the run was for; an empty one takes it off")
    verb.add_argument("--group", default=None, help="a heading of your own in the list; an empty one takes it off")
    verb.add_argument("--tag", action="append", default=[], metavar="TAG", help="add a tag; may be given again")
    verb.add_argument("--untag", action="append", default=[], metavar="TAG", help="take a tag off")
    for name, yes, no in (
        ("pin", "keep it at the top of the list", "no longer"),
        ("archive", "out of sight, without deleting it", "bring it back"),
    ):
        pair = verb.add_mutually_exclusive_group()
        pair.add_argument(f"--{name}", action="store_true", help=yes)
        pair.add_argument(f"--un{name}", action="store_true", help=no)


def trash(verb: ArgumentParser) -> None:
    """`trash [empty [RUN …] [--older-than 7d] [--yes]]`."""
    verb.add_argument(
        "action", nargs="?", choices=("empty",), metavar="empty", help="delete for good; without it, list"
    )
    verb.add_argument("runs", metavar="RUN", nargs="*", help=f"only these; {common.RUN}; without: all")
    verb.add_argument(
        "--older-than", default="", metavar="AGE", help="only what was deleted that long ago, such as 12h or 7d"
    )
    verb.add_argument("--yes", action="store_true", help="do not ask")


def undelete(verb: ArgumentParser) -> None:
    """`undelete [RUN …]`."""
    verb.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="an id, a unique beginning of one, a name, `last`; without: list them",
    )
