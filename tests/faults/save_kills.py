"""Kills processes that save checkpoints without pause, and damages checkpoints: what is lost, or loaded unseen?

`python save_kills.py <folder> <seed> kills|damage:<build>:<tries> ...` prints a line of JSON for each job. Builds:
`ours`, and deliberately broken ones: `in_place` writes over the files of the one checkpoint there is, `trusting`
loads without checking. Each saving process is forked from this warmed one; it acknowledges through shared memory.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import safetensors.torch
import torch

from engine.checkpoints import CheckpointError, CheckpointStore, Loaded, TrainState
from tests.faults.kill_harness import Write, kill_forked

_LONGEST_S = 0.02
_SIZE = 20_000
_TEXTS = {"tokenizer.json": '{"a":1}', "config.toml": "[train]\nseed = 1\n", "labels.json": '["no","yes"]'}


class KillReport(msgspec.Struct):
    """in_a_save: kills that left something half-made. lost: the newest acknowledged save does not load whole.

    left: something half-made was still there after the clean-up of the next start.
    """

    kills: int = 0
    in_a_save: int = 0
    saved: int = 0
    lost: int = 0
    left: int = 0


class DamageReport(msgspec.Struct):
    """silent: loads of something else than what was saved, or of an older checkpoint without a word.

    refused: nothing at all could be loaded. fell_back: announced. untouched: no damage to what counts.
    """

    tried: int = 0
    silent: int = 0
    refused: int = 0
    fell_back: int = 0
    untouched: int = 0
    examples: list[str] = []


def tensors(number: int, size: int = _SIZE) -> dict[str, torch.Tensor]:
    return {"weight": torch.full((size,), float(number)), "bias": torch.arange(7.0) + number}


def require_content(loaded: Loaded, size: int = _SIZE) -> int:
    """The number of the save that this is, all of it. Raises ValueError for a mixture."""
    number = loaded.state.tokens
    for found, sign in ((loaded.model, 1), (loaded.optimizer, -1)):
        expected = tensors(sign * number, size)
        if set(found) != set(expected) or any(not torch.equal(found[name], expected[name]) for name in expected):
            raise ValueError(f"the tensors are not those of save {number}")
    return number


def save_ours(folder: Path, number: int, size: int = _SIZE) -> None:
    """As the engine does. Every third save comes to the step of the one before again, as after going back."""
    state = TrainState(step=number - (number % 3 == 0), tokens=number)
    CheckpointStore(folder).save(
        tensors(number, size), tensors(-number, size), state, _TEXTS, is_best=number % 4 == 1, keep=2
    )


def load_ours(folder: Path) -> int:
    store = CheckpointStore(folder)
    store.clean_up()
    return require_content(store.load("last")[0])


def save_in_place(folder: Path, number: int) -> None:
    """The usual way: each file over the one before."""
    safetensors.torch.save_file(tensors(number), folder / "model.safetensors")
    safetensors.torch.save_file(tensors(-number), folder / "optimizer.safetensors")
    (folder / "state.json").write_bytes(msgspec.json.encode(TrainState(step=number, tokens=number)))


def load_in_place(folder: Path) -> int:
    model = safetensors.torch.load_file(folder / "model.safetensors")
    optimizer = safetensors.torch.load_file(folder / "optimizer.safetensors")
    state = msgspec.json.decode((folder / "state.json").read_bytes(), type=TrainState)
    return require_content(Loaded("last", model, optimizer, state))


_BUILDS: dict[str, tuple[Callable[[Path, int], None], Callable[[Path], int]]] = {
    "ours": (save_ours, load_ours),
    "in_place": (save_in_place, load_in_place),
}


def half_made(folder: Path) -> list[str]:
    """What only a save that was interrupted leaves."""
    return [p.name for p in folder.iterdir() if p.suffix in (".building", ".replaced", ".dropped", ".tmp")]


def kill_in_saves(report: KillReport, folder: Path, save: Callable[[Path, int], None], delay_s: float) -> int:
    """Save in a fork, SIGKILL it; returns the number of the newest acknowledged save."""

    def open_saver(path: Path) -> Write:
        def write(record: dict[str, object]) -> bool:
            save(path, int(str(record["step"])))
            return True

        return write

    acknowledged = kill_forked(folder, open_saver, delay_s)
    report.saved += acknowledged
    report.in_a_save += bool(half_made(folder))
    return acknowledged


def kills(folder: Path, build: str, tries: int, rng: random.Random) -> KillReport:
    save, load = _BUILDS[build]
    report = KillReport()
    for number in range(tries):
        here = folder / str(number)
        here.mkdir(parents=True)
        acknowledged = kill_in_saves(report, here, save, rng.uniform(0, _LONGEST_S))
        report.kills += 1
        try:
            report.lost += load(here) < acknowledged
        except (CheckpointError, ValueError, OSError, safetensors.SafetensorError, msgspec.MsgspecError):
            report.lost += 1
        report.left += bool(half_made(here))
        shutil.rmtree(here)
    return report


def spoil(path: Path, other: Path, rng: random.Random) -> str:
    """Change a file in one of the ways in which files change; says how. other: the same file of another save."""
    content = bytearray(path.read_bytes())
    at = rng.randrange(len(content))
    kind = rng.choice(("flip", "flip", "byte", "cut", "zeros", "more", "gone", "other", "empty"))
    if kind == "flip":
        content[at] ^= 1 << rng.randrange(8)
    elif kind == "byte":
        content[at] = (content[at] + rng.randrange(1, 256)) % 256
    elif kind == "cut":
        del content[at:]
    elif kind == "zeros":
        end = min(len(content), at + rng.randrange(1, 4096))
        content[at:end] = bytes(end - at)
    elif kind == "more":
        content += rng.randbytes(rng.randrange(1, 100))
    elif kind == "other" and other.is_file():
        content = bytearray(other.read_bytes())
    elif kind == "gone":
        path.unlink()
        return kind
    else:
        content.clear()
    path.write_bytes(content)
    return f"{kind} at {at}"


class Trusting(CheckpointStore):
    """A build that reads what the pointer names, and checks nothing."""

    def choose(self, reference: str, *, with_optimizer: bool = True) -> tuple[str, str]:
        return (self.folder / reference).read_text().strip(), ""


def damage(folder: Path, build: str, tries: int, rng: random.Random) -> DamageReport:
    """Damage one file of the newest checkpoint, or a pointer, and load; then put it right again."""
    whole = folder / "whole"
    for number in (1, 2, 4, 5):
        save_ours(whole, number, size=50)
    newest = "step-00000005"
    before = "step-00000004"
    victims = sorted(path.name for path in (whole / newest).iterdir())
    report = DamageReport()
    for number in range(tries):
        here = folder / "here"
        shutil.copytree(whole, here)
        name = rng.choice([*victims, *victims, "last"])
        victim = here / name if name == "last" else here / newest / name
        is_same = victim.read_bytes()
        how = f"{name}: {spoil(victim, here / before / name, rng)}"
        is_same = victim.exists() and victim.read_bytes() == is_same
        report.tried += 1
        store = Trusting(here) if build == "trusting" else CheckpointStore(here)
        try:
            loaded, fallback = store.load("last")
            number = require_content(loaded, size=50)
            texts = {name: (here / loaded.name / name).read_text() for name in _TEXTS}
        except ValueError:
            texts, number, fallback = {}, 0, ""
        except (CheckpointError, OSError) as error:
            report.refused += 1
            report.examples.append(f"{how}: {error}")
            texts = None
        if texts is not None:
            is_older = number != 5 or loaded.name != newest
            is_silent = texts != _TEXTS or (is_older and not fallback)
            report.silent += is_silent
            report.fell_back += bool(fallback)
            report.untouched += not fallback and not is_silent
            if is_silent or (not fallback and not is_same and name != "last"):
                report.examples.append(how)
        shutil.rmtree(here)
    report.examples = report.examples[:10]
    return report


def main() -> None:
    """See the module's text."""
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    os.fsync = lambda descriptor: None  # a kill is no power cut, and the disk is not what is tried here
    for job in sys.argv[3:]:
        what, build, tries = job.split(":")
        here, rng = folder / f"{what}-{build}", random.Random(seed)
        run = kills if what == "kills" else damage
        print(msgspec.json.encode(run(here, build, int(tries), rng)).decode(), flush=True)


if __name__ == "__main__":
    main()
