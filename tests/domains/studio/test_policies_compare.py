"""The tabs Policies and Compare without a browser."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import Wave
from oneleap.domains.studio.compare import spectrogram
from oneleap.domains.studio.models import composer_tags, load_composer, voice_names
from oneleap.domains.studio.sampling import compare_composer, compare_voice, measure, timed_calls


def test_a_rollout_takes_one_call_for_each_action() -> None:
    for module in ("gymnasium_robotics", "mujoco"):
        pytest.importorskip(module)
    from oneleap.domains.studio.policies import describe, rollout

    moments = list(rollout(0, 5))
    assert [len(moment.path) for moment in moments] == [1, 2, 3, 4, 5, 6]
    assert [moment.calls for moment in moments] == [0, 1, 2, 3, 4, 5]
    assert 0 < moments[1].total < moments[-1].total
    again = list(rollout(0, 5))[-1]
    assert (again.path == moments[-1].path).all()
    assert (next(rollout(1, 5)).path != moments[0].path).any()
    assert describe(moments[-1]).startswith(
        f"Step 5: return **{moments[-1].total:.1f}**, 5 network"
    )


def test_the_picture_shows_the_ball_where_it_is(tmp_path: Path) -> None:
    pytest.importorskip("gymnasium_robotics")
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    from oneleap.domains.studio.maze import CELL, draw_maze, write_video

    path = np.array([[1.0, 1.0], [-1.0, -1.0]], np.float32)
    image = draw_maze(path)
    assert image.shape == (5 * CELL, 5 * CELL, 3)
    ball = image[round(3.5 * CELL), round(1.5 * CELL)]  # 1 m below and left of the center
    assert ball.tolist() == [0xE4, 0x57, 0x2E]
    assert image[0, 0].tolist() == [0x55, 0x60, 0x6E]  # a wall
    file = tmp_path / "a.mp4"
    write_video(np.linspace([1.0, 1.0], [1.0, -1.0], 9, dtype=np.float32), file)
    assert ffmpeg.count_frames_and_secs(str(file))[0] == 4 + 25


def test_calls_are_counted_and_hooks_removed() -> None:
    network = nn.Linear(2, 2)

    def make() -> Wave:
        for _ in range(3):
            network(torch.zeros(1, 2))
        return Wave(np.zeros(8, np.float32), 8)

    found = measure("three", network, make)
    assert found.calls == 3
    assert 0 < found.call_ms <= found.total_ms
    assert found.row[:2] == ["three", "3"]
    with timed_calls(network) as times:
        pass
    make()
    assert times == []


def test_a_voice_in_several_steps_and_in_one() -> None:
    pytest.importorskip("soundfile")
    many, one = compare_voice("Hello.", voice_names()[0], 4, 0)
    assert (many.calls, one.calls) == (4, 1)
    assert len(many.wave.samples) == len(one.wave.samples)
    assert (many.wave.samples != one.wave.samples).any()
    assert spectrogram(one.wave).ndim == 3


def test_the_teacher_of_the_composer_and_its_student() -> None:
    many, one = compare_composer(composer_tags()[:1], 2, 0)
    assert (many.calls, one.calls) == (4, 1)  # the teacher is guided: two calls each step
    assert many.wave.seconds == one.wave.seconds == pytest.approx(6.0, abs=0.2)


@pytest.mark.parametrize("steps", [1, 33])
def test_how_many_steps_are_compared(steps: int) -> None:
    with pytest.raises(InputError, match=r"^steps: must be from 2 to 32"):
        compare_voice("Hello.", "heart", steps, 0)
    with pytest.raises(InputError, match=r"^steps: must be from 2 to 32"):
        compare_composer((), steps, 0)


def test_names_are_known_without_loading_a_model() -> None:
    assert tuple(composer_tags()) == load_composer().spec.tags
    assert voice_names()[0] == "heart"
