"""What is analysed: a checkpoint's model, and the validation split that its run was judged by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from tokenizers import Tokenizer
from torch import Tensor

from engine.checkpoints import CheckpointStore, TrainState
from engine.data.soundness import is_sound
from engine.data.special_tokens import CLS, MASK, SEP
from engine.data.token_cache import open_cache
from engine.data.tokenizers import encode_probe, token_text
from engine.distributed import World
from engine.loaded_model import load_model
from engine.models.transformer import Transformer
from engine.objectives import Objective
from engine.objectives.build import build_objective
from engine.preparation import evaluated_rows
from engine.training_data import TrainingData, arranged
from presets.corpora import label
from presets.schema import MASK_TOKEN, RunConfig
from runs.analysis import Task
from runs.analysis_files import manifest_hash
from runs.cache_format import MANIFEST
from runs.checksums import sha256_of
from runs.folder import RunFolder, token_caches_dir
from runs.records import RecordTail
from runs.safe_files import read_bytes
from runs.token_caches import cache_key


class AnalysisError(ValueError):
    """What was asked cannot be told; the text says why."""


@dataclass(frozen=True)
class Subject:
    """A checkpoint ready to be looked into. manifest: SHA-256 of its manifest."""

    folder: RunFolder
    name: str
    step: int
    note: str
    manifest: str
    model: Transformer
    tokenizer: Tokenizer
    config: RunConfig
    state: TrainState

    @property
    def task(self) -> Task:
        """What its objective predicts; pairs without masks are judged by their labels."""
        objective = self.config.objective
        if objective.is_causal:
            return "next"
        return "masked" if objective.has_masks else "label"

    @property
    def is_streamed(self) -> bool:
        """Whether its token cache may be the beginning of a stream."""
        return self.config.data.access == "stream" and self.config.data.source == "hub"

    def text(self, token_id: int) -> str:
        """A token as a person reads it."""
        return token_text(self.tokenizer, token_id)


@dataclass(frozen=True)
class Judged:
    """The data of a run, opened without training. samples: (R,) the validation sequences that evaluations score.

    fingerprint: of the tokens. token_counts: (V,) of the training split.
    """

    data: TrainingData
    objective: Objective
    samples: Tensor
    fingerprint: str
    token_counts: Tensor
    notes: tuple[str, ...]


def open_subject(folder: RunFolder, checkpoint: str) -> Subject:
    """Read a checkpoint of a run. Raises CheckpointError, ConfigError, OSError or ValueError."""
    store = CheckpointStore(folder.checkpoints_dir)
    loaded = load_model(folder, checkpoint)
    path = store.folder / loaded.name
    broken = [name for name, weight in loaded.model.named_parameters() if not bool(weight.isfinite().all())]
    if broken:
        raise AnalysisError(
            f"{loaded.name} holds weights that are not finite, such as {broken[0]}; take an earlier one"
        )
    return Subject(
        folder=folder,
        name=loaded.name,
        step=loaded.step,
        note=loaded.note,
        manifest=manifest_hash(folder, loaded.name),
        model=loaded.model.eval(),
        tokenizer=loaded.tokenizer,
        config=loaded.config,
        state=msgspec.json.decode(read_bytes(path / "state.json"), type=TrainState),
    )


def open_judged(subject: Subject) -> Judged:
    """Open the run's token cache as it is; nothing is built or downloaded. Raises AnalysisError or DataError."""
    config = subject.config
    cache_folder = find_cache(subject)
    cache = open_cache(cache_folder, 1 if subject.is_streamed else None)  # a stream is judged by its first shard
    data = arranged(config.data, config.train.seed, World(0, 1, torch.device("cpu")), cache, None)
    fingerprint = data.judged.fingerprint
    notes: tuple[str, ...] = ()
    if subject.state.data not in ("", fingerprint):
        notes = ("the data are not those that this checkpoint was trained and judged by: they changed since",)
    return Judged(
        data=data,
        objective=build_objective(config, data),
        samples=evaluated_rows(len(data.validation), config.train.eval_rows),
        fingerprint=fingerprint,
        token_counts=torch.from_numpy(data.judged.token_counts),
        notes=notes,
    )


def find_cache(subject: Subject) -> Path:
    """The token cache that the run reads, whole and with the checkpoint's tokenizer. Raises AnalysisError."""
    key = _recorded_key(subject.folder) or cache_key(
        subject.config.data, labelled=subject.config.objective.has_labels
    )
    path = token_caches_dir() / key
    what = f"the token cache of {label(subject.config.data)} ({path})"
    if not path.is_dir():
        build = "resume the run, or `tinytrain-tui data build` it, and it is made again"
        raise AnalysisError(f"{what} is gone, and an analysis builds none; {build}")
    is_whole = (path / MANIFEST).exists() or subject.is_streamed
    if not is_whole or not is_sound(path, key):
        raise AnalysisError(f"{what} is damaged or half-built; when the run is resumed it is made whole")
    cache = open_cache(path, 0)
    tokenizer = subject.folder.checkpoints_dir / subject.name / "tokenizer.json"
    if cache.source.tokenizer_sha256 != sha256_of(tokenizer):
        raise AnalysisError(f"{what} has another tokenizer than the checkpoint, so its numbers mean other words")
    return path


def encode_sentence(subject: Subject, text: str, *, allows_mask: bool = True) -> list[int]:
    """`[CLS] … [SEP]` ids of a sentence, with `[MASK]` as the mask. Raises AnalysisError."""
    ids = [CLS, *encode_probe(subject.tokenizer, text), SEP]
    length = subject.model.length
    if len(ids) == 2:
        raise AnalysisError("the sentence holds nothing that the tokenizer knows or could call unknown")
    if len(ids) > length:
        raise AnalysisError(
            f"the sentence has {len(ids):,} tokens with [CLS] and [SEP], and the model takes {length:,}"
        )
    if not allows_mask and MASK in ids:
        raise AnalysisError(
            f"every token is hidden in its turn, so the sentence itself must not hold {MASK_TOKEN}"
        )
    return ids


def _recorded_key(folder: RunFolder) -> str:
    """The cache that the newest attempt read, as it said itself; empty where nothing was said."""
    for attempt in reversed(folder.attempts()):
        for event in RecordTail(attempt.events_file).poll_all():
            key = event.get("token_cache")
            if event.get("kind") == "attempt_started" and isinstance(key, str) and _is_key(key):
                return key
    return ""


def _is_key(key: str) -> bool:
    return bool(key) and key.isascii() and key.isalnum()
