"""The encoder: padding unseen, the loss starting at ln(vocabulary), positions, the size it claims."""

from __future__ import annotations

import math

import pytest
import torch

from engine.models.positions import rotary_table, rotate
from engine.models.transformer import Transformer
from presets.schema import ModelConfig

VOCAB, LENGTH = 1000, 32


def encoder(**changes: object) -> Transformer:
    model = Transformer(
        ModelConfig(**{"hidden_size": 16, "num_layers": 2, "num_heads": 4, **changes}), VOCAB, LENGTH
    )
    model.initialise(seed=1)
    return model.eval()


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_padding_is_never_seen(positions: str) -> None:
    model = encoder(positions=positions)
    inputs = torch.randint(5, VOCAB, (3, LENGTH))
    lengths = torch.tensor([LENGTH, 20, 3])
    changed = inputs.clone()
    changed[1, 20:] = 7
    changed[2, 3:] = 9
    before, after = model(inputs, lengths), model(changed, lengths)
    for row, length in enumerate(lengths.tolist()):
        assert torch.equal(before[row, :length], after[row, :length])
    assert not torch.allclose(model(inputs, None)[1, :20], before[1, :20]), "without lengths it is seen"


def test_a_short_row_says_the_same_alone_and_in_a_padded_batch() -> None:
    model = encoder()
    inputs = torch.randint(5, VOCAB, (1, LENGTH))
    alone = model(inputs[:, :12], None)
    padded = model(inputs, torch.tensor([12]))
    assert torch.allclose(alone[0], padded[0, :12], atol=1e-6)


@pytest.mark.parametrize("hidden_size", [4, 16, 128])
def test_the_loss_starts_at_the_logarithm_of_the_vocabulary(hidden_size: int) -> None:
    model = encoder(hidden_size=hidden_size, num_heads=2)
    inputs = torch.randint(5, VOCAB, (8, LENGTH))
    targets = torch.randint(5, VOCAB, (8, LENGTH))
    loss = torch.nn.functional.cross_entropy(model.logits(model(inputs, None)).flatten(0, 1), targets.flatten())
    assert abs(loss.item() - math.log(VOCAB)) < 0.1


def test_the_same_seed_gives_the_same_weights_whatever_else_drew_numbers() -> None:
    first = encoder()
    torch.manual_seed(99)
    second = encoder()
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_the_order_of_words_matters(positions: str) -> None:
    model = encoder(positions=positions)
    inputs = torch.randint(5, VOCAB, (1, LENGTH))
    swapped = inputs[:, torch.randperm(LENGTH, generator=torch.Generator().manual_seed(0))]
    assert not torch.allclose(model(inputs, None).sum(1), model(swapped, None).sum(1), atol=1e-4)


def test_rotation_keeps_lengths_and_makes_scores_depend_on_distance_only() -> None:
    table = rotary_table(LENGTH, 8, torch.device("cpu"))
    query, key = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)
    turned_query, turned_key = (rotate(v.expand(1, LENGTH, 1, 8), table)[0, :, 0] for v in (query, key))
    assert torch.allclose(turned_query.norm(dim=-1), query.norm().expand(LENGTH), atol=1e-5)
    scores = turned_query @ turned_key.T
    assert torch.allclose(scores.diagonal(offset=3), scores[0, 3].expand(LENGTH - 3), atol=1e-4)
    assert not torch.allclose(scores[0, 3], scores[0, 4], atol=1e-3)


def test_written_out_and_fused_attention_agree() -> None:
    model = encoder()
    inputs, lengths = torch.randint(5, VOCAB, (2, LENGTH)), torch.tensor([LENGTH, 11])
    fused = model(inputs, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        written_out = model(inputs, lengths)
    assert torch.allclose(fused[1, :11], written_out[1, :11].float(), atol=0.05)


def test_its_size_is_the_one_the_plan_shows() -> None:
    from presets.config import with_values
    from presets.estimate import count_parameters
    from presets.schema import RunConfig

    for positions in ("learned", "rotary"):
        changes = {"model.positions": positions, "data.vocab_size": VOCAB, "data.sequence_length": LENGTH}
        config = with_values(RunConfig(), changes)
        model = Transformer(config.model, VOCAB, LENGTH)
        assert sum(p.numel() for p in model.parameters()) == count_parameters(config).total
