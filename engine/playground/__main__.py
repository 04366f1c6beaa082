"""Answers the requests on its input, one a line, until that ends; see `runs.playground` for what is said.

`--attached`: say when it is ready, and end at once with the input, whatever is in work: the reader is gone then.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from runs.playground import Piece, Ready, Refusal, Request, Said

if TYPE_CHECKING:
    from engine.playground.answers import Answerer

_NICE = 5  # a run that trains goes first
_SAID_EVERY_S = 0.04


def main() -> int:
    """Answer until the input ends."""
    os.nice(_NICE)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # no context on a device that may be training
    is_attached = "--attached" in sys.argv[1:]
    requests = Requests(is_attached)
    threading.Thread(target=requests.read, name="requests", daemon=True).start()
    from engine.playground.answers import Answerer

    answerer = Answerer(chooses_threads=True)
    if is_attached:
        say(Ready())

    while (request := requests.next()) is not None:
        serve(answerer, requests, request)
    return 0


def serve(answerer: Answerer, requests: Requests, request: Request) -> None:
    """Answer one request, unless a newer one of its slot comes first."""
    from engine.playground.answers import Superseded, Wishes, defect

    def still_wanted() -> None:
        if requests.is_superseded(request):
            raise Superseded
        if request.stream:  # it may write for minutes; what is asked meanwhile is answered in between
            while (other := requests.next_short()) is not None:
                serve(answerer, requests, other)

    try:
        reply: Said = answerer.answer(request, Wishes(still_wanted, _Sparing().say))
    except Superseded:
        return
    except Exception as error:  # noqa: BLE001 - a defect of ours, told in full; the next request may be answered
        reply = defect(request, error)
    say(reply)


class _Sparing:
    """Passes on how a text grows no more often than a terminal can show."""

    def __init__(self) -> None:
        self._said_at = 0.0

    def say(self, said: Said) -> None:
        """All but pieces that come too soon after another; the answer has the whole text."""
        if isinstance(said, Piece):
            now = time.monotonic()
            if now - self._said_at < _SAID_EVERY_S:
                return
            self._said_at = now
        say(said)


class Requests:
    """Those that wait, oldest first; a newer one of the same slot takes the place of an older one."""

    def __init__(self, ends_at_once: bool) -> None:
        self._ends_at_once = ends_at_once
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition()
        self._newest: dict[str, Request] = {}
        self._has_ended = False

    def is_superseded(self, request: Request) -> bool:
        """Whether a newer request of its slot has come."""
        return bool(request.slot) and self._newest.get(request.slot) is not request

    def next(self) -> Request | None:
        """The next request, waited for; None once the input has ended and all are answered."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._has_ended)
            if not self._waiting:
                return None
            return self._waiting.popleft()

    def next_short(self) -> Request | None:
        """The oldest that waits and does not write; None at once when there is none."""
        with self._changed:
            found = next((one for one in self._waiting if not one.stream), None)
            if found is not None:
                self._waiting.remove(found)
            return found

    def take(self, request: Request) -> None:
        """One more that waits, in the place of an older one of its slot."""
        with self._changed:
            if request.slot:
                self._waiting = deque(one for one in self._waiting if one.slot != request.slot)
                self._newest[request.slot] = request
            self._waiting.append(request)
            self._changed.notify()

    def read(self) -> None:
        """Take requests in until the input ends; a line that is none is refused at once."""
        decoder = msgspec.json.Decoder(Request)
        for line in sys.stdin.buffer:
            if not line.strip():
                continue
            try:
                request = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                say(Refusal(str(error)))
                continue
            self.take(request)
        if self._ends_at_once:
            os._exit(0)
        with self._changed:
            self._has_ended = True
            self._changed.notify()


def say(said: Said) -> None:
    """One line, whole; of two threads one after the other."""
    line = msgspec.json.encode(said) + b"\n"
    with _SAYING:
        while line:
            line = line[os.write(1, line) :]


_SAYING = threading.Lock()

if __name__ == "__main__":
    sys.exit(main())
