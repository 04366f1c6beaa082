"""Weights of another run's checkpoint as the beginning of a new run: fine-tuning, or another objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from tokenizers import Tokenizer
from torch import Tensor

from engine.checkpoints import CheckpointError, CheckpointStore
from engine.data.tokenizers import load_tokenizer
from engine.models.transformer import Transformer
from presets.config import ConfigError, from_toml
from runs.folder import find_run
from runs.references import split_reference
from runs.safe_files import read_bytes, read_text

_HEADS = ("head_dense.", "head_norm.", "head_weight", "head_bias", "pooler.", "classifier.")
_PAIR_PARTS = ("segment_embedding.",)  # a model of single texts has none, and learns it with pairs
_POSITIONS = "position_embedding"
_MAY_BE_LEFT_OUT = (*_HEADS, *_PAIR_PARTS, _POSITIONS)
_SAME_SHAPES = ("num_heads", "positions", "norm", "norm_place", "activation")
"""Settings under which other weights have the same names and sizes, and mean something else."""


@dataclass(frozen=True)
class Start:
    """run, checkpoint: where the weights came from. new: parameters that were not there, and begin at random."""

    run: str
    checkpoint: str
    new: tuple[str, ...]

    def sentence(self) -> str:
        """What came of it, for a person."""
        begun = f"; {', '.join(self.new)} begin at random" if self.new else ""
        return f"the weights are those of {self.checkpoint} of {self.run}{begun}"


def load_start(model: Transformer, start_from: str, runs: Path, tokenizer: Tokenizer) -> Start:
    """Copy the weights of `run:NAME@CHECKPOINT` into an initialised model; heads that are not there stay as drawn.

    runs: where runs lie. tokenizer: of the data, whose ids have to be those the weights were trained with. Fewer
    positions than the checkpoint has are its first ones. A head of labels stays new when the labels are others.
    Raises CheckpointError when the run or the checkpoint is missing or damaged, or its encoder is another one: a
    weight is missing on either side or of another size, or it computes something else with the same weights.
    """
    name, reference = split_reference(start_from)
    try:
        folder = find_run(runs, name)
    except LookupError as error:
        raise CheckpointError(f"model.start_from: {error.args[0]}") from None
    store = CheckpointStore(folder.checkpoints_dir)
    where = f"model.start_from: {start_from}"
    try:
        resolved = store.resolve(reference)
        loaded, _ = store.load(resolved, with_optimizer=False)  # by its name: no other one will do
        theirs = load_tokenizer(store.folder / resolved / "tokenizer.json")
    except (CheckpointError, ValueError, OSError) as error:
        raise CheckpointError(f"{where}: {error}") from error
    if theirs.get_vocab() != tokenizer.get_vocab():
        raise CheckpointError(
            f"{where}: its weights belong to another tokenizer than that of the data "
            f"({theirs.get_vocab_size():,} and {tokenizer.get_vocab_size():,} tokens)"
        )
    where = f"{where} ({resolved})"
    _require_same_encoder(model, store.folder / resolved, where)
    same_labels = labels_of(store.folder / resolved) == model.labels
    new = _copy(model, loaded.model, keeps_labels=same_labels, where=where)
    return Start(folder.about().name, resolved, new)


def _require_same_encoder(model: Transformer, folder: Path, where: str) -> None:
    """Raises CheckpointError, with the names of the settings, when the weights were trained with other ones."""
    try:
        theirs = from_toml(read_text(folder / "config.toml")).model
    except (OSError, UnicodeDecodeError, ConfigError) as error:
        raise CheckpointError(f"{where}: its config.toml cannot be read: {error}") from error
    others = [
        f"model.{name} {getattr(theirs, name)}, here {getattr(model.config, name)}"
        for name in _SAME_SHAPES
        if getattr(theirs, name) != getattr(model.config, name)
    ]
    if others:
        raise CheckpointError(
            f"{where}: its weights were trained with other settings ({'; '.join(others)}); take over the model's"
        )


@torch.no_grad()
def _copy(model: Transformer, saved: Mapping[str, Tensor], *, keeps_labels: bool, where: str) -> tuple[str, ...]:
    """Copy what fits. Returns the names of the parameters that are new. Raises CheckpointError."""
    new: list[str] = []
    own = dict(model.named_parameters())
    left_out = [name for name in saved if name not in own and not name.startswith(_MAY_BE_LEFT_OUT)]
    if left_out:
        more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        raise CheckpointError(f"{where} has {left_out[0]}{more}, and this model has no place for that")
    for name, parameter in own.items():
        tensor = saved.get(name)
        if name == _POSITIONS and tensor is not None and len(tensor) > len(parameter):
            tensor = tensor[: len(parameter)]
        is_free = name.startswith(_HEADS)
        if name.startswith("classifier.") and not keeps_labels:
            tensor = None
        if tensor is not None and tensor.shape == parameter.shape:
            parameter.copy_(tensor)
        elif is_free or (tensor is None and name.startswith(_PAIR_PARTS)):
            new.append(name)
        elif tensor is None:
            raise CheckpointError(f"{where} has no {name}; its model has other parts than this one")
        else:
            sizes = f"{list(tensor.shape)}, and this model needs {list(parameter.shape)}"
            raise CheckpointError(f"{where}: {name} has the sizes {sizes}")
    return tuple(new)


def labels_of(folder: Path) -> tuple[str, ...]:
    """The names of the classes that a checkpoint tells apart. Raises CheckpointError for a damaged file."""
    path = folder / "labels.json"
    if not path.exists():
        return ()
    try:
        return msgspec.json.decode(read_bytes(path), type=tuple[str, ...])
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
