"""What would become of a run when its owner logs out, and how to start one that outlives the logout.

A session of its own (setsid) does not leave the login's control group, and systemd ends control groups: that
of a login session when logind's KillUserProcesses says so, that of the user's service manager (user@UID.service,
where desktops and many tmux servers live) some ten seconds after the last logout, unless the user lingers.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_ROOT = Path("/")
_ASK_S = 3.0
_SLICE = re.compile(r"/user-(\d+)\.slice/(?:(session-[^/]+\.scope)|(user@\d+\.service))(?:/|$)")
_CONF_FOLDERS = ("etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd", "lib/systemd")
_LOGIN1 = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_KEYS = ("KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers")
_OOM_POLICY_SINCE = 253  # of systemd, for scopes
_EXPANSION_SINCE = 254


class LogoutWouldKill(RuntimeError):
    """A run was not started, since it would be ended when its owner logs out; the text says what to do."""


@dataclass(frozen=True)
class LogoutRisk:
    """A run started from here ends with the login.

    sentence: what would happen. advice: the command that mends it.
    blocks: nothing is started without the person's word. At a desktop, where one expects programs to end
    with the login, it is only said.
    """

    sentence: str
    advice: str
    blocks: bool


@dataclass(frozen=True)
class _Place:
    """Whose login this process belongs to, by its control group, and to which part of it."""

    uid: int
    part: Literal["session", "manager"]


def logout_risk() -> LogoutRisk | None:
    """What would happen to a run at logout, or None when it goes on (or when there is no systemd).

    Asks systemd, for some milliseconds usually and at most some seconds: call it off the event loop.
    """
    place = _place()
    if place is None:
        return None
    blocks = os.environ.get("XDG_SESSION_TYPE") not in ("x11", "wayland", "mir")
    lingers = _lingers(place.uid)
    if place.part == "manager":
        if lingers:
            return None
        sentence = (
            "about ten seconds after your last logout systemd ends everything under "
            f"user@{place.uid}.service, to which this terminal belongs, and the run with it"
        )
        return LogoutRisk(sentence, _linger_advice(place), blocks)
    if not _kills_sessions(place.uid) or (lingers and spawn_prefix()):
        return None
    sentence = "when you log out, systemd ends every process of this login (KillUserProcesses=yes), also the run"
    if not lingers or place.uid != os.getuid():
        return LogoutRisk(sentence, _linger_advice(place), blocks)
    return LogoutRisk(
        sentence, "systemd-run --user --scope true  (it must work; its message says why not)", blocks
    )


def spawn_prefix() -> tuple[str, ...]:
    """What to put in front of a command so that it outlives the logout; empty where nothing is needed or helps.

    A scope of the user's own service manager: without linger that manager ends with the last logout, so it
    is used only with linger. The command keeps the pid, environment and folder with which systemd-run was
    started, since that replaces itself with it. Asks systemd as `logout_risk` does.
    """
    if not _has_systemd() or _place() is None or not _lingers(os.getuid()):
        return ()
    version = re.match(r"systemd (\d+)", _answer("systemd-run", "--version") or "")
    if version is None:
        return ()
    prefix = ["systemd-run", "--user", "--scope", "--quiet", "--collect"]
    if int(version[1]) >= _OOM_POLICY_SINCE:
        # else one data worker that the kernel kills takes the supervisor with it
        prefix.append("--property=OOMPolicy=continue")
    if int(version[1]) >= _EXPANSION_SINCE:
        prefix.append("--expand-environment=no")
    prefix.append("--")
    return tuple(prefix) if _answer(*prefix, "true") is not None else ()


def _linger_advice(place: _Place) -> str:
    if place.uid == os.getuid():
        return "loginctl enable-linger"
    return "log in as the user who trains rather than by su or sudo, then: loginctl enable-linger"


def _place() -> _Place | None:
    """None for what no logout ends: services, containers, batch systems, and machines without systemd."""
    if not _has_systemd():
        return None
    try:
        lines = (_ROOT / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        number, _, rest = line.partition(":")
        controller, _, path = rest.partition(":")
        found = _SLICE.search(path) if number == "0" or controller == "name=systemd" else None
        if found is not None:
            return _Place(int(found[1]), "session" if found[2] else "manager")
    return None


def _has_systemd() -> bool:
    return (_ROOT / "run/systemd/system").is_dir()  # as sd_booted(3) does


def _lingers(uid: int) -> bool:
    name = _user_name(uid)
    if name and (_ROOT / "var/lib/systemd/linger" / name).exists():
        return True
    return (_answer("loginctl", "show-user", str(uid), "--property=Linger", "--value") or "").strip() == "yes"


def _kills_sessions(uid: int) -> bool:
    """Whether logind ends a session's processes at its logout: `manager_shall_kill` of systemd's logind.c."""
    said = _settings_by_bus() or _settings_by_files()
    name = _user_name(uid)
    excluded = said.get("KillExcludeUsers")
    if name in (("root",) if excluded is None else excluded.split()):
        return False
    only = said.get("KillOnlyUsers", "").split()
    if only:
        return name in only
    return said.get("KillUserProcesses", "no").lower() in ("yes", "true", "on", "1", "y", "t")


def _settings_by_bus() -> dict[str, str]:
    """What logind itself goes by; empty when it cannot be asked. Lists are names with blanks between."""
    text = _answer("busctl", "get-property", *_LOGIN1, *_KEYS)
    lines = (text or "").splitlines()
    if len(lines) != len(_KEYS) or not lines[0].startswith("b "):
        return {}
    only, excluded = (" ".join(re.findall(r'"([^"]*)"', line)) for line in lines[1:])
    return {"KillUserProcesses": lines[0][2:].strip(), "KillOnlyUsers": only, "KillExcludeUsers": excluded}


def _settings_by_files() -> dict[str, str]:
    """As logind.conf(5) has it: the first main file, then every drop-in by name, /etc before /run before /usr.

    Distributions ship logind.conf with their built-in defaults in comments; those are what holds when
    nothing is set. Without such a comment the default is taken to be no, as all large distributions build it.
    """
    settings: dict[str, str] = {}
    defaults: dict[str, str] = {}
    mains = [_ROOT / folder / "logind.conf" for folder in _CONF_FOLDERS]
    drop_ins: dict[str, Path] = {}
    for folder in reversed(_CONF_FOLDERS):
        drop_ins |= {path.name: path for path in sorted((_ROOT / folder / "logind.conf.d").glob("*.conf"))}
    main = next((path for path in mains if path.is_file()), None)
    for path in ([main] if main else []) + [drop_ins[name] for name in sorted(drop_ins)]:
        with contextlib.suppress(OSError):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                key, equals, value = line.strip().partition("=")
                is_comment = key.startswith("#")
                key = key.strip("# ")
                if equals and key in _KEYS and not is_comment:
                    settings[key] = value.strip()
                elif equals and key == "KillUserProcesses":
                    defaults[key] = value.strip()
    return defaults | settings


def _user_name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _answer(*command: str) -> str | None:
    """What a command prints, or None when it fails, hangs or is not there."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_S, check=False, text=True,
            errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
