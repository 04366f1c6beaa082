"""The rows of the loopback hub: real English cut from the embedded corpus, in the shape of the real datasets."""

from __future__ import annotations

import functools
import lzma
from collections.abc import Callable
from importlib import resources
from typing import Any

import msgspec

Splits = dict[str, dict[str, list[Any]]]


@functools.cache
def sentences() -> tuple[str, ...]:
    """Sentences of 5 to 60 words of the embedded corpus, in its order."""
    packed = resources.files("engine.data").joinpath("corpora/addresses.jsonl.xz").read_bytes()
    texts = [msgspec.json.decode(line)["text"] for line in lzma.decompress(packed).splitlines()[:40]]
    found = [f"{part.strip()}." for text in texts for part in text.split(". ")]
    return tuple(text for text in found if 5 <= len(text.split()) <= 60)


def passages(count: int, first: int = 0, length: int = 4) -> list[str]:
    """So many texts of `length` sentences, none twice while the corpus lasts."""
    known = sentences()
    starts = ((first + index) * length for index in range(count))
    return [" ".join(known[(start + step) % len(known)] for step in range(length)) for start in starts]


def _imdb(rows: int) -> Splits:
    def labelled(first: int) -> list[dict[str, Any]]:
        texts = passages(rows, first)
        return [{"text": text, "label": int(place >= rows // 2)} for place, text in enumerate(texts)]

    unlabelled = [{"text": text, "label": -1} for text in passages(rows, 2 * rows)]
    return {"plain_text": {"train": labelled(0), "test": labelled(rows), "unsupervised": unlabelled}}


def _sst2(rows: int) -> Splits:
    texts = [text.split(".")[0] for text in passages(rows, length=1)]
    found = [{"idx": place, "sentence": text, "label": place % 2} for place, text in enumerate(texts)]
    return {"default": {"train": found}}


def _ag_news(rows: int) -> Splits:
    return {
        "default": {"train": [{"text": text, "label": i % 4} for i, text in enumerate(passages(rows, length=2))]}
    }


def wikitext_rows(rows: int, first: int = 0) -> list[str]:
    """Articles as WikiText has them: a title, empty rows, paragraphs and a heading, seven rows each."""
    found: list[str] = []
    for article in range(-(-rows // 7)):
        one, two, three = passages(3, first + 3 * article)
        title, heading = f" = Article {first + article} = \n", " = = History = = \n"
        found += [title, "", f" {one} \n", heading, "", f" {two} \n", f" {three} \n"]
    return found[:rows]


def _wikitext(rows: int) -> Splits:
    splits = {"train": wikitext_rows(rows), "validation": wikitext_rows(rows // 4, 500)}
    return {"wikitext-103-raw-v1": splits, "wikitext-2-raw-v1": {"train": wikitext_rows(rows // 2, 900)}}


def _wikipedia(rows: int) -> Splits:
    def articles(language: str, first: int) -> list[dict[str, Any]]:
        return [
            {"id": str(place), "url": f"https://{language}.example/{place}", "title": f"No {place}", "text": text}
            for place, text in enumerate(passages(rows, first))
        ]

    return {"20231101.en": {"train": articles("en", 0)}, "20231101.de": {"train": articles("de", 700)}}


def _c4(rows: int) -> Splits:
    def pages(count: int, first: int) -> list[dict[str, Any]]:
        return [
            {"text": text, "timestamp": "2019-04-25T12:57:54Z", "url": "https://example.org"}
            for text in passages(count, first)
        ]

    return {"en": {"train": pages(rows, 0), "validation": pages(rows // 4, 900)}}


def _plain(rows: int) -> Splits:
    return {"plain_text": {"train": passages(rows)}}


def _pile(rows: int) -> Splits:
    sets = ("Pile-CC", "Wikipedia (en)", "Pile-CC", "PubMed Abstracts")
    texts = passages(rows)
    found = [{"text": text, "meta": {"pile_set_name": sets[place % 4]}} for place, text in enumerate(texts)]
    return {"default": {"train": found}}


REFERENCE_DATASETS: dict[str, tuple[str, Callable[[int], Splits]]] = {
    "stanfordnlp/imdb": ("parquet", _imdb),
    "stanfordnlp/sst2": ("parquet", _sst2),
    "fancyzhx/ag_news": ("parquet", _ag_news),
    "Salesforce/wikitext": ("parquet", _wikitext),
    "wikimedia/wikipedia": ("parquet", _wikipedia),
    "allenai/c4": ("json.gz", _c4),
    "Skylion007/openwebtext": ("script", _plain),
    "bookcorpus/bookcorpus": ("script", _plain),
    "monology/pile-uncopyrighted": ("jsonl.zst", _pile),
}
