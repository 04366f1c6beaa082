"""Predictions from any checkpoint: `python -m engine.playground` answers JSON lines on its pipes.

A request is `{"run": folder, "checkpoint": "last", "text": "… [MASK] …", "top_k": 5}`, the answer
`{"probes": [...], "checkpoint": name, "step": n}` or `{"error": sentence}`. The run's objective decides what is
done with the text: masks are filled, a beginning is continued, a text is classified. It runs on the CPU, so that a
run that trains is not disturbed, and ends when its input does.
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
from engine.models.build import build_model
from engine.models.transformer import Transformer
from engine.probes import ProbeError, probe
from presets.config import ConfigError, from_toml, with_values
from presets.fields import Value
from presets.schema import RunConfig
from runs.events import ProbeResult
from runs.folder import RunFolder
from runs.safe_files import read_bytes, read_text


class Request(msgspec.Struct, frozen=True):
    """One sentence to complete, continue or classify. checkpoint: last, best, a step or a name.

    top_k: words shown for each mask. The rest is for causal models; what is None is as in the run's settings.
    """

    run: str
    text: str
    checkpoint: str = "last"
    top_k: int = 5
    new_tokens: int | None = None
    temperature: float | None = None
    sample_top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None


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
    config: RunConfig


def load_model(folder: RunFolder, checkpoint: str) -> LoadedModel:
    """Read a checkpoint of a run. Raises CheckpointError, ConfigError, OSError or ValueError."""
    store = CheckpointStore(folder.checkpoints_dir)
    loaded, note = store.load(checkpoint, with_optimizer=False)
    saved = store.folder / loaded.name
    config = from_toml(read_text(saved / "config.toml"))
    tokenizer = load_tokenizer(saved / "tokenizer.json")
    model = build_model(config, tokenizer.get_vocab_size(), _labels(saved / "labels.json"))
    try:
        model.load_state_dict(loaded.model)
    except RuntimeError as error:
        raise CheckpointError(f"{loaded.name} does not fit its configuration: {error}") from error
    model.eval()
    return LoadedModel(loaded.name, loaded.state.step, note, model, tokenizer, config)


def _labels(path: Path) -> tuple[str, ...]:
    """The classes that a classifier tells apart; none where the checkpoint has no file of them."""
    if not path.exists():
        return ()
    try:
        return msgspec.json.decode(read_bytes(path), type=tuple[str, ...])
    except (msgspec.DecodeError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a list of labels: {error}") from error


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
        result = probe(loaded.model, loaded.tokenizer, request.text, _as_asked(loaded.config, request))
    except (msgspec.DecodeError, CheckpointError, ConfigError, ProbeError, OSError, ValueError) as error:
        return Refusal(str(error))
    return Answer((result,), loaded.name, loaded.step, loaded.note)


def _as_asked(config: RunConfig, request: Request) -> RunConfig:
    """The run's settings with those of the request. Raises ConfigError for one that is out of bounds."""
    asked: dict[str, Value] = {"probes.top_k": max(1, min(request.top_k, 100))}
    for name in ("new_tokens", "temperature", "sample_top_k", "top_p", "seed"):
        value = getattr(request, name)
        if value is not None:
            asked[f"probes.{name}"] = value
    return with_values(config, asked)


def main() -> int:
    """Answer until the input ends."""
    for line in sys.stdin.buffer:
        if line.strip():
            os.write(1, msgspec.json.encode(answer(line)) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
