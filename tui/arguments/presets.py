"""The arguments of the verbs about presets, plans and sweeps."""

from __future__ import annotations

from argparse import ArgumentParser

from tui.arguments import common

_ACTIONS = (
    "show", "compare", "save", "duplicate", "rename", "delete", "undelete", "export", "import",
)  # fmt: skip


def presets(verb: ArgumentParser) -> None:
    """What to do with which presets."""
    verb.add_argument(
        "action",
        nargs="?",
        choices=_ACTIONS,
        metavar="|".join(_ACTIONS),
        help="show NAME; compare NAME NAME …; save NAME PRESET|FILE|RUN; duplicate NAME NEW; rename NAME NEW; "
        "delete NAME; undelete [NAME]; export NAME FILE; import FILE",
    )
    verb.add_argument("names", nargs="*", metavar="NAME", help="which ones")
    common.changes(verb)
    verb.add_argument("--summary", default=None, metavar="TEXT", help="save, rename: what the preset is for")
    verb.add_argument("--name", default="", metavar="NEW", help="import: what to call it here")
    verb.add_argument("--replace", action="store_true", help="replace a preset or file of that name")
    verb.add_argument(
        "--yes", action="store_true", help="import, save: take what somebody else wrote; it is shown all the same"
    )


def plan(verb: ArgumentParser) -> None:
    """Of which run the plan is."""
    common.preset(verb)
    common.changes(verb)


def sweep(verb: ArgumentParser) -> None:
    """What is varied, and whether it starts; or which sweep is shown."""
    verb.add_argument(
        "what", metavar="PRESET|FILE.toml|list|show", help="what to vary; or list the sweeps, or show one"
    )
    verb.add_argument("id", nargs="?", default="", metavar="ID", help="show: which sweep, or `last`")
    axis = "FIELD=VALUES"
    verb.add_argument(
        "--grid", action="append", default=[], metavar=axis,
        help="every combination of these: optim.lr=1e-4,1e-3, optim.lr=1e-5..1e-2:log:4, model.num_layers=1..4, "
        "optim.algorithm=*; may be given again",
    )  # fmt: skip
    verb.add_argument(
        "--over", action="append", default=[], metavar=axis,
        help="with --random: draw from a list or a range, such as optim.lr=1e-5..1e-2:log; may be given again",
    )  # fmt: skip
    verb.add_argument("--random", type=int, default=0, metavar="N", help="how many sets of values to draw")
    verb.add_argument("--seed", type=int, default=0, metavar="N", help="of the draws (default: 0)")
    common.changes(verb)
    verb.add_argument("--start", action="store_true", help="queue the runs; without it they are only listed")
    common.offline_corpus(verb)
    common.trust(verb)
    common.despite_logout(verb, "runs", "them")
