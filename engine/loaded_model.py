"""A checkpoint of a run as a model on the CPU with its tokenizer, ready to be asked."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import msgspec
from tokenizers import Tokenizer

from engine.checkpoints import CheckpointError, CheckpointStore
from engine.data.documents import DataError
from engine.data.tokenizers import load_tokenizer
from engine.data.word_starts import word_starts
from engine.models.build import build_model
from engine.models.transformer import Transformer
from presets.config import from_toml
from presets.schema import RunConfig
from runs.folder import RunFolder
from runs.safe_files import read_bytes, read_text


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint ready to predict. note: that an older one had to do, and why; else empty."""

    name: str
    step: int
    note: str
    model: Transformer
    tokenizer: Tokenizer
    config: RunConfig

    @property
    def num_bytes(self) -> int:
        """Of its weights in memory."""
        return sum(weight.numel() * weight.element_size() for weight in self.model.state_dict().values())

    @functools.cached_property
    def word_starts(self) -> list[bool] | None:
        """For each id whether it begins a word; None where the vocabulary does not tell."""
        try:
            return word_starts(self.tokenizer).tolist()
        except DataError:
            return None


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
