"""Runs as processes: the supervisor, the stop ladder, and what is left when somebody is shot. Fake engine."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fake_engine
import pytest

from presets.config import with_values
from presets.schema import RunConfig
from runs import control, launch
from runs.folder import RunFolder, create_run
from runs.lock import RunBusy, is_locked
from runs.reader import RunReader
from runs.records import RecordTail
from runs.status import Outcome, RunStatus, engine_processes, read_outcome, read_state, read_status
from runs.summary import RunIndex
from tests.conftest import pids_with, wait_until


@pytest.fixture
def make_run(tmp_path: Path, runs_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunFolder]:
    """Make a run whose engine plays a scenario."""
    monkeypatch.setenv("PYTHONPATH", str(fake_engine.install(tmp_path / "fake")))

    def make(scenario: str = "trains", *, steps: int = 0, grace: int = 1, processes: int = 1) -> RunFolder:
        monkeypatch.setenv(fake_engine.SCENARIO, scenario)
        if steps:
            monkeypatch.setenv("FAKE_STEPS", str(steps))
        values = {"launch.stop_grace": grace, "launch.num_processes": processes, "launch.device": "cpu"}
        return create_run(runs_path, with_values(RunConfig(), values), preset="test")

    return make


def begun(folder: RunFolder) -> RunStatus:
    """Wait until the run trains."""
    wait_until(lambda: read_status(folder).state == "running", what="running")
    wait_until(lambda: folder.attempts()[-1].metrics_file.stat().st_size > 0, what="metrics")
    return read_status(folder)


def ended(folder: RunFolder, timeout_s: float = 30) -> Outcome:
    """Wait until the run's supervisor is gone and return the outcome."""
    wait_until(lambda: not is_locked(folder), timeout_s, "the supervisor ends")
    outcome = read_outcome(folder.attempts()[-1])
    assert outcome is not None
    return outcome


