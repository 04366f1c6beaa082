"""Promise 9: hostile text is inert, on every screen and dialog, in the output of every verb, and by the million.

The dashboard runs in a real pty. A payload got through when its output holds anything that Textual would not send
by itself; an action was triggered when the bell rings, which is what each payload's markup would do on a click.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runs.folder import RunFolder
from tests.faults.figures import Figure, Scale
from tests.faults.hostile_folder import ROOT, HostileFolder, command
from tests.faults.inertness import offences_in_lines, offences_on_page
from tests.faults.payloads import MARK, payloads
from tests.faults.text_fuzz import fuzz
from tests.faults.text_tours import look_briefly, look_everywhere

PROMISE = 9
_NUM_PAYLOADS = {"quick": 600, "long": 2000}
_NUM_SMALL_RUNS = {"quick": 60, "long": 450}
_NUM_RUNS = {"quick": 1, "long": 25}
_MODELS = {"quick": ("mlm",), "long": ("mlm", "clm")}
_NUM_STRINGS = {"quick": 5_000, "long": 1_000_000}


def measure(folder: Path, scale: Scale) -> list[Figure]:
    """See the module's text."""
    return [*measure_screens(folder / "screens", scale), *measure_verbs(folder / "verbs", scale)]


def _folders(folder: Path, scale: Scale) -> tuple[list[str], HostileFolder, HostileFolder]:
    """The texts, what is full of them, and a little of it for the broken build."""
    texts = payloads(_NUM_PAYLOADS[scale])
    place = HostileFolder(folder / "hostile", texts)
    fill(place, scale)
    broken = HostileFolder(folder / "broken", texts)
    broken.run("failed")
    broken.small_run()
    return texts, place, broken


def measure_screens(folder: Path, scale: Scale) -> list[Figure]:
    """The dashboard, and the reports that it writes; and a broken build of it."""
    texts, place, broken = _folders(folder, scale)
    with ThreadPoolExecutor(2) as pool:
        models = pool.submit(place.models, *_MODELS[scale])
        leaking = pool.submit(look_briefly, broken)
        seen = look_everywhere(place, _NUM_RUNS[scale], scale == "long", models)
        leaked = leaking.result()
    shown = f"{len(texts)} payloads in {place.num_placed:,} texts, {seen.views} views, {len(seen.dialogs)} dialogs"
    shown += f", {seen.marked} views with payloads"
    assert seen.marked >= seen.views * 3 // 4, f"the payloads were hardly seen: {shown}; {seen.crashes}"
    without = [title for title, is_marked in seen.dialogs.items() if not is_marked]
    assert len(without) < 3, f"dialogs in which no payload was seen: {without}"
    what = "hostile texts on every screen and dialog: control bytes that got through"
    offences, leaks = sum(seen.offences.values()), sum(leaked.offences.values())
    clicked = sum(number for offence, number in seen.offences.items() if "\\x07" in offence)
    return [
        Figure(PROMISE, what, place.num_placed, offences, detail=f"{shown} {_most(seen.offences)}"),
        Figure(PROMISE, "views of them: crashes", seen.views, len(seen.crashes), detail=" ".join(seen.crashes)),
        Figure(PROMISE, "clicks on payloads: actions triggered", seen.clicks, clicked),
        _pages(place),
        Figure(
            PROMISE, "dashboard with its sanitiser off", broken.num_placed, leaks, True, _most(leaked.offences)
        ),
    ]


def measure_verbs(folder: Path, scale: Scale) -> list[Figure]:
    """The command line, the reports that it writes, and strings at random; and a broken build."""
    _, place, broken = _folders(folder, scale)
    with ThreadPoolExecutor(1) as pool:
        models = pool.submit(place.models, *_MODELS[scale])
        broken_verbs, leaked = run_verbs(broken, sanitiser=False)
        num_strings, num_bad, what = fuzz(_NUM_STRINGS[scale], random.Random(9))
        models.result()
    verbs, said = run_verbs(place)
    on_lines = "verbs of the command line over them: control bytes that got through"
    strings = "random strings through safe_text, Content and rendering: crashes and bad characters"
    return [
        Figure(PROMISE, on_lines, verbs, sum(said.values()), detail=_most(said)),
        _pages(place),
        Figure(PROMISE, strings, num_strings, num_bad, detail=what),
        Figure(PROMISE, "verbs with the sanitiser off", broken_verbs, sum(leaked.values()), True, _most(leaked)),
    ]


def _pages(place: HostileFolder) -> Figure:
    pages = sorted(place.folder.glob("*.html"))
    found = Counter(what for page in pages for what in offences_on_page(page.read_text(encoding="utf-8")))
    what = "reports as pages: elements, attributes and characters that are not the program's own"
    return Figure(PROMISE, what, len(pages), sum(found.values()), detail=_most(found))


def fill(place: HostileFolder, scale: Scale) -> list[RunFolder]:
    """Runs of every state, presets, strays; the newest run is of the kind that Monitor opens on."""
    for number in range(3 if scale == "quick" else 12):
        place.preset(number)
    for _ in range(_NUM_SMALL_RUNS[scale]):
        place.small_run()
    place.foreign_run()
    place.waiting_run()
    place.deleted_run()
    place.preset_to_import()
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
        ["trash"],
        ["trash", "--json"],
        ["undelete", hostile],
        ["sweep", "show", hostile],
        ["plan", hostile],
        ["plan", "own-0", "--json"],
        ["compare", *ids[:3]],
        ["compare", *ids[:3], "--json"],
        ["clone", one],
        ["fork", one],
        ["edit", hostile, "--tag", hostile],
        ["presets", "import", str(place.handed_preset)],
        ["runs", "--columns", f"name,tags,{hostile}", "--sort", hostile],
    ]
    for id in sorted({path.parents[2].name for path in place.runs.glob("*/checkpoints/*/manifest.json")}):
        options = ["--json"] if calls[-1][0] == "fork" else []
        calls += [
            ["probe", id, "the [MASK]", "--tokens", "--neighbours", "the", *options],
            ["fork", id],
        ]
    for id in ids[:30]:
        calls += [
            ["show", id],
            ["show", id, "--json"],
            ["metrics", id],
            ["metrics", id, "--csv"],
            ["metrics", id, "--json"],
            ["events", id],
            ["report", id, "-o", str(place.folder)],
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
