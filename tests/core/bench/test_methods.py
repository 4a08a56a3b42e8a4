"""The comparison of all methods: toy sets, compute counted alike, and what is printed and drawn."""

import inspect
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from oneleap.core import objectives
from oneleap.core.bench import command as bench_core
from oneleap.core.bench import training as compare
from oneleap.core.bench.distance import sliced_wasserstein
from oneleap.core.bench.kept import Kept
from oneleap.core.bench.methods import METHODS, STUDENT, TEACHER, WITHOUT_A_ROW
from oneleap.core.bench.toy import SETS, checkerboard, eight_gaussians
from oneleap.core.bench.training import STEPS, Outcome, ToyRun, network, train
from oneleap.core.errors import InputError
from oneleap.core.training.seed import step_generator
from oneleap.core.types import Objective


@pytest.mark.parametrize("name", SETS)
def test_sets_follow_from_the_generator_and_are_of_unit_size(name: str) -> None:
    x, again, other = (SETS[name](20_000, step_generator(seed, 0)) for seed in (0, 0, 1))
    assert torch.equal(x, again)
    assert not torch.equal(x, other)
    assert x.shape == (20_000, 2)
    torch.testing.assert_close(x.std(0), torch.ones(2), atol=0.08, rtol=0)
    # A set is much nearer to itself than to a Gaussian of its size.
    gauss = torch.randn(20_000, 2, generator=step_generator(2, 0))
    near = sliced_wasserstein(x, other, generator=step_generator(3, 0))
    assert sliced_wasserstein(x, gauss, generator=step_generator(3, 0)) > 3 * near


def test_sets_have_their_shapes() -> None:
    x = eight_gaussians(5000, step_generator(0, 0))
    angle = torch.arange(8) * torch.pi / 4
    centers = 1.4 * torch.stack([angle.cos(), angle.sin()], 1)
    nearest = torch.cdist(x, centers).min(1)
    assert nearest.values.square().mean().sqrt() < 0.15
    assert nearest.indices.unique().numel() == 8
    fields = (checkerboard(5000, step_generator(0, 0)) / 0.85).floor().int() + 2
    assert set(fields.unique().tolist()) == {0, 1, 2, 3}
    assert ((fields.sum(1) % 2) == 0).all()


def test_a_costlier_method_takes_fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "compiled", lambda function: function)
    monkeypatch.setattr(compare, "SAMPLES", 500)
    base = train(TEACHER, "spiral", 6)
    assert (base.cost, base.steps, set(base.distances)) == (1, 6, {*STEPS, 100})
    distilled = train("SplitMeanFlow, distilled", "spiral", 6, {TEACHER: base.weights})
    assert 1.3 < distilled.cost < 1.8
    assert distilled.steps == 4
    assert set(distilled.distances) == set(STEPS)
    assert distilled.saved_mib > 0


def test_every_objective_has_a_row_or_a_reason() -> None:
    known = {
        cls
        for _, cls in inspect.getmembers(objectives, inspect.isclass)
        if issubclass(cls, Objective)
    }
    rows = {type(method.objective) for method in METHODS.values()}
    assert rows | set(WITHOUT_A_ROW) == known
    assert not rows & set(WITHOUT_A_ROW)


@pytest.mark.parametrize("name", [n for n, m in METHODS.items() if m.from_student])
def test_a_generator_starts_as_the_student_and_its_second_network_as_the_teacher(name: str) -> None:
    known = {key: network(seed=seed).state_dict() for key, seed in ((TEACHER, 1), (STUDENT, 2))}
    run = ToyRun(METHODS[name], known)
    assert run.second is not None
    for key, net in ((STUDENT, run.net), (STUDENT, run.average), (TEACHER, run.second.fake)):
        for weight, wanted in zip(net.state_dict().values(), known[key].values(), strict=True):
            assert torch.equal(weight, wanted)
    assert run.measure_cost(torch.randn(16, 2, generator=step_generator(0, 0)))[0] > 0


def test_several_seeds_are_averaged_with_their_standard_error() -> None:
    entries = [replace(next(iter(outcomes().values())), distances={1: d}) for d in (0.1, 0.2, 0.6)]
    found = bench_core.averaged(entries)
    assert found.distances[1] == pytest.approx(0.3)
    assert found.errors[1] == pytest.approx(0.07**0.5 / 3**0.5)
    assert bench_core.averaged(entries[:1]) is entries[0]


