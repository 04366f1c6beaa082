"""Predictions from any checkpoint: `python -m engine.playground` answers JSON lines on its pipes.

A request is `{"run": folder, "checkpoint": "last", "text": "… [MASK] …", "top_k": 5}`, the answer
`{"probes": [...], "checkpoint": name, "step": n}` or `{"error": sentence}`. It runs on the CPU, so that a run
that trains is not disturbed, and ends when its input does.
"""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
from tokenizers import Tokenizer

from engine.checkpoints import CheckpointError, CheckpointStore
from engine.data.tokenizers import load_tokenizer
from engine.models.transformer import Transformer
from engine.probes import ProbeError, fill_masks
from presets.config import ConfigError, from_toml
from runs.events import ProbeResult
from runs.folder import RunFolder


class Request(msgspec.Struct, frozen=True):
    """One sentence to complete. checkpoint: last, best, a step or a name."""

    run: str
    text: str
    checkpoint: str = "last"
    top_k: int = 5


class Answer(msgspec.Struct, frozen=True):
    """What the model makes of it."""

    probes: tuple[ProbeResult, ...]
    checkpoint: str
    step: int
    note: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """Why there is no answer."""

    error: str


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint ready to predict."""

    name: str
    step: int
    note: str
    model: Transformer
    tokenizer: Tokenizer
    length: int


def load_model(folder: RunFolder, checkpoint: str) -> LoadedModel:
    """Read a checkpoint of a run. Raises CheckpointError, ConfigError, OSError or ValueError."""
    store = CheckpointStore(folder.checkpoints_dir)
    loaded, note = store.load(checkpoint, with_optimizer=False)
    config = from_toml((store.folder / loaded.name / "config.toml").read_text(encoding="utf-8"))
    tokenizer = load_tokenizer(store.folder / loaded.name / "tokenizer.json")
    model = Transformer(config.model, tokenizer.get_vocab_size(), config.data.sequence_length)
    try:
        model.load_state_dict(loaded.model)
    except RuntimeError as error:
        raise CheckpointError(f"{loaded.name} does not fit its configuration: {error}") from error
    model.eval()
    return LoadedModel(loaded.name, loaded.state.step, note, model, tokenizer, config.data.sequence_length)


_load_by_name = functools.lru_cache(maxsize=4)(load_model)


def _find(folder: RunFolder, checkpoint: str) -> LoadedModel:
    """The model from memory when it was asked for before; a damaged `last` falls back, and is not kept."""
    store = CheckpointStore(folder.checkpoints_dir)
    name = store.resolve(checkpoint)
    if checkpoint == "last" and store.damage(name):
        return load_model(folder, "last")
    return _load_by_name(folder, name)


def answer(line: bytes) -> Answer | Refusal:
    """Answer one request; every mistake becomes a Refusal with a sentence."""
    try:
        request = msgspec.json.decode(line, type=Request)
        folder = RunFolder(Path(request.run))
        loaded = _find(folder, request.checkpoint)
        top_k = max(1, min(request.top_k, 1000))
        result = fill_masks(loaded.model, loaded.tokenizer, request.text, loaded.length, top_k)
    except (msgspec.DecodeError, CheckpointError, ConfigError, ProbeError, OSError, ValueError) as error:
        return Refusal(str(error))
    return Answer((result,), loaded.name, loaded.step, loaded.note)


def main() -> int:
    """Answer until the input ends."""
    for line in sys.stdin.buffer:
        if line.strip():
            os.write(1, msgspec.json.encode(answer(line)) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
