"""Masks: how many, where, what stands in their place, and that they follow from the sample alone."""

from __future__ import annotations

import torch

from engine.data.hashing import position_keys, sample_keys, scalar_seed
from engine.data.masking import IGNORED, apply_masks, masked_positions, num_masks
from engine.data.tokenizers import CLS, MASK, PAD, SEP
from presets.schema import ObjectiveConfig

VOCAB, LENGTH = 1000, 64


def rows(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = torch.full((len(lengths), LENGTH), PAD)
    for row, length in enumerate(lengths):
        tokens[row, :length] = torch.arange(length) + 500
        tokens[row, 0], tokens[row, length - 1] = CLS, SEP
    return tokens, torch.tensor(lengths)


def keys(count: int, seed: int = 0, epoch: int = 0) -> torch.Tensor:
    return sample_keys(seed, torch.full((count,), epoch), torch.arange(count))


def test_each_row_has_its_share_of_masks_and_every_batch_one_width() -> None:
    _, lengths = rows([64, 32, 10, 3])
    chosen = masked_positions(lengths, keys(4), LENGTH, 0.15)
    assert chosen.shape == (4, round(62 * 0.15))
    assert (chosen >= 0).sum(1).tolist() == [9, 4, 1, 1] == num_masks(lengths, 0.15).tolist()


def test_specials_and_padding_are_never_chosen_and_no_position_twice() -> None:
    _, lengths = rows([64, 40, 12, 3] * 50)
    chosen = masked_positions(lengths, keys(200), LENGTH, 0.3)
    for row, length in zip(chosen.tolist(), lengths.tolist(), strict=True):
        real = [position for position in row if position >= 0]
        assert len(set(real)) == len(real)
        assert all(1 <= position < length - 1 for position in real)


def test_every_position_is_chosen_equally_often() -> None:
    _, lengths = rows([LENGTH] * 20_000)
    chosen = masked_positions(lengths, keys(20_000), LENGTH, 0.15)
    counts = torch.bincount(chosen.flatten(), minlength=LENGTH)[1 : LENGTH - 1].double()
    expected = counts.mean()
    assert ((counts - expected).abs() < 5 * expected.sqrt()).all()


def test_the_replacements_are_80_10_10() -> None:
    tokens, lengths = rows([LENGTH] * 4000)
    batch = apply_masks(tokens, lengths, keys(4000), VOCAB, ObjectiveConfig(), 0.15)
    new = batch.inputs.gather(1, batch.positions)
    old = tokens.gather(1, batch.positions)
    is_mask, is_same = (new == MASK).double().mean(), (new == old).double().mean()
    is_random = 1 - is_mask - is_same
    assert abs(is_mask - 0.8) < 0.01
    assert abs(is_random - 0.1) < 0.01
    assert abs(is_same - 0.1) < 0.01


def test_random_words_come_from_the_whole_vocabulary_and_are_never_special() -> None:
    tokens, lengths = rows([LENGTH] * 20_000)
    always_random = ObjectiveConfig(mask_token_share=0.0, random_token_share=1.0)
    batch = apply_masks(tokens, lengths, keys(20_000), VOCAB, always_random, 0.15)
    words = batch.inputs.gather(1, batch.positions)
    assert int(words.min()) == 5
    assert int(words.max()) == VOCAB - 1


def test_only_chosen_positions_change_and_targets_are_the_originals() -> None:
    tokens, lengths = rows([64, 20, 5])
    batch = apply_masks(tokens, lengths, keys(3), VOCAB, ObjectiveConfig(), 0.15)
    is_target = batch.targets != IGNORED
    for row in range(3):
        chosen = set(batch.positions[row][is_target[row]].tolist())
        changed = set((batch.inputs[row] != tokens[row]).nonzero().flatten().tolist())
        assert changed <= chosen
        assert tokens[row, sorted(chosen)].sort().values.equal(batch.targets[row][is_target[row]].sort().values)
    assert batch.is_padded


def test_masks_follow_from_seed_epoch_and_sample_not_from_the_batch_they_stand_in() -> None:
    tokens, lengths = rows([LENGTH] * 8)
    together = apply_masks(tokens, lengths, keys(8), VOCAB, ObjectiveConfig(), 0.15)
    torch.manual_seed(12345)
    alone = apply_masks(tokens[5:6], lengths[5:6], keys(8)[5:6], VOCAB, ObjectiveConfig(), 0.15)
    assert torch.equal(together.inputs[5:6], alone.inputs)
    other_epoch = apply_masks(tokens, lengths, keys(8, epoch=1), VOCAB, ObjectiveConfig(), 0.15)
    other_seed = apply_masks(tokens, lengths, keys(8, seed=1), VOCAB, ObjectiveConfig(), 0.15)
    assert not torch.equal(together.inputs, other_epoch.inputs)
    assert not torch.equal(together.inputs, other_seed.inputs)


def test_keys_are_not_negative_and_streams_are_unrelated() -> None:
    first, second = (position_keys(keys(1000), 32, stream).flatten() for stream in (1, 2))
    assert int(first.min()) >= 0
    assert abs(float(torch.corrcoef(torch.stack([first, second]).double())[0, 1])) < 0.03
    assert scalar_seed(1, 2) != scalar_seed(2, 1)
