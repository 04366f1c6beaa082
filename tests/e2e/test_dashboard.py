"""The whole path in a real terminal: pick, edit, launch, watch, quit, come back, stop, resume."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.checkpoints import CheckpointStore
from runs.events import AttemptStarted, Evaluated, Probed, decode_event
from runs.folder import RunFolder, all_runs
from runs.reader import RunReader
from runs.records import RecordTail
from runs.status import read_status
from tests.conftest import ROOT, pids_with, wait_until
from tests.e2e.tmux import PATIENCE_S, Terminal


def fresh_clone(target: Path) -> Path:
    """What is in the working tree, as a clone would have it, with the files' own times."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"]
    for name in subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def engine_pids() -> list[int]:
    found = []
    for pid in pids_with("TINYTRAIN_RUNS", os.environ["TINYTRAIN_RUNS"]):
        with contextlib.suppress(OSError):  # the dashboard's own processes end while they are looked at
            if b"\0engine\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def events(folder: RunFolder, kind: type) -> list[object]:
    records = [r for attempt in folder.attempts() for r in RecordTail(attempt.events_file).poll_all()]
    return [event for event in map(decode_event, records) if isinstance(event, kind)]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_person_trains_quits_comes_back_stops_and_resumes(
    terminal: Terminal, tmp_path: Path, runs_path: Path
) -> None:
    clone = fresh_clone(tmp_path / "clone")
    # the environment of this very test, so that nothing is downloaded; everything else is the clone's
    make_run = f"make run VENV={sys.prefix} -o {sys.prefix}/.installed"

    # choose quickstart, change the number of steps, launch
    terminal.open(make_run, clone)
    terminal.see(r"quickstart[\s\S]*steps +1,200[\s\S]*ready to launch")
    terminal.see(r"precision +‹ auto")
    time.sleep(1.0)  # the rows are on the screen; the form is done when nothing follows them
    terminal.type("/")
    time.sleep(0.5)
    terminal.type("=train.max_steps")
    terminal.see(r"/? ?train.max_steps +as the preset")
    terminal.type("Enter")
    terminal.see(r"steps train\.max_steps +Updates")
    terminal.type("C-u")
    terminal.see(r"steps +was 1200")
    terminal.type("=5000")
    terminal.see(r"train.max_steps: 1200 → 5000")
    terminal.type("C-l")

    # it learns: the loss falls, the probes change
    terminal.see(r"● running +\S+ +quickstart +addresses \(embedded\)")
    (folder,) = all_runs(runs_path)
    terminal.see(r"step +\d+/5,000")
    terminal.see(r"Probes @0")
    terminal.see(r"step +([5-9]\d|\d{3,})/5,000")  # on a busy machine one does not wait so long for a hundred
    terminal.see(r"Probes @100")
    first, last = (e for e in (events(folder, Evaluated)[0], events(folder, Evaluated)[-1]))
    assert isinstance(first, Evaluated) and isinstance(last, Evaluated)
    assert last.loss < first.loss - 1.0
    before, after = (e for e in (events(folder, Probed)[0], events(folder, Probed)[-1]))
    assert isinstance(before, Probed) and isinstance(after, Probed)
    assert before.probes != after.probes
    terminal.see(rf"best {last.loss:.3f} nats @ 100".replace(".", r"\."))

    # quit: the dashboard is gone and says so, the engine is not
    terminal.type("q")
    terminal.see(r"1 run goes on: \S+\.[\s\S]*ended with 0")
    terminal.close()
    (pid,) = engine_pids()
    seen_before = RunReader(folder).poll().step

    # come back: the run is there, live, with its whole history
    terminal.open(make_run, clone)
    terminal.see(r"● running +\S+ +quickstart")
    wait_until(lambda: RunReader(folder).poll().step > seen_before, PATIENCE_S, "it went on meanwhile")
    assert engine_pids() == [pid]
    terminal.see(r"uniform 8\.29")
    terminal.see(r"unigram 6\.4")
    assert "│    0  " in terminal.screen(), "the curve begins at step 0"

    # stop it: `last` loads
    terminal.type("x")
    terminal.see(r"Stop this run\?")
    terminal.type("Enter")
    terminal.see(r"■ stopped +\S+ +quickstart")
    wait_until(lambda: not engine_pids(), PATIENCE_S, "no engine is left")
    stopped_at = CheckpointStore(folder.checkpoints_dir).load("last")[0].state.step
    assert stopped_at >= 100
    said = subprocess.run(
        [sys.executable, "-m", "tui", "probe", "last", "the people of the united [MASK]"],
        cwd=clone, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert f"step-{stopped_at:08d}" in said.stdout

    # resume: the same curve goes on
    terminal.type("r")
    if stopped_at % 100:  # the best checkpoint is another one than the last, and it asks which
        terminal.see(r"Resume[\s\S]*last")
        terminal.type("Enter")
    terminal.see(r"● running +\S+ +quickstart")
    wait_until(lambda: RunReader(folder).poll().step >= stopped_at + 10, PATIENCE_S, "it goes on")
    started = [event.step for event in events(folder, AttemptStarted) if isinstance(event, AttemptStarted)]
    assert started == [0, stopped_at]
    assert RunReader(folder).poll().splices == (stopped_at,)
    losses = _training_losses(folder)
    assert sorted(losses) == list(losses), "no step comes twice"
    later = [loss for step, loss in losses.items() if step > stopped_at]
    assert later and max(later) < losses[10], "it does not begin anew"

    terminal.type("x")
    terminal.see(r"Stop this run\?")
    terminal.type("Enter")
    wait_until(lambda: read_status(folder).state == "stopped", PATIENCE_S, "it stops again")
    terminal.type("q")
    terminal.see(r"ended with 0")


def _training_losses(folder: RunFolder) -> dict[int, float]:
    records = [r for attempt in folder.attempts() for r in RecordTail(attempt.metrics_file).poll_all()]
    return {record["step"]: record["loss"] for record in records if "loss" in record}
