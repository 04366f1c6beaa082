"""The style of a part of a widget, as it comes out on the ground on which it stands."""

from __future__ import annotations

from rich.style import Style
from textual.widget import Widget


def component_style(widget: Widget, name: str) -> Style:
    """Of a component class, without what it does not say itself.

    A partial style of Textual 8.2 forgets how transparent its colours are: a grey of 65 % would be white, and a
    line with a third of the accent behind it all accent.
    """
    own, whole = widget.get_component_rich_style(name, partial=True), widget.get_component_rich_style(name)
    return own + Style(
        color=whole.color if own.color is not None else None,
        bgcolor=whole.bgcolor if own.bgcolor is not None else None,
    )
