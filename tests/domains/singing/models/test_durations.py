"""Duration model: losses in closed form, and that it learns positive durations."""

import math

import pytest
import torch
from support.tiny_singing import SMALL, SPEC, durations, songs

from oneleap.core.errors import InputError
from oneleap.core.training.recipe import Recipe
from oneleap.domains.singing.models.durations import DurationModel, duration_losses
from oneleap.domains.singing.models.frames import sum_by_word


def test_duration_losses_in_closed_form() -> None:
    predicted = torch.tensor([[1.0, 2.0, 3.0, 0.0]])
    target = torch.tensor([[2.0, 2.0, 5.0, 0.0]])
    word = torch.tensor([[0, 0, 1, 1]])
    mask = torch.tensor([[True, True, True, False]])
    log = math.log
    by_phoneme = ((log(2) - log(3)) ** 2 + (log(4) - log(6)) ** 2) / 3
    by_word = ((log(4) - log(5)) ** 2 + (log(4) - log(6)) ** 2) / 2
    by_phrase = (log(7) - log(10)) ** 2
    found = duration_losses(predicted, target, word, mask)
    assert [float(f) for f in found] == pytest.approx([by_phoneme, by_word, by_phrase], rel=1e-5)
    assert sum_by_word(predicted, word).tolist() == [[3, 3, 0, 0]]


def test_training_reduces_the_loss_and_durations_are_positive() -> None:
    model, batch = DurationModel(SPEC, encoder=SMALL, depth=1), songs()
    mask, losses = batch.tokens > 0, []
    optimizer = torch.optim.Adam(model.net.parameters(), 1e-2)
    for _ in range(40):
        predicted = model.predict(batch, model.net)
        assert (predicted[mask] > 0).all()
        parts = duration_losses(predicted, batch.exact_durations, batch.word_index, mask)
        loss = torch.stack(parts).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
    assert (durations().predict(batch)[~mask] == 0).all()


@pytest.mark.parametrize("recipe", [Recipe(teacher="x"), Recipe(compile=True)])
def test_unsupported_recipes_are_rejected(recipe: Recipe) -> None:
    with pytest.raises(InputError, match="no teacher, compile, rank or log_variance"):
        DurationModel(SPEC, encoder=SMALL, recipe=recipe)


def test_the_noise_moves_all_phonemes_of_a_word_alike() -> None:
    seen: list[torch.Tensor] = []
    model, batch = DurationModel(SPEC, encoder=SMALL, depth=1, jitter_s=0.05), songs()
    model.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[2]))
    for seed in (0, 0, 1):
        model.losses(batch, torch.Generator().manual_seed(seed))
    moved = seen[0] - batch.word_durations
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    real = batch.tokens > 0
    same = batch.word_index[:, 1:] == batch.word_index[:, :-1]
    torch.testing.assert_close(moved[:, 1:][same], moved[:, :-1][same])
    assert 0.2 < float(moved[real].std()) / (0.05 * SPEC.mel.frame_rate) < 2
    model.predict(batch)
    assert len(seen) == 3  # the average predicts, without noise


def test_a_negative_noise_is_refused() -> None:
    with pytest.raises(InputError, match="jitter_s: must be 0 or more"):
        DurationModel(SPEC, encoder=SMALL, jitter_s=-0.1)
