"""Every option of the model: it learns from the right tokens, starts at ln(vocabulary), has the counted size."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.models.build import build_model
from engine.models.initial_weights import check_tied
from engine.models.transformer import Transformer
from presets.config import with_values
from presets.estimate import count_parameters
from presets.schema import ModelConfig, RunConfig

VOCAB, LENGTH = 400, 16
CHOICES: dict[str, tuple[Any, ...]] = {
    "activation": ("gelu", "relu", "geglu", "swiglu"),
    "norm": ("layernorm", "rmsnorm"),
    "norm_place": ("pre", "post"),
    "positions": ("learned", "rotary", "sinusoidal"),
    "segments": (0, 2),
    "tied_head": (True, False),
    "head_transform": (False, True),
    "init": ("normal", "xavier", "he"),
}


def products(*names: str) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*(CHOICES[name] for name in names)):
        yield dict(zip(names, values, strict=True))


def built(changes: dict[str, Any], **keywords: Any) -> Transformer:
    sizes = {"hidden_size": 16, "num_layers": 2, "num_heads": 2}
    model = Transformer(ModelConfig(**{**sizes, **changes}), VOCAB, LENGTH, **keywords)
    model.initialise(seed=3)
    return model


def tokens(rows: int = 8, seed: int = 0) -> Tensor:
    return torch.randint(5, VOCAB, (rows, LENGTH), generator=torch.Generator().manual_seed(seed))


def loss_of(model: Transformer, inputs: Tensor, targets: Tensor, segments: Tensor | None = None) -> Tensor:
    return F.cross_entropy(model.logits(model(inputs, None, segments)).flatten(0, 1), targets.flatten())


def test_the_loss_of_every_combination_starts_at_the_logarithm_of_the_vocabulary() -> None:
    inputs, targets = tokens(), tokens(seed=1)
    far = {}
    with torch.no_grad():
        for options in products(*CHOICES):
            loss = loss_of(built(options), inputs, targets).item()
            if not abs(loss - math.log(VOCAB)) < 0.1:
                far[tuple(options.values())] = loss
    assert not far


@pytest.mark.parametrize("changes", [
    {"norm_place": "post", "positions": "rotary"},
    {"init_std": 0.1, "tied_head": False},
    {"norm_place": "post", "init_std": 0.2, "head_transform": True},
])  # fmt: skip
def test_wide_models_and_large_deviations_start_there_too(changes: dict[str, Any]) -> None:
    model = built({"hidden_size": 768, "num_layers": 1, "num_heads": 4, **changes})
    with torch.no_grad():
        assert loss_of(model, tokens(), tokens(seed=1)).item() < math.log(VOCAB) + 0.5


def test_every_combination_has_the_counted_parameters_and_gives_each_a_gradient() -> None:
    names = ("activation", "norm", "norm_place", "positions", "segments", "tied_head", "head_transform")
    for options in products(*names):
        values = {"data.vocab_size": VOCAB, "data.sequence_length": LENGTH, "model.hidden_size": 16,
                  "model.num_layers": 2, "model.num_heads": 2}  # fmt: skip
        config = with_values(RunConfig(), {**values, **{f"model.{name}": v for name, v in options.items()}})
        model = build_model(config, VOCAB)
        model.initialise(seed=0)
        assert sum(p.numel() for p in model.parameters()) == count_parameters(config).total, options
        segments = torch.arange(LENGTH).expand(8, LENGTH) % 2 if options["segments"] else None
        loss_of(model, tokens(), tokens(seed=1), segments).backward()
        unused = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        assert not unused, options


@pytest.mark.parametrize("kind", ["nsp", "sop", "classification"])
def test_the_head_for_labels_is_counted_too(kind: str) -> None:
    values = {"data.vocab_size": VOCAB, "objective.kind": kind, "model.segments": 2}
    config = with_values(RunConfig(), values)
    model = build_model(config, VOCAB, labels=("bad", "good"))
    assert model.labels == (("bad", "good") if kind == "classification" else ("no", "yes"))
    assert sum(p.numel() for p in model.parameters()) == count_parameters(config).total
    assert model.classify(model(tokens(), None)).shape == (8, 2)


def test_a_model_without_labels_does_not_classify() -> None:
    model = built({})
    with pytest.raises(ValueError, match="without labels"):
        model.classify(model(tokens(), None))


@pytest.mark.parametrize("is_bf16", [False, True])
@pytest.mark.parametrize("options", products("norm_place", "positions"), ids=lambda o: "-".join(o.values()))
def test_a_causal_model_sees_only_what_stands_before(options: dict[str, Any], is_bf16: bool) -> None:
    model = built(options, is_causal=True).eval()
    inputs = tokens(2)
    changed = inputs.clone()
    changed[:, 9:] = 7
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
        before, after = model(inputs, None), model(changed, None)
        padded = model(changed, torch.tensor([9, 9]))
    assert torch.equal(before[:, :9], after[:, :9])
    assert not torch.equal(before[:, 9:], after[:, 9:])
    assert torch.equal(padded[:, :9], before[:, :9]), "padding comes last, so it is never seen"


@pytest.mark.parametrize("is_causal", [False, True])
def test_written_out_and_fused_attention_agree(is_causal: bool) -> None:
    from engine.models.attention import written_out_attention

    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 3, LENGTH, 4, generator=generator) for _ in range(3))
    visible = None if is_causal else (torch.arange(LENGTH) < torch.tensor([[LENGTH], [5]]))[:, None, None, :]
    fused = F.scaled_dot_product_attention(query, key, value, attn_mask=visible, is_causal=is_causal)
    written_out = written_out_attention(query, key, value, visible, 0.0, is_causal=is_causal)
    assert torch.allclose(fused, written_out, atol=1e-5)


def test_segments_change_what_a_token_means_and_none_is_the_first() -> None:
    model = built({"segments": 2}).eval()
    inputs = tokens(2)
    first = torch.zeros_like(inputs)
    assert torch.equal(model(inputs, None), model(inputs, None, first))
    assert not torch.allclose(model(inputs, None), model(inputs, None, first + 1), atol=1e-4)
    with pytest.raises(ValueError, match="no embeddings for them"):
        built({})(inputs, None, first)


def test_sequences_that_are_too_long_are_refused_and_shorter_ones_fit() -> None:
    for options in products("positions"):
        model = built(options)
        assert model(tokens(2)[:, :5], None).shape == (2, 5, 16)
        with pytest.raises(ValueError, match="built for 16"):
            model(torch.cat([tokens(2), tokens(2)], dim=1), None)


def test_sinusoidal_positions_are_fixed_waves_as_large_as_the_embeddings() -> None:
    model = built({"positions": "sinusoidal", "hidden_size": 64})
    waves = model._waves / (0.02 * 2**0.5)
    assert torch.allclose(waves[:, 0], torch.arange(LENGTH).sin())
    assert torch.allclose(waves[:, 1], torch.arange(LENGTH).cos())
    assert torch.allclose(waves[:, 62], (torch.arange(LENGTH) * 10_000 ** -(62 / 64)).sin(), atol=1e-6)
    assert model._waves.square().mean().sqrt().item() == pytest.approx(0.02, rel=1e-3)
    assert not any("waves" in name for name in model.state_dict())


def test_gated_units_multiply_by_an_activated_gate() -> None:
    for activation, function in (("geglu", F.gelu), ("swiglu", F.silu)):
        block = built({"activation": activation}).blocks[0]
        hidden = torch.randn(2, 3, 16)
        expected = block.down(function(block.gate(hidden)) * block.up(hidden))
        assert torch.equal(block._feed_forward(hidden), expected)


def test_post_norm_norms_every_sum() -> None:
    hidden = built({"norm_place": "post", "tied_head": False})(tokens(), None)
    assert torch.allclose(hidden.mean(-1), torch.zeros(8, LENGTH), atol=1e-5)
    assert torch.allclose(hidden.std(-1, correction=0), torch.ones(8, LENGTH), atol=1e-2)


@pytest.mark.parametrize("place", ["dropout", "attention_dropout", "embedding_dropout"])
def test_each_dropout_changes_training_and_never_evaluation(place: str) -> None:
    model, plain = built({place: 0.5}), built({})
    assert model.has_dropout and not plain.has_dropout
    torch.manual_seed(1)
    assert not torch.allclose(model(tokens(), None), plain(tokens(), None), atol=1e-3)
    assert torch.equal(model.eval()(tokens(), None), plain.eval()(tokens(), None))


def test_what_a_dropout_touches() -> None:
    """All of the embeddings dropped but for a share; the parts dropped alone leave the embeddings whole."""
    model = built({"embedding_dropout": 0.5})
    torch.manual_seed(1)
    share = (model._embed(tokens(), None) == 0).float().mean().item()
    assert 0.4 < share < 0.6
    assert not (built({"dropout": 0.5})._embed(tokens(), None) == 0).any()


@pytest.mark.parametrize("is_bf16", [False, True])
@pytest.mark.parametrize("changes", [
    {},
    {"dropout": 0.3, "attention_dropout": 0.2, "embedding_dropout": 0.1},
    {"norm_place": "post", "positions": "rotary", "activation": "swiglu", "norm": "rmsnorm", "dropout": 0.1},
])  # fmt: skip
def test_checkpointed_activations_change_no_bit(changes: dict[str, Any], is_bf16: bool) -> None:
    def loss_and_gradients(checkpoints_activations: bool) -> list[Tensor]:
        model = built(changes, checkpoints_activations=checkpoints_activations)
        torch.manual_seed(5)
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            loss = loss_of(model, tokens(), tokens(seed=1))
        loss.backward()
        after = torch.rand(3)  # the random state goes on as if nothing had been computed twice
        return [loss.detach(), after, *(p.grad for p in model.parameters() if p.grad is not None)]

    kept, computed_twice = loss_and_gradients(False), loss_and_gradients(True)
    assert all(torch.equal(a, b) for a, b in zip(kept, computed_twice, strict=True))


def test_checkpointing_keeps_fewer_activations() -> None:
    def saved_bytes(checkpoints_activations: bool) -> int:
        total = 0

        def count(tensor: Tensor) -> Tensor:
            nonlocal total
            total += tensor.nbytes
            return tensor

        model = built({"num_layers": 6}, checkpoints_activations=checkpoints_activations)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            model(tokens(), None)
        return total

    assert saved_bytes(True) < saved_bytes(False) / 4


def test_a_tied_head_that_came_apart_is_noticed() -> None:
    for tied in (True, False):
        check_tied(built({"tied_head": tied}))
    model = built({})
    check_tied(copy.deepcopy(model))

    class Apart(Transformer):
        @property
        def output_weight(self) -> Tensor:
            return self.token_embedding.weight.clone()

    apart = Apart(model.config, VOCAB, LENGTH)
    with pytest.raises(RuntimeError, match="drift apart"):
        check_tied(apart)


def test_xavier_and_he_follow_the_width_of_each_matrix_and_leave_the_embeddings() -> None:
    sizes = {"hidden_size": 128, "intermediate_size": 256, "num_layers": 2}
    for init, up, qkv in (("xavier", (2 / (128 + 256)) ** 0.5, 128**-0.5), ("he", 64**-0.5, 64**-0.5)):
        model = built({**sizes, "init": init})
        block = model.blocks[0]
        assert block.up.weight.std().item() == pytest.approx(up, rel=0.03)
        assert block.attention.qkv.weight.std().item() == pytest.approx(qkv, rel=0.03)
        into_residual = {"xavier": up, "he": 128**-0.5}[init] / 2  # two layers: divided by √4
        assert block.down.weight.std().item() == pytest.approx(into_residual, rel=0.03)
        assert model.token_embedding.weight.std().item() == pytest.approx(0.02, rel=0.03)


def test_the_default_model_is_the_one_it_always_was() -> None:
    """Weights and loss of a seed, as this model drew them first, and with the exact GELU ever since."""
    model = Transformer(ModelConfig(), 500, 32)
    model.initialise(7)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randint(5, 500, (4, 32), generator=generator)
    targets = torch.randint(5, 500, (4, 32), generator=generator)
    hidden = model(inputs, torch.tensor([32, 20, 11, 32]))
    loss = F.cross_entropy(model.logits(hidden).flatten(0, 1), targets.flatten())
    assert loss.item() == pytest.approx(6.244404315948486, abs=1e-6)
    names = [name for name, _ in model.named_parameters()]
    assert names[:4] == [
        "position_embedding",
        "head_bias",
        "token_embedding.weight",
        "blocks.0.attention_norm.weight",
    ]
