"""`set` and `ask`: change a run while it trains, or let it do something now, and print what the engine answers."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import msgspec

from presets.probe_text import MOST_CHARACTERS, MOST_PROBES
from runs import control, launch
from runs.control import Request, Verb
from runs.events import ControlAnswered, decode_event
from runs.folder import RunFolder
from runs.records import RecordTail
from runs.status import RunStatus, latest_attempt, read_status
from tui.cli_lines import answer_words
from tui.cli_output import DONE, FAILED, WRONG, WrongRequest, say, say_json, warn
from tui.cli_reference import the_run

_POLL_S = 0.05
_MOST_CHARACTERS = (MOST_CHARACTERS + 1) * (MOST_PROBES + 1)


class Answer(msgspec.Struct, frozen=True):
    """What became of a request. accepted: None while nobody has answered."""

    request: str
    verb: Verb
    value: str
    accepted: bool | None
    message: str
    step: int | None = None


def set_values(options: argparse.Namespace) -> int:
    """Change the learning rate, the number of steps or the probes."""
    folder = the_run(options)
    return _ask(folder, [_wish(word) for word in options.changes], options)


def ask(options: argparse.Namespace) -> int:
    """Evaluate, save a checkpoint or probe now."""
    return _ask(the_run(options), [(options.what, "")], options)


def _wish(word: str) -> tuple[Verb, str]:
    name, sign, value = word.partition("=")
    if name == "lr" and sign:
        wish: tuple[Verb, str] = ("lr", value)
    elif name == "steps" and sign:
        wish = ("steps", value)
    elif name == "probes" and sign:
        wish = ("probes", _lines_of(value))
    else:
        raise WrongRequest(
            f"{word!r} is nothing that can be set; say lr=3e-4, lr=x0.5, steps=5000, steps=+1000 or probes=FILE"
        )
    try:
        control.check_value(*wish)
    except ValueError as error:
        raise WrongRequest(str(error)) from None
    return wish


def _lines_of(name: str) -> str:
    """A file of probes, or what comes in for `-`."""
    try:
        if name == "-":
            return sys.stdin.read(_MOST_CHARACTERS)
        with Path(name).expanduser().open(encoding="utf-8") as file:
            return file.read(_MOST_CHARACTERS)
    except (OSError, UnicodeDecodeError) as error:
        raise WrongRequest(f"probes={name}: the file cannot be read: {error}") from None


def _ask(folder: RunFolder, wishes: list[tuple[Verb, str]], options: argparse.Namespace) -> int:
    """Ask for all of it, and wait until all is answered, the run ends or the time is over."""
    attempt = latest_attempt(folder)
    try:
        asked = [launch.ask(folder, verb, value) for verb, value in wishes]
    except ValueError as error:
        raise WrongRequest(str(error)) from None
    answers: dict[str, ControlAnswered] = {}
    deadline = time.monotonic() + options.timeout
    # a queued run has no attempt yet; nothing can answer before it has
    tail = RecordTail(attempt.events_file) if attempt else None
    while True:
        status = read_status(folder)  # before the events: what was answered last is then still seen
        attempt = latest_attempt(folder)
        if tail is None and attempt is not None:
            tail = RecordTail(attempt.events_file)
        for record in tail.poll_all() if tail else ():
            event = decode_event(record) if record.get("kind") == "control_answered" else None
            if isinstance(event, ControlAnswered):
                answers[event.request] = event
        unanswered = [request for request in asked if request.id not in answers]
        if not unanswered or not status.is_live or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_S)
    said = [_answer(request, answers.get(request.id), folder, status, options.timeout) for request in asked]
    if options.json:
        say_json({"id": folder.id, "answers": said})
    else:
        for answer in said:
            _say(answer)
    if any(answer.accepted is False for answer in said):
        return WRONG
    return FAILED if unanswered and (options.timeout or not status.is_live) else DONE


def _answer(
    request: Request, event: ControlAnswered | None, folder: RunFolder, status: RunStatus, timeout_s: float
) -> Answer:
    if event is not None:
        return Answer(request.id, request.verb, request.value, event.accepted, event.message, event.step)
    return Answer(request.id, request.verb, request.value, None, _why_silent(folder, status, timeout_s))


def _why_silent(folder: RunFolder, status: RunStatus, timeout_s: float) -> str:
    """Why there is no answer, and what becomes of the request."""
    name = folder.about().name
    if not status.is_live:
        reason = f": {status.reason}" if status.reason else ""
        return f"{name} is {status.state} and did not answer before{reason}"
    if not timeout_s:
        return f"asked; {name} answers at its next step"
    waited = f"no answer within {timeout_s:g} s"
    if status.state in ("queued", "starting"):
        return f"{waited}: {name} is {status.state}; the request stays, and is answered at its first step"
    if status.state == "stalled":
        return f"{waited}: {status.reason}; the request stays, should it go on"
    return f"{waited}: it is in a long step, an evaluation or a save; the request stays (wait longer: --timeout)"


def _say(answer: Answer) -> None:
    if answer.accepted:
        say(answer_words(answer.verb, answer.message, answer.step or 0, accepted=True))
    elif answer.accepted is False:
        warn(f"{answer.verb} was refused at step {answer.step:,}: {answer.message}")
    else:
        warn(answer.message)
