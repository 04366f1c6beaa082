"""Where the analyses of a checkpoint are kept, and whether they still hold.

Each answer is one file under the run's `cache/analysis/<checkpoint>/`, which may be deleted at any time. It holds
the SHA-256 of the checkpoint's manifest: a checkpoint that was written anew makes its old answers stale.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

import msgspec

from runs.analysis import Attention, Calibration, Kind, Neighbours, Question, Result, SentenceLosses, TokenLosses
from runs.checkpoint_names import called
from runs.folder import RunFolder, write_atomically
from runs.safe_files import make_folder, read_bytes

_MOST_BYTES = 64 << 20
_decoder: msgspec.json.Decoder[Result] = msgspec.json.Decoder(Result)
_R = TypeVar("_R", Attention, Neighbours, TokenLosses, SentenceLosses, Calibration)


def analysis_file(folder: RunFolder, checkpoint: str, kind: Kind, question: Question) -> Path:
    """Where an answer is kept. checkpoint: its name, `step-…`."""
    used = question.of(kind)
    digest = "" if used == Question() else "-" + hashlib.sha256(msgspec.json.encode(used)).hexdigest()[:12]
    return folder.cache_dir / "analysis" / checkpoint / f"{kind}{digest}.json"


def manifest_hash(folder: RunFolder, checkpoint: str) -> str:
    """SHA-256 of a checkpoint's manifest; empty where there is none."""
    try:
        content = read_bytes(folder.checkpoints_dir / checkpoint / "manifest.json")
    except OSError:
        return ""
    return hashlib.sha256(content).hexdigest()


def checkpoint_called(folder: RunFolder, reference: str) -> str:
    """The name that `last`, `best`, a step or a name stands for; empty where there is no such checkpoint."""
    name = called(folder.checkpoints_dir, reference)
    return name if name and manifest_hash(folder, name) else ""


def read_analysis(folder: RunFolder, checkpoint: str, kind: Kind, question: Question) -> Result | None:
    """The stored answer about a checkpoint as it is now; None when there is none, or it is stale or damaged."""
    name = checkpoint_called(folder, checkpoint)
    result = read_result(analysis_file(folder, name, kind, question)) if name else None
    is_it = result is not None and result.question == question.of(kind)
    return result if is_it and result is not None and result.manifest == manifest_hash(folder, name) else None


def read_attention(folder: RunFolder, checkpoint: str, question: Question) -> Attention | None:
    """See `read_analysis`."""
    return _of_type(read_analysis(folder, checkpoint, "attention", question), Attention)


def read_neighbours(folder: RunFolder, checkpoint: str, question: Question) -> Neighbours | None:
    """See `read_analysis`."""
    return _of_type(read_analysis(folder, checkpoint, "neighbours", question), Neighbours)


def read_token_losses(folder: RunFolder, checkpoint: str, question: Question) -> TokenLosses | None:
    """See `read_analysis`."""
    return _of_type(read_analysis(folder, checkpoint, "token-losses", question), TokenLosses)


def read_sentence_losses(folder: RunFolder, checkpoint: str, question: Question) -> SentenceLosses | None:
    """See `read_analysis`."""
    return _of_type(read_analysis(folder, checkpoint, "sentence-losses", question), SentenceLosses)


def read_calibration(folder: RunFolder, checkpoint: str, question: Question) -> Calibration | None:
    """See `read_analysis`."""
    return _of_type(read_analysis(folder, checkpoint, "calibration", question), Calibration)


def read_result(path: Path) -> Result | None:
    """An answer's file; None when it is missing, damaged, too large, or a link."""
    try:
        return _decoder.decode(read_bytes(path, _MOST_BYTES))
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
        return None


def write_result(path: Path, result: Result) -> None:
    """Keep an answer, whole or not at all. Raises OSError."""
    make_folder(path.parent)
    write_atomically(path, msgspec.json.encode(result))


def _of_type(result: Result | None, kind: type[_R]) -> _R | None:
    return result if isinstance(result, kind) else None
