from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpyro.distributions as dist
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import LawArgumentError
from bayes_scaling.law.fields import FieldNote, document, field_notes, is_prior
from bayes_scaling.models import (
    Chinchilla,
    Mixture,
    Pooled,
    PowerLaw,
    ShiftedCompute,
    SigmoidAccuracy,
    Superset,
    TwoStep,
)


class Sloped(bs.Law):
    """Loss falls along a line.

    Notes
    -----
    For tests.
    """

    E: bs.Prior = bs.prior(default=dist.LogNormal(0.5, 0.5), unit="nats per token", reason="Wide.")
    slope: bs.Prior = dist.Normal(0.0, 1.0)
    steep: bool = bs.option(default=False, about="Whether it is twice as steep.")
    held: float = bs.data_field(default=2.0, about="A number.")

    def mean(self, N, *, E, slope):
        return E + slope * N


class Flatter(Sloped):
    """The same with another default."""

    E: bs.Prior = 1.7


def test_what_is_said_of_each_field_is_kept_with_the_noise_last():
    notes = Sloped.notes
    assert list(notes) == ["E", "slope", "steep", "held", "sigma", "discrepancy"]
    assert [note.kind for note in notes.values()] == ["prior", "prior", "option", "data", "prior", "prior"]
    assert notes["E"] == FieldNote("prior", "nats per token", "Wide.")
    assert notes["slope"] == FieldNote("prior")  # a plain distribution is a parameter without words


def test_a_class_that_changes_a_default_alone_keeps_the_words():
    assert Flatter().E == 1.7
    assert Flatter.notes["E"] == Sloped.notes["E"]


def test_a_field_that_is_nothing_known_is_refused_when_the_class_is_made():
    with pytest.raises(bs.LawError, match=r"Odd.depth is no parameter; .* bs.option\(default=3, about="):

        class Odd(bs.Law):
            E: bs.Prior = 1.0
            depth: int = 3

            def mean(self, N, *, E):
                return E + 0 * N


@pytest.mark.parametrize(("base", "value"), [(bs.Law, dist.LogNormal(0.5, 0.5)), (bs.Law, 1.7), (Sloped, 1.7)])
def test_a_prior_without_its_annotation_is_refused_with_it(base, value):
    said = "1.7" if value == 1.7 else r"dist.LogNormal\(loc=0.5, scale=0.5\)"
    with pytest.raises(
        bs.LawError, match=rf"Bare.E = {said} is no field without an annotation; write E: bs.Prior = {said}"
    ):

        class Bare(base):
            E = value
            slope: bs.Prior = dist.Normal(0.0, 1.0)

            def mean(self, N, *, E, slope):
                return E + slope * N


def test_parameters_where_columns_stand_are_refused_with_the_star_that_is_missing():
    with pytest.raises(bs.LawError) as refused:

        class Positional(bs.Law):
            E: bs.Prior = dist.LogNormal(0.5, 0.5)
            alpha: bs.Prior = dist.Normal(0.0, 1.0)

            def mean(self, N, E, alpha):
                return E + N**-alpha

    assert str(refused.value) == (
        "Positional: E and alpha of mean are parameters and stand where columns do; put * before the parameters, as in "
        "mean(self, N, *, E, alpha)."
    )


def test_the_docstring_has_a_section_of_parameters_before_the_notes():
    text = Sloped.__doc__
    assert text.index("Loss falls along a line.") < text.index("Parameters\n---") < text.index("Notes\n-----")
    assert "E : Prior, nats per token\n    Wide.\n" in text
    assert "steep : bool\n    Whether it is twice as steep." in text
    assert Sloped.summary == "Loss falls along a line."


def test_fields_in_a_row_that_have_the_same_words_share_an_entry():
    @dataclasses.dataclass
    class Three:
        a: bs.Prior = 1.0
        b: bs.Prior = 1.0
        c: float = 1.0
        d: bs.Prior = 1.0

    same = FieldNote("prior", "pure number", "Wide.")
    text = document("Three.", Three, {"a": same, "b": same, "c": FieldNote("data", reason="A number."), "d": same})
    assert [line for line in text.splitlines() if " : " in line] == [
        "a, b : Prior, pure number",
        "c : float",
        "d : Prior, pure number",
    ]


@pytest.mark.parametrize("annotation", [bs.Prior, "bs.Prior", "Prior", "bayes_scaling.law.priors.Prior"])
def test_a_parameter_is_told_by_its_annotation(annotation):
    @dataclasses.dataclass
    class One:
        E: float = 1.0

    (field,) = dataclasses.fields(One)
    assert not is_prior(field)
    field.type = annotation
    assert is_prior(field)


KNOWN = "known: E, alpha_D, alpha_N, discrepancy, reducible, sigma, split."


@pytest.mark.parametrize(("name", "cure"), [("A", KNOWN), ("e", "did you mean 'E'?")])  # of a paper, or its notation
def test_a_parameter_that_a_law_does_not_have_is_refused_with_those_it_has(name, cure):
    with pytest.raises(LawArgumentError) as refused:
        Chinchilla(**{name: 1.69})
    assert str(refused.value) == f"Chinchilla has no parameter {name!r}; {cure}"


