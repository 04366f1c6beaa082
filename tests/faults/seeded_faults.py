"""Faults that a test puts into the real engine from outside: a `sitecustomize` that every Python of a run loads.

`install(folder)` makes it; the folder goes in front of PYTHONPATH, and `SEEDED_FAULTS` names it. `seed` says which
fault which ranks of a run have, and when. Nothing of this is known to the product.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

VARIABLE = "SEEDED_FAULTS"

_MORE_THAN_THE_LIMIT = 2 << 30


def install(folder: Path) -> Path:
    """Make the folder with the `sitecustomize`, and return it."""
    folder.mkdir(parents=True)
    line = f"import runpy; runpy.run_path({str(Path(__file__).resolve())!r}, run_name='__seeded__')\n"
    (folder / "sitecustomize.py").write_text(line)
    return folder


def seed(folder: Path, run: str, fault: str, ranks: tuple[int, ...], at: str, step: int, broken: bool) -> None:
    """Give a run its fault.

    at: "import", "prepare", "step", "save", "evaluation" or "data". broken: with a build that leaves no reports,
    no marks, and does not read torchrun's verdict.
    """
    spec = {"fault": fault, "ranks": ranks, "at": at, "step": step, "broken": broken}
    (folder / f"{run}.json").write_text(json.dumps(spec))


def strike(fault: str) -> None:
    """Do what the fault is. Most do not return."""
    import ctypes
    import mmap
    import signal
    import tempfile
    import time

    import torch

    libc = ctypes.CDLL(None)
    match fault:
        case "torch out of memory":
            raise torch.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 79 GiB in total"
            )
        case "torch without memory":
            torch.empty(1 << 50, dtype=torch.uint8)
        case "memory error":
            bytearray(1 << 62)
        case "address space":
            _fill_address_space()
        case "oom killer":
            _fill_cgroup()
        case "segmentation fault":
            ctypes.string_at(1)
        case "bus error":
            with tempfile.TemporaryFile() as file:
                file.truncate(mmap.PAGESIZE)
                view = mmap.mmap(file.fileno(), mmap.PAGESIZE)
                file.truncate(0)
                view[0]
        case "abort":
            libc.abort()
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "native exit":
            libc._exit(3)
        case "native exit as if well":
            libc._exit(0)
        case "sys.exit":
            sys.exit(3)
        case "hang":
            while True:
                time.sleep(3600)
        case "native hang":
            while True:  # a signal wakes it
                ctypes.PyDLL(None).sleep(3600)  # keeps the interpreter's lock
        case "hang that ignores SIGTERM":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(3600)
        case "full disk":
            with Path("/dev/full").open("wb", buffering=0) as file:
                file.write(b"x")
        case "missing module":
            __import__("a_module_that_is_not_there")
        case "missing library":
            ctypes.CDLL("libnotthere.so.1")
        case "data thread":
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(1, thread_name_prefix="data") as pool:
                pool.submit(lambda: {}["row 4711"]).result()
        case "value error":
            raise ValueError("the loss of row 4711 is no number")
        case _:
            raise AssertionError(f"there is no fault {fault!r}")


def _fill_address_space() -> None:
    """Memory runs out for real, by the limit of this process."""
    import resource

    import torch

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
    kept = []
    while True:
        kept.append(torch.ones(4 << 20))


def _fill_cgroup() -> None:
    """Memory runs out for real, by the limit of the cgroup that this process was put into."""
    # in one go: before it runs out of room for small pieces, the kernel drops every library and reads it again
    b"x" * _MORE_THAN_THE_LIMIT
    raise AssertionError("the cgroup has no limit")


def enter_cgroup(limit_bytes: int, name: str) -> bool:
    """Put this process into a memory cgroup of its own; False where that is not allowed."""
    for top, limit in (
        (Path("/sys/fs/cgroup"), "memory.max"),
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    ):
        folder = top / name
        try:
            folder.mkdir(exist_ok=True)
            if (folder / limit).exists():  # else this is no cgroup file system
                (folder / limit).write_text(str(limit_bytes))
                (folder / "cgroup.procs").write_text(str(os.getpid()))
                return True
            folder.rmdir()
        except OSError:
            continue
    return False


def remove_cgroup(name: str) -> None:
    """Remove what `enter_cgroup` made."""
    for top in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")):
        try:
            (top / name).rmdir()
        except OSError:
            continue


class _Patching(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Calls a function with a module right after it was imported for the first time."""

    def __init__(self, patches: dict[str, Callable[[Any], None]]) -> None:
        self.patches = patches
        self._loaders: dict[str, Any] = {}

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        if name not in self.patches or name in self._loaders:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None:
            self._loaders[name], spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: Any) -> Any:
        return self._loaders[spec.name].create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        self._loaders[name].exec_module(module)
        self.patches[name](module)


