"""The arguments of the verbs that start runs and go on with them, and of the queue in which they wait."""

from __future__ import annotations

from argparse import ArgumentParser

from tui.arguments import common


def train(verb: ArgumentParser) -> None:
    """`train PRESET [--set …]`."""
    common.preset(verb)
    common.changes(verb)
    verb.add_argument("--name", default="", help="what to call the run; made up without it")
    common.offline_corpus(verb)
    common.detach(verb)
    _starting(verb)


def resume(verb: ArgumentParser) -> None:
    """`resume RUN [--checkpoint …]`."""
    common.run(verb)
    common.checkpoint(verb, "where to go on")
    common.processes(verb, "than before")
    common.detach(verb)
    _starting(verb)


def clone(verb: ArgumentParser) -> None:
    """`clone RUN --set …`."""
    _copy(verb)
    _starting(verb)


def fork(verb: ArgumentParser) -> None:
    """`fork RUN --checkpoint … --set …`."""
    _copy(verb)
    common.checkpoint(verb, "where it begins")
    _starting(verb)


def _copy(verb: ArgumentParser) -> None:
    common.run(verb)
    common.changes(verb)
    verb.add_argument("--name", default="", help="what to call the new run; made up without it")
    verb.add_argument("--no-start", action="store_true", help="make the run and leave it; resume starts it")
    common.detach(verb)


def _starting(verb: ArgumentParser) -> None:
    """How a run is started, whatever it is made of."""
    common.trust(verb)
    common.despite_logout(verb)
    common.queue(verb)


def join(verb: ArgumentParser) -> None:
    """`join RUN`."""
    common.run(verb)
    common.processes(verb, "here")
    common.trust(verb)


def curriculum(verb: ArgumentParser) -> None:
    """`curriculum RUN [--start-twin]`."""
    common.run(verb)
    verb.add_argument(
        "--twin", default="", metavar="RUN", help="the run without it; without this, the one that matches best"
    )
    verb.add_argument(
        "--start-twin", action="store_true", help="start the same run without the curriculum, for as many tokens"
    )
    common.detach(verb, "with --start-twin: return once it is started")
    common.trust(verb)
    common.despite_logout(verb)


def queue(verb: ArgumentParser) -> None:
    """`queue [move RUN WHERE]`."""
    verb.add_argument(
        "action", nargs="?", choices=("move",), metavar="move", help="give a run another place; without it, list"
    )
    verb.add_argument("run", nargs="?", default="", metavar="RUN", help="which one")
    verb.add_argument(
        "where", nargs="?", choices=("up", "down", "first", "last"), metavar="up|down|first|last", help="to where"
    )
