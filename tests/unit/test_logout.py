"""Logout: who would lose a run, what is said about it, and how it is started so that it stays."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from runs import logout

ME = os.getuid()
NAME = pwd.getpwuid(ME).pw_name
SESSION = f"0::/user.slice/user-{ME}.slice/session-3.scope"
MANAGER = f"0::/user.slice/user-{ME}.slice/user@{ME}.service/app.slice/tmux-spawn-1.scope"
SCOPE = ("systemd-run", "--user", "--scope", "--quiet", "--collect")


class Machine:
    """A root of files, and programs on PATH, that stand for systemd."""

    def __init__(self, root: Path, programs: Path) -> None:
        self.root, self.programs = root, programs
        (root / "run/systemd/system").mkdir(parents=True)
        self.said = root / "said"

    def write(self, path: str, text: str = "") -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def program(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.said}\n{script}\n')
        path.chmod(0o700)

    def kills(self, yes: str = "true", only: str = "as 0", excluded: str = "as 0") -> None:
        lines = f"b {yes}\\n{only}\\n{excluded}\\n".replace('"', '\\"')
        self.program("busctl", f'printf "{lines}"')

    def lingers(self) -> None:
        self.write(f"var/lib/systemd/linger/{NAME}")

    def runs_scopes(self, version: int = 252, works: bool = True) -> None:
        """A systemd-run that, as the real one does, becomes the command."""
        execute = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"' if works else "exit 1"
        self.program(
            "systemd-run", f'if [ "$1" = --version ]; then echo "systemd {version} (x)"; exit; fi\n{execute}'
        )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with systemd and nothing else; each test adds what it is about."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "true", "printf"):
        (programs / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(logout, "_ROOT", tmp_path / "root")
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
    return Machine(tmp_path / "root", programs)


def risk() -> logout.LogoutRisk:
    found = logout.logout_risk()
    assert found is not None
    return found


def test_a_login_whose_processes_are_killed_blocks_and_says_how_to_mend_it(machine: Machine) -> None:
    machine.write("proc/self/cgroup", SESSION)
    machine.kills()
    found = risk()
    assert "KillUserProcesses=yes" in found.sentence and "the run" in found.sentence
    assert (found.advice, found.blocks) == ("loginctl enable-linger", True)
    machine.kills("false")
    assert logout.logout_risk() is None


def test_a_terminal_under_the_user_manager_ends_with_the_last_logout_whatever_logind_kills(
    machine: Machine,
) -> None:
    machine.write("proc/self/cgroup", MANAGER)
    machine.kills("false")
    found = risk()
    assert f"user@{ME}.service" in found.sentence and found.blocks
    machine.lingers()
    assert logout.logout_risk() is None


def test_at_a_desktop_it_is_only_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.write("proc/self/cgroup", MANAGER)
    monkeypatch.setenv("XDG_SESSION_TYPE", "wayland")
    assert not risk().blocks
    monkeypatch.setenv("XDG_SESSION_TYPE", "tty")  # as under ssh
    assert risk().blocks


@pytest.mark.parametrize(
    "cgroup",
    [
        "0::/",
        "0::/system.slice/cron.service",
        "0::/kubepods/pod1/abc",
        "4:memory:/user.slice/user-0.slice/session-1.scope",
    ],
)
def test_services_containers_and_batch_jobs_have_no_login_to_lose(machine: Machine, cgroup: str) -> None:
    machine.write("proc/self/cgroup", f"{cgroup}\n")
    machine.kills()
    assert logout.logout_risk() is None
    assert logout.spawn_prefix() == ()


def test_older_machines_tell_the_login_by_the_hierarchy_of_systemd(machine: Machine) -> None:
    machine.write("proc/self/cgroup", f"4:memory:/x\n1:name=systemd:{SESSION[3:]}\n0::/\n")
    machine.kills()
    assert risk().blocks


def test_without_systemd_there_is_no_risk(machine: Machine) -> None:
    machine.write("proc/self/cgroup", SESSION)
    machine.kills()
    (machine.root / "run/systemd/system").rmdir()
    assert logout.logout_risk() is None
    assert logout.spawn_prefix() == ()
    assert not machine.said.exists(), "nothing was asked"


def test_users_that_logind_names_are_killed_or_spared_whatever_else_it_says(machine: Machine) -> None:
    machine.write("proc/self/cgroup", SESSION)
    machine.kills("true", excluded=f'as 2 "x" "{NAME}"')
    assert logout.logout_risk() is None
    machine.kills("false", only=f'as 1 "{NAME}"')
    assert risk().blocks
    machine.kills("true", only='as 1 "somebody"')
    assert logout.logout_risk() is None


def test_without_a_bus_the_files_are_read_as_logind_reads_them(machine: Machine) -> None:
    """The first main file, over it drop-ins by name, and of two with one name that of /etc."""
    machine.write("proc/self/cgroup", SESSION)
    assert logout.logout_risk() is None, "nothing is known to kill"
    machine.write("usr/lib/systemd/logind.conf", "[Login]\n#KillUserProcesses=yes\n#KillExcludeUsers=root\n")
    machine.write("etc/systemd/logind.conf.d/10-who.conf", "[Login]\nKillExcludeUsers=\n")
    assert risk().blocks, "the default that the file tells in a comment"
    machine.write("etc/systemd/logind.conf", "[Login]\nKillUserProcesses=no\n")
    assert logout.logout_risk() is None
    machine.write("usr/lib/systemd/logind.conf.d/50-x.conf", "[Login]\n KillUserProcesses = 1\n")
    assert risk().blocks
    machine.write("etc/systemd/logind.conf.d/50-x.conf", "[Login]\n# not here\n")
    assert logout.logout_risk() is None
    machine.write("run/systemd/logind.conf.d/60-y.conf", "KillUserProcesses=true\n")
    assert risk().blocks
    machine.write("etc/systemd/logind.conf.d/70-z.conf", f"KillExcludeUsers=x {NAME}\n")
    assert logout.logout_risk() is None


def test_root_is_spared_unless_logind_is_told_otherwise(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.write("proc/self/cgroup", "0::/user.slice/user-0.slice/session-1.scope")
    machine.write("etc/systemd/logind.conf", "KillUserProcesses=yes\n")
    assert logout.logout_risk() is None
    machine.write("etc/systemd/logind.conf", "KillUserProcesses=yes\nKillExcludeUsers=\n")
    assert risk().blocks


def test_linger_and_a_scope_make_the_launch_safe(machine: Machine) -> None:
    machine.write("proc/self/cgroup", SESSION)
    machine.kills()
    machine.runs_scopes()
    assert logout.spawn_prefix() == (), "without linger a scope ends with the last logout"
    machine.program("loginctl", "echo yes")
    assert logout.spawn_prefix() == (*SCOPE, "--")
    assert logout.logout_risk() is None
    assert f"loginctl show-user {ME} --property=Linger --value" in machine.said.read_text()


def test_a_scope_that_systemd_refuses_is_not_counted_on(machine: Machine) -> None:
    machine.write("proc/self/cgroup", SESSION)
    machine.kills()
    machine.lingers()
    machine.runs_scopes(works=False)
    assert logout.spawn_prefix() == ()
    assert risk().blocks and "systemd-run --user --scope true" in risk().advice


@pytest.mark.parametrize(
    ("version", "more"),
    [
        (252, ()),
        (253, ("--property=OOMPolicy=continue",)),
        (257, ("--property=OOMPolicy=continue", "--expand-environment=no")),
    ],
)
def test_the_scope_keeps_the_pid_the_arguments_and_the_rest_when_one_process_is_killed(
    machine: Machine, version: int, more: tuple[str, ...]
) -> None:
    machine.write("proc/self/cgroup", SESSION)
    machine.lingers()
    machine.runs_scopes(version)
    prefix = logout.spawn_prefix()
    assert prefix == (*SCOPE, *more, "--")
    process = subprocess.Popen([*prefix, "sh", "-c", "echo $$ $0", "a $HOME b"], stdout=subprocess.PIPE, text=True)
    assert process.communicate(timeout=20)[0] == f"{process.pid} a $HOME b\n"


def test_somebody_elses_login_is_not_mended_by_our_linger(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, ME))
    machine.write("proc/self/cgroup", f"0::/user.slice/user-{other.pw_uid}.slice/session-9.scope")
    machine.kills()
    assert "rather than by su or sudo" in risk().advice


def test_a_systemd_that_hangs_is_not_waited_for(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logout, "_ASK_S", 0.2)
    machine.write("proc/self/cgroup", SESSION)
    machine.write("etc/systemd/logind.conf", "KillUserProcesses=yes\nKillExcludeUsers=\n")
    for name in ("busctl", "loginctl", "systemd-run"):
        machine.program(name, "while :; do :; done")
    assert risk().blocks
