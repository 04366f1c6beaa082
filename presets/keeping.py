"""A person's own presets as files: duplicate, rename, delete with a way back, export, import."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from presets import known
from presets.catalog import (
    Preset,
    preset_text,
    read_preset,
    require_own_name,
    user_presets_dir,
    write_preset,
    write_whole,
)
from presets.config import Change, diff
from presets.schema import RunConfig
from presets.toml_text import read_file

TRASH = ".trash"
_MOST_IN_TRASH = 100
_MARK = "@"  # between the time of a deletion and the preset's name


@dataclass(frozen=True)
class Deleted:
    """A preset in the trash. deleted: Unix seconds."""

    name: str
    deleted: float
    path: Path


@dataclass(frozen=True)
class Import:
    """A preset's file from elsewhere, read and not yet taken. changes: from the defaults, in the schema's order.

    replaced: the preset of one's own that has its name, or None. differences: from that one. is_compared: whether
    those say enough; not without such a preset, nor where nobody has looked at that one either.
    """

    preset: Preset
    changes: tuple[Change, ...]
    replaced: Preset | None
    differences: tuple[Change, ...]
    is_compared: bool


def duplicate(preset: Preset, name: str, replace: bool = False) -> Path:
    """Write a copy under another name, with all that it says of itself. Raises as `catalog.save_preset` does."""
    copy = msgspec.structs.replace(preset, name=name, title=name, shipped=False)
    return write_preset(copy, replace, is_known=is_known(preset))


def edit(preset: Preset, name: str, summary: str, replace: bool = False) -> Path:
    """Give a preset of one's own another name, or other words on what it is for.

    The file under the old name goes away once the new one is written. Raises as `catalog.save_preset` does, and
    ValueError for a shipped preset.
    """
    _require_own(preset)
    title = preset.title if name == preset.name else name  # the list shall show what it is called now
    changed = msgspec.structs.replace(preset, name=name, title=title, summary=summary)
    path = write_preset(changed, replace or name == preset.name, is_known=is_known(preset))
    if name != preset.name:
        _file_of(preset.name).unlink(missing_ok=True)
    return path


def delete(preset: Preset) -> Deleted:
    """Move a preset of one's own into the trash beside the presets; `undelete` brings it back.

    The trash keeps the newest hundred. Raises ValueError for a shipped preset, FileNotFoundError when it is gone
    already, OSError.
    """
    _require_own(preset)
    trash = user_presets_dir() / TRASH
    with contextlib.suppress(FileExistsError):
        trash.mkdir(mode=0o700)
    if trash.is_symlink() or not trash.is_dir():
        raise NotADirectoryError(f"{trash} is not a folder")
    now = time.time()
    path = trash / f"{now:.3f}{_MARK}{preset.name}.toml"
    _file_of(preset.name).rename(path)
    for old in deleted_presets()[_MOST_IN_TRASH:]:
        old.path.unlink(missing_ok=True)
    return Deleted(preset.name, now, path)


def deleted_presets() -> tuple[Deleted, ...]:
    """What is in the trash, the newest first."""
    found: list[Deleted] = []
    with contextlib.suppress(OSError):
        for path in (user_presets_dir() / TRASH).glob(f"*{_MARK}*.toml"):
            when, _, name = path.stem.partition(_MARK)
            with contextlib.suppress(ValueError):
                found.append(Deleted(name, float(when), path))
    return tuple(sorted(found, key=lambda one: one.deleted, reverse=True))


def undelete(deleted: Deleted) -> Path:
    """Bring a preset back. Raises FileExistsError when its name is taken by now, OSError."""
    require_own_name(deleted.name)
    target = _file_of(deleted.name)
    try:
        os.link(deleted.path, target, follow_symlinks=False)  # fails where there is one, unlike a rename
    except FileExistsError:
        raise FileExistsError(f"there is a preset {deleted.name} again; rename that one first") from None
    deleted.path.unlink()
    return target


def export(preset: Preset, path: Path, replace: bool = False) -> Path:
    """Write a preset as a file that `import_preset` reads, here or on another machine; returns the file.

    path: a file, or a folder, in which it is called after the preset. Raises FileExistsError when it is there and
    `replace` is false, OSError.
    """
    target = path.expanduser()
    if target.is_dir():
        target = target / f"{preset.name.replace(os.sep, '-')}.toml"
    if target.suffix != ".toml":
        target = target.with_name(target.name + ".toml")
    if not replace and os.path.lexists(target):
        raise FileExistsError(f"there is already a file {target}")
    write_whole(target, preset_text(preset))
    return target


def look_at(path: Path, own: tuple[Preset, ...], name: str = "") -> Import:
    """Read a preset's file from elsewhere; nothing is taken yet.

    own: the presets that are there. name: what to call it; the file's own name without one. Raises ConfigError,
    ValueError for a name that no preset of one's own can have, OSError.
    """
    path = path.expanduser()
    preset = msgspec.structs.replace(read_preset(read_file(path), name or path.stem), shipped=False)
    require_own_name(preset.name)
    replaced = next((one for one in own if one.name == preset.name), None)
    differences = diff(replaced.config, preset.config) if replaced else ()
    is_compared = replaced is not None and is_known(replaced)
    return Import(preset, diff(RunConfig(), preset.config), replaced, differences, is_compared)


def take(looked_at: Import) -> Path:
    """Keep a preset that a person has looked at, in place of one of the same name. Raises OSError."""
    return write_preset(looked_at.preset, replace=True)


def is_known(preset: Preset) -> bool:
    """Whether a person here has looked at it or made it.

    Nobody came to know what is in a preset from elsewhere by giving it another name, or changing some of it.
    """
    return preset.shipped or not preset.text or known.is_known(preset.text)


def _require_own(preset: Preset) -> None:
    if preset.shipped:
        raise ValueError(f"{preset.name} ships with the program; only a copy of it can be changed")


def _file_of(name: str) -> Path:
    return user_presets_dir() / f"{name}.toml"
