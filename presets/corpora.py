"""What is known beforehand of the datasets that presets name, and which token cache a data section means."""

from __future__ import annotations

import hashlib
from pathlib import PurePath

import msgspec

from presets.schema import DataConfig, RunConfig

TOKEN_CACHE_VERSION = 2  # raised whenever the bytes of a cache change for the same settings


class CorpusFacts(msgspec.Struct, frozen=True):
    """Published or measured size of a dataset's split, for estimates only.

    rows: rows of the split. words_per_row: mean whitespace words. download_bytes: 0 when shipped.
    usable_share: share of the rows that have at least five words; the words are theirs. labels: classes of
    labelled text.
    """

    label: str
    rows: int
    words_per_row: float
    download_bytes: int
    about: str
    usable_share: float = 1.0
    labels: int = 0


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
        labels=2,
    ),
    ("stanfordnlp/sst2", ""): CorpusFacts(
        label="SST-2",
        rows=67_349,
        words_per_row=9.4,
        download_bytes=3_100_000,
        about="phrases of film reviews, good or bad; many are shorter than five words",
        labels=2,
    ),
    ("fancyzhx/ag_news", ""): CorpusFacts(
        label="AG News",
        rows=120_000,
        words_per_row=38,
        download_bytes=19_800_000,
        about="titles and first sentences of news: world, sports, business, science and technology",
        labels=4,
    ),
    ("Salesforce/wikitext", "wikitext-103-raw-v1"): CorpusFacts(
        label="WikiText-103 raw",
        rows=1_801_350,
        words_per_row=56,
        download_bytes=313_000_000,
        about="28,475 Wikipedia articles, a paragraph a row, many rows empty",
        # 1,165,029 rows are not empty (PreNLP's WikiText103), about one in a hundred of them a title of few words
        usable_share=0.64,
    ),
    ("wikimedia/wikipedia", "20231101.en"): CorpusFacts(
        label="English Wikipedia of November 2023",
        rows=6_407_814,
        words_per_row=500,
        download_bytes=11_685_000_000,
        about="an article a row; rows and bytes as its card says, words from its 20.2 GB of text",
    ),
    ("Skylion007/openwebtext", ""): CorpusFacts(
        label="OpenWebText",
        rows=8_013_769,
        words_per_row=850,
        download_bytes=13_510_000_000,
        about="pages that Reddit linked to; rows and bytes from its card, words from its 9 billion GPT-2 tokens",
    ),
    ("allenai/c4", "en"): CorpusFacts(
        label="C4, English",
        rows=364_868_892,
        words_per_row=370,
        download_bytes=305_000_000_000,
        about="cleaned Common Crawl pages; rows and bytes as its card says, words from its 156 billion tokens",
    ),
    ("pile-cc", ""): CorpusFacts(
        label="Pile-CC",
        rows=54_953_117,
        words_per_row=720,
        download_bytes=345_000_000_000,
        about="the Pile's Common Crawl; rows and words from the Pile's paper; fetches the whole Pile",
    ),
    ("bookcorpus/bookcorpus", ""): CorpusFacts(
        label="BookCorpus",
        rows=74_004_228,
        words_per_row=13.3,
        download_bytes=1_180_000_000,
        about="a sentence of a novel a row; rows, words and bytes as its card and its paper say",
    ),
}

_ONLY_CONFIGURATION = "plain_text"  # what some datasets call the one they have


ALIASES: dict[str, str] = {
    "imdb": "stanfordnlp/imdb",
    "wikitext": "Salesforce/wikitext",
    "wikipedia": "wikimedia/wikipedia",
    "openwebtext": "Skylion007/openwebtext",
    "c4": "allenai/c4",
    "pile-cc": "monology/pile-uncopyrighted",
    "bookcorpus": "bookcorpus/bookcorpus",
}

USUAL_CONFIGURATIONS: dict[str, str] = {
    "Salesforce/wikitext": "wikitext-103-raw-v1",
    "wikimedia/wikipedia": "20231101.en",
    "allenai/c4": "en",
}
"""Datasets that have several configurations, and the one of them that most people mean."""


class RowFilter(msgspec.Struct, frozen=True):
    """Rows that belong to a dataset that is part of another: those whose `column` has `value` under `key`."""

    column: str
    key: str
    value: str


_ROW_FILTERS = {"pile-cc": RowFilter("meta", "pile_set_name", "Pile-CC")}


def row_filter(data: DataConfig) -> RowFilter | None:
    """Which rows of the hub's dataset are meant; None for all."""
    return _ROW_FILTERS.get(data.dataset) if data.source == "hub" else None


def facts(data: DataConfig) -> CorpusFacts | None:
    """What is known of the dataset, or None for one we have never seen."""
    if data.source == "embedded":
        return EMBEDDED.get(data.dataset)
    if data.source != "hub":
        return None
    if (data.dataset, data.dataset_config) in HUB:
        return HUB[data.dataset, data.dataset_config]
    configuration = "" if data.dataset_config == _ONLY_CONFIGURATION else data.dataset_config
    return HUB.get((hub_id(data.dataset), configuration))


def label(data: DataConfig) -> str:
    """The dataset as a header shows it: its source is always part of the name."""
    if data.source == "synthetic":
        return f"{data.dataset} (synthetic)"
    if data.source == "files":
        return f"{PurePath(data.dataset).name or data.dataset} (files)"
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
        access=plain.access,
        shuffle=plain.shuffle,
        shuffle_buffer=plain.shuffle_buffer,
        max_samples=0,
        long_documents="split",
    )
    return msgspec.structs.replace(config, data=data)


def hub_id(name: str) -> str:
    """The full name of a hub dataset; bare old names such as `imdb` no longer work on the hub itself."""
    return ALIASES.get(name, name)


def token_cache_key(data: DataConfig, contents: str = "", *, labelled: bool = False) -> str:
    """16 hexadecimal digits that change with everything that changes the cache's bytes.

    contents: tells versions of local files apart (see `runs.token_caches.cache_key`, which everybody calls).
    labelled: each document comes with its label, from `label_column`; without, that column changes nothing.
    How tokens are cut into sequences is not part of it: that happens when a cache is read.
    """
    tree = msgspec.to_builtins(data)
    if not labelled:
        del tree["label_column"]
    for name in _UNUSED_FIELDS[data.source]:
        del tree[name]
    if data.tokenizer != "existing":
        del tree["tokenizer_from"]
    tree["dataset"] = hub_id(data.dataset) if data.source == "hub" else data.dataset
    if (keep := row_filter(data)) is not None:
        tree["rows"] = msgspec.to_builtins(keep)
    payload = msgspec.json.encode(
        {"version": TOKEN_CACHE_VERSION, "data": tree, "contents": contents}, order="sorted"
    )
    return hashlib.sha256(payload).hexdigest()[:16]


_CUT = ("sequence_length", "long_documents", "stream_patience")
_HUB_ONLY = ("dataset_config", "split", "revision", "access", "shuffle_buffer", "shard_tokens")
_GRAMMAR_ONLY = ("difficulty", "markov_order")
_UNUSED_FIELDS = {
    "embedded": (*_CUT, *_HUB_ONLY, *_GRAMMAR_ONLY, "text_column"),
    "files": (*_CUT, *_HUB_ONLY, *_GRAMMAR_ONLY),
    "hub": (*_CUT, *_GRAMMAR_ONLY),
    "synthetic": (*_CUT, *_HUB_ONLY, "text_column"),
}
