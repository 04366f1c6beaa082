"""What a stranger can put in the place of every file and folder of a run, and the bait that it leads to."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.checkpoint_files import MANIFEST
from runs.events import Notice
from runs.folder import About, RunFolder
from runs.records import seal
from runs.status import ErrorReport, Outcome, read_outcome
from tests.faults.resealing import reseal
from tests.faults.run_opener import MARKED_NUMBER, MARKER

NEWEST = "step-00000010"
CHECKPOINT = f"checkpoints/{NEWEST}"
_RANK_LOG = "attempts/0001/ranks/run_1/attempt_0/0/stderr.log"

FILES = (
    *("config.toml", "about.json", "state.json", "launch.json", "queue.json", "lock", "supervisor.log"),
    *(f"attempts/0001/{name}" for name in ("metrics.jsonl", "events.jsonl", "console.log", "outcome.json")),
    *("attempts/0001/error.json", _RANK_LOG, "control/1760000000.000000-aaaaaa-stop.json"),
    *("checkpoints/last", "checkpoints/best", f"{CHECKPOINT}/{MANIFEST}", f"{CHECKPOINT}/state.json"),
    *(f"{CHECKPOINT}/{name}" for name in ("model.safetensors", "optimizer.safetensors", "tokenizer.json")),
    *(f"{CHECKPOINT}/config.toml", f"{CHECKPOINT}/labels.json"),
    *("cache/analysis/verdict.json", "cache/series.bin"),
)
FOLDERS = (
    *("attempts", "attempts/0001", "attempts/0001/ranks", "attempts/0001/ranks/run_1", "attempts/0002"),
    *("checkpoints", CHECKPOINT, "checkpoints/step-00000020.building", "checkpoints/step-00000099.replaced"),
    *("control", "cache", "cache/analysis", f"cache/analysis/{NEWEST}", "."),
)


@dataclass(frozen=True)
class Attack:
    """apply: takes the run and a folder outside of it, in which `bait` is such a run full of secrets.

    shows_bait: it puts them into the run itself, where they may be seen.
    """

    name: str
    kind: str
    apply: Callable[[RunFolder, Path], None]
    shows_bait: bool = False


def place_attacks() -> list[Attack]:
    """Something else in the place of every file and folder of a run; and another run's file or folder there."""
    found = [Attack(f"{kind} at {file}", kind, _at(file, act)) for file in FILES for kind, act in _INSTEAD.items()]
    found += [
        Attack(f"{kind} at {folder}/", kind, _at(folder, act))
        for folder in FOLDERS
        for kind, act in _IN_PLACE.items()
    ]
    return found + [
        Attack(f"another's {name}", "copy", _at(name, _copy_of_bait), shows_bait=True)
        for name in (*FILES, *FOLDERS)
    ]


def set_bait(bait: Path) -> None:
    """Fill a copy of the run with what must never be read through a link."""
    run = RunFolder(bait)
    attempt = run.attempt(1)
    run.about_file.write_bytes(msgspec.json.encode(About(MARKER, MARKER, (MARKER,), MARKER)))
    for path in (run.config_file, bait / CHECKPOINT / "config.toml"):
        text = path.read_text()
        path.write_text(text.replace("the people of the [MASK]", f"{MARKER} [MASK]"))
    for path in (attempt.console_file, bait / _RANK_LOG, run.supervisor_log):
        path.write_text(f"{MARKER}\n")
    attempt.metrics_file.write_bytes(seal(msgspec.json.encode({"step": 1, "time": 1.0, "seq": 1, MARKER: 1.0})))
    with attempt.events_file.open("ab") as file:
        file.write(seal(msgspec.json.encode(Notice(seq=99, level="info", message=MARKER))))
    outcome = read_outcome(attempt) or Outcome("failed", "", 0, 0)
    attempt.outcome_file.write_bytes(msgspec.json.encode(msgspec.structs.replace(outcome, reason=MARKER)))
    attempt.error_file.write_bytes(msgspec.json.encode(ErrorReport(0, MARKER, MARKER, MARKER, 1.0, 1)))
    checkpoint = bait / CHECKPOINT
    state = json.loads((checkpoint / "state.json").read_bytes())
    (checkpoint / "state.json").write_text(json.dumps(state | {"tokens": MARKED_NUMBER}))
    tokenizer = (checkpoint / "tokenizer.json").read_text()
    (checkpoint / "tokenizer.json").write_text(tokenizer)
    reseal(checkpoint)
    verdict = (run.cache_dir / "analysis" / "verdict.json").read_text()
    (run.cache_dir / "analysis" / "verdict.json").write_text(verdict)


def _at(name: str, act: Callable[[Path, Path, Path], None]) -> Callable[[RunFolder, Path], None]:
    def apply(run: RunFolder, outside: Path) -> None:
        path = run.path / name if name != "." else run.path
        path.parent.mkdir(parents=True, exist_ok=True)
        bait = outside / "bait" / name if name != "." else outside / "bait"
        if act is not _copy_of_bait:
            _remove(path)
        act(path, bait, outside)

    return apply


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _link(path: Path, bait: Path, outside: Path) -> None:
    path.symlink_to(bait)


def _dangling(path: Path, bait: Path, outside: Path) -> None:
    path.symlink_to(outside / "made-by-following")


def _loop(path: Path, bait: Path, outside: Path) -> None:
    path.symlink_to(path)


def _pipe(path: Path, bait: Path, outside: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path, bait: Path, outside: Path) -> None:
    here = os.open(path.parent, os.O_RDONLY)  # the path may be longer than a socket's name can be
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"/proc/self/fd/{here}/{path.name}"[:107])
    finally:
        os.close(here)


def _device(path: Path, bait: Path, outside: Path) -> None:
    """Endless zeros; whoever may make no devices links to it."""
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/zero")


def _folder(path: Path, bait: Path, outside: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("x")


def _file(path: Path, bait: Path, outside: Path) -> None:
    path.write_text("not a folder")


def _sparse(path: Path, bait: Path, outside: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def _deep(path: Path, bait: Path, outside: Path) -> None:
    path.write_bytes(b"[" * 200_000 + b"]" * 200_000)


def _garbage(path: Path, bait: Path, outside: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40 + b"\n" * 10)


def _empty(path: Path, bait: Path, outside: Path) -> None:
    path.touch()


def _large(path: Path, bait: Path, outside: Path) -> None:
    path.write_bytes(b'{"a":"' + b"x" * (40 << 20) + b'"}\n')


def _copy_of_bait(path: Path, bait: Path, outside: Path) -> None:
    """What is really there may be shown, whatever it says: nothing but the absence of crashes is looked at."""
    if bait.is_dir():
        shutil.copytree(bait, path, dirs_exist_ok=True)
    elif bait.exists():
        shutil.copyfile(bait, path)


_INSTEAD: dict[str, Callable[[Path, Path, Path], None]] = {
    "link": _link, "dangling link": _dangling, "loop": _loop, "pipe": _pipe, "socket": _socket, "device": _device,
    "folder": _folder, "sparse terabyte": _sparse, "deep JSON": _deep, "garbage": _garbage, "empty": _empty,
    "large": _large,
}  # fmt: skip
_IN_PLACE: dict[str, Callable[[Path, Path, Path], None]] = {
    "link": _link, "dangling link": _dangling, "loop": _loop, "pipe": _pipe, "file": _file,
}  # fmt: skip
