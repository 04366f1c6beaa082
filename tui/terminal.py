"""Keeps the terminal whole when the program is told to end, and ends it when the terminal is gone.

Textual 8.2 leaves the alternate screen on when SIGTERM or SIGHUP kill it, and spins at 100 % of a core when
the terminal disappears while SIGHUP is ignored, as under nohup (Textual #6690).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
import termios
import threading
import time
from typing import Any

from rich.console import RenderableType
from rich.segment import Segment, Segments
from textual.app import App

from tui.safe_text import safe_lines

_GRACE_S = 2.0
# main screen, cursor, no mouse, no bracketed paste, no focus events: what Textual itself sends at its end
_RESTORE = b"\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[?1004l"


def exit_on_signals(app: App[Any]) -> None:
    """SIGTERM, SIGHUP and SIGINT close the app in order, so that the terminal is restored. Call it when mounted.

    The exit status is 128 and the signal's number, as a shell expects it of a program that a signal ended.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
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


def harmless_report(report: RenderableType) -> RenderableType:
    """What Textual prints when the program fails, with nothing in it that acts on the terminal."""
    if not isinstance(report, Segments):
        return report
    return Segments(Segment(safe_lines(text, len(text) + 1), style) for text, style, _ in report.segments)


def _exit(app: App[Any], code: int) -> None:
    app.exit(return_code=code)
    threading.Thread(target=_end_anyway, args=(app, code), name="end", daemon=True).start()


def _end_anyway(app: App[Any], code: int) -> None:
    """Give the terminal back and end, when a part of the app has not ended by then; no run is in this process."""
    time.sleep(_GRACE_S)
    before = getattr(app._driver, "attrs_before", None)
    with contextlib.suppress(OSError, termios.error):
        if before is not None:
            termios.tcsetattr(0, termios.TCSANOW, before)
        os.write(1, _RESTORE)
    os._exit(code)


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
