"""The options of the queue: of the verb itself, and the `--queue` of the verbs that start a run."""

from __future__ import annotations

import argparse
from collections.abc import Iterable


def add_queue_options(queue: argparse.ArgumentParser, starting: Iterable[argparse.ArgumentParser]) -> None:
    """`queue [move RUN WHERE]`, and `--queue` for verbs that start a run."""
    queue.add_argument(
        "action", nargs="?", choices=("move",), metavar="move", help="give a run another place; without it, list"
    )
    queue.add_argument("run", nargs="?", default="", metavar="RUN", help="which one")
    queue.add_argument(
        "where", nargs="?", choices=("up", "down", "first", "last"), metavar="up|down|first|last", help="to where"
    )
    for verb in starting:
        verb.add_argument(
            "--queue",
            action="store_true",
            help="let the run begin by itself when the devices it needs are free, after those that wait already",
        )
