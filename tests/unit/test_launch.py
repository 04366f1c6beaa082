"""The command of a run, and what is kept about its start."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from presets.config import with_values
from presets.schema import RunConfig
from runs import launch
from runs.folder import create_run
from runs.launch import threads_per_process
from runs.launch_record import describe_launch, kept_environment
from runs.processes import this_process
from runs.status import StateRecord


def test_one_process_is_the_engine_itself() -> None:
    plan = launch.plan_launch(RunConfig(), "/runs/x y", attempt=3, resume="best")
    assert plan.argv == (sys.executable, "-m", "engine", "/runs/x y", "--attempt", "3", "--resume", "best")
    assert shlex.split(plan.command()) == list(plan.argv)
    assert plan.notes == ()


def test_several_processes_are_started_by_torchrun_which_opens_ports() -> None:
    config = with_values(RunConfig(), {"launch.num_processes": 8, "launch.stop_grace": 100})
    plan = launch.plan_launch(config, "/runs/x")
    for part in (
        "torch.distributed.run", "--standalone", "--nproc-per-node=8", "--signals-to-handle=SIGTERM,SIGINT",
        "--shutdown-timeout=230", "--log-dir=/runs/x/attempts/0001/ranks", "--redirects=3",
    ):  # fmt: skip
        assert part in plan.argv
    assert plan.argv[-4:] == ("engine", "/runs/x", "--attempt", "1")
    assert "ports on every network interface" in plan.notes[0]


def test_torchrun_knows_every_option_that_is_given_to_it() -> None:
    config = with_values(RunConfig(), {"launch.num_processes": 2})
    arguments = launch.plan_launch(config, "/runs/x").argv[3:]
    code = "import sys; from torch.distributed.run import parse_args\n"
    code += "print(parse_args(sys.argv[1:]).training_script)"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "engine"


def test_cores_are_shared_by_the_processes_unless_threads_are_set() -> None:
    cores = len(os.sched_getaffinity(0))
    assert threads_per_process(RunConfig()) == cores
    assert threads_per_process(with_values(RunConfig(), {"launch.num_processes": 1000})) == 1
    assert threads_per_process(with_values(RunConfig(), {"launch.threads": 7})) == 7


def test_the_inherited_python_path_comes_first_and_ours_once(monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(Path(launch.__file__).resolve().parent.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(("/a", root, "/b")))
    assert launch.child_environment()["PYTHONPATH"] == os.pathsep.join(("/a", "/b", root))
    monkeypatch.delenv("PYTHONPATH")
    assert launch.child_environment()["PYTHONPATH"] == root


def test_only_the_variables_that_matter_are_kept_and_no_secret() -> None:
    kept = kept_environment(
        {
            "CUDA_VISIBLE_DEVICES": "0,1",
            "OMP_NUM_THREADS": "2",
            "HF_ENDPOINT": "https://me:hunter2@mirror.example/x?token=abc&v=1",
            "TINYTRAIN_API_KEY": "abc",
            "TINYTRAIN_RUN_TAG": "abc",
            "HF_TOKEN": "abc",
            "AWS_SECRET_ACCESS_KEY": "abc",
            "HOME": "/root",
        }
    )
    assert kept == {
        "CUDA_VISIBLE_DEVICES": "0,1",
        "OMP_NUM_THREADS": "2",
        "HF_ENDPOINT": "https://(redacted)@mirror.example/x?(redacted)&v=1",
        "TINYTRAIN_API_KEY": "(redacted)",
    }


def test_the_source_tree_is_kept_with_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    monkeypatch.chdir(tree)
    assert describe_launch(1, (), "", {}).git is None
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    (tree / "a").write_text("a")
    for command in (["init", "-q"], ["add", "a"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *command], check=True)
    clean = describe_launch(1, (), "", {}).git
    assert clean is not None and len(clean.commit) == 40 and not clean.dirty
    (tree / "a").write_text("b")
    changed = describe_launch(1, (), "", {}).git
    assert changed is not None and changed.dirty


class EndedSupervisor:
    """A process that gave up before it did anything."""

    pid = 4_242
    returncode = 1

    def poll(self) -> int:
        return self.returncode

    wait = poll


def test_the_state_of_an_older_supervisor_with_the_same_pid_is_no_start(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = create_run(runs_path, RunConfig())
    older = msgspec.structs.replace(this_process(), pid=EndedSupervisor.pid)
    state = StateRecord("finished", 1, "", older)
    folder.state_file.write_bytes(msgspec.json.encode(state))
    monkeypatch.setattr(launch, "spawn_supervisor", lambda *arguments: EndedSupervisor())
    with pytest.raises(launch.LaunchFailed, match="the supervisor ended with 1"):
        launch.start(folder, despite_logout=True)


@pytest.mark.parametrize("verb", ["stop", "kill"])
def test_a_run_that_is_over_cannot_be_ended(runs_path: Path, verb: str) -> None:
    folder = create_run(runs_path, RunConfig())
    with pytest.raises(ValueError, match=f"there is nothing to {verb}"):
        getattr(launch, verb)(folder)
