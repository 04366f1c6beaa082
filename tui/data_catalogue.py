"""Every dataset that has a name here, and what a name on the command line means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from presets import catalog, corpora
from presets.config import ConfigError, check, with_overrides
from presets.grammars import GRAMMARS, grammar_facts
from presets.schema import DataConfig, RunConfig
from presets.toml_text import NotReadable, read_file
from runs.cache_listing import CacheInfo
from runs.folder import all_runs
from runs.token_caches import TEXT_SUFFIXES
from tui import figures

_RECENT_RUNS = 50


class Dataset(msgspec.Struct, frozen=True):
    """A dataset that is listed. origin: embedded, hub, grammar, or whose presets or runs name it.

    size: in words, empty where nothing is known. labelled: it is read for its labels.
    """

    name: str
    origin: str
    data: DataConfig
    about: str = ""
    size: str = ""
    labelled: bool = False

    @property
    def identity(self) -> tuple[str, ...]:
        """What it has in common with the settings of others that read the same text."""
        return identity(self.data)


class UnknownName(LookupError):
    """No preset, dataset, file or grammar has that name; the text says what there is."""


def identity(data: DataConfig) -> tuple[str, ...]:
    """The text that settings mean, however it is cleaned and tokenised."""
    if data.source == "hub":
        return ("hub", corpora.hub_id(data.dataset), data.dataset_config)
    if data.source == "files":
        return ("files", str(Path(data.dataset).expanduser().absolute()))
    return (data.source, data.dataset)


def named_datasets() -> tuple[Dataset, ...]:
    """Those that the program knows: embedded corpora, datasets of the hub, grammars."""
    return (*_embedded(), *_hub(), *_grammars())


def all_datasets(runs: Path) -> tuple[Dataset, ...]:
    """The named ones, then what a person's own presets and recent runs read besides.

    Blocking: reads the presets and the configurations of the newest runs.
    """
    found = {dataset.identity: dataset for dataset in named_datasets()}
    for preset in catalog.own_presets()[0]:
        _add(found, preset.config.data, f"your preset {preset.name}")
    for preset in catalog.shipped_presets():
        _add(found, preset.config.data, f"preset {preset.name}")
    for folder in all_runs(runs)[:_RECENT_RUNS]:
        try:
            data = folder.config().data
        except (OSError, ConfigError):
            continue  # the list of runs shows it as broken
        _add(found, data, f"run {folder.about().name}")
    return tuple(found.values())


def caches_of(dataset: Dataset, caches: tuple[CacheInfo, ...]) -> tuple[CacheInfo, ...]:
    """The caches of a dataset, whatever their other settings."""
    return tuple(info for info in caches if info.data is not None and identity(info.data) == dataset.identity)


def settled(dataset: Dataset, caches: tuple[CacheInfo, ...]) -> Dataset:
    """The dataset with the settings of its cache that was used last, when it has one that is complete."""
    for info in caches_of(dataset, caches):
        if info.state == "complete" and info.data is not None:
            return msgspec.structs.replace(dataset, data=info.data, labelled=bool(info.labels))
    return dataset


def resolve(name: str, overrides: tuple[str, ...], caches: tuple[CacheInfo, ...]) -> Dataset:
    """What a name means: a preset, a dataset with a name here, a preset's file, a text file or folder, owner/name.

    Without overrides a dataset takes the settings of its newest complete cache. Raises UnknownName, ConfigError.
    """
    dataset = _find(name)
    if not overrides:
        return _checked(dataset if dataset.origin.startswith("preset") else settled(dataset, caches))
    prefixed = tuple(one if "." in one.partition("=")[0] else f"data.{one}" for one in overrides)
    data = with_overrides(RunConfig(data=dataset.data), prefixed).data
    return _checked(msgspec.structs.replace(dataset, data=data))


def settings_words(data: DataConfig) -> str:
    """How the text is cut down and tokenised, in a line."""
    parts = [f"first {data.max_samples:,} rows" if data.max_samples and not data.shuffle else ""]
    if data.max_samples and data.shuffle:
        parts = [f"{data.max_samples:,} rows drawn"]
    if data.tokenizer == "existing":
        parts.append(f"tokenizer {data.tokenizer_from}")
    elif data.source != "synthetic":
        size = "" if data.tokenizer == "bytes" else f", {data.vocab_size:,} entries"
        parts.append(f"{data.tokenizer}{size}")
    parts += ["lower case" if data.lowercase else "case kept", f"rows of {data.min_words} words or more"]
    parts += ["copies dropped"] if data.deduplicate else []
    return "; ".join(part for part in parts if part)


def _checked(dataset: Dataset) -> Dataset:
    """The dataset itself. Raises ConfigError for what is wrong with the data alone, not with a run."""
    problems = check(RunConfig(data=dataset.data))
    mine = tuple(one for one in problems if one.paths and all(path.startswith("data.") for path in one.paths))
    if mine:
        raise ConfigError(mine)
    return dataset


def _find(name: str) -> Dataset:
    presets = {preset.name: preset for preset in catalog.all_presets()}
    if name in presets:
        return _of_preset(presets[name])
    for dataset in named_datasets():
        if name in (dataset.name, dataset.data.dataset):
            return dataset
    path = Path(name).expanduser()
    if path.suffix == ".toml" and path.is_file():
        try:
            return _of_preset(catalog.read_preset(read_file(path), path.stem))
        except (OSError, UnicodeDecodeError, NotReadable) as error:
            raise UnknownName(f"{name} cannot be read: {error}") from None
    if path.is_dir() or (path.is_file() and path.suffix.lower() in TEXT_SUFFIXES):
        return _described(DataConfig(source="files", dataset=str(path.absolute())), "files")
    if path.is_file():
        raise UnknownName(f"{name} is none of {', '.join(TEXT_SUFFIXES)}; rename it to what it is")
    if name.count("/") == 1 and not name.startswith(("/", ".", "~")) and not path.suffix and " " not in name:
        return _described(DataConfig(source="hub", dataset=name), "hub")
    names = ", ".join(dataset.name for dataset in named_datasets())
    raise UnknownName(f"{name!r} is no preset, file, or owner/name of the hub, nor any of {names}")


def _of_preset(preset: catalog.Preset) -> Dataset:
    labelled = preset.config.objective.has_labels
    return Dataset(preset.name, f"preset {preset.name}", preset.config.data, preset.summary, labelled=labelled)


def _add(found: dict[tuple[str, ...], Dataset], data: DataConfig, origin: str) -> None:
    dataset = _described(data, origin)
    found.setdefault(dataset.identity, dataset)


def _described(data: DataConfig, origin: str) -> Dataset:
    name = f"{data.dataset} {data.dataset_config}".strip()
    return Dataset(name, origin, data)


def _embedded() -> Iterator[Dataset]:
    for name, known in corpora.EMBEDDED.items():
        data = DataConfig(source="embedded", dataset=name)
        yield Dataset(name, "embedded", data, f"{known.label}; {known.about}", _size(known))


def _hub() -> Iterator[Dataset]:
    short = {full: alias for alias, full in corpora.ALIASES.items()}
    for (dataset, configuration), known in corpora.HUB.items():
        data = DataConfig(source="hub", dataset=dataset, dataset_config=configuration)
        others = [one for one in corpora.HUB if one[0] == dataset]
        name = short.get(dataset, dataset)
        name = name if len(others) == 1 else f"{name} {configuration}".strip()
        yield Dataset(name, "hub", data, f"{known.label}; {known.about}", _size(known))


def _grammars() -> Iterator[Dataset]:
    for name in GRAMMARS:
        # whole sentences whose words are the tokens: otherwise the grammar's floor would not hold
        data = DataConfig(source="synthetic", dataset=name, tokenizer="word", deduplicate=False)
        known = grammar_facts(data)
        data = msgspec.structs.replace(data, min_words=min(data.min_words, known.shortest))
        size = f"{known.default_sentences:,} sentences, {known.num_words:,} words"
        yield Dataset(name, "grammar", data, f"{known.label}: {known.about}", size)


def _size(known: corpora.CorpusFacts) -> str:
    words = figures.count(known.rows * known.usable_share * known.words_per_row)
    rows = f"{figures.count(known.rows)} rows, {words} words"
    return f"{rows}, {figures.num_bytes(known.download_bytes)}" if known.download_bytes else rows
