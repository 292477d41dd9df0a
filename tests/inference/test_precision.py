from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.inference import precision
from bayes_scaling.inference.precision import (
    as_numpy,
    check_precision,
    double_precision,
)


@pytest.mark.parametrize("users", [True, False])
def test_the_users_setting_is_put_back(users):
    with jax.enable_x64(users):
        for enabled, kind in ((True, np.float64), (False, np.float32)):
            with double_precision(enabled):
                assert jnp.ones(1).dtype == kind
            assert jnp.ones(1).dtype == (np.float64 if users else np.float32)
        with pytest.raises(RuntimeError), double_precision(not users):
            raise RuntimeError
        assert jnp.ones(1).dtype == (np.float64 if users else np.float32)


def test_floats_come_back_in_64_bits_and_counts_as_they_are():
    found = as_numpy({"a": jnp.ones(2, np.float32), "b": (jnp.arange(2, dtype=np.int32), jnp.array([True]))})
    assert found["a"].dtype == np.float64 and found["b"][0].dtype == np.int32 and found["b"][1].dtype == bool
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(found))


def test_an_unknown_precision_is_refused():
    for known in precision.PRECISIONS:
        check_precision(known)
    with pytest.raises(bs.BayesScalingError, match=r"no precision 'half'; known: double, single"):
        check_precision("half")
    with pytest.raises(bs.BayesScalingError, match=r"no precision 'doubel'; did you mean 'double'"):
        check_precision("doubel")
