"""The dashboard's looks: two of its own, two for colour-blind eyes, high contrast, 16 colours, and none at all.

No look carries a meaning that a word or a sign does not carry too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.filter import DimFilter, LineFilter, Monochrome, NoColor
from textual.theme import BUILTIN_THEMES, Theme

from tui.tmux import is_tmux

PLAIN = "no-colour"
"""The look without a single colour: bold, underlined, dim and reversed text alone."""


def _own(
    name: str, primary: str, *, background: str, foreground: str, cursor: float = 0.24, **colours: Any
) -> Theme:
    """A look whose keys in the footer have the first accent, and in which all text can be read.

    cursor: how much of the accent is in the ground of the line under the cursor. What stands in it may keep its
    own colour, such as the grey of what matters less, which on the accent itself is lost.
    """
    ground, accent = Color.parse(background), Color.parse(primary)
    variables = {
        "footer-key-foreground": primary,
        "block-cursor-background": ground.blend(accent, cursor).hex,
        "block-cursor-foreground": foreground,
        "block-cursor-blurred-background": ground.blend(accent, cursor / 2).hex,
        "text-disabled": "auto 55%",
    }
    return Theme(
        name, primary=primary, background=background, foreground=foreground, variables=variables, **colours
    )


_PLAIN_VARIABLES = {
    "footer-key-foreground": "#ffffff",
    "block-cursor-background": "#ffffff",
    "block-cursor-foreground": "#000000",
    "block-cursor-text-style": "bold",
    "block-hover-background": "#000000",
    "block-cursor-blurred-background": "#555555",
    "input-cursor-background": "#ffffff",
    "input-cursor-foreground": "#000000",
    "input-selection-background": "#ffffff",
    "input-selection-foreground": "#000000",
    "button-focus-text-style": "b reverse",
}

THEMES = (
    _own(
        "tinytrain-dark", "#62b0d9", secondary="#8fa3b8", accent="#e0a458", foreground="#d7dde4",
        background="#13161b", surface="#1a1e24", panel="#20252c", success="#7fc48c", warning="#e0b04f",
        error="#e8747c", dark=True,
    ),
    _own(
        "tinytrain-light", "#1b6a99", secondary="#52667a", accent="#a05a00", foreground="#22272e",
        background="#f8f8f5", surface="#f0f0eb", panel="#e7e7e1", success="#2a7539", warning="#876000",
        error="#b3261e", dark=False,
    ),
    _own(  # Okabe and Ito 2008: hues that no common colour blindness confuses
        "colour-blind-dark", "#56b4e9", secondary="#cc79a7", accent="#e69f00", foreground="#e4e6e8",
        background="#111417", surface="#191d21", panel="#1f2428", success="#00b586", warning="#f0e442",
        error="#e9701a", dark=True,
    ),
    _own(
        "colour-blind-light", "#0072b2", secondary="#9b4d7a", accent="#b35c00", foreground="#1e2226",
        background="#fafafa", surface="#f4f4f4", panel="#efefef", success="#00704f", warning="#7a6a00",
        error="#b34700", dark=False,
    ),
    _own(
        "high-contrast", "#5cd6ff", secondary="#ffffff", accent="#ffd21f", foreground="#ffffff",
        background="#000000", surface="#000000", panel="#101010", success="#5cff8f", warning="#ffe14d",
        error="#ff8f8f", dark=True, text_alpha=1.0, cursor=0.32,
    ),
    Theme(
        PLAIN, primary="#ffffff", secondary="#ffffff", accent="#ffffff", foreground="#ffffff",
        background="#000000", surface="#000000", panel="#000000", boost="#000000", success="#ffffff",
        warning="#ffffff", error="#ffffff", dark=True, variables=_PLAIN_VARIABLES,
    ),
)  # fmt: skip


def _sixteen(name: str, **changes: Any) -> Theme:
    """The terminal's own colours. Nobody knows what they are: the line under the cursor is reversed."""
    theme = BUILTIN_THEMES[name]
    cursor = {
        "block-cursor-background": "ansi_default", "block-cursor-foreground": "ansi_default",
        "block-cursor-text-style": "bold reverse", "block-cursor-blurred-text-style": "underline",
        "link-color": "ansi_default",
    }  # fmt: skip
    return replace(theme, variables={**theme.variables, **cursor}, **changes)


