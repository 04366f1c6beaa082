"""The colours of charts, taken from the theme."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.color import Color

from tui.widgets.chart_picture import Palette

_FAINT = 0.45
_AXIS = 0.55
_GUIDE = 0.4
_LIGHTER = 0.08


def palette_of(app: App[Any]) -> Palette:
    """Two accents of the theme, and shades between its background and its text."""
    theme, variables = app.current_theme, app.theme_variables
    background, foreground = Color.parse(variables["background"]), Color.parse(variables["foreground"])
    line, second = Color.parse(variables["primary"]), Color.parse(theme.accent or variables["warning"])
    if theme.dark:
        line = line.lighten(_LIGHTER)
    return Palette(
        line=line.rgb,
        faint=background.blend(line, _FAINT).rgb,
        second=second.rgb,
        guide=background.blend(foreground, _GUIDE).rgb,
        axis=background.blend(foreground, _AXIS).rgb,
    )
