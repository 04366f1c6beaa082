"""When the dashboard looks for objects that nobody needs any more: not in the middle of a key's work."""

from __future__ import annotations

import gc
from typing import Any

from textual.app import App

_RARELY = (5_000, 20, 20)
_EVERY_S = 10.0
_FROM = 4  # times five thousand new objects: while nothing happens, nothing is looked through


def collect_from_now_on(app: App[Any]) -> None:
    """What stands after the start stays: looking through it would take a tenth of a second each time.

    From then on there is a look now and then. A closed screen is thousands of objects that hold each other, and
    without it they would pile up by the megabyte.
    """
    if not app.is_headless:
        gc.freeze()
        gc.set_threshold(*_RARELY)
        app.set_interval(_EVERY_S, _collect)
    gc.enable()


def _collect() -> None:
    _, young, old = gc.get_count()
    if young + old * _RARELY[1] >= _FROM:
        gc.collect()
