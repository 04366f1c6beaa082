"""`train`, `resume`, `stop`, `pause`, `kill`, `set`, `ask` and `probe` with real processes and the fake engine."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fake_engine
import pytest

from runs import control, launch
from runs.folder import RunFolder, all_runs
from runs.status import read_status
from tests.conftest import wait_until

Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def spawn(tmp_path: Path, runs_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spawn]:
    """Start the command line in a process of its own; `FAKE_ENGINE` says what its engine does."""
    monkeypatch.setenv("PYTHONPATH", str(fake_engine.install(tmp_path / "fake")))
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tui", *arguments], text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=launch.child_environment() | environment,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def result(process: subprocess.Popen[str], timeout_s: float = 40) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=timeout_s)
    return process.returncode, out, err


def training(runs_path: Path, number: int = 1) -> RunFolder:
    """The newest run, once it has recorded something."""
    wait_until(lambda: len(all_runs(runs_path)) == number)
    folder = all_runs(runs_path)[0]
    wait_until(lambda: read_status(folder).state == "running", what="running")
    wait_until(lambda: folder.attempts()[-1].metrics_file.stat().st_size > 0)
    return folder


def test_train_follows_a_run_to_its_end(spawn: Spawn, runs_path: Path) -> None:
    code, out, err = result(spawn("train", "quickstart", "--name", "first", FAKE_STEPS="20"))
    assert (code, err) == (0, "")
    assert out.startswith("first  ")
    assert "training on addresses (embedded) for 20 steps" in out
    assert "step 20 of 20  validation 5.05" in out
    assert "saved step-00000020 (best)" in out
    assert "finished at step 20; best validation loss 5.0000" in out


def test_train_prints_json_lines(spawn: Spawn, runs_path: Path) -> None:
    code, out, err = result(spawn("train", "quickstart", "--json", FAKE_STEPS="20"))
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert lines[0]["kind"] == "launched" and lines[0]["id"] == all_runs(runs_path)[0].id
    assert lines[-1]["kind"] == "ended" and lines[-1]["status"]["state"] == "finished"
    assert sum(line["kind"] == "metrics" for line in lines) == 24
    assert {"attempt_started", "evaluated", "checkpoint_saved"} <= {line["kind"] for line in lines}


def test_without_a_terminal_the_quickstart_preset_is_trained(spawn: Spawn, runs_path: Path) -> None:
    code, out, err = result(spawn(FAKE_STEPS="5"))
    assert code == 0
    assert err == "there is no terminal here, so this does what `tinytrain-tui train quickstart` does\n"
    assert all_runs(runs_path)[0].about().preset == "quickstart"
    assert "finished" in out


def test_a_failed_run_exits_with_1_and_says_why(spawn: Spawn, runs_path: Path) -> None:
    code, _, err = result(spawn("train", "quickstart", FAKE_ENGINE="raises"))
    assert code == 1
    assert "failed at step 0: ValueError: the loss is not finite" in err
    assert "console.log" in err


def test_ctrl_c_stops_the_run_with_a_checkpoint(spawn: Spawn, runs_path: Path) -> None:
    process = spawn("train", "quickstart", FAKE_SAVE_S="0.5")
    folder = training(runs_path)
    process.send_signal(signal.SIGINT)
    code, out, err = result(process)
    assert code == 130
    assert "stopping: the run saves a checkpoint and ends; Ctrl-C again kills it" in err
    assert "stopped at step" in out and "saved step-" in out
    assert read_status(folder).state == "stopped"
    assert list(folder.checkpoints_dir.glob("step-*"))


def test_a_second_ctrl_c_kills(spawn: Spawn, runs_path: Path) -> None:
    process = spawn("train", "quickstart", "--set", "launch.stop_grace=600", FAKE_ENGINE="ignores everything")
    folder = training(runs_path)
    process.send_signal(signal.SIGINT)
    wait_until(lambda: read_status(folder).state == "stopping")
    process.send_signal(signal.SIGINT)
    code, _, err = result(process)
    assert code == 130 and "killing the run" in err
    assert read_status(folder).reason.startswith("killed; step")


def test_a_detached_run_goes_on_and_is_stopped_by_name(spawn: Spawn, runs_path: Path) -> None:
    code, _, _ = result(spawn("train", "quickstart", "--detach", "--name", "otter"))
    assert code == 0
    folder = training(runs_path)
    code, out, _ = result(spawn("stop", "otter"))
    assert code == 0 and "otter stopped: as asked" in out
    code, out, _ = result(spawn("resume", "otter", FAKE_STEPS="30"))
    assert code == 0
    assert "training on addresses (embedded) from step 10 of 30 steps" in out
    assert len(folder.attempts()) == 2


def test_a_live_run_is_not_resumed(spawn: Spawn, runs_path: Path) -> None:
    result(spawn("train", "quickstart", "--detach"))
    folder = training(runs_path)
    (folder.checkpoints_dir / "step-00000010").mkdir()
    code, _, err = result(spawn("resume", "last"))
    assert code == 2 and "is running; stop it first" in err
    code, out, _ = result(spawn("kill", "last", "--json"))
    assert code == 0 and json.loads(out)["status"]["reason"].startswith("killed; step")


def test_the_death_of_the_command_leaves_the_run_alone(spawn: Spawn, runs_path: Path) -> None:
    process = spawn("train", "quickstart")
    folder = training(runs_path)
    process.kill()
    process.wait()
    size = folder.attempts()[-1].metrics_file.stat().st_size
    wait_until(lambda: folder.attempts()[-1].metrics_file.stat().st_size > size)
    assert result(spawn("stop", "last"))[0] == 0


def test_a_closed_pipe_leaves_the_run_alone(spawn: Spawn, runs_path: Path) -> None:
    process = spawn("train", "quickstart")
    folder = training(runs_path)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
    process.stdout = process.stderr = None
    assert read_status(folder).state == "running"
    assert result(spawn("stop", "last"))[0] == 0


def test_ctrl_c_in_a_terminal_reaches_the_command_alone(
    spawn: Spawn, runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key signals everything in the terminal's foreground; the run is not there, and saves in peace."""
    pid, terminal = pty.fork()
    if pid == 0:
        arguments = [sys.executable, "-m", "tui", "train", "quickstart"]
        os.execve(sys.executable, arguments, launch.child_environment())
    folder = training(runs_path)
    os.write(terminal, b"\x03")
    said = b""
    while b"stopped at step" not in said:
        said += os.read(terminal, 4096)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 130
    assert read_status(folder).reason == "as asked"


