"""A run on several machines: its command, its rules and sums, who may join, and whose failure it was."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from presets.config import with_values
from presets.estimate import Machine, estimate, global_batch
from presets.fields import Value
from presets.rules import broken_rules
from presets.schema import RunConfig
from runs import control
from runs.attempt_watch import Supervisor
from runs.folder import Attempt, RunFolder, create_run
from runs.join import join_run, wait_for_end
from runs.launch import plan_launch
from runs.machines import CONSOLE_FILE, ENDED_FILE, GRACE_S, MachineEnd, wait_for_machines
from runs.outcome import Ending, conclude
from runs.root_cause import root_cause
from runs.status import ErrorReport, Outcome
from tui.cli import main

TWO: dict[str, Value] = {"launch.num_nodes": 2, "launch.rendezvous": "node1:29500"}

VERDICT = """\
Root Cause (first observed failure):
[0]:
  time      : 2026-11-22_05:00:00
  host      : node2
  rank      : 5 (local_rank: 1)
  exitcode  : {code} (pid: 4711)
"""


@pytest.fixture
def folder(runs_path: Path) -> RunFolder:
    return create_run(runs_path, with_values(RunConfig(), TWO), name="wide-otter")


@pytest.fixture
def attempt(folder: RunFolder) -> Attempt:
    """Its second machine has joined."""
    attempt = folder.attempt(1)
    (attempt.ranks_dir / "node2-77").mkdir(parents=True)
    (attempt.ranks_dir / "node2-77" / CONSOLE_FILE).touch()
    attempt.console_file.touch()
    return attempt


def report(attempt: Attempt, rank: int, host: str, message: str, seconds: float) -> None:
    value = ErrorReport(
        rank, "RuntimeError", message, "Traceback …", seconds, int(1e9 * (1000 - seconds)), host=host
    )
    (attempt.ranks_dir / f"error-{rank}.json").write_bytes(msgspec.json.encode(value))


def ended(attempt: Attempt, returncode: int) -> None:
    end = MachineEnd("node2", returncode, time.time())
    (attempt.ranks_dir / "node2-77" / ENDED_FILE).write_bytes(msgspec.json.encode(end))


def test_every_machine_starts_torchrun_for_its_ranks_and_meets_the_others() -> None:
    config = with_values(RunConfig(), {**TWO, "launch.num_processes": 8})
    plan = plan_launch(config, "/runs/x", 3, "last")
    for part in (
        "--nnodes=2", "--nproc-per-node=8", "--rdzv-backend=c10d", "--rdzv-endpoint=node1:29500", "--rdzv-id=x.3",
        "--log-dir=/runs/x/attempts/0003/ranks",
    ):  # fmt: skip
        assert part in plan.argv
    assert "--standalone" not in plan.argv
    assert "start the run on node1, then `tinytrain-tui join RUN` on the other one" in plan.notes[1]
    joined = plan_launch(config, "/runs/x", 3, "last", machine="node2-77")
    assert set(joined.argv) - set(plan.argv) == {"--log-dir=/runs/x/attempts/0003/ranks/node2-77"}


def test_torchrun_takes_the_command_of_several_machines_with_one_process_each() -> None:
    arguments = plan_launch(with_values(RunConfig(), TWO), "/runs/x").argv[3:]
    code = "import sys; from torch.distributed.run import parse_args, config_from_args\n"
    code += "print(config_from_args(parse_args(sys.argv[1:]))[0].rdzv_configs['join_timeout'])"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "1800"


@pytest.mark.parametrize("place", ["node1:29500", "10.0.0.1:1", "[fe80::1%eth0]:65535", " a-b.example.org:29500 "])
def test_a_place_to_meet_is_a_host_and_a_port(place: str) -> None:
    assert not broken_rules(with_values(RunConfig(), {**TWO, "launch.rendezvous": place}))


@pytest.mark.parametrize(
    "place", ["", "node1", "node1:", ":29500", "node1:0", "node1:70000", "fe80::1:29500", "a b:1"]
)
def test_machines_without_a_place_to_meet_break_a_rule(place: str) -> None:
    (problem,) = broken_rules(with_values(RunConfig(), {**TWO, "launch.rendezvous": place}))
    assert "launch.rendezvous" in problem.paths and "HOST:PORT" in problem.message
    alone = broken_rules(with_values(RunConfig(), {"launch.rendezvous": place}))
    assert all("HOST:PORT" in found.message for found in alone), (
        "one machine needs no place, and a wrong one is wrong"
    )
    assert bool(alone) == bool(place)


def test_an_update_counts_the_processes_of_all_machines() -> None:
    config = with_values(RunConfig(), {**TWO, "launch.num_processes": 4, "train.batch_size": 8})
    assert global_batch(config) == 64
    assert estimate(config, Machine(8, num_gpus=4)).device == "2 machines × 4 GPUs"
    assert estimate(config, Machine(8, num_gpus=0)).device == "2 machines × 4 × CPU, 2 threads"


def test_only_a_run_of_several_machines_that_is_under_way_can_be_joined(
    runs_path: Path, folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        ValueError, match=r"wide-otter was not started yet: start or resume it on the first machine"
    ):
        join_run(folder)
    folder.attempt(1).path.mkdir(parents=True)
    folder.attempt(1).outcome_file.write_bytes(msgspec.json.encode(Outcome("finished", "done", 1, 1)))
    with pytest.raises(ValueError, match="wide-otter is over"):
        join_run(folder)
    alone = create_run(runs_path, RunConfig(), name="otter")
    assert main(["--runs-dir", str(runs_path), "join", alone.id]) == 2
    assert "otter is for one machine; launch.num_nodes says" in capsys.readouterr().err


def test_a_rank_that_was_killed_on_another_machine_is_named_before_those_that_lost_it(attempt: Attempt) -> None:
    console = attempt.ranks_dir / "node2-77" / CONSOLE_FILE
    log = console.parent / "x.1_abc" / "attempt_0" / "1" / "stderr.log"
    log.parent.mkdir(parents=True)
    log.write_text("its last line")
    console.write_text(VERDICT.format(code=-9))
    report(attempt, 0, "node1", "Connection closed by peer [10.0.0.2]:4711", 5.0)
    cause = root_cause(attempt, 1)
    assert cause.sentence.startswith("rank 5 on node2 was killed by signal 9") and cause.is_certain
    assert cause.report.host == "node2" and "its last line" in cause.report.traceback


def test_what_only_follows_from_another_rank_is_never_the_cause_however_clocks_differ(attempt: Attempt) -> None:
    report(attempt, 0, "node1", "Connection reset by peer", 5.0)
    report(attempt, 5, "node2", "no such column", 9.0)
    assert root_cause(attempt, 1).sentence == "rank 5 on node2: RuntimeError: no such column"


def test_a_machine_that_was_taken_away_is_the_cause(attempt: Attempt) -> None:
    report(attempt, 0, "node1", "Connection closed by peer", 5.0)
    ended(attempt, -9)
    assert root_cause(attempt, 1).sentence.startswith("what ran on node2 was killed by signal 9")


def test_a_machine_that_never_met_the_others_fails_the_run_with_its_last_words(
    folder: RunFolder, attempt: Attempt
) -> None:
    (attempt.ranks_dir / "node2-77" / CONSOLE_FILE).write_text("RendezvousTimeoutError")
    ended(attempt, 1)
    outcome = conclude(folder, attempt, Ending(returncode=-9))
    assert outcome.state == "failed"
    assert outcome.reason == "torchrun on node2 ended with exit code 1; its last words: RendezvousTimeoutError"


def test_the_end_waits_for_the_word_of_every_machine_but_not_for_ever(attempt: Attempt) -> None:
    started = time.monotonic()
    wait_for_machines(attempt, timeout_s=0.3)
    assert time.monotonic() - started >= 0.3
    ended(attempt, 0)
    started = time.monotonic()
    wait_for_machines(attempt, timeout_s=30.0)
    assert time.monotonic() - started < 5.0


def test_the_supervisor_gives_a_run_up_some_seconds_after_another_machine_failed(
    folder: RunFolder, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own ranks may wait on a GPU for the lost ones much longer."""
    now = [1000.0]
    monkeypatch.setattr("runs.attempt_watch.time.monotonic", lambda: now[0])
    supervisor = Supervisor(folder, folder.config(), attempt, "")
    for returncode, is_lost in ((0, False), (1, False), (1, True)):
        ended(attempt, returncode)
        assert supervisor.has_lost_machine() is is_lost
        now[0] += GRACE_S


@pytest.fixture
def torchrun() -> Iterator[subprocess.Popen[bytes]]:
    """Something that runs until it is killed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_the_first_interrupt_asks_the_whole_run_to_stop_and_the_second_ends_this_machine(
    folder: RunFolder, attempt: Attempt, torchrun: subprocess.Popen[bytes]
) -> None:
    counts = iter([0, 1, 1, 1, 2])
    assert not wait_for_end(folder, attempt, torchrun, lambda: next(counts))
    assert [request.verb for request in control.pending(folder)] == ["stop"], "asked once"


def test_a_machine_does_not_outlive_its_run(
    folder: RunFolder, attempt: Attempt, torchrun: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill on the first machine, which cannot reach the others."""
    monkeypatch.setattr("runs.join.GRACE_S", 0.0)
    attempt.outcome_file.write_bytes(msgspec.json.encode(Outcome("stopped", "killed", 1, 1)))
    assert not wait_for_end(folder, attempt, torchrun, lambda: 0)
