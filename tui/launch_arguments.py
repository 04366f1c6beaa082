"""The options of the verbs about presets, plans and sweeps."""

from __future__ import annotations

import argparse

PRESET_ACTIONS = (
    "show", "compare", "save", "duplicate", "rename", "delete", "undelete", "export", "import",
)  # fmt: skip


def add_set_option(verb: argparse.ArgumentParser) -> None:
    """`--set FIELD=VALUE`, as often as one likes."""
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="change a field, such as optim.lr=1e-3; may be given again",
    )


def add_preset_options(presets: argparse.ArgumentParser) -> None:
    """What to do with which presets."""
    presets.add_argument(
        "action",
        nargs="?",
        choices=PRESET_ACTIONS,
        metavar="|".join(PRESET_ACTIONS),
        help="show NAME; compare NAME NAME …; save NAME PRESET|FILE|RUN; duplicate NAME NEW; rename NAME NEW; "
        "delete NAME; undelete [NAME]; export NAME FILE; import FILE",
    )
    presets.add_argument("names", nargs="*", metavar="NAME", help="which ones")
    add_set_option(presets)
    presets.add_argument("--summary", default=None, metavar="TEXT", help="save, rename: what the preset is for")
    presets.add_argument("--name", default="", metavar="NEW", help="import: what to call it here")
    presets.add_argument("--replace", action="store_true", help="replace a preset or file of that name")
    presets.add_argument(
        "--yes", action="store_true", help="import, save: take what somebody else wrote; it is shown all the same"
    )


def add_plan_options(plan: argparse.ArgumentParser) -> None:
    """Of which run the plan is."""
    plan.add_argument("preset", metavar="PRESET|FILE.toml", help="a preset's name, or a file like one")
    add_set_option(plan)


def add_sweep_options(sweep: argparse.ArgumentParser) -> None:
    """What is varied, and whether it starts; or which sweep is shown."""
    sweep.add_argument(
        "what", metavar="PRESET|FILE.toml|list|show", help="what to vary; or list the sweeps, or show one"
    )
    sweep.add_argument("id", nargs="?", default="", metavar="ID", help="show: which sweep, or `last`")
    axis = "FIELD=VALUES"
    sweep.add_argument(
        "--grid", action="append", default=[], metavar=axis,
        help="every combination of these: optim.lr=1e-4,1e-3, optim.lr=1e-5..1e-2:log:4, model.num_layers=1..4, "
        "optim.algorithm=*; may be given again",
    )  # fmt: skip
    sweep.add_argument(
        "--over", action="append", default=[], metavar=axis,
        help="with --random: draw from a list or a range, such as optim.lr=1e-5..1e-2:log; may be given again",
    )  # fmt: skip
    sweep.add_argument("--random", type=int, default=0, metavar="N", help="how many sets of values to draw")
    sweep.add_argument("--seed", type=int, default=0, metavar="N", help="of the draws (default: 0)")
    add_set_option(sweep)
    sweep.add_argument("--start", action="store_true", help="queue the runs; without it they are only listed")
    sweep.add_argument(
        "--offline-corpus",
        action="store_true",
        help="train on the corpus shipped with the program, not on the preset's hub dataset",
    )
    sweep.add_argument(
        "--yes", action="store_true", help="use settings that somebody else wrote; they are shown all the same"
    )
    sweep.add_argument(
        "--despite-logout", action="store_true", help="start the runs even though logging out would end them"
    )
