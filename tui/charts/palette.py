"""The styles of charts, taken from the theme."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rich.color import Color as RichColor
from rich.style import Style
from textual.app import App
from textual.color import Color

from tui.charts.spec import Palette

_FAINT = 0.5
_AXIS = 0.65
_GUIDE = 0.6
_LIGHTER = 0.08
# Okabe and Ito, "Color Universal Design" (2008): told apart with any kind of colour vision; darker on white
_MORE_ON_DARK = ("#009E73", "#CC79A7", "#F0E442", "#56B4E9", "#D55E00", "#B0B0B0")
_MORE_ON_LIGHT = ("#00795A", "#A3487D", "#8A7D00", "#0072B2", "#B34A00", "#606060")
# of a terminal's own: its blue is hardly seen on black, nor its yellow and cyan on white
_SIXTEEN_ON_DARK = ("bright_blue", "yellow", "green", "bright_magenta", "cyan", "bright_red", "white")
_SIXTEEN_ON_LIGHT = ("blue", "magenta", "green", "red", "black", "cyan", "bright_blue", "bright_black")
_BOLD, _DIM = Style(bold=True), Style(dim=True)

WITHOUT_COLOUR = Palette(
    lines=(_BOLD, Style.null()), faint=(_DIM,), guide=_DIM, axis=Style.null(), cursor=Style(reverse=True)
)


def _sixteen(names: tuple[str, ...]) -> Palette:
    return Palette(
        lines=tuple(Style(color=name) for name in names),
        faint=tuple(Style(color=name, dim=True) for name in names),
        guide=_DIM, axis=Style.null(), cursor=Style(reverse=True),
    )  # fmt: skip


def palette_of(app: App[Any], base: Style | None = None) -> Palette:
    """Two accents of the theme first, then colours that anybody tells apart, and shades of its text.

    base: the pane's own style, on which everything stands.
    """
    found = _palette_of(app)
    return found if base is None else replace(found, base=base)


def _palette_of(app: App[Any]) -> Palette:
    only_ascii = bool(getattr(getattr(app, "settings", None), "ascii", False))
    theme = app.current_theme
    if getattr(app, "no_color", False) or "no-colour" in theme.name or "no-color" in theme.name:
        return _with_ascii(WITHOUT_COLOUR, only_ascii)
    if theme.name.startswith("ansi"):
        return _with_ascii(_sixteen(_SIXTEEN_ON_DARK if theme.dark else _SIXTEEN_ON_LIGHT), only_ascii)
    variables = app.theme_variables
    background, foreground = Color.parse(variables["background"]), Color.parse(variables["foreground"])
    first, second = Color.parse(variables["primary"]), Color.parse(theme.accent or variables["warning"])
    if theme.dark:
        first = first.lighten(_LIGHTER)
    more = map(Color.parse, _MORE_ON_DARK if theme.dark else _MORE_ON_LIGHT)
    colours = (first, second, *more)
    return Palette(
        lines=tuple(_style(colour) for colour in colours),
        faint=tuple(_style(background.blend(colour, _FAINT)) for colour in colours),
        guide=_style(background.blend(foreground, _GUIDE)),
        axis=_style(background.blend(foreground, _AXIS)),
        cursor=Style(color=RichColor.from_rgb(*background.rgb), bgcolor=RichColor.from_rgb(*second.rgb)),
        only_ascii=only_ascii,
    )


def _style(colour: Color) -> Style:
    return Style(color=RichColor.from_rgb(*colour.rgb))


def _with_ascii(palette: Palette, only_ascii: bool) -> Palette:
    return replace(palette, only_ascii=only_ascii)
