"""Tells of runs that end or look unwell while the dashboard is open: a line on the screen, the bell, OSC 9.

Whoever is away is told by the webhook, which is the supervisor's affair (`runs.webhook`).
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump

from runs.folder import RunFolder, all_runs
from runs.notify_settings import NotifySettings
from runs.records import RecordTail
from runs.status import RunStatus, latest_attempt, read_status
from tui.polling_feed import REST_PER_WORK, PollingFeed
from tui.safe_text import safe_text

_POLL_S = 2.0
_SWEEP_S = 10.0
_BREATH = 100  # runs after which the first look lets others work
_MOST_LETTERS = 240
_ENDS = ("finished", "failed", "lost")

Kind = Literal["finished", "failed", "lost", "alert"]


@dataclass
class RunTold(Message):
    """Something about a run that a person wants to hear of. sentence: with the run's name."""

    folder: RunFolder
    kind: Kind
    sentence: str


@dataclass
class _Live:
    folder: RunFolder
    attempt: int
    events: RecordTail
    state: str


class LiveWatch:
    """Knows which runs are live, and finds what became of them. To be used by one thread."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._changed: dict[str, int] = {}  # when a run's folder changed last, by id
        self._live: dict[str, _Live] = {}
        self._began = time.time()
        self._told: set[tuple[str, float]] = set()
        self._runs_changed = self._swept = 0.0
        self._rest_s = _SWEEP_S
        self._is_first = True

    def look(self) -> list[RunTold]:
        """What is new since the last look; of the first one, nothing."""
        told: list[RunTold] = []
        for number, folder in enumerate(self._candidates()):
            told += self._look_at(folder)
            if self._is_first and number % _BREATH == _BREATH - 1:
                time.sleep(0.01)
        self._is_first = False
        return told

    def _candidates(self) -> list[RunFolder]:
        """Live runs; and what is new or was changed, which a look at every folder tells now and then."""
        try:
            changed = self._runs.stat().st_mtime
        except OSError:
            return []
        found = {one.folder.id: one.folder for one in self._live.values()}
        now = time.monotonic()
        if changed != self._runs_changed or now - self._swept >= self._rest_s or self._is_first:
            self._runs_changed, self._swept = changed, now
            began = time.thread_time()
            for folder in all_runs(self._runs):
                try:
                    when = folder.path.stat().st_mtime_ns
                except OSError:
                    continue
                if self._changed.get(folder.id) != when:
                    self._changed[folder.id] = when
                    found[folder.id] = folder
            self._rest_s = max(_SWEEP_S, REST_PER_WORK * (time.thread_time() - began))
        return list(found.values())

    def _look_at(self, folder: RunFolder) -> list[RunTold]:
        status, before = read_status(folder), self._live.get(folder.id)
        told = self._of_state(folder, status, before)
        if not status.is_live:
            self._live.pop(folder.id, None)
            return told
        attempt = latest_attempt(folder)
        number = attempt.number if attempt is not None else 0
        if attempt is not None and (before is None or before.attempt != number):
            events = RecordTail(attempt.events_file)
            past = list(events.poll_all())
            fresh = past if before is not None and not self._is_first else []
            self._live[folder.id] = _Live(folder, number, events, status.state)
        elif before is not None:
            fresh = list(before.events.poll())
            before.state = status.state
        else:
            return told
        return [*told, *(RunTold(folder, "alert", _named(folder, said)) for said in map(_bad_news, fresh) if said)]

    def _of_state(self, folder: RunFolder, status: RunStatus, before: _Live | None) -> list[RunTold]:
        """What a change of state is worth saying."""
        if status.is_live:
            stalls = status.state == "stalled" and before is not None and before.state != "stalled"
            return [RunTold(folder, "alert", _named(folder, status.reason or "records nothing any more"))] * stalls
        ended = status.outcome.ended if status.outcome is not None else status.since
        is_news = before is not None or ended >= self._began
        if status.state not in _ENDS or not is_news or (folder.id, ended) in self._told:
            return []
        self._told.add((folder.id, ended))
        return [RunTold(folder, status.state, _end_sentence(folder, status))]  # type: ignore[arg-type]


class WatchFeed(PollingFeed):
    """Posts RunTold to the app."""

    def __init__(self, runs: Path, target: MessagePump) -> None:
        super().__init__("watch", target, self._look, _POLL_S)
        self._watch = LiveWatch(runs)

    def _look(self) -> None:
        for message in self._watch.look():
            self._target.post_message(message)


def tell(app: App[Any], message: RunTold, settings: NotifySettings, is_in_view: bool) -> None:
    """Say it in the ways the person wants. is_in_view: the run is what the screen shows, so no line is needed."""
    sentence = safe_text(message.sentence, _MOST_LETTERS)
    if not is_in_view:
        severity: Any = {"failed": "error", "lost": "error", "alert": "warning"}.get(message.kind, "information")
        app.notify(sentence, severity=severity, markup=False, timeout=15)
    if settings.bell:
        app.bell()
    if settings.desktop:
        write_to_terminal(app, desktop_notice(sentence, dict(os.environ)))


def desktop_notice(sentence: str, environment: dict[str, str]) -> str:
    """OSC 9, which iTerm2, kitty, WezTerm, ghostty and Windows Terminal show as a notification.

    tmux passes it on when it is wrapped and `allow-passthrough` is on, and swallows it otherwise.
    """
    notice = f"\x1b]9;tinytrain: {safe_text(sentence, _MOST_LETTERS)}\x07"
    return "\x1bPtmux;" + notice.replace("\x1b", "\x1b\x1b") + "\x1b\\" if environment.get("TMUX") else notice


def write_to_terminal(app: App[Any], sequence: str) -> None:
    """Send a control sequence in its turn among what the screen sends; nothing where there is no terminal."""
    driver = app._driver
    if driver is not None and not app.is_headless:
        driver.write(sequence)


def _bad_news(event: Any) -> str:
    kind, message = event.get("kind"), event.get("message")
    is_bad = kind == "health" or (kind == "disk" and event.get("is_full") is True)
    return message if is_bad and isinstance(message, str) else ""


def _end_sentence(folder: RunFolder, status: RunStatus) -> str:
    outcome = status.outcome
    best = ""
    if outcome is not None and outcome.best_loss is not None and status.state == "finished":
        best = f", best validation loss {outcome.best_loss:.4g}"
    reason = f": {status.reason}" if status.reason and status.state != "finished" else ""
    return f"{folder.about().name} {status.state if status.state != 'lost' else 'is lost'}{best}{reason}"


def _named(folder: RunFolder, sentence: str) -> str:
    return f"{folder.about().name}: {sentence}"
