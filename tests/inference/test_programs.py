from __future__ import annotations

import gc
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from bayes_scaling.inference import nuts, programs
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.programs import CACHE_VARIABLE, QUICK_TO_COMPILE, jit, keep_compiled_programs, within
from bayes_scaling.models import PowerLaw


@pytest.fixture
def settings(monkeypatch):
    """JAX's settings, without JAX."""
    values = {"jax_compilation_cache_dir": None}
    config = SimpleNamespace(values=values, update=values.__setitem__)
    monkeypatch.setattr(programs, "jax", SimpleNamespace(config=config))
    return values


def test_compiled_programs_are_kept_where_the_variable_says(settings, tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "kept"))
    keep_compiled_programs()
    assert settings["jax_compilation_cache_dir"] == str(tmp_path / "kept" / "programs")
    assert (tmp_path / "kept" / "programs").is_dir()


def test_an_empty_variable_switches_the_cache_off(settings, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, "")
    keep_compiled_programs()
    assert settings == {"jax_compilation_cache_dir": None}


def test_a_folder_that_cannot_be_made_is_no_cache(settings, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    keep_compiled_programs()
    assert settings == {"jax_compilation_cache_dir": None}


def test_a_cache_that_the_user_set_stays(settings, tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    settings["jax_compilation_cache_dir"] = "theirs"
    keep_compiled_programs()
    assert settings == {"jax_compilation_cache_dir": "theirs"} and not list(tmp_path.iterdir())


def test_a_program_is_called_within_another_without_its_options():
    doubled = jit(lambda x: 2 * x)
    assert jax.jit(lambda x: within(doubled)(x) + 1)(3.0) == 7.0
    with pytest.raises(ValueError, match="top-level"):
        jax.jit(lambda x: doubled(x) + 1)(3.0)


@pytest.mark.parametrize("looking", [True, False])
def test_no_garbage_is_looked_for_while_a_program_is_traced_and_afterwards_as_before(looking):
    traced = []

    @jit
    def failing(x):
        traced.append(gc.isenabled())
        raise RuntimeError

    before = gc.isenabled()
    (gc.enable if looking else gc.disable)()
    try:
        with pytest.raises(RuntimeError):
            failing(1.0)
        assert traced == [False] and gc.isenabled() is looking
    finally:
        (gc.enable if before else gc.disable)()


def test_options_that_the_compiler_does_not_know_are_left_out(monkeypatch):
    """A release of JAX that drops one does not stop every program of the package."""
    monkeypatch.setattr(programs, "QUICK_TO_COMPILE", {"xla_of_another_release": 1, **QUICK_TO_COMPILE})
    programs._known.cache_clear()
    try:
        known = programs._known()
        assert jit(lambda x: x + 1)(1.0) == 2.0
    finally:
        programs._known.cache_clear()
    assert "xla_of_another_release" not in known and "xla_backend_optimization_level" in known


def test_options_are_given_to_the_compiler_at_the_first_call(monkeypatch):
    monkeypatch.setattr(programs, "_known", lambda: {"xla_of_another_release": 1})
    one = jit(lambda x: x)  # an import asks no device
    with pytest.raises(jax.errors.JaxRuntimeError, match="xla_of_another_release"):
        one(3.0)


def test_a_program_of_the_package_is_traced_once_for_all_processes(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    law, plan, runs = PowerLaw().program, nuts.Plan(draws=8, warmup=20, chains=2, starts=1), np.geomspace(1e8, 1e9, 12)

    def sample():
        monkeypatch.setattr(nuts.sample, "kept", {})  # as in a new process
        before = nuts.sample.count
        with double_precision():
            found = nuts.sample(law, plan, jax.random.key(0), {"C": runs, "C0": 3e8}, {"loss": runs**-0.1})
        assert nuts.sample.count == before + 1
        return found.posterior

    first, files = sample(), list((tmp_path / "traces").iterdir())
    with monkeypatch.context() as nothing_traced:
        nothing_traced.setattr(nuts, "hmc", None)
        second = sample()
    assert len(files) == 1 and list((tmp_path / "traces").iterdir()) == files
    assert jax.tree.all(jax.tree.map(np.array_equal, first, second))
    monkeypatch.setenv(CACHE_VARIABLE, "")
    third = sample()
    assert jax.tree.all(jax.tree.map(np.allclose, first, third))


def test_the_trace_of_a_function_within_a_function_is_not_kept(tmp_path, monkeypatch):
    """Its name does not tell what it computes."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    one = jit(lambda x: x + 1)
    assert one(1.0) == 2.0 and one.count == 1 and not list(tmp_path.iterdir())


def test_a_kept_program_takes_arguments_in_any_way_a_function_does(tmp_path, monkeypatch):
    def function(first, *others, last, times=1, **named):
        return (first + sum(others) - last["x"]) * times + named.get("more", 0.0)

    function.__module__, function.__qualname__ = programs.__name__, "several"
    several = jit(function, static_argnames=("times",))
    monkeypatch.setattr(programs, "several", several, raising=False)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert several(1.0, 2.0, 3.0, last={"x": 1.0}) == 5.0
    assert several(1.0, last={"x": 1.0}, times=3, more=2.0) == 2.0
    assert several(2.0, last={"x": 1.0}, more=2.0, times=3) == 5.0  # the second again
    assert len(list((tmp_path / "traces").iterdir())) == several.count == 2
