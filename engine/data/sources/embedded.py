"""The corpora that are shipped with the program."""

from __future__ import annotations

import lzma
from importlib import resources

import msgspec

from engine.data.documents import DataError
from engine.data.sources.spans import each_row
from engine.data.sources.stored import StoredDocuments, limited
from presets.corpora import EMBEDDED
from presets.schema import DataConfig


def open_embedded(data: DataConfig) -> StoredDocuments:
    """The corpus of that name. Raises DataError when there is none."""
    if data.dataset not in EMBEDDED:
        raise DataError(f"{data.dataset!r} is not an embedded corpus; there is {', '.join(EMBEDDED)}")
    packed = resources.files("engine.data").joinpath(f"corpora/{data.dataset}.jsonl.xz").read_bytes()
    texts = [msgspec.json.decode(line)["text"] for line in lzma.decompress(packed).splitlines()]
    spans = limited(each_row(len(texts)), data, data.dataset)
    return StoredDocuments(data, lambda rows: [texts[row] for row in rows], spans)
