"""What an end has cost and what was seen of it, in words that the engine and the supervisor share."""

from __future__ import annotations


def steps_lost(saved_step: int, step: int) -> str:
    """Such as `steps 21 to 234 have to be trained again`; empty when there are none.

    saved_step: of the newest checkpoint, below 1 when there is none. step: at which the run ended.
    """
    first = max(0, saved_step) + 1
    if step < first:
        return ""
    if step == first:
        return f"step {step:,} has to be trained again"
    return f"steps {first:,} to {step:,} have to be trained again"


def proof_words(memory_is_free: bool) -> str:
    """What was seen after an end of which nothing is left. memory_is_free: of its GPUs, by the driver's word."""
    return "no process of it is left" + (", and its GPU memory is free" if memory_is_free else "")
