"""The arguments of the verbs that speak with a run while it trains, and with you when it has ended."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError

from tui.arguments import common


def changes(verb: ArgumentParser) -> None:
    """`set RUN lr=… steps=…`."""
    common.run(verb)
    verb.add_argument(
        "changes", nargs="+", metavar="lr=RATE|steps=N|probes=FILE",
        help="lr=3e-4 is a rate, lr=x0.5 a factor; steps=5000 is a number, steps=+1000 and steps=-500 a change; "
        "a file of probes has one a line, with the words that belong there after =>; - is standard input",
    )  # fmt: skip
    _timeout(verb)


def ask(verb: ArgumentParser) -> None:
    """`ask RUN evaluate`."""
    common.run(verb)
    verb.add_argument("what", choices=("evaluate", "checkpoint", "probe"), help="what it is to do now")
    _timeout(verb)


def notify(verb: ArgumentParser) -> None:
    """`notify test`."""
    verb.add_argument("what", choices=("test",), metavar="test", help="send a test by every way that is set")


def _timeout(verb: ArgumentParser) -> None:
    verb.add_argument(
        "--timeout", type=_seconds, default=60.0, metavar="SECONDS",
        help="wait so long for the engine's answer, 0 not at all (default: 60); the request stays after it",
    )  # fmt: skip


def _seconds(text: str) -> float:
    message = f"{text!r} is no number of seconds from 0 on"
    try:
        seconds = float(text)
    except ValueError:
        raise ArgumentTypeError(message) from None
    if not 0 <= seconds < float("inf"):
        raise ArgumentTypeError(message)
    return seconds
