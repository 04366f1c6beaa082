"""What tmux can do, whatever name of a terminal it goes by. Imported before Textual is."""

from __future__ import annotations

from collections.abc import Mapping


def is_tmux(environment: Mapping[str, str]) -> bool:
    """Whether the terminal is tmux, which takes every colour and turns it into one of the terminal around it.

    Its names say less: `screen`, the usual one of long, has 8 colours, and of 256 our dark grounds are one black.
    """
    is_inside = bool(environment.get("TMUX")) and not environment.get("STY")  # no GNU screen between
    return is_inside and environment.get("TERM", "").startswith(("screen", "tmux"))