_SIXTEEN = (
    # Textual's has the terminal's blue, which is hardly seen on black
    _sixteen("ansi-dark", primary="ansi_bright_blue", error="ansi_bright_red", accent="ansi_yellow"),
    _sixteen("ansi-light"),
)

LOOKS: dict[str, str] = {
    "tinytrain-dark": "Dark: calm, two accents.",
    "tinytrain-light": "Light: the same by day.",
    "colour-blind-dark": "Dark, in hues that no common colour blindness confuses.",
    "colour-blind-light": "Light, in hues that no common colour blindness confuses.",
    "high-contrast": "White on black, with bright accents.",
    "ansi-dark": "The terminal's own 16 colours, on a dark background.",
    "ansi-light": "The terminal's own 16 colours, on a light background.",
    PLAIN: "No colour: plain, bold, dim and reversed text; as with NO_COLOR.",
}
"""Every look by its name, with a sentence, in the order in which they are offered."""

_DIM_BELOW = 0.7  # FAINT is, MUTED is not
_REVERSED_ABOVE = 0.25
_FEW_COLOURS = frozenset({"linux", "vt100", "vt220", "ansi", "xterm-16color", "screen", "tmux", "rxvt"})
_ONLY_WITHOUT_COLOUR = (Monochrome, NoColor)


def first_theme(asked: str, remembered: object, environment: Mapping[str, str], no_color: bool) -> str:
    """The look at the start: NO_COLOR before what the settings ask, that before what was chosen last.

    A terminal of 16 colours gets its own ones; a name that is not there counts as none.
    """
    if no_color:
        return PLAIN
    for name in (asked, remembered):
        if isinstance(name, str) and name in LOOKS:
            return name
    is_rich = environment.get("COLORTERM", "").lower() in ("truecolor", "24bit") or is_tmux(environment)
    return "ansi-dark" if environment.get("TERM", "") in _FEW_COLOURS and not is_rich else "tinytrain-dark"


def frame_colour(theme: Theme) -> str:
    """Of the frames of panes: quiet, but where contrast is what matters."""
    if theme.name == "high-contrast":
        return "#a0a0a0"
    if theme.ansi or theme.background is None or theme.foreground is None:
        return "ansi_bright_black"
    return Color.parse(theme.background).blend(Color.parse(theme.foreground), 0.25).hex


def use_themes(app: App[Any]) -> None:
    """Make the looks known to the app, and put the filter for the one without colour in place of Textual's.

    Textual turns colours into greys for NO_COLOR, which are colours too.
    """
    for theme in (*THEMES, *_SIXTEEN):
        app.register_theme(theme)
    filters = [one for one in app._filters if not isinstance(one, _ONLY_WITHOUT_COLOUR)]
    app._filters = [*filters[:1], WithoutColour(enabled=False), *filters[1:]]


def follow_theme(app: App[Any]) -> None:
    """Let the filters be those of the look that is on."""
    is_plain = app.theme == PLAIN
    app.no_color = is_plain
    for one in app._filters:
        if isinstance(one, WithoutColour):
            one.enabled = is_plain
        elif isinstance(one, DimFilter):
            one.enabled = not is_plain


class WithoutColour(LineFilter):
    """Says with dim and reversed text what the look without colour says in shades of grey."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same text, without a colour."""
        return [one if one.style is None else one._replace(style=_plain(one.style)) for one in segments]


@lru_cache(4096)
def _plain(style: Style) -> Style:
    light, ground = _brightness(style, "color"), _brightness(style, "bgcolor")
    is_reversed = bool(style.reverse) != (ground is not None and ground > _REVERSED_ABOVE)
    is_dim = bool(style.dim) or (not is_reversed and light is not None and light < _DIM_BELOW)
    return Style(
        bold=style.bold, italic=style.italic, underline=style.underline, strike=style.strike,
        dim=is_dim or None, reverse=is_reversed or None, meta=style.meta or None, link=style.link,
    )  # fmt: skip


def _brightness(style: Style, part: str) -> float | None:
    colour = getattr(style, part)
    return None if colour is None or colour.is_default else Color.from_rich_color(colour).brightness
