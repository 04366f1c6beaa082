"""Checkpoints and pointers as a stranger would make them: pickles, false headers, paths for names."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from engine.checkpoint_files import MANIFEST
from runs.folder import RunFolder
from tests.faults.file_attacks import CHECKPOINT, Attack
from tests.faults.resealing import entry_of, manifest_of, reseal, seal_as


def checkpoint_attacks() -> list[Attack]:
    """All of them."""
    return [
        Attack(f"{kind}: {name}", kind, act)
        for kind, cases in (
            ("pickle", _PICKLES), ("safetensors", _TENSORS), ("pointer", _POINTERS), ("manifest", _MANIFESTS)
        )
        for name, act in cases.items()
    ]  # fmt: skip


class _Executes:
    """Unpickled, it leaves a file outside."""

    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.makedirs, (str(self.trap / f"executed-{os.urandom(4).hex()}"),)


def pickled(outside: Path) -> bytes:
    """A pickle that acts when it is read."""
    return pickle.dumps(_Executes(outside))


def torch_file(outside: Path) -> bytes:
    """The same as `torch.save` writes it: a zip archive with `data.pkl` in it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(outside))
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    return content.getvalue()


def _pickle_as(name: str, *, as_archive: bool) -> Callable[[RunFolder, Path], None]:
    def apply(run: RunFolder, outside: Path) -> None:
        checkpoint = run.path / CHECKPOINT
        (checkpoint / name).write_bytes(torch_file(outside) if as_archive else pickled(outside))
        if name != MANIFEST:
            reseal(checkpoint)

    return apply


def _nothing_but_pickles(run: RunFolder, outside: Path) -> None:
    """A checkpoint as other programs write it, under our name."""
    checkpoint = run.path / CHECKPOINT
    shutil.rmtree(checkpoint)
    checkpoint.mkdir()
    for name in ("pytorch_model.bin", "optimizer.pt", "rng_state.pth", "training_args.bin"):
        (checkpoint / name).write_bytes(torch_file(outside))


def _distributed(run: RunFolder, outside: Path) -> None:
    """A checkpoint of torch.distributed, whose `.metadata` is a pickle."""
    checkpoint = run.path / CHECKPOINT
    shutil.rmtree(checkpoint)
    checkpoint.mkdir()
    (checkpoint / ".metadata").write_bytes(pickled(outside))
    (checkpoint / "__0_0.distcp").write_bytes(b"\0" * 64)


_PICKLES: dict[str, Callable[[RunFolder, Path], None]] = {
    f"{'archive' if as_archive else 'plain'} as {name}": _pickle_as(name, as_archive=as_archive)
    for as_archive in (True, False)
    for name in (
        *("model.safetensors", "optimizer.safetensors", "state.json", "tokenizer.json", "config.toml", MANIFEST),
        *("rng_state.pth", "optimizer.pt", "pytorch_model.bin", ".metadata", "labels.json", "tokenizer.pkl"),
    )
} | {"nothing else": _nothing_but_pickles, "distributed checkpoint": _distributed}


def _tensors(header: bytes, length: int | None = None, body: bytes = b"") -> Callable[[RunFolder, Path], None]:
    def apply(run: RunFolder, outside: Path) -> None:
        checkpoint = run.path / CHECKPOINT
        content = struct.pack("<Q", len(header) if length is None else length) + header + body
        (checkpoint / "model.safetensors").write_bytes(content)
        reseal(checkpoint)

    return apply


def _header(**tensor: object) -> bytes:
    return json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | tensor}).encode()


_TENSORS: dict[str, Callable[[RunFolder, Path], None]] = {
    "a header of 2^63 bytes": _tensors(b"{}", 1 << 63),
    "a header of 2^64 - 1 bytes": _tensors(b"{}", (1 << 64) - 1),
    "a header of 100 MB": _tensors(b"{" + b" " * 100_000_000 + b"}"),
    "a header of 0 bytes": _tensors(b"", 0),
    "a deep header": _tensors(b"[" * 5_000_000),
    "a shape of 2^60": _tensors(_header(shape=[1 << 60]), body=b"\0" * 4),
    "a shape that overflows": _tensors(_header(shape=[1 << 32, 1 << 32]), body=b"\0" * 4),
    "a negative shape": _tensors(_header(shape=[-1]), body=b"\0" * 4),
    "offsets past the end": _tensors(_header(data_offsets=[0, 1 << 40]), body=b"\0" * 4),
    "offsets backwards": _tensors(_header(data_offsets=[4, 0]), body=b"\0" * 4),
    "a type of its own": _tensors(_header(dtype="PICKLE"), body=b"\0" * 4),
    "a million tensors": _tensors(
        json.dumps(
            {f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}
        ).encode()
    ),
    "another model": _tensors(_header(), body=b"\0" * 4),
    "no tensors": _tensors(b"{}"),
}


def _pointing(text: str) -> Callable[[RunFolder, Path], None]:
    def apply(run: RunFolder, outside: Path) -> None:
        for pointer in ("last", "best"):
            with contextlib.suppress(ValueError):
                (run.checkpoints_dir / pointer).write_text(text.replace("OUTSIDE", str(outside)), "utf-8")

    return apply


_POINTERS: dict[str, Callable[[RunFolder, Path], None]] = {
    repr(text)[:40]: _pointing(text)
    for text in (
        "OUTSIDE/bait/checkpoints/step-00000010", "../../../outside/bait/checkpoints/step-00000010",
        "step-00000010/../../../../outside/bait/checkpoints/step-00000010", "..", ".", "/", "", "\n",
        "step-" + "9" * 5000, "step-٠٠٠٠٠٠١٠", "step-00000010\x00", "step-00000010/", "step-1", "\x1b[2J",
        "step-99999999",
    )
}  # fmt: skip


def _manifest_naming(name: str) -> Callable[[RunFolder, Path], None]:
    def apply(run: RunFolder, outside: Path) -> None:
        checkpoint = run.path / CHECKPOINT
        target = outside / "bait" / CHECKPOINT / "model.safetensors"
        strange = name.replace("OUTSIDE", str(target))
        seal_as(checkpoint, manifest_of(checkpoint).files | {strange: entry_of(target)})

    return apply


def _manifest_with(**changes: object) -> Callable[[RunFolder, Path], None]:
    def apply(run: RunFolder, outside: Path) -> None:
        path = run.path / CHECKPOINT / MANIFEST
        path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))

    return apply


_MANIFESTS: dict[str, Callable[[RunFolder, Path], None]] = {
    **{
        f"names {name!r}": _manifest_naming(name)
        for name in (
            "OUTSIDE",
            "../../../../outside/bait/about.json",
            "..",
            "a\x00b",
            "a/b",
            "",
            ".hidden",
            "x" * 300,
        )
    },
    "of another step": _manifest_with(step=99),
    "without files": _manifest_with(files={}),
    "of a huge number": _manifest_with(step=10**30),
    "of a wrong kind": _manifest_with(files=[1, 2]),
    "of a huge file": _manifest_with(files={"model.safetensors": {"num_bytes": 1 << 62, "sha256": "0"}}),
    "of a negative size": _manifest_with(files={"model.safetensors": {"num_bytes": -1, "sha256": "0"}}),
}
