"""Whether it was the kernel's out-of-memory killer: by the counters of the run's cgroup, or of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from runs.oom_killer import oom_kills, was_oom_killed

V2 = "low 0\nhigh 0\nmax 12\noom 3\noom_kill {}\noom_group_kill 0\n"
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def machine(root: Path, cgroup: str, count: int) -> None:
    write(root / "proc/self/cgroup", cgroup)
    write(root / "proc/vmstat", f"nr_free_pages 77\noom_kill {count}\npgfault 5\n")


@pytest.mark.parametrize(
    ("cgroup", "file", "text"),
    [
        ("0::/user.slice/run.scope\n", "sys/fs/cgroup/user.slice/run.scope/memory.events", V2),
        ("0::/docker/4711\n", "sys/fs/cgroup/memory.events", V2),  # as a container sees its own
        ("3:cpu:/x\n4:cpuset,memory:/jobs/1\n", "sys/fs/cgroup/memory/jobs/1/memory.oom_control", V1),
        ("4:memory:/docker/1\n", "sys/fs/cgroup/memory/memory.oom_control", V1),
    ],
)
def test_a_count_of_the_runs_own_cgroup_that_rose_is_certain(
    tmp_path: Path, cgroup: str, file: str, text: str
) -> None:
    machine(tmp_path, cgroup, 9)
    write(tmp_path / file, text.format(2))
    before = oom_kills(tmp_path)
    assert before == {file: 2, "machine": 9}
    assert was_oom_killed(before, tmp_path) == "no"
    machine(tmp_path, cgroup, 10)
    assert was_oom_killed(before, tmp_path) == "perhaps", "something on this machine"
    write(tmp_path / file, text.format(3))
    assert was_oom_killed(before, tmp_path) == "yes"


def test_the_whole_machines_cgroup_is_no_proof(tmp_path: Path) -> None:
    machine(tmp_path, "4:memory:/\n", 1)
    write(tmp_path / "sys/fs/cgroup/memory/memory.oom_control", V1.format(5))
    assert oom_kills(tmp_path) == {"machine": 1}


def test_without_counters_nobody_knows(tmp_path: Path) -> None:
    assert oom_kills(tmp_path) == {}
    assert was_oom_killed({}, tmp_path) == "unknown"
    assert was_oom_killed({"machine": 4}, tmp_path) == "unknown"
    write(tmp_path / "proc/self/cgroup", "nonsense\n0::/../../etc\n")
    assert oom_kills(tmp_path) == {}


@pytest.mark.parametrize(
    "name",
    [
        "proc/1/environ",
        "sys/fs/cgroup/../../../secret/memory.events",
        "dev/zero",
        "sys/fs/cgroup/x/memory.events\0",
    ],
)
def test_what_a_run_claims_to_have_counted_opens_no_other_file(tmp_path: Path, name: str) -> None:
    machine(tmp_path, "0::/\n", 4)
    write(tmp_path / "secret/memory.events", V2.format(9))
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    assert was_oom_killed({name: 0, "machine": 4}, tmp_path) == "no"


def test_this_machine_answers() -> None:
    assert was_oom_killed(oom_kills()) in ("no", "unknown")
