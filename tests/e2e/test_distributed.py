"""Several processes through torchrun and gloo, started and stopped by the real supervisor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.checkpoints import CheckpointStore
from runs import control, launch
from runs.events import AttemptStarted, ControlAnswered, HealthNoticed, decode_event
from runs.folder import RunFolder
from runs.records import RecordTail
from runs.status import read_status
from tests.conftest import pids_with, wait_until
from tests.tiny import new_run, tiny_config

PATIENCE_S = 240.0


def losses(folder: RunFolder) -> dict[int, float]:
    records = [r for attempt in folder.attempts() for r in RecordTail(attempt.metrics_file).poll_all()]
    return {record["step"]: record["loss"] for record in records if "loss" in record}


def last_step(folder: RunFolder) -> int:
    records = RecordTail(folder.attempts()[-1].metrics_file).poll_all() if folder.attempts() else []
    return max((record["step"] for record in records), default=0)


def answers(folder: RunFolder) -> list[ControlAnswered]:
    """What the last attempt answered."""
    events = [decode_event(r) for r in RecordTail(folder.attempts()[-1].events_file).poll_all()]
    return [event for event in events if isinstance(event, ControlAnswered)]


def run_to_end(folder: RunFolder, resume: str = "") -> None:
    launch.start(folder, resume=resume)
    wait_until(lambda: not read_status(folder).is_live, PATIENCE_S, "the run ends")
    status = read_status(folder)
    assert status.state == "finished", (status, folder.attempts()[-1].console_file.read_text()[-2000:])
    assert not list(folder.attempts()[-1].ranks_dir.glob("error-*.json")), "every rank ended well"


def run_script(folder: RunFolder, script: Path, text: str) -> None:
    """The engine, changed by a script, as two processes under torchrun, to its end."""
    folder.attempt(1).path.mkdir(parents=True)
    script.write_text(text)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    done = subprocess.run(
        [*command, str(folder.path), "--attempt", "1"],
        env={**launch.child_environment(), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def test_one_two_and_four_processes_see_the_same_samples_and_lose_the_same(runs_path: Path) -> None:
    curves = []
    for processes in (1, 2, 4):
        config = tiny_config(
            launch__num_processes=processes,
            train__batch_size=16 // processes,
            train__max_steps=12,
            train__log_every=1,
        )
        folder = new_run(runs_path, config)
        run_to_end(folder)
        curves.append(losses(folder))
    for other in curves[1:]:
        assert other == pytest.approx(curves[0], rel=1e-4)


@pytest.mark.slow
def test_eight_processes_train_and_stop_and_four_go_on_and_pause_and_none_is_left_behind(runs_path: Path) -> None:
    config = tiny_config(
        launch__num_processes=8, train__batch_size=2, train__max_steps=100_000, train__log_every=5,
        train__eval_every=50, train__checkpoint_every=1000, probes__every=1000,
    )  # fmt: skip
    folder = new_run(runs_path, config)
    launch.start(folder)
    wait_until(lambda: last_step(folder) >= 10, PATIENCE_S, "8 ranks take 10 steps")
    assert len(pids_with("TINYTRAIN_RUNS", os.environ["TINYTRAIN_RUNS"])) >= 9, "8 ranks and a supervisor"
    launch.stop(folder)
    wait_until(lambda: not read_status(folder).is_live, PATIENCE_S, "it stops")
    assert read_status(folder).state == "stopped"
    wait_until(lambda: not pids_with("TINYTRAIN_RUNS", os.environ["TINYTRAIN_RUNS"]), 10, "no process is left")
    stopped_at = CheckpointStore(folder.checkpoints_dir).load("last")[0].state.step
    assert stopped_at >= 10

    launch.start(folder, resume="last", num_processes=4)
    wait_until(lambda: last_step(folder) >= stopped_at + 10, PATIENCE_S, "the resumed run takes 10 steps")
    started = [decode_event(r) for r in RecordTail(folder.attempts()[1].events_file).poll_all()]
    assert [(e.step, e.num_processes) for e in started if isinstance(e, AttemptStarted)] == [(stopped_at, 4)]
    control.ask(folder, "lr", "x0.5")
    control.ask(folder, "evaluate")
    wait_until(lambda: len(answers(folder)) == 2, PATIENCE_S, "all ranks attend to two requests")
    assert [(a.verb, a.accepted) for a in answers(folder)] == [("lr", True), ("evaluate", True)]
    answered_at = answers(folder)[-1].step
    wait_until(lambda: last_step(folder) >= answered_at + 10, PATIENCE_S, "and train on")
    control.ask(folder, "pause")
    wait_until(lambda: not read_status(folder).is_live, PATIENCE_S, "it pauses")
    assert read_status(folder).state == "paused"
    assert CheckpointStore(folder.checkpoints_dir).load("last")[0].state.lr_factor == 0.5
    wait_until(lambda: not pids_with("TINYTRAIN_RUNS", os.environ["TINYTRAIN_RUNS"]), 10, "no process is left")


def test_a_rank_that_fails_is_named_with_its_exception(runs_path: Path) -> None:
    """A checkpoint that does not fit fails every rank; the earliest is named, with what went wrong."""
    small = new_run(runs_path, tiny_config(train__max_steps=5))
    run_to_end(small)
    large = new_run(runs_path, tiny_config(launch__num_processes=2, model__hidden_size=16))
    large.checkpoints_dir.rmdir()
    small.checkpoints_dir.rename(large.checkpoints_dir)
    launch.start(large, resume="last")
    wait_until(lambda: not read_status(large).is_live, PATIENCE_S, "it fails")
    status = read_status(large)
    assert status.state == "failed"
    assert "does not fit this configuration" in status.reason
    assert large.attempts()[-1].error_file.exists()


_SLOW_BUILD = """
import os, sys, time
from engine import training_data
from engine import __main__ as engine