def _before(owner: Any, name: str, act: Callable[..., None]) -> None:
    """Let `act` run, with the same arguments, before a function or method of that name."""
    real = getattr(owner, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        act(*arguments)
        return real(*arguments, **options)

    setattr(owner, name, wrapped)


def _patches(spec: dict[str, Any], run: str) -> dict[str, Callable[[Any], None]]:
    """By module: how the fault gets in."""
    fault, at, step = spec["fault"], spec["at"], spec["step"]

    def at_import(module: Any) -> None:
        strike(fault)

    def at_preparing(module: Any) -> None:
        _before(module, "prepare", lambda *_: strike(fault))

    def in_an_update(module: Any) -> None:
        def reached(updater: Any, now: int, *_: Any) -> None:
            if now != step:
                return
            if fault == "not a number":
                for parameter in updater.run.model.parameters():
                    parameter.data.fill_(float("nan"))
            else:
                strike(fault)

        _before(module.Updater, "make", reached)

    def in_evaluation(module: Any) -> None:
        _before(module, "_sums", lambda run, world, *_: strike(fault) if world.mark.step == step else None)

    def in_saving(module: Any) -> None:
        _before(module.Saver, "save", lambda saver, state, *_: strike(fault) if state.step == step else None)

    def in_data(module: Any) -> None:
        def reached(batches: Any, samples_before: int, *_: Any) -> None:
            if samples_before >= step * batches.run.global_batch:
                strike(fault)

        _before(module.BatchesAhead, "step", reached)

    ways: dict[str, tuple[str, Callable[[Any], None]]] = {
        "import": ("engine.attempt", at_import),
        "prepare": ("engine.attempt", at_preparing),
        "step": ("engine.updates", in_an_update),
        "evaluation": ("engine.evaluation", in_evaluation),
        "save": ("engine.saving", in_saving),
        "data": ("engine.batches_ahead", in_data),
    }
    module, patch = ways[at]
    return {module: patch}


def _break_reports(module: Any) -> None:
    module.LastWords.say = lambda *_, **__: None


def _break_marks(module: Any) -> None:
    module.ProgressMark._write = lambda *_, **__: None


def _break_verdict(module: Any) -> None:
    module.rank_failures = lambda attempt: []


def _break_logs(module: Any) -> None:
    module.crashes = lambda attempt: []


def _begin() -> None:
    """What the `sitecustomize` does: find out who this process is, and get ready."""
    words = getattr(sys, "orig_argv", [])
    module = next((name for name in ("engine", "runs.supervisor") if name in words), "")
    if not module or VARIABLE not in os.environ:
        return
    run = Path(words[words.index(module) + 1]).name
    try:
        spec = json.loads((Path(os.environ[VARIABLE]) / f"{run}.json").read_text())
    except OSError:
        return
    patches: dict[str, Callable[[Any], None]] = {}
    if module == "engine" and int(os.environ.get("RANK", "0")) in spec["ranks"]:
        if spec["fault"] == "oom killer":
            enter_cgroup(_MORE_THAN_THE_LIMIT // 2, run)
        if spec["fault"]:
            patches = _patches(spec, run)
    if spec["broken"]:
        patches |= {"engine.last_words": _break_reports, "engine.progress": _break_marks}
        patches |= {"runs.evidence": _break_verdict, "runs.root_cause": _break_logs}
    sys.meta_path.insert(0, _Patching(patches))


if __name__ == "__seeded__":
    _begin()
