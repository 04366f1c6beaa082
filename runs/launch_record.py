"""`launch.json`: what exactly was started, with which versions, from which source, on what; no secrets."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import msgspec

from runs.processes import TAG_VARIABLE, this_host

_KEPT = re.compile(r"TINYTRAIN_(?!WEBHOOK)\w+|(CUDA|HIP|ROCR)_VISIBLE_DEVICES|HF_ENDPOINT|OMP_\w+")
_SECRET_NAME = re.compile(r"TOKEN|KEY|SECRET|PASS|CREDENTIAL", re.IGNORECASE)
_SECRET_IN_URL = re.compile(
    r"(?<=://)[^/@\s]+(?=@)|(?<=[?&])(\w*(?:token|key|secret|pass)\w*)=[^&\s]+", re.IGNORECASE
)
_GIT_TIMEOUT_S = 2.0


class GitState(msgspec.Struct, frozen=True):
    """The source tree the command was given in. dirty: tracked files differ from the commit."""

    commit: str
    dirty: bool


class LaunchRecord(msgspec.Struct, frozen=True):
    """How an attempt was started. started: Unix seconds. environment: the few variables that matter."""

    attempt: int
    argv: tuple[str, ...]
    resume: str
    cwd: str
    host: str
    platform: str
    versions: dict[str, str]
    git: GitState | None
    environment: dict[str, str]
    started: float


def describe_launch(
    attempt: int, argv: tuple[str, ...], resume: str, environment: Mapping[str, str]
) -> LaunchRecord:
    """Gather what a person needs to run the same again."""
    cwd = _cwd()
    return LaunchRecord(
        attempt=attempt,
        argv=argv,
        resume=resume,
        cwd=cwd,
        host=this_host(),
        platform=platform.platform(),
        versions={
            "python": platform.python_version(),
            **{name: _version(name) for name in ("tinytrain-tui", "torch", "textual", "tokenizers", "datasets")},
        },
        git=_git_state(cwd),
        environment=kept_environment(environment),
        started=time.time(),
    )


def kept_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables worth keeping, by a list of names, with what looks like a secret blotted out."""
    kept: dict[str, str] = {}
    for name, value in sorted(environment.items()):
        if _KEPT.fullmatch(name) and name != TAG_VARIABLE:
            kept[name] = "(redacted)" if _SECRET_NAME.search(name) else _SECRET_IN_URL.sub("(redacted)", value)
    return kept


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _cwd() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # the folder the command was given in is gone
        return ""


def _git_state(cwd: str) -> GitState | None:
    if not cwd:
        return None
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        commit = _git(cwd, "rev-parse", "HEAD")
        return GitState(commit, bool(_git(cwd, "status", "--porcelain", "--untracked-files=no")))
    return None


def _git(cwd: str, *arguments: str) -> str:
    completed = subprocess.run(
        ("git", "-c", "core.fsmonitor=false", *arguments),
        cwd=cwd,
        env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=_GIT_TIMEOUT_S,
    )
    return completed.stdout.strip()