def test_a_student_starts_as_its_teacher() -> None:
    weights = ToyRun(METHODS[TEACHER]).net.state_dict()
    run = ToyRun(METHODS["CD"], {TEACHER: weights})
    z, r, t = torch.randn(3, 2), torch.rand(3) / 2, torch.rand(3) / 2 + 0.5
    torch.testing.assert_close(run.net(z, r, t), network(weights)(z, t, t))
    assert run.teacher is not None
    assert not any(p.requires_grad for p in run.teacher.parameters())


def outcomes() -> bench_core.Outcomes:
    return {
        (name, dataset): Outcome({1: 0.3, 2: 0.2, 4: 0.1, 100: 0.05}, 1.5, 1.2, 10, 2.0, {})
        for name in METHODS
        for dataset in SETS
    }


def test_results_are_a_table_and_a_picture(tmp_path: Path) -> None:
    found = bench_core.table(outcomes())
    assert found.row_count == len(METHODS) + 1
    bench_core.draw(outcomes(), tmp_path / "methods.png")
    assert (tmp_path / "methods.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="budget -1, seeds 1"):
        bench_core.bench(budget=-1)
    with pytest.raises(InputError, match="no method 'MeanFlo'; did you mean 'MeanFlow'"):
        bench_core.bench(methods=["MeanFlo"])
    with pytest.raises(InputError, match=r"no dataset 'x'.* \(.*spiral"):
        bench_core.bench(sets=["x"])
    with pytest.raises(InputError, match=r"picture: plot\.pdf is not a .png file"):
        bench_core.bench(budget=1, picture=Path("plot.pdf"))
    with pytest.raises(InputError, match=r"folder: .*methods\.png is a file: name a folder"):
        bench_core.bench(folder=tmp_path / "methods.png")


def test_methods_bring_those_that_they_start_from() -> None:
    assert bench_core.needed(["MeanFlow"]) == [TEACHER, "MeanFlow"]
    assert bench_core.needed(["SiD", "CD"]) == [TEACHER, STUDENT, "CD", "SiD"]
    assert bench_core.needed(None) == list(METHODS)


def test_results_are_kept_and_those_of_other_settings_refused(tmp_path: Path) -> None:
    kept = Kept(tmp_path, {"budget": 6})
    weights = network(seed=3).state_dict()
    outcome = Outcome({1: 0.3, 100: 0.1}, 1.5, 1.2, 10, 2.0, weights)
    assert kept.read(TEACHER, "spiral", 0) is None
    kept.write(TEACHER, "spiral", 0, outcome)
    kept.write("MeanFlow", "spiral", 0, outcome)
    found = kept.read(TEACHER, "spiral", 0)
    assert found is not None
    assert replace(found, weights={}) == replace(outcome, weights={})
    assert all(torch.equal(found.weights[name], weights[name]) for name in weights)
    other = kept.read("MeanFlow", "spiral", 0)
    assert other == replace(outcome, weights={})
    assert kept.read(TEACHER, "spiral", 1) is None
    with pytest.raises(InputError, match="other settings than budget 7"):
        Kept(tmp_path, {"budget": 7}).read(TEACHER, "spiral", 0)
    (tmp_path / "meanflow-spiral-0.json").write_text("{}")
    with pytest.raises(InputError, match="holds no result of this command"):
        kept.read("MeanFlow", "spiral", 0)
    nothing = Kept(None, {})
    nothing.write(TEACHER, "spiral", 0, outcome)
    assert nothing.read(TEACHER, "spiral", 0) is None


@pytest.mark.parametrize("name", ["MeanFlow", "DisBack", "Re-MeanFlow, stored pairs"])
def test_what_a_process_trained_before_makes_no_difference(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "SAMPLES", 500)
    monkeypatch.setattr(compare, "STORED", 3)
    compare.held_out.cache_clear()
    known = {key: network(seed=seed).state_dict() for key, seed in ((TEACHER, 1), (STUDENT, 2))}
    settings = {"known": known, "compile_loss": False, "batch": 32}
    compare.prepared.cache_clear()
    one, _, again = (train(name, "spiral", 40, seed=seed, **settings) for seed in (0, 1, 0))
    assert one.distances == again.distances
    assert one.steps > 1
    moved = [not torch.equal(one.weights[key], known[TEACHER][key]) for key in one.weights]
    assert any(moved)
    compare.held_out.cache_clear()


@pytest.mark.slow
def test_all_methods_run_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_core, "step_ratios", dict)
    files = {"json": tmp_path / "core.json", "picture": tmp_path / "methods.png"}
    bench_core.bench(budget=5, sets=["spiral"], compile_loss=False, batch=64, **files)
    assert (tmp_path / "core.json").stat().st_size > 1000
