from __future__ import annotations

from functools import cached_property

import jax.numpy as jnp
import numpyro.distributions as dist

import bayes_scaling as bs
from bayes_scaling.law.code import _computed, code_of, digest
from bayes_scaling.models import Chinchilla, Pooled


class Plain(bs.Law):
    """A law of a user."""

    E: bs.Prior = dist.LogNormal(0.5, 0.5)
    rate = 2.0

    def mean(self, N, *, E):
        """Return the loss."""
        return E / N  # of any size


class Rewritten(bs.Law):
    """The same."""

    E: bs.Prior = dist.LogNormal(0.5, 0.5)
    rate = 2.0

    def mean(self, N, *, E):
        return E / N


class Other(Plain):
    """Another, by a property alone."""

    @cached_property
    def twice(self):
        return 2


class Slower(Plain):
    """Another, by a number alone."""

    rate = 1.0


def test_comments_docstrings_and_line_breaks_are_no_code():
    assert code_of(Plain) and code_of(Plain) == code_of(Rewritten)
    assert Plain().source_digest == Rewritten().source_digest != ""


def test_methods_properties_and_numbers_are():
    assert len({code_of(kind) for kind in (Plain, Other, Slower)}) == 3


def test_laws_of_the_package_have_none_unless_they_hold_a_users():
    assert code_of(Chinchilla) == Chinchilla().source_digest == Pooled().source_digest == ""
    held = Pooled(curve=Plain()).source_digest
    assert held and held == digest([digest([code_of(Plain)])])


def test_what_python_cannot_find_is_not_told():
    space = {"bs": bs, "dist": dist, "__name__": "typed"}
    exec("class Typed(bs.Law):\n    E: bs.Prior = dist.Normal(0, 1)\n    def mean(self, N, *, E): return E * N", space)
    assert "E * N" not in code_of(space["Typed"])


class Linked(Plain):
    """Functions in a tuple, whose text is another in every process, are no part of it."""

    links = (jnp.log, jnp.exp)
    rates = (1.0, ("a", 2))


class Spread(Plain):
    discrepancy: bs.Prior = 0.3


class Wider(Plain):
    discrepancy: bs.Prior = 0.4


def test_what_has_no_text_of_its_own_and_what_the_law_tells_is_no_code():
    assert " at 0x" not in code_of(Linked) and "rates = (1.0, ('a', 2))" in code_of(Linked)
    assert Spread(discrepancy=0.2).source_digest == Wider(discrepancy=0.2).source_digest


def test_a_source_that_is_not_that_of_the_method_is_not_taken(monkeypatch):
    """As where the file was edited since it was read."""
    assert "N" in _computed(Plain.mean)
    monkeypatch.setattr("inspect.getsource", lambda _: "import os\n\nclass Law: pass\n")
    assert _computed(Plain.mean) == ""
