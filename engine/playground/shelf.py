"""The models that were asked for last, kept in memory within bounds."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from engine.checkpoints import CheckpointError, CheckpointStore
from engine.loaded_model import LoadedModel, load_model
from runs.checkpoint_manifest import MANIFEST, MODEL
from runs.folder import RunFolder
from runs.host_memory import host_memory

_MOST_MODELS = 6
_MOST_BYTES = 2 << 30
_COPIES = 2.2  # the file's pages, and the model that they are copied into

Identity = tuple[tuple[int, int, int], ...]
Loading = Callable[[str, int], None]


class Shelf:
    """Loaded models by what their files are now: a checkpoint that was written anew is read anew.

    The one that was used least lately goes first when there are more than `most` or they take more than num_bytes.
    """

    def __init__(self, most: int = _MOST_MODELS, num_bytes: int = _MOST_BYTES) -> None:
        self._most = most
        self._num_bytes = num_bytes
        self._models: OrderedDict[tuple[Path, str, Identity], LoadedModel] = OrderedDict()

    def __len__(self) -> int:
        return len(self._models)

    def find(self, folder: RunFolder, checkpoint: str, loading: Loading = lambda name, size: None) -> LoadedModel:
        """The model, from memory when it is there. loading: told before one is read, with its size in bytes.

        A damaged `last` falls back. Raises CheckpointError, ConfigError, OSError or ValueError.
        """
        name = CheckpointStore(folder.checkpoints_dir).resolve(checkpoint)
        falls_back = "last" if checkpoint == "last" else name
        key = (folder.path, falls_back, _identity(folder, name))
        if key in self._models:
            self._models.move_to_end(key)
            return self._models[key]
        size = _size(folder.checkpoints_dir / name / MODEL)
        loading(name, size)
        self._make_room(size)
        loaded = load_model(folder, falls_back)
        self._models[key] = loaded
        self._drop(lambda: len(self._models) > 1 and self._is_full)
        return loaded

    @property
    def _is_full(self) -> bool:
        return len(self._models) > self._most or self._held > self._num_bytes

    @property
    def _held(self) -> int:
        return sum(model.num_bytes for model in self._models.values())

    def _make_room(self, size: int) -> None:
        """Let go of models while the machine has no room for one more. Raises CheckpointError when it has none."""
        needed = int(size * _COPIES)
        self._drop(lambda: bool(self._models) and 0 < host_memory()[1] < needed)
        free = host_memory()[1]
        if 0 < free < needed:
            raise CheckpointError(
                f"the model needs {needed / 1e9:.1f} GB of memory, and this machine has {free / 1e9:.1f} GB free"
            )

    def _drop(self, wanted: Callable[[], bool]) -> None:
        while wanted():
            self._models.popitem(last=False)


def _identity(folder: RunFolder, name: str) -> Identity:
    """What tells a checkpoint's files from others of the same names."""
    return tuple(_stamp(folder.checkpoints_dir / name / file) for file in (MANIFEST, MODEL))


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = os.lstat(path)
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_mtime_ns, status.st_size)


def _size(path: Path) -> int:
    return _stamp(path)[2]
