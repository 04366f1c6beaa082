"""What can be said on the command line after `analyse`."""

from __future__ import annotations

import argparse

# as in runs.analysis and cli_analyse, which take longer to import than a command line may
_KINDS = ("verdict", "attention", "neighbours", "token-losses", "sentence-losses", "calibration")


def add_analyse_options(parser: argparse.ArgumentParser, run_help: str) -> None:
    """The run, and what is asked of it."""
    parser.add_argument("run", metavar="RUN", help=run_help)
    parser.add_argument(
        "--checkpoint", default="last", metavar="best|last|STEP", help="whose weights (default: last)"
    )
    parser.add_argument(
        "--kind",
        action="append",
        choices=_KINDS,
        metavar="KIND",
        help=f"{', '.join(_KINDS)}; may be given again (default: all)",
    )
    parser.add_argument("--sentence", default="", help="for attention and sentence-losses")
    parser.add_argument(
        "--word", action="append", default=[], help="whose neighbours are wanted; may be given again"
    )
    parser.add_argument("--top", type=int, default=10, metavar="N", help="rows of each table (default: 10)")
    parser.add_argument("--layer", type=int, default=0, metavar="N", help="attention of this layer alone, from 1")
    parser.add_argument("--head", type=int, default=0, metavar="N", help="attention of this head alone, from 1")
