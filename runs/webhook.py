"""Tells a person's webhook that a run has ended or looks unwell: by its supervisor, so also when nobody looks on.

The address is a secret: it comes from `settings.toml` or `$TINYTRAIN_WEBHOOK`, is written into no run, and is
never part of a message. What is sent fits Slack (`text`), Discord (`content`), and whoever reads plain JSON.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from runs.folder import RunFolder
from runs.notify_settings import notify_settings, read_settings_file, settings_path
from runs.status import Outcome

TRIES_AFTER_S = (0.0, 2.0, 8.0)
"""Waits before each try: what an hour-long outage swallows is lost, and said."""

_TIMEOUT_S = 10.0
_LAST_WAIT_S = 45.0
_QUIET_S = 600.0
_MOST_ALERTS = 50
_MOST_TEXT = 1500  # Discord takes 2,000
_MOST_ANSWER = 1 << 16
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_SIGNS = {"finished": "✓", "failed": "✗", "stopped": "■", "alert": "!", "test": "·"}

NoticeKind = Literal["finished", "failed", "stopped", "alert", "test"]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What is told. message: a sentence. symptom: of an alert, as of a HealthNoticed, `disk` or `hang`.

    Losses in nats, time in Unix seconds; figures are None where there are none.
    """

    event: NoticeKind
    run: str
    id: str
    message: str
    host: str = ""
    time: float = 0.0
    symptom: str = ""
    step: int | None = None
    total_steps: int | None = None
    best_loss: float | None = None
    best_step: int | None = None
    last_loss: float | None = None
    elapsed_s: float | None = None


def end_notice(folder: RunFolder, outcome: Outcome) -> Notice:
    """What became of a run. A pause counts as a stop."""
    name = folder.about().name
    kind: NoticeKind = "stopped" if outcome.state == "paused" else outcome.state
    figures = f"step {outcome.step:,}" + (f" of {outcome.total_steps:,}" if outcome.total_steps else "")
    best = f", best validation loss {outcome.best_loss:.4g}" if outcome.best_loss is not None else ""
    reason = f": {outcome.reason}" if outcome.reason and kind != "finished" else ""
    return Notice(
        event=kind, run=name, id=folder.id, message=f"{name} {kind} at {figures}{best}{reason}",
        host=socket.gethostname(), time=time.time(), step=outcome.step, total_steps=outcome.total_steps,
        best_loss=outcome.best_loss, best_step=outcome.best_step, last_loss=outcome.last_loss,
        elapsed_s=outcome.elapsed_s,
    )  # fmt: skip


def alert_notice(folder: RunFolder, symptom: str, sentence: str, step: int | None = None) -> Notice:
    """Something about a run that goes on."""
    name = folder.about().name
    return Notice(
        event="alert", run=name, id=folder.id, message=f"{name}: {sentence}", host=socket.gethostname(),
        time=time.time(), symptom=symptom, step=step,
    )  # fmt: skip


def payload(notice: Notice) -> bytes:
    """The JSON that is sent. No name in it can call anybody: Slack's and Discord's mentions are taken apart."""
    said = f"{_SIGNS[notice.event]} {_printable(notice.message)[:_MOST_TEXT]}"
    slack = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    plain = {name: value for name, value in msgspec.to_builtins(notice).items() if value not in (None, "")}
    plain |= {"text": slack, "content": said, "allowed_mentions": {"parse": []}}
    return msgspec.json.encode(plain)


def send(address: str, notice: Notice, tries_after_s: tuple[float, ...] = TRIES_AFTER_S) -> str:
    """Post a notice, and again when that may help. Returns why it failed, empty when it did not; never raises."""
    body, failure = payload(notice), ""
    for wait_s in tries_after_s:
        time.sleep(wait_s)
        failure, may_help = _post(address, body)
        if not failure or not may_help:
            break
    return failure


def _post(address: str, body: bytes) -> tuple[str, bool]:
    """Why a post failed, without the address, and whether another may do better."""
    import http.client
    import urllib.error
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        """A redirect is an answer: the notice goes to the address that was given, and nowhere else."""

        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "tinytrain-tui"}
    try:
        request = urllib.request.Request(address, body, headers, method="POST")
        with urllib.request.build_opener(Stay).open(request, timeout=_TIMEOUT_S) as answer:
            answer.read(_MOST_ANSWER)
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code} {_printable(str(error.reason))[:80]}".rstrip(), error.code in _LATER
    except TimeoutError:
        return f"no answer within {_TIMEOUT_S:.0f} s", True
    except urllib.error.URLError as error:
        return f"it cannot be reached: {_printable(str(error.reason))[:200]}", True
    except (OSError, http.client.HTTPException) as error:
        return f"it cannot be reached: {type(error).__name__}", True
    except ValueError:
        return "its address is no address", False
    return "", False


class Teller:
    """Sends the notices of one attempt from a thread of its own: nothing of the run waits for a slow server.

    say: takes a sentence for the supervisor's log. failure: why the last notice could not be sent, or empty.
    """

    def __init__(self, folder: RunFolder, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._waiting: queue.SimpleQueue[Notice | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._told: dict[str, float] = {}
        self._num_alerts = 0
        self.failure = ""

    def heed(self, event: Mapping[str, Any]) -> None:
        """Pass on a record of `events.jsonl` that is bad news: of one kind once in ten minutes."""
        kind, sentence = event.get("kind"), event.get("message")
        if kind == "disk" and event.get("is_full") is True:
            symptom: object = "disk"
        elif kind == "health":
            symptom = event.get("symptom")
        else:
            return
        step = event.get("step")
        if isinstance(symptom, str) and isinstance(sentence, str):
            self.alert(symptom, sentence, step if isinstance(step, int) else None)

    def alert(self, symptom: str, sentence: str, step: int | None = None) -> None:
        """Tell that something looks wrong, unless the same was told a short while ago."""
        now = time.monotonic()
        if now - self._told.get(symptom, -_QUIET_S) < _QUIET_S or self._num_alerts >= _MOST_ALERTS:
            return
        self._told[symptom] = now
        self._num_alerts += 1
        self._tell(alert_notice(self._folder, symptom, sentence, step))

    def ended(self, outcome: Outcome, was_asked: bool) -> None:
        """Tell how the run ended; what a person asked for is no news."""
        if not (was_asked and outcome.state in ("stopped", "paused")):
            self._tell(end_notice(self._folder, outcome))

    def finish(self) -> None:
        """Wait until everything is sent, or given up."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(_LAST_WAIT_S)

    def _tell(self, notice: Notice) -> None:
        if not _address():
            return
        self._waiting.put(notice)
        if self._thread is None:
            thread = threading.Thread(target=self._send_all, name="webhook", daemon=True)
            with contextlib.suppress(RuntimeError):  # no thread to be had: training matters more
                thread.start()
                self._thread = thread

    def _send_all(self) -> None:
        while (notice := self._waiting.get()) is not None:
            failure = send(_address(), notice)
            if failure and failure != self.failure:
                self._say(f"the webhook was not told that {notice.message}: {failure}")
            self.failure = failure


def _address() -> str:
    """The address now: a person may have set it while the run went on."""
    return notify_settings(read_settings_file(settings_path())[0])[0].webhook


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
