"""Text from a causal model: what may be drawn, how the draw is shaped, when it ends, and that it repeats."""

from __future__ import annotations

import pytest
import torch

from engine.data.tokenizers import CLS, MASK, PAD, SEP, make_tokenizer
from engine.generation import Sampling, continuation, draw_token, generate
from engine.models.transformer import Transformer
from presets.schema import DataConfig, ModelConfig
from tests.fakes.hub_texts import passages

VOCAB, LENGTH = 40, 24
TEXTS = [text.lower() for text in passages(60)]


def decoder(dropout: float = 0.0) -> Transformer:
    config = ModelConfig(
        hidden_size=16, num_layers=2, num_heads=2, positions="rotary", init_std=0.5, dropout=dropout
    )
    model = Transformer(config, VOCAB, LENGTH, is_causal=True)
    model.initialise(seed=4)
    return model


def with_scores(model: Transformer, **scores: float) -> Transformer:
    """A model that knows nothing but these scores of tokens, `t10=3.0`."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        for name, score in scores.items():
            model.head_bias[int(name[1:])] = score
    return model


def drawn(logits: torch.Tensor, sampling: Sampling, times: int = 4000) -> torch.Tensor:
    """(V,) shares of each token among many draws."""
    generator = torch.Generator().manual_seed(0)
    tokens = [draw_token(logits, sampling, generator) for _ in range(times)]
    return torch.bincount(torch.tensor(tokens), minlength=len(logits)) / times


def test_without_temperature_every_token_is_the_likeliest_after_all_before_it() -> None:
    model = decoder()
    tokens = [CLS, 7, 8]
    new = generate(model, tokens, Sampling(new_tokens=10, temperature=0.0))
    assert len(new) > 3
    for token in new:
        logits = model.logits(model(torch.tensor([tokens]), None)[0, -1]).detach()
        logits[[PAD, CLS, MASK]] = -torch.inf
        assert token == int(logits.argmax())
        tokens = [*tokens, token]


def test_the_seed_decides_and_nothing_else_that_was_drawn() -> None:
    model = decoder()
    first = generate(model, [CLS, 7], Sampling(new_tokens=20, temperature=2.0, seed=1))
    torch.manual_seed(99)
    torch.rand(5)
    state = torch.get_rng_state()
    assert generate(model, [CLS, 7], Sampling(new_tokens=20, temperature=2.0, seed=1)) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert generate(model, [CLS, 7], Sampling(new_tokens=20, temperature=2.0, seed=2)) != first


def test_dropout_is_off_and_the_mode_of_the_model_stays() -> None:
    model = decoder(dropout=0.5).train()
    sampling = Sampling(new_tokens=20, temperature=0.0)
    assert generate(model, [CLS, 7], sampling) == generate(decoder(), [CLS, 7], sampling)
    assert model.training


def test_it_ends_at_sep_or_when_the_length_is_full_or_after_as_many_tokens_as_asked() -> None:
    assert generate(with_scores(decoder(), t3=9.0), [CLS, 7], Sampling(temperature=0.0)) == []
    endless = with_scores(decoder(), t10=9.0)
    assert generate(endless, [CLS, 7], Sampling(new_tokens=5, temperature=0.0)) == [10] * 5
    assert generate(endless, [CLS, 7], Sampling(new_tokens=500, temperature=0.0)) == [10] * (LENGTH - 2)
    for prompt in ([], [CLS] * LENGTH):
        with pytest.raises(ValueError, match="the model takes 24"):
            generate(endless, prompt, Sampling())


def test_padding_a_beginning_and_masks_are_never_drawn_whatever_the_model_thinks() -> None:
    scores = torch.zeros(VOCAB)
    scores[[PAD, CLS, MASK]] = 50.0
    shares = drawn(scores, Sampling(temperature=1.0, top_k=0))
    assert float(shares[[PAD, CLS, MASK]].sum()) == 0.0
    assert float(shares[SEP]) > 0.0
    assert draw_token(scores, Sampling(temperature=0.0), torch.Generator()) not in (PAD, CLS, MASK)


def test_temperature_and_top_k_and_the_nucleus_shape_the_draw() -> None:
    scores = torch.full((VOCAB,), -20.0)
    scores[10:14] = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    plain = Sampling(temperature=1.0, top_k=0)
    assert drawn(scores, plain)[10:14].tolist() == pytest.approx([0.4, 0.3, 0.2, 0.1], abs=0.03)
    squared = [0.16 / 0.3, 0.09 / 0.3, 0.04 / 0.3, 0.01 / 0.3]
    assert drawn(scores, Sampling(temperature=0.5, top_k=0))[10:14].tolist() == pytest.approx(squared, abs=0.03)
    two = drawn(scores, Sampling(temperature=1.0, top_k=2))[10:14].tolist()
    assert two == pytest.approx([4 / 7, 3 / 7, 0.0, 0.0], abs=0.03)
    assert two[2:] == [0.0, 0.0]
    nucleus = drawn(scores, Sampling(temperature=1.0, top_k=0, top_p=0.65))[10:14].tolist()
    assert nucleus == pytest.approx([4 / 7, 3 / 7, 0.0, 0.0], abs=0.03)
    assert nucleus[2:] == [0.0, 0.0]
    assert drawn(scores, Sampling(temperature=1.0, top_k=0, top_p=1e-6), 50)[10] == 1.0, "one is always left"


@pytest.mark.parametrize("temperature", [1e-40, 5e-324])
def test_a_temperature_of_nearly_nothing_takes_the_likeliest(temperature: float) -> None:
    scores = torch.linspace(-3, 3, VOCAB)
    assert draw_token(scores, Sampling(temperature=temperature), torch.Generator()) == VOCAB - 1


@pytest.mark.parametrize("kind", ["word", "wordpiece", "bpe", "unigram", "bytes"])
@pytest.mark.parametrize("cut", [3, 9])
def test_a_text_and_what_goes_on_from_it_read_as_one_text(kind: str, cut: int) -> None:
    text = "the people's representatives, of a well-regulated and unconstitutional state."
    tokenizer = make_tokenizer([*TEXTS, text] * 3, DataConfig(tokenizer=kind, vocab_size=2500), None)  # type: ignore[arg-type]
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    before = continuation(tokenizer, [], ids[:cut])
    after = continuation(tokenizer, ids[:cut], ids[cut:])
    assert (before + after).removeprefix(" ") == text


def test_a_character_that_was_cut_between_two_tokens_does_not_eat_the_rest() -> None:
    tokenizer = make_tokenizer([], DataConfig(tokenizer="bytes"), None)
    ids = tokenizer.encode("née", add_special_tokens=False).ids
    assert continuation(tokenizer, ids[:2], ids[2:]).endswith("e")