def test_a_run_that_finishes_leaves_its_whole_story(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run(steps=20)
    launch.start(folder)
    outcome = ended(folder)
    assert (outcome.state, outcome.step) == ("finished", 20)
    assert read_status(folder).state == "finished"
    assert "hello" in folder.attempt(1).console_file.read_text()
    record = json.loads(folder.launch_file.read_bytes())
    assert record["argv"][1:] == ["-m", "engine", str(folder.path), "--attempt", "1"]
    assert record["versions"]["torch"].startswith("2.") and record["host"]
    assert "TINYTRAIN_RUN_TAG" not in record["environment"]
    for path in (folder.path, folder.attempt(1).path, folder.attempt(1).ranks_dir):
        assert path.stat().st_mode & 0o077 == 0


def test_a_stop_request_ends_the_run_with_its_own_outcome(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run(grace=60)
    launch.start(folder)
    assert begun(folder).supervised
    state = read_state(folder)
    assert state is not None and state.agent is not None
    # a Ctrl-C or a hang-up of the terminal goes to neither
    assert os.getsid(state.supervisor.pid) == state.supervisor.pid != os.getsid(0)
    assert os.getsid(state.agent.pid) == state.agent.pid
    launch.stop(folder)
    outcome = ended(folder)
    assert (outcome.state, outcome.reason) == ("stopped", "as asked")
    assert control.pending(folder) == ()


def test_a_stop_that_takes_time_shows_as_stopping_with_a_deadline(
    make_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SAVE_S", "1.5")
    folder = make_run(grace=50)
    launch.start(folder)
    begun(folder)
    launch.stop(folder)
    status = wait_until(lambda: (s := read_status(folder)).state == "stopping" and s, what="stopping")
    assert 40 < status.deadline - time.time() <= 51
    assert ended(folder).state == "stopped"


def test_a_paused_run_saves_frees_its_processes_and_goes_on_later(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run(grace=60)
    launch.start(folder)
    begun(folder)
    state = read_state(folder)
    launch.pause(folder)
    outcome = ended(folder)
    assert (outcome.state, outcome.reason) == ("paused", "as asked")
    status = read_status(folder)
    assert status.state == "paused" and not status.is_live
    assert engine_processes(folder, state) == ()
    launch.start(folder, resume="last")
    begun(folder)
    assert RecordTail(folder.attempt(2).events_file).poll_all()[0]["resumed_from"] == "last"
    launch.stop(folder)
    assert ended(folder).state == "stopped"


def test_a_pause_that_takes_time_shows_as_pausing_and_a_stop_wins_over_it(
    make_run: Callable[..., RunFolder],
) -> None:
    folder = make_run("ignores requests", grace=50)
    launch.start(folder)
    begun(folder)
    launch.pause(folder)
    status = wait_until(lambda: (s := read_status(folder)).state == "pausing" and s, what="pausing")
    assert 40 < status.deadline - time.time() <= 51
    with pytest.raises(ValueError, match="is pausing; it answers no more requests"):
        launch.ask(folder, "evaluate")
    launch.stop(folder)
    wait_until(lambda: read_status(folder).state == "stopping", what="stopping")
    launch.kill(folder)
    assert ended(folder).reason.startswith("killed")
    assert ended(folder).proof == "no process of it is left"


def test_the_supervisor_leaves_alone_what_only_the_engine_can_grant(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run("ignores requests", grace=1)
    launch.start(folder)
    begun(folder)
    for verb, value in (("lr", "x0.5"), ("evaluate", "")):
        launch.ask(folder, verb, value)  # type: ignore[arg-type]
    step = RunReader(folder).poll().step
    # 80 steps of 10 ms: several looks of the supervisor
    wait_until(lambda: RunReader(folder).poll().step > step + 80, what="it goes on")
    assert read_status(folder).state == "running" and len(control.pending(folder)) == 2
    launch.kill(folder)
    ended(folder)


def test_a_pause_that_has_to_be_killed_is_no_pause(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run("ignores everything", grace=1)
    launch.start(folder)
    begun(folder)
    launch.pause(folder)
    outcome = ended(folder)
    assert outcome.state == "stopped" and "did not stop by itself" in outcome.reason


def test_requests_are_answered_while_the_run_goes_on(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run(grace=1)
    launch.start(folder)
    begun(folder)
    with pytest.raises(ValueError, match="neither a rate"):
        launch.ask(folder, "lr", "fast")
    asked = [launch.ask(folder, "lr", "x0.5"), launch.ask(folder, "steps", "+5"), launch.ask(folder, "probe")]
    events = folder.attempt(1).events_file

    def answers() -> dict[str, dict[str, object]]:
        return {r["request"]: r for r in RecordTail(events).poll_all() if r["kind"] == "control_answered"}

    wait_until(lambda: len(answers()) == 3, what="three answers")
    assert [answers()[one.id]["accepted"] for one in asked] == [True, True, False]
    assert read_status(folder).state == "running", "nobody asked it to end"
    assert RunReader(folder).poll().total_steps == 1_000_005
    assert RunIndex(folder.path.parent).poll()[0].total_steps == 1_000_005
    launch.stop(folder)
    assert ended(folder).state == "stopped"
    with pytest.raises(ValueError, match="is stopped; there is nothing to change"):
        launch.ask(folder, "lr", "x0.5")


def test_a_run_deaf_to_requests_gets_sigterm_and_may_still_save(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run("ignores requests", grace=1)
    launch.start(folder)
    begun(folder)
    asked = time.monotonic()
    launch.stop(folder)
    outcome = ended(folder)
    assert outcome.reason == "as asked"  # the engine's own words, after SIGTERM
    assert time.monotonic() - asked >= 1


def test_a_run_deaf_to_everything_is_killed_with_its_children(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run("ignores everything, with a child", grace=1)
    launch.start(folder)
    begun(folder)
    child = int((folder.attempt(1).path / "child.pid").read_text())
    state = read_state(folder)
    launch.stop(folder)
    outcome = ended(folder)
    assert outcome.state == "stopped" and "did not stop by itself" in outcome.reason
    assert outcome.step > 0 and outcome.total_steps == 1_000_000
    assert not Path(f"/proc/{child}").exists()
    assert engine_processes(folder, state) == ()


@pytest.mark.parametrize("scenario", ["leaves a child", "leaves a child without a tag"])
def test_workers_in_sessions_of_their_own_go_after_the_agent_was_killed_first(
    make_run: Callable[..., RunFolder], scenario: str
) -> None:
    folder = make_run(scenario)
    launch.start(folder)
    begun(folder)
    child = int((folder.attempt(1).path / "child.pid").read_text())
    state = read_state(folder)
    assert state is not None and state.agent is not None
    os.kill(state.agent.pid, signal.SIGKILL)
    outcome = ended(folder)
    assert outcome.state == "failed"
    assert "signal 9" in outcome.reason and "out-of-memory" in outcome.reason
    assert not Path(f"/proc/{child}").exists()


def test_kill_ends_everything_at_once(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run("ignores everything, with a child", grace=600)
    launch.start(folder)
    begun(folder)
    state = read_state(folder)
    launch.kill(folder)
    outcome = ended(folder, timeout_s=10)
    assert outcome.state == "stopped" and outcome.reason.startswith("killed")
    assert engine_processes(folder, state) == ()
    assert outcome.best_loss is None or outcome.best_loss > 5


def test_a_run_that_has_not_begun_stops_soon(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run("never begins", grace=600)
    launch.start(folder)
    assert read_status(folder).state == "starting"
    launch.stop(folder)
    outcome = ended(folder, timeout_s=10)
    assert (outcome.state, outcome.reason) == ("stopped", "stopped before its first step")


def test_sigterm_to_the_supervisor_stops_the_run_cleanly(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run(grace=60)
    pid = launch.start(folder)
    begun(folder)
    os.kill(pid, signal.SIGHUP)  # what a closing session sends changes nothing
    assert read_status(folder).state == "running"
    os.kill(pid, signal.SIGTERM)
    assert ended(folder).reason == "as asked"


@pytest.mark.parametrize(
    ("scenario", "sentence"),
    [
        ("raises", "ValueError: the loss is not finite"),
        ("kills itself", "killed by signal 9: usually the kernel's out-of-memory killer, or somebody's kill -9"),
        ("exits with 3", "ended with exit code 3; its last words: Traceback: the dog ate the tokenizer"),
    ],
)
def test_a_failure_is_named(make_run: Callable[..., RunFolder], scenario: str, sentence: str) -> None:
    folder = make_run(scenario)
    launch.start(folder)
    outcome = ended(folder)
    assert (outcome.state, outcome.reason) == ("failed", sentence)
    assert read_status(folder).reason == sentence
    assert json.loads(folder.attempt(1).error_file.read_bytes())["rank"] == 0


def test_a_full_disk_comes_with_a_hint(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run("runs out of disk")
    launch.start(folder)
    ended(folder)
    assert "the disk is full" in json.loads(folder.attempt(1).error_file.read_bytes())["hint"]


def test_the_engine_outlives_its_supervisor_and_still_stops(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run()
    pid = launch.start(folder)
    begun(folder)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_locked(folder))
    status = read_status(folder)
    assert (status.state, status.supervised) == ("running", False)
    assert status.reason == "its supervisor is gone; the engine still runs"
    size = folder.attempt(1).metrics_file.stat().st_size
    wait_until(lambda: folder.attempt(1).metrics_file.stat().st_size > size, what="it goes on recording")
    with pytest.raises(RunBusy, match="still alive"):
        launch.start(folder)
    second = subprocess.run(
        [sys.executable, "-m", "runs.supervisor", str(folder.path)],
        env=launch.child_environment(), capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert second.returncode == 2 and "still alive" in second.stderr
    launch.stop(folder)
    wait_until(lambda: read_status(folder).state == "stopped")
    assert read_status(folder).reason == "as asked"


def test_an_orphaned_engine_can_be_killed(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run("ignores everything, with a child")
    pid = launch.start(folder)
    begun(folder)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_locked(folder))
    launch.kill(folder)
    status = read_status(folder)
    assert status.state == "stopped" and status.reason.startswith("killed; step")
    assert status.outcome is not None and status.outcome.proof == "no process of it is left"
    assert engine_processes(folder, read_state(folder)) == ()
    with pytest.raises(ValueError, match="nothing to kill"):
        launch.kill(folder)


def test_what_outlived_the_end_of_its_run_can_be_killed_later(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run(steps=3)
    launch.start(folder)
    assert ended(folder).state == "finished"
    state = read_state(folder)
    assert state is not None
    with subprocess.Popen(
        [sys.executable, "-S", "-c", "import time; print(flush=True); time.sleep(600)"],
        env=os.environ | {"TINYTRAIN_RUN_TAG": state.tag}, stdout=subprocess.PIPE,
    ) as late:  # fmt: skip
        assert late.stdout is not None
        late.stdout.readline()
        with pytest.raises(RunBusy, match=f"still alive .pid {late.pid}.; stop or kill it first"):
            launch.start(folder, resume="last")
        launch.kill(folder)
        assert late.wait(timeout=10) == -signal.SIGKILL
    assert read_status(folder).state == "finished"
    with pytest.raises(ValueError, match="nothing to kill"):
        launch.kill(folder)


def test_when_all_are_shot_the_run_has_failed_and_can_be_resumed(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run()
    pid = launch.start(folder)
    begun(folder)
    state = read_state(folder)
    assert state is not None and state.agent is not None
    os.kill(pid, signal.SIGKILL)
    os.kill(state.agent.pid, signal.SIGKILL)
    status = wait_until(lambda: (s := read_status(folder)).state == "failed" and s)
    assert "disappeared without a word" in status.reason
    launch.start(folder, resume="last")
    begun(folder)
    assert [attempt.number for attempt in folder.attempts()] == [1, 2]
    started = RecordTail(folder.attempt(2).events_file).poll_all()[0]
    assert started["resumed_from"] == "last"
    launch.stop(folder)
    assert ended(folder).state == "stopped"


def test_a_run_has_one_supervisor(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run()
    launch.start(folder)
    begun(folder)
    with pytest.raises(RunBusy, match="is running; stop it first"):
        launch.start(folder)
    second = subprocess.run(
        [sys.executable, "-m", "runs.supervisor", str(folder.path)],
        env=launch.child_environment(), capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert second.returncode == 2
    assert "already has a supervisor" in second.stderr
    assert len(folder.attempts()) == 1
    launch.stop(folder)
    assert ended(folder).state == "stopped"


def test_a_supervisor_that_gives_up_says_why(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run()
    folder.config_file.write_text("[optim]\nlr = 'fast'\n")
    with pytest.raises(launch.LaunchFailed, match=r"optim\.lr: 'fast' is not a number"):
        launch.start(folder)
    assert read_status(folder).reason == "not started yet"


def test_a_run_lives_on_when_the_terminal_of_its_launcher_closes(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run()
    code = (
        "import sys, time; from pathlib import Path; from runs import launch; from runs.folder import RunFolder\n"
        "launch.start(RunFolder(Path(sys.argv[1]))); print('started', flush=True); time.sleep(3600)"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", code, str(folder.path)], launch.child_environment())
    said = b""
    while b"started" not in said:
        said += os.read(terminal, 1000)
    begun(folder)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGHUP
    size = folder.attempt(1).metrics_file.stat().st_size
    wait_until(lambda: folder.attempt(1).metrics_file.stat().st_size > size, what="it goes on recording")
    assert read_status(folder).supervised
    launch.stop(folder)
    assert ended(folder).state == "stopped"


def test_folders_named_like_ours_where_one_stands_are_not_run(
    make_run: Callable[..., RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("engine", "runs", "presets"):
        stray = tmp_path / "project" / name
        stray.mkdir(parents=True)
        (stray / "__init__.py").write_text(f"raise SystemExit('the wrong {name}')")
    monkeypatch.chdir(tmp_path / "project")
    folder = make_run(steps=5)
    launch.start(folder)
    assert ended(folder).state == "finished"


def test_a_silent_run_is_stalled_not_failed(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run("falls silent")
    launch.start(folder)
    begun(folder)
    attempt = folder.attempt(1)
    past = time.time() - 100
    wait_until(lambda: len(RecordTail(attempt.metrics_file).poll_all()) >= 3)
    for path in (attempt.path, attempt.metrics_file, attempt.events_file):
        os.utime(path, (past, past))
    status = read_status(folder)
    assert status.state == "stalled" and status.supervised
    assert "nothing was recorded since" in status.reason
    launch.stop(folder)
    ended(folder)


def test_an_idle_supervisor_costs_next_to_nothing(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run("falls silent")
    pid = launch.start(folder)
    begun(folder)

    def cpu_ticks() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before, began = cpu_ticks(), time.monotonic()
    time.sleep(4)
    share = (cpu_ticks() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - began)
    assert share < 0.01
    launch.stop(folder)
    ended(folder)


def test_a_killed_run_never_ends_another_run_that_shares_its_records(
    make_run: Callable[..., RunFolder],
) -> None:
    """A copy of a run's folder carries the tag of the original, whose processes are not the copy's."""
    folder = make_run()
    launch.start(folder)
    begun(folder)
    copy = RunFolder(folder.path.with_name(folder.id[:-4] + "zzzz"))
    subprocess.run(["cp", "-r", folder.path, copy.path], check=True)
    assert engine_processes(folder, read_state(folder))
    assert engine_processes(copy, read_state(copy)) == ()
    assert read_status(copy).state == "failed"
    with pytest.raises(ValueError, match="nothing to kill"):
        launch.kill(copy)
    assert read_status(folder).state == "running"
    launch.stop(folder)
    ended(folder)


@pytest.mark.slow
def test_several_processes_train_stop_and_leave_nobody(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run(processes=2, grace=20)
    launch.start(folder)
    begun(folder)
    state = read_state(folder)
    processes = engine_processes(folder, state)
    assert len(processes) == 3
    # what ranks of one machine say to each other stays on it
    assert {process.pid for process in processes} <= set(pids_with("GLOO_SOCKET_IFNAME", "lo"))
    launch.stop(folder)
    outcome = ended(folder)
    assert (outcome.state, outcome.reason) == ("stopped", "as asked")
    assert engine_processes(folder, state) == ()


@pytest.mark.slow
def test_a_killed_rank_is_named_rather_than_the_one_that_missed_it(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run("rank 1 is killed", processes=2)
    launch.start(folder)
    outcome = ended(folder, timeout_s=60)
    assert outcome.state == "failed"
    assert outcome.reason.startswith("rank 1 was killed by signal 9")
    error = json.loads(folder.attempt(1).error_file.read_bytes())
    assert error["rank"] == 1


@pytest.mark.slow
def test_workers_of_a_torchrun_that_was_killed_first_are_found(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run(processes=2)
    launch.start(folder)
    begun(folder)
    state = read_state(folder)
    assert state is not None and state.agent is not None
    os.kill(state.agent.pid, signal.SIGKILL)
    assert ended(folder).state == "failed"
    assert engine_processes(folder, state) == ()
    assert pids_with("TINYTRAIN_RUN_TAG", state.tag) == []
