"""Faults in the fields of a file are named in one line."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.tiny_rl import fields

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.validation import (
    DIMENSIONS,
    episode_bounds,
    validate_actions,
    validate_fields,
)


def test_sound_fields_pass_as_float32():
    raw = fields()
    found = validate_fields("x", raw)
    assert all(array.dtype == np.float32 for array in found.values())
    np.testing.assert_allclose(found["actions"], raw["actions"], rtol=1e-6)
    assert validate_fields("x", raw | {"rewards": raw["rewards"][:, None]})["rewards"].shape == (
        12,
    )


@settings(deadline=None)
@given(name=st.sampled_from(list(DIMENSIONS)))
def test_a_missing_field_is_named(name):
    raw = fields()
    del raw[name]
    with pytest.raises(InputError, match=f"^data.hdf5: no field '{name}'; its fields are"):
        validate_fields("data.hdf5", raw)
    if name == "next_observations":
        assert name not in validate_fields("data.hdf5", raw, optional=(name,))


@settings(deadline=None)
@given(
    name=st.sampled_from(["observations", "actions", "rewards", "next_observations"]),
    row=st.integers(0, 11),
    value=st.sampled_from([math.nan, math.inf, -math.inf, 1e39]),
)
def test_a_number_that_is_none_is_named_with_its_row(name, row, value):
    raw = fields()
    raw[name][row] = value
    with pytest.raises(InputError, match=f"^data.hdf5: {name}: .* in row {row};") as error:
        validate_fields("data.hdf5", raw)
    assert "\n" not in str(error.value)


@settings(deadline=None)
@given(
    name=st.sampled_from(list(DIMENSIONS)),
    dtype=st.sampled_from(["S3", "U2", "O", "M8[s]", "c8"]),
)
def test_a_field_that_holds_no_numbers_is_named(name, dtype):
    raw = fields()
    raw[name] = np.zeros(raw[name].shape, dtype)
    with pytest.raises(InputError, match=f"^data.hdf5: {name}: holds .*, not numbers"):
        validate_fields("data.hdf5", raw)


@settings(deadline=None)
@given(name=st.sampled_from(list(DIMENSIONS)), cut=st.integers(1, 12))
def test_lengths_that_differ_are_reported(name, cut):
    raw = fields()
    raw[name] = raw[name][:-cut]
    with pytest.raises(InputError, match=f"differ in length: .*{name} {12 - cut}"):
        validate_fields("data.hdf5", raw)


@settings(deadline=None)
@given(name=st.sampled_from(list(DIMENSIONS)), shape=hnp.array_shapes(min_dims=3, max_dims=4))
def test_shapes_that_do_not_fit_are_reported(name, shape):
    with pytest.raises(InputError, match=f"^data.hdf5: {name}: has shape"):
        validate_fields("data.hdf5", fields() | {name: np.zeros(shape)})


@pytest.mark.parametrize("name", ["observations", "actions", "next_observations"])
def test_fields_without_columns_are_reported(name):
    with pytest.raises(InputError, match=f"^x: {name}: has no columns$"):
        validate_fields("x", fields() | {name: np.zeros((12, 0), np.float32)})


def test_empty_files_and_unequal_observations_are_reported():
    with pytest.raises(InputError, match="contains no steps"):
        validate_fields("data.hdf5", fields(0))
    with pytest.raises(InputError, match="3 columns, next_observations have 2"):
        validate_fields("data.hdf5", fields() | {"next_observations": np.zeros((12, 2))})


@settings(deadline=None)
@given(row=st.integers(0, 11), column=st.integers(0, 1), sign=st.sampled_from([-1, 1]))
def test_actions_out_of_bounds_are_reported_or_clipped(row, column, sign):
    act = fields()["actions"].astype(np.float32)
    act[row, column] = 1.5 * sign
    one = np.ones(2, np.float32)
    with pytest.raises(InputError, match=f"row {row}, column {column} .*1 such rows.*clip_actions"):
        validate_actions("x", act, -one, one, clip=False)
    clipped = validate_actions("x", act, -one, one, clip=True)
    assert clipped[row, column] == sign
    assert (np.delete(clipped, row, 0) == np.delete(act, row, 0)).all()


def test_rounding_is_accepted_and_a_wrong_number_of_bounds_is_not():
    act = np.full((3, 2), 1.000001, np.float32)
    assert (
        validate_actions("x", act, -np.ones(2, np.float32), np.ones(2, np.float32), False).max()
        == 1
    )
    with pytest.raises(InputError, match="actions have 2 dimensions, the environment takes 3"):
        validate_actions("x", act, -np.ones(3, np.float32), np.ones(3, np.float32), False)


@settings(deadline=None)
@given(hnp.arrays(bool, st.integers(1, 30)))
def test_episode_bounds_cut_after_each_end(ends):
    bounds = episode_bounds(ends)
    assert bounds[0] == 0
    assert bounds[-1] == len(ends)
    assert (np.diff(bounds) > 0).all()
    assert set(bounds[1:] - 1) == set(np.flatnonzero(ends)) | {len(ends) - 1}


@settings(deadline=None)
@given(
    name=st.sampled_from(["terminals", "timeouts"]),
    value=st.sampled_from([7.0, 0.5, -1.0, 255.0]),
    rows=st.sets(st.integers(0, 11), min_size=1),
)
def test_flags_other_than_0_and_1_are_named_with_the_mend(name, value, rows):
    raw = fields()
    raw[name] = np.zeros(12)
    raw[name][list(rows)] = value
    told = f"^data.hdf5: {name}: holds {value:g}, which .* store 0 and 1, or booleans$"
    with pytest.raises(InputError, match=told):
        validate_fields("data.hdf5", raw)
    for dtype in (bool, np.uint8, np.float64):
        sound = raw | {name: np.isin(np.arange(12), list(rows)).astype(dtype)}
        assert set(np.flatnonzero(validate_fields("data.hdf5", sound)[name])) == rows


def test_many_values_that_are_no_flags_are_counted():
    raw = fields() | {"terminals": np.arange(12)}
    with pytest.raises(InputError, match="terminals: holds 2, 3, 4, 5 and 6 more values, which"):
        validate_fields("data.hdf5", raw)
