"""Takes a tokenizer from a file, a run or the hub, and gives our five special tokens the ids 0 to 4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from tokenizers import Tokenizer

from engine.data.documents import DataError
from engine.data.special_tokens import CLS, MASK, PAD, SEP, SPECIAL_TOKENS, apart
from presets.schema import MASK_TOKEN
from runs.safe_files import read_text
from runs.token_caches import RUN_PREFIX, tokenizer_file

_ALIASES = (
    ("[PAD]", "<pad>", "<|pad|>", "<|padding|>"),
    ("[UNK]", "<unk>", "<|unk|>", "<|unknown|>"),
    ("[CLS]", "<s>", "<cls>", "<bos>", "<|startoftext|>", "<|begin_of_text|>"),
    ("[SEP]", "</s>", "<sep>", "<eos>", "<|endoftext|>", "<|end_of_text|>"),
    (MASK_TOKEN, "<mask>", "<|mask|>", "[mask]"),
)
_NAMED_MODELS = ("WordLevel", "WordPiece", "BPE", "Unigram")
_FILE = "tokenizer.json"
MOST_TOKENIZER_BYTES = 256 << 20
"""The largest on the hub have a tenth of it."""
_ROUNDS_TO_SETTLE = 8  # one is what it takes; the rest is for numbers not met so far


def existing_tokenizer(reference: str) -> Tokenizer:
    """The tokenizer of a file, of `run:NAME` or of the hub's `owner/name`, remapped. Raises DataError."""
    path = tokenizer_file(reference)
    if path is None and reference.startswith(RUN_PREFIX):
        name = reference.removeprefix(RUN_PREFIX)
        raise DataError(f"there is no run {name!r} with a checkpoint, whose tokenizer could be taken")
    if path is None:
        path = _from_hub(reference)
    try:
        text = read_text(path, MOST_TOKENIZER_BYTES, follow=True)
    except (OSError, ValueError) as error:
        raise DataError(f"the tokenizer {path} cannot be read: {error}") from error
    try:
        return remapped(text)
    except DataError as error:
        raise DataError(f"{reference}: {error}") from error


def remapped(text: str) -> Tokenizer:
    """The tokenizer that a `tokenizer.json` describes, with our special tokens under our names as tokens 0 to 4.

    All others follow in their order. What is not there is added; its template, truncation and padding are dropped.
    It gives the same tokens for every text, except for texts that hold the name of a special token.
    What is of our making already comes back as it is, so that its hash stays. Raises DataError.
    """
    try:
        spec = msgspec.json.decode(text)
        unchanged = Tokenizer.from_str(text)  # so that what was broken before is not blamed on us
    except Exception as error:  # tokenizers raises bare Exception
        raise DataError(f"this is no tokenizer.json: {error}") from error
    model = spec["model"]
    kind = model.get("type") or _kind(model)
    if kind not in _NAMED_MODELS:
        raise DataError(f"its model is {kind}; only {', '.join(_NAMED_MODELS)} can be used")
    added = spec.get("added_tokens") or []
    if _is_ours(spec, kind, unchanged):
        return settled(unchanged) if kind == "Unigram" else unchanged
    tokens = _tokens(model)
    ours = _our_tokens(tokens, model, kind, added)
    _renumber(model, kind, ours)
    spec["added_tokens"] = _added_tokens(added, ours, spec)
    spec |= {"post_processor": None, "truncation": None, "padding": None}
    try:
        tokenizer = Tokenizer.from_str(msgspec.json.encode(spec).decode())
        tokenizer.pre_tokenizer = apart(tokenizer.pre_tokenizer)
    except Exception as error:  # tokenizers raises bare Exception
        raise DataError(f"its special tokens cannot be put in our order: {error}") from error
    if [tokenizer.id_to_token(index) for index in range(len(SPECIAL_TOKENS))] != SPECIAL_TOKENS:
        raise DataError("its special tokens cannot be put in our order")
    return settled(tokenizer) if kind == "Unigram" else tokenizer


def settled(tokenizer: Tokenizer) -> Tokenizer:
    """The same, with scores that a file gives back as they are.

    `tokenizers` 0.23 reads some numbers a last digit off, but no longer those that it has read and written once.
    """
    text = tokenizer.to_str()
    for _ in range(_ROUNDS_TO_SETTLE):
        tokenizer = Tokenizer.from_str(text)
        again = tokenizer.to_str()
        if again == text:
            break
        text = again
    return tokenizer


