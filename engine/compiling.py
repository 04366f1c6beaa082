"""torch.compile: whether a run uses it, and how to leave it for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from engine.models.transformer import Transformer
from presets.schema import RunConfig


def compile_model(model: Transformer) -> None:
    """Compile the forward pass in place; the first steps take the time that this needs."""
    model.compile(dynamic=False)


def is_compiled(model: Transformer) -> bool:
    """Whether calls of the model run compiled code."""
    return model._compiled_call_impl is not None


@contextlib.contextmanager
def uncompiled(model: Transformer) -> Iterator[None]:
    """Inside, the model runs as written: other batch shapes would each be compiled anew."""
    compiled, model._compiled_call_impl = model._compiled_call_impl, None
    try:
        yield
    finally:
        model._compiled_call_impl = compiled


def wants_compile(config: RunConfig) -> tuple[bool, str]:
    """Whether to compile, and a sentence on why."""
    asked = config.train.compile
    if asked != "auto":
        return asked == "on", f"compile {asked}, as configured"
    return False, "not compiled: no size was faster for it on a CPU, and GPUs replay CUDA graphs"
