"""The presets that ship with the program, and those a person saved."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import platformdirs
import tomli_w

from presets import config as configs
from presets import known
from presets.fields import Value
from presets.rules import Problem
from presets.schema import FIELD_BY_PATH, RunConfig
from presets.toml_text import NotReadable, read_file, read_tree

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Preset(msgspec.Struct, frozen=True):
    """A named starting point for a run.

    published: the values of the recipe it is taken from, where ours differ, by field path. text: the file it was
    read from, by which it is known or not; empty for one that ships with the program.
    """

    name: str
    title: str
    summary: str
    config: RunConfig
    source: str = ""
    published: dict[str, Value] = {}
    shipped: bool = True
    order: int = 100
    text: str = ""


def user_presets_dir() -> Path:
    """Where a person's own presets are: `$TINYTRAIN_PRESETS`, else the platform's configuration folder."""
    override = os.environ.get("TINYTRAIN_PRESETS")
    return Path(override) if override else platformdirs.user_config_path("tinytrain-tui") / "presets"


def shipped_presets() -> tuple[Preset, ...]:
    """The presets of the package, in the order in which they are shown."""
    files = (entry for entry in resources.files("presets").iterdir() if entry.name.endswith(".toml"))
    read = [read_preset(entry.read_text(encoding="utf-8"), entry.name.removesuffix(".toml")) for entry in files]
    found = (msgspec.structs.replace(preset, text="") for preset in read)
    return tuple(sorted(found, key=lambda preset: (preset.order, preset.name)))


def own_presets() -> tuple[tuple[Preset, ...], tuple[Problem, ...]]:
    """A person's own presets, and what is wrong with the files that could not be read."""
    presets: list[Preset] = []
    problems: list[Problem] = []
    folder = user_presets_dir()
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        try:
            preset = read_preset(read_file(path), path.stem)
            presets.append(msgspec.structs.replace(preset, shipped=False))
        except (OSError, ValueError) as error:
            problems.append(Problem((str(path),), str(error)))
    return tuple(presets), tuple(problems)


def all_presets() -> tuple[Preset, ...]:
    """Shipped presets, then a person's own."""
    return shipped_presets() + own_presets()[0]


def find_preset(name: str) -> Preset:
    """The preset of that name. Raises KeyError with a sentence that gives close names, else all there are."""
    presets = {preset.name: preset for preset in all_presets()}
    if name not in presets:
        close = difflib.get_close_matches(name, presets, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(presets)}"
        raise KeyError(f"there is no preset {name!r}; {hint}")
    return presets[name]


def read_preset(text: str, name: str) -> Preset:
    """Read a preset's TOML: a `[preset]` table about it, and the fields that differ from the defaults.

    A run's `config.toml` is a preset too, one without the table. Raises ConfigError.
    """
    try:
        tree: dict[str, Any] = read_tree(text)
    except NotReadable as error:
        raise configs.ConfigError((Problem((), str(error)),)) from None
    about = tree.pop("preset", {})
    if not isinstance(about, dict):
        raise configs.ConfigError((Problem(("preset",), "this is a table, not a value"),))
    published: dict[str, Value] = about.get("published", {})
    if not isinstance(published, dict):
        raise configs.ConfigError((Problem(("preset.published",), "this is a table, not a value"),))
    order = about.get("order", 100)
    if isinstance(order, bool) or not isinstance(order, int):
        raise configs.ConfigError((Problem(("preset.order",), f"{order!r} is not a whole number"),))
    unknown = [path for path in published if path not in FIELD_BY_PATH]
    if unknown:
        raise configs.ConfigError((Problem(tuple(unknown), "published value of a field that is not there"),))
    return Preset(
        name=name,
        title=str(about.get("title", name)),
        summary=str(about.get("summary", "")),
        config=configs.decode(tree),
        source=str(about.get("source", "")),
        published=published,
        order=order,
        text=text,
    )


def save_preset(
    name: str, config: RunConfig, summary: str = "", replace: bool = False, is_known: bool = True
) -> Path:
    """Write a preset of one's own and return its file.

    is_known: as of `write_preset`. Raises ValueError for a name that is no file name or is a shipped preset's,
    FileExistsError when it is there and `replace` is false, OSError when it cannot be written.
    """
    return write_preset(Preset(name=name, title=name, summary=summary, config=config), replace, is_known)


def write_preset(preset: Preset, replace: bool = False, is_known: bool = True) -> Path:
    """Write a preset of one's own, with all that it says of itself.

    is_known: a person here has looked at it or made it, so that nobody is asked about it again. Raises as
    `save_preset` does.
    """
    require_own_name(preset.name)
    folder = user_presets_dir()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{preset.name}.toml"
    if path.exists() and not replace:
        raise FileExistsError(f"there is already a preset {preset.name}")
    text = preset_text(preset)
    write_whole(path, text)
    if is_known:
        known.remember(text)
    return path


def write_whole(path: Path, text: str) -> None:
    """Put a text in the place of a file, or leave what is there and nothing beside it. Raises OSError."""
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")
    try:
        temporary.touch(mode=0o600)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from None


def require_own_name(name: str) -> None:
    """Raise ValueError for what is no file name of a preset, or is a shipped preset's."""
    if not _NAME.fullmatch(name):
        raise ValueError("a preset's name has small letters, digits, '.', '_' and '-', and at most 64 of them")
    if any(preset.name == name for preset in shipped_presets()):
        raise ValueError(f"{name} is a shipped preset; choose another name")


def preset_text(preset: Preset) -> str:
    """A preset as its file: the table about it, then the fields that differ from the defaults."""
    about: dict[str, Any] = {"title": preset.title, "summary": preset.summary}
    if preset.source:
        about["source"] = preset.source
    if preset.published:
        published = preset.published.items()
        about["published"] = {path: list(v) if isinstance(v, tuple) else v for path, v in published}
    return tomli_w.dumps({"preset": about}) + "\n" + configs.to_toml(preset.config, base=RunConfig())
