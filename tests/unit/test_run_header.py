"""The two lines above a run: what matters most stays, and what has no room leaves a sign."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tui.widgets.run_header import fit_parts

PARTS = [("step 1,200/1,200", ""), ("223 damaged records left out", ""), ("took 1m 44s", ""), ("日本語 nats", "")]


@pytest.mark.parametrize("width", range(4, 80))
def test_what_has_no_room_leaves_a_sign(width: int) -> None:
    shown = "   ".join(text for text, _ in fit_parts(PARTS, width))
    assert cell_len(shown) <= width
    whole = "   ".join(text for text, _ in PARTS)
    if width >= len("step 1,200/1,200   …"):
        assert shown == whole if cell_len(whole) <= width else shown.endswith("   …")
    else:
        assert shown == "step 1,200/1,200" or shown.endswith("…"), "the first part alone"
