"""Predictions from any checkpoint: `python -m engine.playground` answers JSON lines on its pipes.

A request is `{"run": folder, "checkpoint": "last", "text": "… [MASK] …", "top_k": 5}`, the answer
`{"said": "answer", "probes": [...], "checkpoint": name, "step": n, …}` or `{"said": "refusal", "error": …}`;
`runs.playground` has all of it. The run's objective decides what is done with the text: masks are filled, a
beginning is continued, a text is classified. It runs on the CPU, so that a run that trains is not disturbed, and
ends when its input does.
"""

from __future__ import annotations

import msgspec

from engine.loaded_model import LoadedModel as LoadedModel
from engine.loaded_model import load_model as load_model
from engine.playground.answers import Answerer
from runs.playground import Answer as Answer
from runs.playground import Refusal as Refusal
from runs.playground import Request as Request

_answerer = Answerer()


def answer(line: bytes) -> Answer | Refusal:
    """Answer one request; every mistake becomes a Refusal with a sentence."""
    try:
        request = msgspec.json.decode(line, type=Request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Refusal(str(error))
    return _answerer.answer(request)
