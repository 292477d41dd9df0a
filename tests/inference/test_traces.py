from __future__ import annotations

import os
import subprocess
import sys
import zlib

import jax
import numpy as np
import numpyro.distributions as dist
import pytest

from bayes_scaling.inference import nuts, traces
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.models import Chinchilla, Superset

NAME = "bayes_scaling.inference.nuts.sample"


class Theirs(Chinchilla):
    """A law of another package than ours."""


def key(law=None, name=NAME, plan=None, rows=16, fixed=None):
    given = {"law": law or Chinchilla(), "observed": {"loss": np.ones(rows)}}
    leaves, structure = jax.tree.flatten(given)
    return traces.key_of(name, {"plan": plan or nuts.Plan()} if fixed is None else fixed, structure, leaves)


def test_a_key_is_the_same_in_another_process():
    """Sets have another order there: NumPyro takes distributions apart in that of a set."""
    program = f"""
import jax, numpy as np
from bayes_scaling.inference import nuts, traces
from bayes_scaling.models import Superset
leaves, structure = jax.tree.flatten({{"law": Superset(), "observed": {{"loss": np.ones(16)}}}})
print(traces.key_of({NAME!r}, {{"plan": nuts.Plan()}}, structure, leaves))
"""
    for seed in ("1", "2"):
        run = [sys.executable, "-c", program]
        found = subprocess.run(
            run, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        assert found.stdout.split() == [key(Superset())]


def test_other_priors_of_a_family_have_the_same_key():
    assert key(Chinchilla(E=dist.LogNormal(0.1, 0.9))) == key()


@pytest.mark.parametrize(
    "other",
    [
        {"law": Superset()},
        {"law": Chinchilla(E=dist.Gamma(2.0, 1.0))},
        {"law": Chinchilla(split=0.5)},
        {"name": "bayes_scaling.inference.nuts.go_on"},
        {"plan": nuts.Plan(draws=7)},
        {"rows": 17},
    ],
    ids=["law", "prior", "fixed", "function", "static", "shape"],
)
def test_whatever_changes_the_trace_changes_the_key(other):
    assert key(**other) not in (key(), None)


def test_settings_of_jax_change_the_key():
    outside = key()
    with double_precision():
        double = key()
    with jax.numpy_dtype_promotion("strict"):
        strict = key()
    assert len({outside, double, strict}) == 3


def test_the_source_of_the_package_changes_the_key(tmp_path, monkeypatch):
    before = traces._source.__wrapped__()
    assert before == traces._source()
    file = tmp_path / "law.py"
    file.write_text("x = 1")
    monkeypatch.setattr(traces, "find_spec", lambda _: type("Spec", (), {"submodule_search_locations": [tmp_path]}))
    one = traces._source.__wrapped__()
    file.write_text("x = 2")
    assert len({before, one, traces._source.__wrapped__()}) == 3


def test_once_a_file_has_changed_since_the_import_no_trace_is_kept_or_read(tmp_path, monkeypatch):
    """What runs is what was imported, or reloaded since: the file tells neither."""
    file = tmp_path / "law.py"
    file.write_text("x = 1")
    monkeypatch.setattr(traces, "find_spec", lambda _: type("Spec", (), {"submodule_search_locations": [tmp_path]}))
    monkeypatch.setattr(traces, "AT_IMPORT", traces._files())
    assert key(rows=18) is not None
    file.write_text("x = 20")
    assert key(rows=19) is None


def test_what_belongs_to_others_has_no_key():
    assert key(Theirs()) is None
    assert key(fixed={"plan": test_what_belongs_to_others_has_no_key}) is None
    assert key(fixed={"plan": lambda: None}) is None
    assert key(name="theirs.sample") is None


def test_within_another_trace_without_jit_and_on_an_accelerator_there_is_no_key(monkeypatch):
    found = []

    def inner(x):
        found.append(traces.key_of(NAME, {}, jax.tree.structure(x), [x]))
        return x

    jax.jit(inner)(1.0)
    assert found == [None]
    with jax.disable_jit():
        assert key() is None
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert key() is None


def test_a_program_is_traced_once_and_then_read(tmp_path):
    traced = []

    def function(x, y):
        traced.append(1)
        return nuts.Sampled({"sum": x + y}, 1.0 * y, None, x, x, x, y)

    path, leaves = tmp_path / "kept" / "program", (np.arange(3.0), 2.0)
    first = traces.exported(path, function, leaves)(*leaves)
    second = traces.exported(path, function, leaves)(*leaves)
    assert traced == [1] and path.is_file()
    assert jax.tree.structure(first) == jax.tree.structure(second) and first.diverging is None
    np.testing.assert_array_equal(second.posterior["sum"], [2.0, 3.0, 4.0])
    np.testing.assert_array_equal(second.curvature, 2.0)


def test_a_damaged_file_is_made_anew(tmp_path):
    path, leaves = tmp_path / "program", (1.0,)
    traces.exported(path, lambda x: x + 1, leaves)
    whole = path.read_bytes()
    for damaged in (b"", whole[:-9], whole[:20] + bytes(30) + whole[50:]):
        path.write_bytes(damaged)
        assert traces.exported(path, lambda x: x + 1, leaves)(1.0) == 2.0
        zlib.decompress(path.read_bytes())


def test_where_nothing_can_be_written_the_program_runs_all_the_same(tmp_path):
    (tmp_path / "file").touch()
    assert traces.exported(tmp_path / "file" / "program", lambda x: x + 1, (1.0,))(1.0) == 2.0
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_jax_cannot_export_is_no_kept_program(tmp_path):
    def function(x):
        return jax.pure_callback(lambda x: x, x, x)

    assert traces.exported(tmp_path / "program", function, (np.ones(2),)) is None