def _is_ours(spec: dict[str, Any], kind: str, tokenizer: Tokenizer) -> bool:
    """Nothing is left to change: our special tokens come first, and no text is taken for one of them."""
    added = [token for token in spec.get("added_tokens") or [] if token["special"] and not token["normalized"]]
    first = [(token["id"], token["content"]) for token in added[: len(SPECIAL_TOKENS)]]
    tokens = _tokens(spec["model"])
    if first != list(enumerate(SPECIAL_TOKENS)) or tokens[: len(SPECIAL_TOKENS)] != SPECIAL_TOKENS:
        return False
    if any(spec.get(part) is not None for part in ("post_processor", "truncation", "padding")):
        return False
    unknown = _unknown_token(spec["model"], kind, tokens)
    if unknown != "[UNK]" and not (kind == "BPE" and unknown is None):
        return False
    texts = [*SPECIAL_TOKENS, " ".join(SPECIAL_TOKENS), "".join(SPECIAL_TOKENS), f"a {MASK_TOKEN} b{MASK_TOKEN}c"]
    tokenizer.encode_special_tokens = True
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    tokenizer.encode_special_tokens = False
    return not {PAD, CLS, SEP, MASK} & {token for encoding in encodings for token in encoding.ids}


def _kind(model: dict[str, Any]) -> str:
    """Files of old versions do not name their model."""
    if "merges" in model:
        return "BPE"
    if isinstance(model["vocab"], list):
        return "Unigram"
    return "WordPiece" if "continuing_subword_prefix" in model else "WordLevel"


def _tokens(model: dict[str, Any]) -> list[str]:
    """The model's tokens in the order of their ids."""
    vocabulary = model["vocab"]
    if isinstance(vocabulary, list):
        return [token for token, _ in vocabulary]
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _unknown_token(model: dict[str, Any], kind: str, tokens: list[str]) -> str | None:
    if kind == "Unigram" and model.get("unk_id") is not None:
        unknown_id: int = model["unk_id"]
        return tokens[unknown_id]
    unknown: str | None = model.get("unk_token")
    return unknown


def _our_tokens(
    tokens: list[str], model: dict[str, Any], kind: str, added: list[dict[str, Any]]
) -> dict[str, str]:
    """What the tokenizer calls our special tokens: {its name: our name}; those it has not are left out."""
    known = {*tokens, *(token["content"] for token in added)}
    unknown = _unknown_token(model, kind, tokens)
    found: dict[str, str] = {}
    for ours, names in zip(SPECIAL_TOKENS, _ALIASES, strict=True):
        candidates = (unknown, *names) if ours == "[UNK]" else names
        theirs = next((name for name in candidates if name in known and name not in found), None)
        if theirs is not None:
            found[theirs] = ours
    return found


def _renumber(model: dict[str, Any], kind: str, ours: dict[str, str]) -> None:
    """Put our special tokens first, under our names."""
    others = [token for token in _tokens(model) if token not in ours and token not in SPECIAL_TOKENS]
    if kind == "Unigram":
        scores = dict(model["vocab"])
        model["vocab"] = [*([name, 0.0] for name in SPECIAL_TOKENS), *([token, scores[token]] for token in others)]
        model["unk_id"] = SPECIAL_TOKENS.index("[UNK]")
        return
    model["vocab"] = {token: index for index, token in enumerate([*SPECIAL_TOKENS, *others])}
    if kind != "BPE" or model.get("unk_token") is not None:
        model["unk_token"] = "[UNK]"


def _added_tokens(added: list[dict[str, Any]], ours: dict[str, str], spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Our five, then the tokenizer's other added tokens in their order."""
    by_name = {ours[token["content"]]: token for token in added if token["content"] in ours}
    spaced = any(style in str(spec.get("pre_tokenizer")) for style in ("ByteLevel", "Metaspace"))
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    first = [
        {
            **(by_name.get(name) or {**plain, "lstrip": spaced and name == MASK_TOKEN}),
            "id": index,
            "content": name,
            "special": True,
            "normalized": False,
        }
        for index, name in enumerate(SPECIAL_TOKENS)
    ]
    known = _tokens(spec["model"])
    places = {token: index for index, token in enumerate(known)}
    rest = [token for token in added if token["content"] not in ours and token["content"] not in SPECIAL_TOKENS]
    next_id = len(known)
    for token in sorted(rest, key=lambda token: int(token["id"])):
        place = places.get(token["content"])
        if place is None:
            place, next_id = next_id, next_id + 1
        first.append({**token, "id": place})
    return sorted(first, key=lambda token: int(token["id"]))


def _from_hub(reference: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError

    from engine.data.sources.hub_problems import OFFLINE_ADVICE, HTTPError, is_away, reason

    try:
        return Path(hf_hub_download(reference, _FILE, revision="main"))
    except GatedRepoError as error:
        raise DataError(f"{reference} needs a login: ask the hub for access, then run `hf auth login`") from error
    except RepositoryNotFoundError as error:
        raise DataError(f"there is no file {reference!r}, and the hub has no model of that name") from error
    except (EntryNotFoundError, OSError, ValueError, HTTPError) as error:
        if is_away(error):
            raise DataError(f"{reference}: {reason(error)}; name a {_FILE} instead, {OFFLINE_ADVICE}") from error
        raise DataError(f"{reference} has no {_FILE} on the hub, or it cannot be had: {reason(error)}") from error
