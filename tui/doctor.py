"""`tinytrain-tui doctor`: what was found on this machine, with a hint where something is not good."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from presets.config import with_values
from presets.schema import RunConfig
from runs.folder import all_runs, runs_dir, token_caches_dir
from runs.hardware_feed import HardwareFeed
from runs.hub import hub_status
from runs.launch import child_environment
from runs.logout import logout_risk
from runs.status import read_status
from runs.trash import in_trash
from tui.figures import num_bytes
from tui.machine import this_machine
from tui.safe_text import safe_json, safe_text
from tui.tmux import is_tmux

_SIGNS = {"good": "✓", "warning": "!", "bad": "✗"}
_TORCH_WAIT_S = 60.0
_HARDWARE_WAIT_S = 10.0
_LOW_DISK_BYTES = 2e9
_PROBE_DATASET = "stanfordnlp/imdb"
_TORCH = "import torch; print(torch.__version__, torch.version.cuda or '', int(torch.cuda.is_available()))"


@dataclass(frozen=True)
class Finding:
    """One line. hint: what to do, empty when all is well."""

    name: str
    state: Literal["good", "warning", "bad"]
    text: str
    hint: str = ""


def doctor(options: argparse.Namespace) -> int:
    """Print the findings; 1 when something stands in the way of training, else 0."""
    found: list[Finding] = []
    for finding in findings(runs_dir(options.runs_dir)):
        found.append(finding)
        if not options.json:
            print(_line(finding), flush=True)
    if options.json:
        print(safe_json(json.dumps([asdict(finding) for finding in found], ensure_ascii=False, indent=2)))
    return 1 if any(finding.state == "bad" for finding in found) else 0


def findings(runs: Path) -> Iterator[Finding]:
    """Look at everything, the slow things last; each yields as soon as it is known."""
    yield _python()
    yield _memory()
    yield _disk("runs folder", runs)
    yield from _rights(runs)
    yield _disk("cache", token_caches_dir())
    yield _runs(runs)
    yield _terminal()
    yield from _settings()
    yield _logout()
    yield from _gpus()
    yield _torch()
    yield _hub()


def _line(finding: Finding) -> str:
    text = f"{_SIGNS[finding.state]} {finding.name:<12} {safe_text(finding.text, 300)}"
    return f"{text}\n  {'':<12} → {safe_text(finding.hint, 500)}" if finding.hint else text


def _python() -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}"
    if sys.version_info >= (3, 11):  # noqa: UP036 - doctor is asked when the requirement was not met
        return Finding("Python", "good", text)
    return Finding("Python", "bad", text, "tinytrain-tui needs Python 3.11 or newer")


def _memory() -> Finding:
    machine = this_machine()
    text = f"{num_bytes(machine.memory_bytes)}, {machine.num_cores} CPU cores for us"
    if machine.memory_bytes >= 2e9:
        return Finding("memory", "good", text)
    return Finding("memory", "warning", text, "importing PyTorch alone takes about 0.4 GB")


def _disk(name: str, folder: Path) -> Finding:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        free = shutil.disk_usage(existing).free
    except OSError as error:
        return Finding(name, "bad", f"{folder}: {error}", "choose another place")
    text = f"{folder}, {num_bytes(free)} free"
    if not os.access(existing, os.W_OK):
        variable = "TINYTRAIN_RUNS" if name == "runs folder" else "TINYTRAIN_CACHE"
        return Finding(name, "bad", f"{text}, not writable", f"set {variable} to a folder of yours")
    if free < _LOW_DISK_BYTES:
        hint = "checkpoints and token caches need room; delete old runs, then `trash empty`"
        return Finding(name, "warning", text, hint)
    return Finding(name, "good", text)


def _runs(runs: Path) -> Finding:
    folders = all_runs(runs)
    num_live = sum(read_status(folder).is_live for folder in folders)
    text = f"{len(folders)} in all, {num_live} live"
    if deleted := in_trash(runs):
        text += f"; {len(deleted)} in the trash, {num_bytes(sum(one.num_bytes() for one in deleted))}"
    return Finding("runs", "good", text)


def _rights(runs: Path) -> Iterator[Finding]:
    """Who else may look at the runs, or change them; nothing when nobody may, as this program makes the folder."""
    try:
        status = runs.stat()
    except OSError:
        return
    if status.st_uid != os.geteuid():
        text = f"{runs} belongs to another user (uid {status.st_uid}), who may do with it as he likes"
        yield Finding("runs folder", "warning", text, "set TINYTRAIN_RUNS to a folder of your own")
    elif status.st_mode & 0o077:
        may = "change" if status.st_mode & 0o022 else "look into"
        yield Finding(
            "runs folder", "warning", f"other users may {may} {runs}", f"chmod 700 {shlex.quote(str(runs))}"
        )


def _terminal() -> Finding:
    if not sys.stdout.isatty():
        return Finding(
            "terminal", "warning", "none: output goes to a file or a pipe", "the dashboard needs a terminal"
        )
    columns, lines = shutil.get_terminal_size()
    kind = os.environ.get("TERM", "")
    if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        colours = "16 million colours"
    elif is_tmux(os.environ):
        colours = "tmux, which takes every colour"
    elif "256color" in kind:
        colours = "256 colours"
    else:
        colours = "16 colours or fewer"
    text = f"{columns}×{lines}, {colours} (TERM={kind or 'not set'})"
    if columns < 80 or lines < 24:
        return Finding("terminal", "warning", text, "80×24 or more shows everything; 120×40 is good")
    if kind in ("", "dumb"):
        return Finding("terminal", "bad", text, "set TERM, for example TERM=xterm-256color")
    return Finding("terminal", "good", text)


def _settings() -> Iterator[Finding]:
    """A person's settings, with every entry that means nothing; and what the dashboard remembers."""
    from tui.app_commands import APP_COMMANDS
    from tui.keys import EVERYWHERE, OwnKeys, every_scope, unknown_problems
    from tui.remembered import Remembered, remembered_path
    from tui.settings import read_settings
    from tui.themes import LOOKS

    settings = read_settings()
    problems = list(settings.problems)
    if settings.theme and settings.theme not in LOOKS:
        problems.append(f"theme: there is no {settings.theme!r}; there are {', '.join(LOOKS)}")
    if settings.keys:
        own, scopes = OwnKeys(settings.keys, APP_COMMANDS), every_scope()
        for scope, commands in scopes.items():
            own.resolved(scope, commands)
        problems += [*unknown_problems(settings.keys, {EVERYWHERE: APP_COMMANDS, **scopes}), *own.problems]
    problems += filter(None, [Remembered(remembered_path()).problem])
    told = "a webhook is set" if settings.notify.webhook else "no webhook"
    where = str(settings.path) if settings.path.is_file() else f"none at {settings.path}, which is fine"
    if not problems:
        yield Finding("settings", "good", f"{where}; {told}")
    for problem in problems:
        yield Finding("settings", "warning", problem, f"mend {settings.path}")


