"""The charts of a live run in a real terminal: read, zoomed, put on another axis, arranged, and found so again."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from tests.conftest import ROOT
from tests.e2e.tmux import Terminal
from tests.run_writer import AttemptWriter, Supervision, new_run


def test_a_person_reads_zooms_and_arranges_the_charts_of_a_live_run(terminal: Terminal, runs_path: Path) -> None:
    folder = new_run(runs_path, "live-otter")
    supervision = Supervision(folder)
    supervision.state("running")
    writer = AttemptWriter(folder, clock=time.time())
    writer.start()
    writer.run_to(300)
    terminal.open(f"{sys.executable} -m tui", ROOT)
    terminal.see(r"● running +live-otter[\s\S]*loss \(nats\) +━ train \d[\s\S]*[⠁-⣿]{3}[\s\S]*lr \d")

    # what is recorded now is drawn now
    before = terminal.see(r"train (\d\.\d{3})")[1]
    writer.run_to(310)
    terminal.see(rf"310/1,200[\s\S]*train (?!{re.escape(before)})\d\.\d{{3}}")

    # one crosshair reads all charts; esc takes it away
    terminal.type("Left")
    terminal.see(r"loss \(nats\) @ step 310[\s\S]*lr @ \d")
    terminal.type("S-Left", "Left")
    place = terminal.see(r"loss \(nats\) @ (step (?!310)\d+) +━ train \d")[1]
    terminal.see(rf"(?:{place} [\s\S]*){{3}}")
    terminal.type("Escape")
    terminal.see(r"loss \(nats\) +━ train")

    # other axes, a log scale, a nearer look, all of it alone
    terminal.type("a", "a", "L")
    terminal.see(r"tokens +0[\s\S]*tokens · log")
    terminal.type("i")
    terminal.see(r"tokens · log · zoomed")
    terminal.type("o", "L", "a", "a", "z")
    terminal.see(r"loss \(nats\)(?:[^\n]*\n){28}")
    assert "grad norm" not in terminal.screen()
    terminal.type("z")
    terminal.see(r"grad norm")

    # other charts, in another order, and they are there again the next time
    terminal.type("g")
    terminal.see(r"Charts of Monitor[\s\S]*1 ✓ loss")
    terminal.type("/")
    terminal.see(r"search, for example")
    terminal.type("=val_perp")
    terminal.see(r"val_perp[^\n]*\n(?:[^\n]*\n){0,2}[^\n]*  perplexity +val_perplexity")
    terminal.type("Enter")
    terminal.settled()  # the cursor is in the list
    terminal.type("Space")
    terminal.see(r"✓ perplexity")
    terminal.type(*["K"] * 9, "Right", "Right")
    terminal.see(r"2 columns")
    terminal.type("Enter")
    terminal.see(r"live-otter[\s\S]*╭─ perplexity \d[\s\S]*╭─ loss")
    terminal.type("q")
    terminal.see(r"1 run goes on: live-otter")
    terminal.close()
    terminal.open(f"{sys.executable} -m tui", ROOT)
    terminal.see(r"live-otter[\s\S]*╭─ perplexity \d[\s\S]*╭─ loss")
    terminal.resize(80, 24)
    terminal.see(r"chart 1 of 1\d · pgdn")
    terminal.type("PageDown")
    terminal.see(r"loss \(nats\)[\s\S]*chart 2 of 1\d · pgdn")
    terminal.type("q")
    terminal.see(r"1 run goes on")
    writer.close()
    supervision.close()