def test_a_hub_preset_runs_offline_only_when_told_to(spawn: Spawn, runs_path: Path) -> None:
    code, _, err = result(spawn("train", "v1-imdb-small"))
    assert code == 2 and "--offline-corpus" in err
    assert all_runs(runs_path) == ()
    code, _, _ = result(spawn("train", "v1-imdb-small", "--offline-corpus", FAKE_STEPS="5"))
    assert code == 0
    data = all_runs(runs_path)[0].config().data
    assert (data.source, data.dataset) == ("embedded", "addresses")


def test_a_preset_file_trains_under_its_own_name(spawn: Spawn, runs_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[optim]\nlr = 0.005\n")
    code, _, err = result(spawn("train", str(path), FAKE_STEPS="5"))
    assert (code, all_runs(runs_path)) == (2, ())
    assert "optim.lr: 0.001 → 0.005" in err and "--yes" in err
    code, _, _ = result(spawn("train", str(path), "--yes", "--set", "train.max_steps=7", FAKE_STEPS="5"))
    folder = all_runs(runs_path)[0]
    assert (code, folder.about().preset) == (0, "mine")
    assert (folder.config().optim.lr, folder.config().train.max_steps) == (0.005, 7)


def test_probe_asks_the_playground(spawn: Spawn, runs_path: Path) -> None:
    result(spawn("train", "quickstart", FAKE_STEPS="5"))
    code, out, err = result(spawn("probe", "last", "a [MASK] b [MASK]", "--top", "3"))
    assert (code, err) == (0, "")
    assert out.count("word2") == 2 and "50.0 %  word0" in out and "step-00000010" in out
    code, out, _ = result(spawn("probe", "last", "a [MASK]", "--json"))
    assert len(json.loads(out)["probes"][0]["masks"][0]) == 5
    code, _, err = result(spawn("probe", "last", "a [MASK]", "--checkpoint", "best"))
    assert (code, err) == (2, "there is no checkpoint best\n")


def test_a_run_is_changed_while_it_trains_and_the_answers_are_printed(spawn: Spawn, runs_path: Path) -> None:
    assert result(spawn("train", "quickstart", "--name", "otter", "--detach"))[0] == 0
    code, out, err = result(spawn("set", "otter", "lr=x0.5", "steps=+1000"))
    assert (code, err) == (0, "")
    assert "learning rate 0.0005 from step" in out and "the run ends at step 1,001,000, before 1,000,000" in out
    code, out, _ = result(spawn("ask", "otter", "evaluate", "--json"))
    (answer,) = json.loads(out)["answers"]
    assert code == 0 and answer["accepted"] and answer["message"].startswith("evaluate done at step")
    code, out, err = result(spawn("ask", "otter", "probe"))
    assert (code, out) == (2, "") and "probe was refused at step" in err and "the run has no probes" in err
    code, out, _ = result(spawn("set", "otter", "lr=x0.5", "lr=x9000", "--json"))
    first, second = json.loads(out)["answers"]
    assert code == 2 and first["accepted"] and second["accepted"] is False
    assert second["message"] == "learning rate: it would rise to 2.25, above the limit 1"
    code, out, _ = result(spawn("pause", "otter"))
    assert code == 0 and "otter was asked to save and to free its device" in out
    assert "otter paused: as asked" in out
    code, _, err = result(spawn("set", "otter", "lr=x0.5"))
    assert code == 2 and "is paused; there is nothing to change" in err
    assert result(spawn("resume", "otter", "--detach"))[0] == 0
    assert result(spawn("stop", "otter"))[0] == 0


def test_a_request_that_nobody_answers_is_explained(spawn: Spawn, runs_path: Path) -> None:
    assert (
        result(spawn("train", "quickstart", "--name", "deaf", "--detach", FAKE_ENGINE="ignores requests"))[0] == 0
    )
    folder = training(runs_path)
    code, _, err = result(spawn("ask", "deaf", "checkpoint", "--timeout", "0.2"))
    assert code == 1 and "no answer within 0.2 s: it is in a long step" in err and "the request stays" in err
    code, _, err = result(spawn("ask", "deaf", "checkpoint", "--timeout", "0"))
    assert code == 0 and "asked; deaf answers at its next step" in err
    asking = spawn("ask", "deaf", "evaluate", "--timeout", "60")
    wait_until(lambda: len(control.pending(folder)) == 3)
    assert result(spawn("kill", "deaf"))[0] == 0
    code, _, err = result(asking)
    assert code == 1 and "deaf is stopped and did not answer before: killed" in err