@pytest.mark.parametrize(
    ("law", "wrong", "wanted"),
    [
        (Sloped, {"held": math.nan}, "number"),
        (Superset, {"drift": np.float32("nan")}, "number"),
        (Superset, {"scatter": -1.0}, "number of zero or more"),
        (Superset, {"scatter": math.nan}, "number of zero or more"),
        (SigmoidAccuracy, {"departure": -1.0}, "number of zero or more"),
        (SigmoidAccuracy, {"emergence": -2.5}, "number of zero or more"),
        (SigmoidAccuracy, {"shared_questions": 1.1}, "share between 0 and 1"),
        (Pooled, {"pool": -1.0}, "positive number, or None"),
        (Pooled, {"pool": 0}, "positive number, or None"),  # offsets over a spread of nothing are no numbers
        (TwoStep, {"pool": 0.0}, "positive number, or None"),
        (TwoStep, {"pool": math.inf}, "positive number, or None"),
    ],
)
def test_a_number_that_no_law_can_use_is_refused(law, wrong, wanted):
    ((name, value),) = wrong.items()
    with pytest.raises(bs.LawError, match=rf"^{law.__name__}\.{name} is {value:g}; give a {wanted}\.$"):
        law(**wrong)


def test_numbers_may_be_endless_and_none_where_they_are_no_number():
    assert SigmoidAccuracy(departure=math.inf).departure == math.inf and Superset(drift=-0.5).drift == -0.5
    assert Pooled(pool=None).pool is None and Superset(scatter=0.0).scatter == 0


def test_a_lone_name_or_a_list_is_a_tuple_where_one_is_due():
    assert Mixture(shares="share_web").inputs == ("share_web",)
    assert TwoStep(jointly="task_loss") == TwoStep(jointly=("task_loss",)) == TwoStep(jointly=["task_loss"])
    assert Superset(reference=[1e9, 2e10]) == Superset(reference=(1e9, 2e10))


def test_a_law_gives_all_its_fields_by_name():
    law = Sloped(held=3.0)
    assert law.fields | {"held": 3.0, "steep": False} == law.fields
    assert set(law.fields) == set(field_notes(Sloped)) and set(law.priors) < set(law.fields)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: Pooled(curve=Chinchilla),
            "Pooled.curve is <class .*>, .* a type and no law; write Chinchilla()",
        ),
        (lambda: Pooled(curve="chinchilla"), "Pooled.curve is 'chinchilla', which is a str and no law; write"),
        (
            lambda: TwoStep(step1=ShiftedCompute()),
            "TwoStep reads columns and their geometric means, and its step1, ShiftedCompute, makes least_C of",
        ),
        (lambda: TwoStep(step1=None), "TwoStep.step1 is None, which is a NoneType and no law; write"),
        (lambda: Pooled(pool="x"), "Pooled.pool is 'x'; give a positive number, or None."),
        (lambda: Pooled(pool=True), "Pooled.pool is True; give a positive number, or None."),
        (lambda: Superset(drift=None), "Superset.drift is None; give a number."),
        (lambda: Superset(ceiling="no"), "Superset.ceiling is 'no'; give True or False."),
        (lambda: Superset(reference=(1e9,)), r"Superset.reference is \(1000000000.0,\); give two positive numbers, "),
        (lambda: Superset(reference=("a", "b")), "Superset.reference is .*; give two positive numbers, "),
        (lambda: Superset(reference=1e9), "Superset.reference is 1e\\+09; give a tuple, or None."),
        (lambda: TwoStep(windows="2"), "TwoStep.windows is '2'; give a whole number."),
        (lambda: TwoStep(windows=2.0), "TwoStep.windows is 2; give a whole number."),
        (lambda: TwoStep(windows=-1), "TwoStep.windows is -1; give a whole number of at least 0."),
        (lambda: TwoStep(feature=None, windows=2), "TwoStep has windows=2 and no feature, so that no loss"),
        (lambda: TwoStep(feature=2), "TwoStep.feature is 2; give text, or None."),
        (lambda: TwoStep(jointly=None), "TwoStep.jointly is None; give a tuple."),
        (lambda: PowerLaw(column=3), "PowerLaw.column is 3; give text."),
        (lambda: Sloped(steep=2), "Sloped.steep is 2; give True or False."),
    ],
)
def test_a_field_that_is_not_what_it_declares_is_refused_when_the_law_is_made(make, said):
    with pytest.raises(bs.LawError, match=f"^{said}"):
        make()


def test_options_may_be_numbers_of_numpy_and_types_may_be_no_text():
    assert Sloped(steep=np.True_) == Sloped(steep=True) and TwoStep(windows=np.int64(2)) == TwoStep(windows=2)

    class Plain(Sloped):
        times: int = bs.option(default=1, about="How often.")
        most: float = bs.data_field(default=math.inf, about="A limit.")

    Plain.__dataclass_fields__["times"].type = int  # as where annotations are not text
    Plain.__dataclass_fields__["most"].type = float | None
    assert Plain(times=3, most=None).most is None
    with pytest.raises(bs.LawError, match=r"Plain.times is True; give a whole number\."):
        Plain(times=True)
