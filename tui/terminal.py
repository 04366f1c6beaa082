"""Keeps the terminal whole when the program is told to end, and ends it when the terminal is gone.

Textual 8.2 leaves the alternate screen on when SIGTERM or SIGHUP kill it, and spins at 100 % of a core when
the terminal disappears while SIGHUP is ignored, as under nohup (Textual #6690).
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import threading
import time
from typing import Any

from textual.app import App

_GRACE_S = 2.0


def exit_on_signals(app: App[Any]) -> None:
    """SIGTERM and SIGHUP close the app in order, so that the terminal is restored. Call it when mounted."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            continue  # nohup asked for it
        loop.add_signal_handler(number, _exit, app, 128 + number)


def exit_when_terminal_vanishes(app: App[Any]) -> None:
    """Watch the terminal from a thread of its own and end the process when it hangs up."""
    stdin = sys.__stdin__
    if stdin is None or not stdin.isatty():
        return
    watching = (asyncio.get_running_loop(), app, stdin.fileno())
    threading.Thread(target=_watch, args=watching, name="terminal-watch", daemon=True).start()


def _exit(app: App[Any], code: int) -> None:
    app.exit(return_code=code)


def _watch(loop: asyncio.AbstractEventLoop, app: App[Any], descriptor: int) -> None:
    poller = select.poll()
    poller.register(descriptor, 0)  # nothing but hang-up and errors
    poller.poll()
    try:
        loop.call_soon_threadsafe(_exit, app, 128 + signal.SIGHUP)
    except RuntimeError:
        return  # the loop is closed: the app is at its end already
    time.sleep(_GRACE_S)
    # exit() deadlocks on the writer of a dead terminal; the engine is another process and holds what matters
    os._exit(128 + signal.SIGHUP)
