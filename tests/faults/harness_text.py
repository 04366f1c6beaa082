"""Promise 9: hostile text is inert, on every screen and dialog, in the output of every verb, and by the million.

The dashboard runs in a real pty. A payload got through when its output holds anything that Textual would not send
by itself; an action was triggered when the bell rings, which is what each payload's markup would do on a click.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter
from pathlib import Path

from runs.folder import RunFolder
from tests.faults.figures import Figure, Scale
from tests.faults.hostile_folder import ROOT, HostileFolder, command
from tests.faults.inertness import offences_in_lines
from tests.faults.payloads import MARK, payloads
from tests.faults.text_fuzz import fuzz
from tests.faults.text_viewer import look_briefly, look_everywhere

PROMISE = 9
_NUM_PAYLOADS = {"quick": 600, "long": 2000}
_NUM_SMALL_RUNS = {"quick": 60, "long": 450}
_NUM_RUNS = {"quick": 1, "long": 25}
_NUM_STRINGS = {"quick": 5_000, "long": 1_000_000}


def measure(folder: Path, scale: Scale) -> list[Figure]:
    """See the module's text."""
    texts = payloads(_NUM_PAYLOADS[scale])
    place = HostileFolder(folder / "hostile", texts)
    fill(place, scale)
    seen = look_everywhere(place, _NUM_RUNS[scale], scale == "long")
    verbs, said = run_verbs(place)
    broken = HostileFolder(folder / "broken", texts)
    broken.run("failed")
    broken.small_run()
    leaked = look_briefly(broken)
    broken_verbs, broken_said = run_verbs(broken, sanitiser=False)
    num_strings, num_bad, what = fuzz(_NUM_STRINGS[scale], random.Random(9))
    texts_placed = f"{len(texts)} payloads in {place.num_placed:,} texts"
    shown = f"{texts_placed}, {seen.views} views, {seen.marked} of them with payloads"
    assert seen.marked >= min(20, seen.views // 2), f"the payloads were hardly seen: {shown}; {seen.crashes}"
    return [
        Figure(
            PROMISE,
            "hostile texts on every screen and dialog: control bytes that got through",
            place.num_placed,
            sum(seen.offences.values()),
            detail=f"{shown} {_most(seen.offences)}",
        ),
        Figure(PROMISE, "views of them: crashes", seen.views, len(seen.crashes), detail=" ".join(seen.crashes)),
        Figure(
            PROMISE,
            "clicks on payloads: actions triggered",
            seen.clicks,
            sum(n for what, n in seen.offences.items() if "\\x07" in what),
        ),
        Figure(
            PROMISE,
            "verbs of the command line over them: control bytes that got through",
            verbs,
            sum(said.values()),
            detail=_most(said),
        ),
        Figure(
            PROMISE,
            "random strings through safe_text, Content and rendering: crashes and bad characters",
            num_strings,
            num_bad,
            detail=what,
        ),
        Figure(
            PROMISE,
            "dashboard with its sanitiser off",
            broken.num_placed,
            sum(leaked.offences.values()),
            is_control=True,
            detail=_most(leaked.offences),
        ),
        Figure(
            PROMISE,
            "verbs with the sanitiser off",
            broken_verbs,
            sum(broken_said.values()),
            is_control=True,
            detail=_most(broken_said),
        ),
    ]


def fill(place: HostileFolder, scale: Scale) -> list[RunFolder]:
    """Runs of every state, presets, strays; the newest run is of the kind that Monitor opens on."""
    for number in range(3 if scale == "quick" else 12):
        place.preset(number)
    for _ in range(_NUM_SMALL_RUNS[scale]):
        place.small_run()
    place.foreign_run()
    place.waiting_run()
    place.stray_names()
    return [place.run("stopped" if number % 2 else "failed") for number in range(_NUM_RUNS[scale])]


def run_verbs(place: HostileFolder, sanitiser: bool = True) -> tuple[int, Counter[str]]:
    """Every verb, in one process; with the runs' own hostile names as arguments, too."""
    ids = sorted(path.name for path in place.runs.iterdir() if (path / "attempts" / "0001").is_dir())
    one = ids[0]
    hostile = place.next(200).replace("\0", "")
    runs = ["--runs-dir", str(place.runs)]
    calls = [
        ["runs"],
        ["runs", "--json"],
        ["runs", hostile],
        ["presets"],
        ["presets", "--json"],
        ["presets", "show", "own-0"],
        ["presets", "show", hostile],
        ["presets", "compare", "own-0", "quickstart"],
        ["data"],
        ["data", "list"],
        ["data", "list", "--json"],
        ["data", "caches"],
        ["data", "info", hostile],
        ["data", "clear", hostile],
        ["data", "show", hostile],
        ["data", "verify"],
        ["data", "usage"],
        ["set", one, hostile],
        ["set", one, "lr=x2"],
        ["ask", one, "evaluate"],
        ["ask", one, hostile],
        ["stop", one],
        ["kill", hostile],
        ["pause", one],
        ["resume", one, "--checkpoint", hostile],
        ["resume", one],
        ["join", hostile],
        ["curriculum", one],
        ["analyse", one, "--kind", "verdict"],
        ["train", hostile],
        ["train", str(place.presets / "broken-0.toml")],
        ["train", "quickstart", "--set", hostile],
        ["probe", hostile, "x"],
        ["probe", one, "x"],
        [hostile],
        ["queue"],
        ["queue", "--json"],
        ["queue", "move", hostile, "up"],
    ]
    for id in ids[:30]:
        calls += [
            ["show", id],
            ["show", id, "--json"],
            ["metrics", id],
            ["metrics", id, "--csv"],
            ["metrics", id, "--json"],
        ]
        calls += [["metrics", id, "--names", hostile]]
    report = subprocess.run(
        [*command(sanitiser)[:1], str(Path(__file__).with_name("verb_driver.py")), "on" if sanitiser else "off"],
        input=json.dumps([[*call[:1], *runs, *call[1:]] for call in calls]),
        capture_output=True,
        text=True,
        errors="surrogateescape",
        env=place.environment,
        cwd=ROOT,
        timeout=240,
        check=False,
    )
    assert report.returncode == 0, f"the verbs were not run: {report.stderr[-2000:]}"
    said: list[list[object]] = json.loads(report.stdout)
    assert len(said) == len(calls)
    assert not sanitiser or sum(MARK in str(text) for _, text in said) > len(calls) // 3, (
        "hardly a payload was said"
    )
    found: Counter[str] = Counter()
    for call, (status, text) in zip(calls, said, strict=True):
        found.update(f"{' '.join(call)[:60]!r}: {offence}" for offence in offences_in_lines(str(text)))
        if sanitiser and status not in (0, 1, 2):
            found[f"{call} ended with {status}: {str(text)[-1500:]}"] += 1
    return len(calls), found


def _most(offences: Counter[str]) -> str:
    return "; ".join(f"{what[:100]} ×{number}" for what, number in offences.most_common(3))
