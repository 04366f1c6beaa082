"""The verb `notify`: try the bell, the terminal's notification and the webhook before a night's run needs them."""

from __future__ import annotations

import argparse
import os
import sys
import time

from runs.notify_settings import notify_settings, read_settings_file, settings_path
from tui.cli_output import DONE, FAILED, say, say_json, warn


def notify(options: argparse.Namespace) -> int:
    """Send a test by every way that is set; 1 when the webhook did not take it."""
    tree, problems = read_settings_file(settings_path())
    settings, wrong = notify_settings(tree)
    problems += wrong
    on_terminal = sys.stderr.isatty()
    if on_terminal:
        from tui.notify import desktop_notice

        ring = "\a" if settings.bell else ""
        shown = desktop_notice("this is a test", dict(os.environ)) if settings.desktop else ""
        sys.stderr.write(ring + shown)
        sys.stderr.flush()
    failure = ""
    if settings.webhook:
        from runs.webhook import Notice, send

        sentence = "this is a test of tinytrain-tui's notifications"
        failure = send(settings.webhook, Notice(event="test", run="", id="", message=sentence, time=time.time()))
    terminal = {"bell": settings.bell and on_terminal, "desktop": settings.desktop and on_terminal}
    if options.json:
        webhook = "not set" if not settings.webhook else failure or "sent"
        say_json({**terminal, "webhook": webhook, "problems": problems, "settings": str(settings_path())})
    else:
        _say_terminal(settings.bell, settings.desktop, on_terminal)
        if not settings.webhook:
            say(f"webhook: not set; notify.webhook in {settings_path()}, or $TINYTRAIN_WEBHOOK")
        elif not failure:
            say("webhook: sent")
    if failure:
        warn(f"webhook: {failure}")
    for problem in problems:
        warn(f"! {problem}")
    return FAILED if failure or problems else DONE


def _say_terminal(bell: bool, desktop: bool, on_terminal: bool) -> None:
    if not on_terminal:
        say("bell, terminal notification: there is no terminal here")
        return
    say(f"bell: {'rung' if bell else 'off'}")
    say(f"terminal notification: {'sent (OSC 9); not every terminal shows it' if desktop else 'off'}")
