"""Which checkpoint is meant, which may stand in for it, and which are dropped: by what the manifests say."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from engine.checkpoint_files import Manifest

LEAST_KEPT = 2
"""A single one would leave nothing to fall back to."""

NAME = re.compile(r"step-\d{8,18}", re.ASCII)
"""What folders of checkpoints are called."""


def step_of(name: str) -> int:
    """The step that a checkpoint's name says."""
    return int(name.removeprefix("step-"))


def meant(pointer: str, pointed: str, names: Collection[str], manifests: Mapping[str, Manifest]) -> str:
    """The checkpoint that `last` or `best` means; empty when there is none.

    pointer: which. pointed: what its file says, which may be missing or altered. names: of all checkpoints.
    manifests: of those whose manifest is sound. They know too which one it is, so that an altered pointer misleads
    nobody; but one that names what is damaged or gone is believed, so that the loss is noticed.
    """
    counted = {
        name: manifest.serial
        for name, manifest in manifests.items()
        if manifest.serial and (pointer == "last" or manifest.is_best)
    }
    newest = max(counted, key=counted.__getitem__, default="")
    if NAME.fullmatch(pointed):
        is_sound = pointed in manifests and manifests[pointed].serial > 0
        return newest if newest and is_sound else pointed
    if not newest and pointer == "last":
        return max(names, key=step_of, default="")
    return newest


def stand_ins(wanted: str, names: Collection[str], manifests: Mapping[str, Manifest]) -> list[str]:
    """What may stand in for a checkpoint, best first: the newest of earlier steps, and then all others."""

    def rank(name: str) -> tuple[bool, int, int]:
        serial = manifests[name].serial if name in manifests else -1
        return step_of(name) < step_of(wanted), serial, step_of(name)

    return sorted((name for name in names if name != wanted), key=rank, reverse=True)


def dropped(
    names: Collection[str],
    manifests: Mapping[str, Manifest],
    uncounted: Collection[str],
    pinned: Collection[str],
    keep: int,
) -> list[str]:
    """What retention drops once the newest is verified: all but the `keep` newest sound ones and the pinned.

    uncounted: were found damaged, or were saved after the one that the run went back to. They do not count as
    kept, and go only once enough others are there. At least two are kept.
    """
    sound = [name for name in manifests if name not in uncounted]
    sound.sort(key=lambda name: (manifests[name].serial, step_of(name)), reverse=True)
    keep = max(keep, LEAST_KEPT)
    if len(sound) < keep:
        return []
    return [name for name in names if name not in sound[:keep] and name not in pinned]
