"""What is known beforehand of the datasets that presets name, and which token cache a data section means."""

from __future__ import annotations

import hashlib

import msgspec

from presets.schema import DataConfig, RunConfig

TOKEN_CACHE_VERSION = 2  # raised whenever the bytes of a cache change for the same settings


class CorpusFacts(msgspec.Struct, frozen=True):
    """Published or measured size of a dataset's split, for estimates only.

    rows: rows of the split. words_per_row: mean whitespace words. download_bytes: 0 when shipped.
    """

    label: str
    rows: int
    words_per_row: float
    download_bytes: int
    about: str


EMBEDDED: dict[str, CorpusFacts] = {
    "addresses": CorpusFacts(
        label="State of the Union addresses, 1790–2021",
        rows=233,
        words_per_row=7_703,
        download_bytes=0,
        about="public domain, shipped with the program",
    )
}

HUB: dict[tuple[str, str], CorpusFacts] = {
    ("stanfordnlp/imdb", ""): CorpusFacts(
        label="IMDB film reviews",
        rows=25_000,
        words_per_row=234,
        download_bytes=84_000_000,
        about="25,000 labelled training reviews",
    ),
    ("Salesforce/wikitext", "wikitext-103-raw-v1"): CorpusFacts(
        label="WikiText-103 raw",
        rows=1_801_350,
        words_per_row=56,
        download_bytes=313_000_000,
        about="28,475 Wikipedia articles, a paragraph a row, many rows empty",
    ),
}


ALIASES: dict[str, str] = {
    "imdb": "stanfordnlp/imdb",
    "wikitext": "Salesforce/wikitext",
    "wikipedia": "wikimedia/wikipedia",
    "openwebtext": "Skylion007/openwebtext",
    "c4": "allenai/c4",
    "pile-cc": "monology/pile-uncopyrighted",
    "bookcorpus": "bookcorpus/bookcorpus",
}


def facts(data: DataConfig) -> CorpusFacts | None:
    """What is known of the dataset, or None for one we have never seen."""
    if data.source == "embedded":
        return EMBEDDED.get(data.dataset)
    return HUB.get((data.dataset, data.dataset_config))


def label(data: DataConfig) -> str:
    """The dataset as a header shows it: its source is always part of the name."""
    name = data.dataset if not data.dataset_config else f"{data.dataset} {data.dataset_config}"
    return f"{name} (embedded)" if data.source == "embedded" else f"{name} (hub)"


def with_embedded_corpus(config: RunConfig) -> RunConfig:
    """The same run on the corpus shipped with the program; what a person chooses when the hub is away."""
    plain = DataConfig()
    data = msgspec.structs.replace(
        config.data,
        source="embedded",
        dataset=plain.dataset,
        dataset_config="",
        split=plain.split,
        text_column=plain.text_column,
        revision=plain.revision,
        max_samples=0,
        long_documents="split",
    )
    return msgspec.structs.replace(config, data=data)


def hub_id(name: str) -> str:
    """The full name of a hub dataset; bare old names such as `imdb` no longer work on the hub itself."""
    return ALIASES.get(name, name)


def token_cache_key(data: DataConfig, contents: str = "") -> str:
    """16 hexadecimal digits that change with everything that changes the cache's bytes.

    contents: tells versions of local files apart (see `runs.token_caches.cache_key`, which everybody calls).
    How tokens are cut into sequences is not part of it: that happens when a cache is read.
    """
    tree = msgspec.to_builtins(data)
    for name in _UNUSED_FIELDS[data.source]:
        del tree[name]
    if data.tokenizer != "existing":
        del tree["tokenizer_from"]
    tree["dataset"] = hub_id(data.dataset) if data.source == "hub" else data.dataset
    payload = msgspec.json.encode(
        {"version": TOKEN_CACHE_VERSION, "data": tree, "contents": contents}, order="sorted"
    )
    return hashlib.sha256(payload).hexdigest()[:16]


_CUT = ("sequence_length", "long_documents")
_HUB_ONLY = ("dataset_config", "split", "revision", "access", "shuffle_buffer")
_GRAMMAR_ONLY = ("difficulty", "markov_order")
_UNUSED_FIELDS = {
    "embedded": (*_CUT, *_HUB_ONLY, *_GRAMMAR_ONLY, "text_column"),
    "files": (*_CUT, *_HUB_ONLY, *_GRAMMAR_ONLY),
    "hub": (*_CUT, *_GRAMMAR_ONLY),
    "synthetic": (*_CUT, *_HUB_ONLY, "text_column"),
}
