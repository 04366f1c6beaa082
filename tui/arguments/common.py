"""The arguments that several verbs have in common, each written once."""

from __future__ import annotations

from argparse import ArgumentParser

RUN = "an id, a unique beginning of one, a name, or `last`"


def nothing(verb: ArgumentParser) -> None:
    """For verbs that are said alone."""


def run(verb: ArgumentParser) -> None:
    """`RUN`."""
    verb.add_argument("run", metavar="RUN", help=RUN)


def runs(verb: ArgumentParser, help: str = RUN) -> None:
    """`RUN [RUN …]`."""
    verb.add_argument("runs", metavar="RUN", nargs="+", help=help)


def preset(verb: ArgumentParser) -> None:
    """`PRESET`, or a file like one."""
    verb.add_argument("preset", metavar="PRESET|FILE.toml", help="a preset's name, or a file like one")


def changes(verb: ArgumentParser, help: str = "change a field, such as optim.lr=1e-3; may be given again") -> None:
    """`--set FIELD=VALUE`, as often as one likes."""
    verb.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help=help)


def checkpoint(verb: ArgumentParser, what: str) -> None:
    """`--checkpoint best|last|STEP`. what: it is for."""
    verb.add_argument("--checkpoint", default="last", metavar="best|last|STEP", help=f"{what} (default: last)")


def processes(verb: ArgumentParser, where: str) -> None:
    """`--processes N`. where: `here`, or `than before`."""
    verb.add_argument(
        "--processes", type=int, default=0, metavar="N", help=f"another number of processes (GPUs) {where}"
    )


def offline_corpus(verb: ArgumentParser) -> None:
    """`--offline-corpus`."""
    verb.add_argument(
        "--offline-corpus",
        action="store_true",
        help="train on the corpus shipped with the program, not on the preset's hub dataset",
    )


def detach(verb: ArgumentParser, help: str = "return once the run is started; it goes on") -> None:
    """`--detach`."""
    verb.add_argument("--detach", action="store_true", help=help)


def trust(verb: ArgumentParser) -> None:
    """`--yes`, of what trains by settings that may be somebody else's."""
    verb.add_argument(
        "--yes", action="store_true", help="use settings that somebody else wrote; they are shown all the same"
    )


def despite_logout(verb: ArgumentParser, what: str = "run", it: str = "it") -> None:
    """`--despite-logout`, of what starts a run."""
    verb.add_argument(
        "--despite-logout", action="store_true", help=f"start the {what} even though logging out would end {it}"
    )


def queue(verb: ArgumentParser) -> None:
    """`--queue`, of what starts a run."""
    verb.add_argument(
        "--queue",
        action="store_true",
        help="let the run begin by itself when the devices it needs are free, after those that wait already",
    )
