"""What is known beforehand of the datasets that presets name, and which token cache a data section means."""

from __future__ import annotations

import hashlib

import msgspec

from presets.schema import DataConfig, RunConfig

TOKEN_CACHE_VERSION = 1  # raised whenever the bytes of a cache change for the same settings


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


def token_cache_key(data: DataConfig) -> str:
    """16 hexadecimal digits that change with everything that changes the cache's bytes.

    How tokens are cut into sequences is not part of it: that happens when a cache is read.
    """
    tree = msgspec.to_builtins(data)
    for name in ("sequence_length", "long_documents"):
        del tree[name]
    payload = msgspec.json.encode({"version": TOKEN_CACHE_VERSION, "data": tree}, order="sorted")
    return hashlib.sha256(payload).hexdigest()[:16]