def _logout() -> Finding:
    risk = logout_risk()
    if risk is None:
        return Finding("logout", "good", "runs go on when you log out")
    return Finding("logout", "warning", risk.sentence, risk.advice)


def _gpus() -> Iterator[Finding]:
    """By way of the hardware process, since a driver call can hang."""
    feed = HardwareFeed()
    deadline = time.monotonic() + _HARDWARE_WAIT_S
    try:
        state = feed.poll()
        while state.reading is None and not state.problem and time.monotonic() < deadline:
            time.sleep(0.05)
            state = feed.poll()
    finally:
        feed.close()
    if state.reading is None:
        problem = state.problem or f"the driver did not answer within {_HARDWARE_WAIT_S:.0f} s"
        yield Finding("GPU", "warning", problem, "nvidia-smi may say more")
        return
    for device in state.reading.devices:
        total = device.memory_total_bytes
        memory = num_bytes(total) if total is not None else "memory unknown"
        text = f"{device.index} {device.name}, {memory}"
        yield Finding("GPU", "warning" if device.problem else "good", text, safe_text(device.problem))
    if not state.reading.devices:
        reason = state.reading.driver or "no device found"
        yield Finding("GPU", "warning", reason, "training uses the CPU; small models are fine there")


def _torch() -> Finding:
    """Version from its metadata; whether it sees CUDA from a process of its own, since importing it is slow."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return Finding("PyTorch", "bad", "not installed", "pip install torch")
    command = [sys.executable, "-c", _TORCH]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TORCH_WAIT_S, env=child_environment(), check=False
        )
    except subprocess.TimeoutExpired:
        hint = "its import hangs; a GPU driver may be stuck"
        return Finding("PyTorch", "bad", f"{version}, does not load within {_TORCH_WAIT_S:.0f} s", hint)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return Finding("PyTorch", "bad", f"{version}, cannot be imported: {last}", "install it again")
    build, cuda, available = done.stdout.rstrip("\n").split(" ")
    if not cuda:
        return Finding("PyTorch", "good", f"{build}, a build for the CPU")
    if available == "1":
        return Finding("PyTorch", "good", f"{build}, CUDA {cuda}, a GPU can be used")
    return Finding("PyTorch", "warning", f"{build}, CUDA {cuda}, no GPU can be used", "runs use the CPU")


def _hub() -> Finding:
    asked = with_values(RunConfig(), {"data.source": "hub", "data.dataset": _PROBE_DATASET})
    status = hub_status(asked)
    if status.reachable:
        return Finding("hub", "good", f"{status.endpoint} can be reached")
    hint = "presets with ⇣ need it; quickstart and --offline-corpus do not"
    return Finding("hub", "warning", f"{status.endpoint} cannot be reached", hint)
