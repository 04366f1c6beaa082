"""Neighbours, projection and calibration on numbers made by hand."""

from __future__ import annotations

import pytest
import torch

from engine.analysis.calibration import reliability
from engine.analysis.neighbours import frequent_tokens, nearest_tokens, project
from engine.analysis.predictions import predictions_of


def embeddings() -> torch.Tensor:
    """Five special tokens, then tokens 5 to 9 at known angles."""
    words = [[1.0, 0.0], [2.0, 0.1], [1.0, 1.0], [0.0, 3.0], [-1.0, 0.0]]
    return torch.tensor([[1.0, 0.0]] * 5 + words)


def test_neighbours_go_by_angle_and_leave_out_the_word_and_the_special_tokens() -> None:
    found = nearest_tokens(embeddings(), torch.tensor([5]), 10)
    assert [token for token, _ in found] == [6, 7, 8, 9]
    assert [cosine for _, cosine in found][1:] == pytest.approx([0.7071, 0.0, -1.0], abs=1e-4)


def test_a_word_of_several_tokens_is_their_mean() -> None:
    found = nearest_tokens(embeddings(), torch.tensor([5, 8]), 1)  # (0.5, 1.5)
    assert found[0][0] == 7


def test_the_projection_keeps_a_plane_and_says_how_much_it_is_of_the_variance() -> None:
    generator = torch.Generator().manual_seed(1)
    plane = torch.randn(40, 2, generator=generator) * torch.tensor([5.0, 1.0])
    turn = torch.linalg.qr(torch.randn(7, 7, generator=generator)).Q
    vectors = torch.cat([plane, torch.zeros(40, 5)], dim=1) @ turn
    places, shares = project(vectors)
    assert torch.allclose(torch.cdist(places, places).float(), torch.cdist(plane, plane), atol=1e-3)
    assert sum(shares) == pytest.approx(1.0, abs=1e-4)
    assert shares[0] > shares[1]


def test_a_projection_does_not_depend_on_the_sign_that_the_library_finds() -> None:
    vectors = torch.randn(30, 6, generator=torch.Generator().manual_seed(2))
    places, _ = project(vectors)
    mirrored, _ = project(-vectors)
    assert torch.allclose(places, -mirrored)  # the directions are the same, so the points are mirrored
    assert torch.equal(places, project(vectors)[0])


def test_fewer_vectors_than_two_have_a_projection() -> None:
    assert project(torch.zeros(0, 4))[1] == (0.0, 0.0)
    assert project(torch.ones(1, 4))[0].tolist() == [[0.0, 0.0]]


def test_frequent_tokens_leave_out_what_never_occurs() -> None:
    counts = torch.tensor([9, 9, 9, 9, 9, 3, 0, 7, 3])
    assert frequent_tokens(counts, 9).tolist() == [7, 5, 8]
    assert frequent_tokens(None, 8).tolist() == [5, 6, 7]


def test_bins_hold_their_upper_end_and_count_everything() -> None:
    confidences = torch.tensor([0.0, 0.1, 0.25, 0.26, 0.5, 1.0], dtype=torch.float64)
    is_right = torch.tensor([False, True, False, True, True, True])
    bins = reliability(confidences, is_right, 4)
    assert [one.count for one in bins] == [3, 2, 0, 1]
    assert bins[0].accuracy == pytest.approx(1 / 3, abs=1e-6)
    assert bins[1].confidence == pytest.approx(0.38)
    assert (bins[2].confidence, bins[2].accuracy) == (0.0, 0.0)


def test_a_prediction_is_the_likeliest_answer_with_its_probability() -> None:
    scores = torch.tensor([[0.0, 0.0], [3.0, 0.0]]).log_softmax(-1)
    made = predictions_of(scores, torch.tensor([1, 1]))
    assert made.guesses.tolist()[1] == 0
    assert made.confidences.tolist() == pytest.approx([0.5, 0.952574], abs=1e-5)
    assert made.losses.tolist() == pytest.approx([0.693147, 3.048587], abs=1e-5)
