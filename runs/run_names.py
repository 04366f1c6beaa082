"""Names that are made up for runs which nobody has named."""

from __future__ import annotations

import secrets

_ADJECTIVES = (
    "amber", "brave", "calm", "clear", "deep", "early", "gentle", "keen",
    "light", "mild", "quick", "quiet", "small", "sunny", "warm", "wise",
)  # fmt: skip
_ANIMALS = (
    "badger", "crane", "deer", "falcon", "finch", "fox", "hare", "heron",
    "ibis", "lynx", "marten", "otter", "owl", "robin", "seal", "wren",
)  # fmt: skip


def made_up_name() -> str:
    """Two words that are easy to say, such as `warm-otter`."""
    return f"{secrets.choice(_ADJECTIVES)}-{secrets.choice(_ANIMALS)}"