training_data.SIGN_OF_LIFE_S = 0.05
real = training_data.open_or_build

def slow(data, caches, report, **options):
    for number in range(20):
        time.sleep(0.02)
        report("a slow step", number, 20, "rows")
    return real(data, caches, report, **options)

training_data.open_or_build = slow
os._exit(engine.main())
"""


def test_ranks_that_wait_for_a_long_build_are_told_that_it_goes_on(runs_path: Path, tmp_path: Path) -> None:
    """Signs of life are collective: were one rank to miss one, all would hang or mix up their messages."""
    folder = new_run(runs_path, tiny_config(launch__num_processes=2, train__max_steps=4))
    run_script(folder, tmp_path / "slow.py", _SLOW_BUILD)
    assert last_step(folder) == 4


_SLOW_RANK = """
import os, time
from engine import __main__ as engine
from engine.objectives.mlm import MaskedLanguageModelling

real = MaskedLanguageModelling.loss

def slow(*arguments):
    if os.environ["RANK"] == "1":
        time.sleep(0.06)
    return real(*arguments)

MaskedLanguageModelling.loss = slow
os._exit(engine.main())
"""


def test_a_rank_that_computes_slowly_is_named(runs_path: Path, tmp_path: Path) -> None:
    """All ranks take as long for a step; what each computes, waiting left out, tells which of them is slow."""
    config = tiny_config(launch__num_processes=2, train__max_steps=12, train__log_every=2, train__eval_every=12)
    folder = new_run(runs_path, config)
    run_script(folder, tmp_path / "slow.py", _SLOW_RANK)
    events = [decode_event(record) for record in RecordTail(folder.attempts()[-1].events_file).poll_all()]
    (noticed,) = [e for e in events if isinstance(e, HealthNoticed) and e.symptom == "straggler"]
    assert noticed.message.startswith("rank 1 is slow, and all wait for it: at step ")
    assert "rank 0" not in noticed.message
    records = [r for r in RecordTail(folder.attempts()[-1].metrics_file).poll_all() if "loss" in r]
    assert all(record["step_time_s_rank1"] > 1.5 * record["step_time_s_rank0"] > 0 for record in records[2:])


def test_a_stop_inside_a_window_leaves_its_mean_loss_as_it_would_have_been(runs_path: Path) -> None:
    """The loss that was summed up before the stop counts once, not once a process."""
    config = tiny_config(
        launch__num_processes=2, train__max_steps=800, train__log_every=800, train__eval_every=4000
    )
    folder = new_run(runs_path, config)
    launch.start(folder)
    wait_until(lambda: folder.attempts() and folder.attempts()[-1].events_file.exists(), PATIENCE_S, "it begins")
    wait_until(
        lambda: any(r.get("kind") == "probed" for r in RecordTail(folder.attempts()[-1].events_file).poll_all()),
        PATIENCE_S, "the first probe",
    )  # fmt: skip
    launch.stop(folder)
    wait_until(lambda: not read_status(folder).is_live, PATIENCE_S, "it stops")
    assert 0 < CheckpointStore(folder.checkpoints_dir).load("last")[0].state.window.steps < 800
    run_to_end(folder, resume="last")
    straight = new_run(runs_path, config)
    run_to_end(straight)
    assert losses(folder)[800] == pytest.approx(losses(straight)[800], rel=1e-4)
