"""What ``--prior`` says: read as text, never run."""

from __future__ import annotations

import pytest

import bayes_scaling as bs
from bayes_scaling.cli.priors import FAMILIES, parse_prior, with_priors
from bayes_scaling.law.priors import describe
from bayes_scaling.models import Chinchilla


@pytest.mark.parametrize(
    ("text", "name", "prior"),
    [
        ("E=1.69", "E", "1.69"),
        (" E = 1_000 ", "E", "1000"),
        ("E=-2e-3", "E", "-0.002"),
        ("E=Normal(1.7,0.1)", "E", "Normal(loc=1.7, scale=0.1)"),
        ("alpha_N=LogNormal(-1.2, scale=0.1)", "alpha_N", "LogNormal(loc=-1.2, scale=0.1)"),
        ("split=LogitNormal(loc=0, scale=1)", "split", "LogitNormal(loc=0, scale=1)"),
        ("E=Uniform(0, 3)", "E", "Uniform(low=0, high=3)"),
    ],
)
def test_a_number_or_a_distribution_by_name(text, name, prior):
    found, value = parse_prior(text)
    assert (found, describe(value)) == (name, prior)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("E", "is not a parameter and its prior; write it like --prior E=1.69 or"),
        ("E=", "is not a parameter and its prior"),
        ("E=low", "is neither a number nor a distribution of numbers; write it"),
        ("E=Normal(1.7", "is neither a number nor a distribution"),
        ("E=Normal(low, 0.1)", "is neither a number nor a distribution"),
        ("E=__import__('os').system('true')", "is neither a number nor a distribution"),
        ("E=Normal(loc=__import__('os'))", "is neither a number nor a distribution"),
        ("E=Normal(*[1, 2])", "is neither a number nor a distribution"),
        ("E=True", "is neither a number nor a distribution"),
        ("E=Norml(1, 2)", "names no distribution that is known; did you mean 'Normal'"),
        ("E=Normal(1, -2)", "makes no Normal, which takes loc and scale, each in its range"),
        ("E=Normal(1, 2, 3, 4)", "makes no Normal, which takes loc and scale"),
        ("E=Normal(1.7)", "does not give all of loc and scale; write it like --prior E=1.69 or"),
        ("E=Normal(scale=0.1)", "does not give all of loc and scale; write it like"),
        ("E=Normal(middle=2)", "makes no Normal, which takes loc and scale"),
    ],
)
def test_what_is_no_prior_is_one_sentence(text, message):
    with pytest.raises(bs.LawError) as refused:
        parse_prior(text)
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_a_law_takes_the_priors_of_its_parameters():
    law = with_priors(Chinchilla(), ["E=1.69", "alpha_N=Normal(0.3, 0.01)"])
    assert law.E == 1.69 and describe(law.alpha_N) == "Normal(loc=0.3, scale=0.01)"
    assert with_priors(Chinchilla(), None) == Chinchilla()
    with pytest.raises(bs.LawError, match="'e=1' is of no parameter of Chinchilla; "):
        with_priors(Chinchilla(), ["e=1"])
    with pytest.raises(bs.LawError, match="gives E twice"):
        with_priors(Chinchilla(), ["E=1", "E=2"])
    with pytest.raises(bs.LawError, match=r"Chinchilla.E is -1, where its prior .* has no mass"):
        with_priors(Chinchilla(), ["E=-1"])


def test_every_family_is_of_one_number():
    assert all(kind.arg_constraints for kind in FAMILIES.values())
