"""Waiting for an app under test."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from textual._context import visible_screen_stack
from textual.app import App
from textual.pilot import Pilot
from textual.strip import Strip


async def until(pilot: Pilot[Any], condition: Callable[[], Any], timeout_s: float = 15.0) -> Any:
    """Let the app work until the condition holds."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        await pilot.pause(0.02)
    raise AssertionError(f"after {timeout_s} s it still does not hold: {condition}")


def shown_strips(app: App[Any]) -> list[Strip]:
    """What stands on the screen, line by line, as the app draws it.

    A dialog has the screens below behind it. Drawn without them first, it would keep a blank in their place.
    """
    visible_screen_stack.set(app._background_screens)
    return app.screen._compositor.render_strips()


def shown_text(app: App[Any]) -> str:
    """The text that stands on the screen, line by line."""
    return "\n".join("".join(segment.text for segment in strip) for strip in shown_strips(app))
