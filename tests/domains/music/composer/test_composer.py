"""A composer: one step is the surrogate, several are deterministic, and it can be saved."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.tiny_music import MEL, SPEC, composer, model, untagged, vocoder

from oneleap.core.errors import InputError
from oneleap.core.objectives import (
    ConsistencyDistillation,
    ConsistencyTrajectory,
    FlowMatching,
    SplitMeanFlow,
)
from oneleap.core.sampling.consistency import gamma_sampling
from oneleap.core.sampling.ode import heun, sample
from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim
from oneleap.domains.music.composer.composer import Composer

CTD = ConsistencyTrajectory(guidance=(1.0, 4.0))
STUDENTS = [SplitMeanFlow(), CTD, ConsistencyDistillation()]


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("objective", STUDENTS, ids=lambda o: type(o).__name__)
def test_one_step_is_the_surrogate_to_the_bit(objective: object) -> None:
    made = composer(objective)  # type: ignore[arg-type]
    noise = made.noise(2, 1.0, draws())
    once = made.surrogate(["calm"])(noise)
    assert once.shape == noise.shape
    assert torch.equal(once, made.decode(noise, steps=1, tags=["calm"]))
    several = made.decode(noise, steps=3, tags=["calm"])
    assert torch.equal(several, made.decode(noise, steps=3, tags=["calm"]))
    assert not torch.allclose(several, once)
    alone = made.decode(noise[1:], steps=3, tags=["calm"])  # rows are independent
    assert torch.allclose(alone, several[1:], atol=1e-5)


def test_several_steps_equal_ctms_sampler_at_gamma_0() -> None:
    made = composer(CTD)
    noise = made.noise(1, 1.0, draws())
    wanted = gamma_sampling(made.student_field(["fast"], 3.0), noise, steps=4, gamma=0.0)
    found = made.decode(noise, steps=4, tags=["fast"], guidance=3.0)
    assert torch.allclose(found, made.denormalize(wanted), atol=1e-5)


def test_the_student_is_called_once_per_step() -> None:
    made = composer(CTD)
    assert made.student is not None
    calls = list[int]()
    made.student.average.register_forward_hook(lambda *_: calls.append(1))
    made.decode(made.noise(1, 1.0, draws()), steps=4, tags=["calm"], guidance=2.0)
    assert len(calls) == 4


def test_guidance_is_a_formula_for_the_base_and_an_input_of_the_student() -> None:
    made = composer(CTD)
    z, t = made.noise(2, 1.0, draws()), torch.tensor([0.3, 0.9])
    cond, null = made.field(["calm"], 1.0)(z, t, t), made.field()(z, t, t)
    guided = made.field(["calm"], 2.5)(z, t, t)
    assert torch.allclose(guided, null + 2.5 * (cond - null), atol=1e-5)
    assert torch.equal(made.field(["calm"])(z, t, t), made.field(["calm"], 2.0)(z, t, t))
    a, b = (made.surrogate(["calm"], w)(z) for w in (1.0, 4.0))
    assert not torch.allclose(a, b)
    fixed = composer(SplitMeanFlow())
    with pytest.raises(InputError, match="distilled at a fixed scale"):
        fixed.surrogate(["calm"], 2.0)


def test_the_gradient_reaches_the_noise_and_no_weight() -> None:
    made = composer(SplitMeanFlow())
    noise = made.noise(1, 0.5, draws()).requires_grad_()
    made.vocode(made.surrogate()(noise)).square().mean().backward()
    assert noise.grad is not None
    assert noise.grad.abs().max() > 0
    assert made.student is not None
    assert not any(weight.requires_grad for weight in made.student.parameters())
    many = made.denormalize(heun(made.field(["fast"]), noise, steps=2))
    assert many.requires_grad


def test_denormalize_gives_spectrograms_of_the_contract() -> None:
    made = composer()
    x = made.noise(1, 0.5, draws())
    mel = made.denormalize(x)
    wanted = x * torch.tensor(SPEC.std)[:, None] + torch.tensor(SPEC.mean)[:, None]
    assert torch.allclose(mel, wanted)
    assert torch.allclose(made.normalize(mel), x, atol=1e-6)
    assert torch.allclose(
        made.surrogate()(x), made.denormalize(sample(made.student_field(), x)), atol=1e-6
    )


def test_noise_is_from_the_generator_and_at_least_as_long_as_requested() -> None:
    made = composer()
    a, b = made.noise(2, 1.0, draws(1)), made.noise(2, 1.0, draws(1))
    assert torch.equal(a, b)
    assert a.shape == (2, MEL.n_mels, 64)  # 62.5 frames, rounded up to the patch of 4
    assert made.vocode(made.decode(a)).shape == (2, 64 * MEL.hop)
    for seconds in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="seconds: must be positive and finite"):
            made.frames(seconds)


def test_a_loaded_composer_generates_the_same(tmp_path: Path) -> None:
    made = composer(CTD)
    made.save(tmp_path / "a", card="# Nobody\n", bits=32)
    again = Composer.load(tmp_path / "a")
    noise = made.noise(1, 1.0, draws())
    for steps in (1, 2):
        waves = [c.vocode(c.decode(noise, steps=steps, tags=["fast"])) for c in (made, again)]
        assert torch.allclose(*waves, atol=1e-6)
    t = torch.tensor([0.5])
    assert torch.allclose(*(c.field(["fast"])(noise, t, t) for c in (made, again)), atol=1e-6)
    assert again.guidance == 2.0
    assert again.spec == SPEC
    assert (tmp_path / "a" / "README.md").read_text() == "# Nobody\n"
    again.save(tmp_path / "b")
    sizes = [
        sum(p.stat().st_size for p in (tmp_path / n).rglob("*.safetensors")) for n in ("a", "b")
    ]
    assert sizes[1] < 0.7 * sizes[0]
    half = Composer.load(tmp_path / "b").decode(noise)
    assert torch.allclose(half, again.decode(noise), atol=0.1)


def test_a_base_model_alone_is_a_composer_without_a_student(tmp_path: Path) -> None:
    model().save_pretrained(tmp_path / "run" / "model")
    made = Composer.load(tmp_path / "run")
    assert isinstance(made.vocoder, GriffinLim)
    assert made.vocode(made.noise(1, 0.5, draws())).shape == (1, 32 * MEL.hop)
    with pytest.raises(InputError, match="it has no student"):
        made.surrogate()


def test_parts_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has floor 0\.001, the vocoder has 0\.01"):
        Composer.from_parts(model(), None, vocoder(replace(MEL, floor=1e-2)))
    with pytest.raises(InputError, match=r"the student has tags \(\), its base"):
        Composer.from_parts(model(), model(spec=untagged()))
    with pytest.raises(InputError, match=r"composer: no '.*none' .*or name a folder"):
        Composer.load(tmp_path / "none")
    vocoder().save_pretrained(tmp_path / "v")
    with pytest.raises(InputError, match="holds a Vocos, not a music model"):
        Composer.load(tmp_path / "v")
    with pytest.raises(InputError, match=r"no 'clam'; did you mean 'calm'"):
        composer().field(["clam"])
    with pytest.raises(InputError, match="guidance: must be finite and not negative"):
        composer().field(["calm"], -1.0)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"class_path": "oneleap.domains.music.Composer", "init_args": {}}',
        '{"class_path": "oneleap.domains.music.Composer", "init_args": {"guidance": -2}}',
        '{"class_path": "oneleap.domains.music.MusicModel"}',
    ],
)
def test_damaged_configurations_are_refused(text: str, tmp_path: Path) -> None:
    composer().save(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        Composer.load(tmp_path)


def test_a_composer_without_tags() -> None:
    student = model(FlowMatching(), spec=untagged(), seed=5)
    made = Composer.from_parts(model(spec=untagged()), student)
    noise = made.noise(1, 0.5, draws())
    assert made.surrogate()(noise).isfinite().all()
    with pytest.raises(InputError, match="this composer has none"):
        made.surrogate(["calm"])
