"""Random strings by the million, made harmless and drawn as a widget draws them: nothing crashes, nothing acts."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

from tests.faults.hostile_folder import ROOT
from tests.faults.inertness import acts
from tests.faults.payloads import payloads


def fuzz(num: int, rng: random.Random) -> tuple[int, int, str]:
    """Random strings, drawn as a widget draws them; in several processes, since a million take minutes."""
    workers = min(2, os.cpu_count() or 1) if num > 50_000 else 1
    code = "import sys; from tests.faults.text_fuzz import fuzz_here; fuzz_here(*map(int, sys.argv[1:]))"
    share = num // workers
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(share), str(rng.randrange(2**31))],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for _ in range(workers)
    ]
    reports = [json.loads(process.communicate()[0]) for process in running]
    what = "; ".join(report["what"] for report in reports if report["what"])
    return sum(report["tried"] for report in reports), sum(report["bad"] for report in reports), what


def fuzz_here(num: int, seed: int) -> None:
    """Print how many random strings were drawn, and how many crashed or kept a character that acts."""
    from textual.content import Content
    from textual.style import Style

    from tui.safe_text import plain, safe_json, safe_lines, safe_text

    rng = random.Random(seed)
    pieces = [
        *payloads(600),
        "[",
        "]",
        "/",
        "=",
        "\\",
        "\x1b",
        "\x9b",
        "\u202e",
        "\u0301",
        "界",
        "é",
        " ",
        "\n",
        "\r",
        "\t",
        "a",
    ]
    pieces += [chr(rng.randrange(0x110000)) for _ in range(3000)]
    bad, what = 0, ""
    for number in range(num):
        text = "".join(rng.choices(pieces[-3020:] if number % 10 else pieces, k=rng.randrange(1, 16)))[:400]
        width = rng.randrange(1, 40)
        try:
            content = Content.assemble(plain(text, rng.randrange(0, 80), "bold"), " ", safe_text(text))
            strips = [line.render_segments(Style()) for line in content.wrap(width)]
            drawn = "".join(segment.text for line in strips for segment in line)
            lines, document = safe_lines(text), safe_json(json.dumps(text, ensure_ascii=False))
            drawn.encode()
            fine = not any(map(acts, drawn.replace("\n", ""))) and not any(map(acts, lines.replace("\n", "")))
            fine = fine and not any(map(acts, document)) and _units(json.loads(document)) == _units(text)
        except Exception as error:
            fine, what = False, what or f"{type(error).__name__}: {error} for {text!a}"
        if not fine:
            bad += 1
            what = what or f"{text!a}"
    print(json.dumps({"tried": num, "bad": bad, "what": what}))


def _units(text: str) -> bytes:
    """As UTF-16, in which JSON writes: two lone surrogates that stand together are one character."""
    return text.encode("utf-16-le", "surrogatepass")
