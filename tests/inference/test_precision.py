from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.inference import precision
from bayes_scaling.inference.precision import (
    CACHE_VARIABLE,
    QUICK_TO_COMPILE,
    as_numpy,
    check_precision,
    double_precision,
    within,
)


@pytest.fixture
def settings(monkeypatch):
    """JAX's settings, without JAX."""
    values = {"jax_compilation_cache_dir": None}
    config = SimpleNamespace(values=values, update=values.__setitem__)
    monkeypatch.setattr(precision, "jax", SimpleNamespace(config=config))
    return values


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


def test_compiled_programs_are_kept_where_the_variable_says(settings, tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "kept"))
    precision.keep_compiled_programs()
    assert settings["jax_compilation_cache_dir"] == str(tmp_path / "kept" / "programs")
    assert (tmp_path / "kept" / "programs").is_dir()


def test_an_empty_variable_switches_the_cache_off(settings, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, "")
    precision.keep_compiled_programs()
    assert settings == {"jax_compilation_cache_dir": None}


def test_a_folder_that_cannot_be_made_is_no_cache(settings, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    precision.keep_compiled_programs()
    assert settings == {"jax_compilation_cache_dir": None}


def test_a_cache_that_the_user_set_stays(settings, tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    settings["jax_compilation_cache_dir"] = "theirs"
    precision.keep_compiled_programs()
    assert settings == {"jax_compilation_cache_dir": "theirs"} and not list(tmp_path.iterdir())


def test_a_program_is_called_within_another_without_its_options():
    doubled = jax.jit(lambda x: 2 * x, compiler_options=QUICK_TO_COMPILE)
    assert jax.jit(lambda x: within(doubled)(x) + 1)(3.0) == 7.0
    with pytest.raises(ValueError, match="top-level"):
        jax.jit(lambda x: doubled(x) + 1)(3.0)
