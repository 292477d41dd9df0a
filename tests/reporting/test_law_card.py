from __future__ import annotations

import numpyro.distributions as dist
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla, DirectAccuracy, HeteroscedasticChinchilla, PowerLaw, TwoStep
from bayes_scaling.reporting.law_card import law_cards, mathml, prior_mathml, prose, symbol


class Plain(bs.Law):
    E: bs.Prior = dist.LogNormal(0.5, 0.5)

    def mean(self, N, *, E):
        return E / N


def test_a_law_without_words_is_shown_by_its_source():
    (card,) = law_cards(Plain(sigma=0.01))
    assert card.source == "def mean(self, N, *, E):\n    return E / N\n"
    assert card.about == card.equation == ""
    why = {prior.name: prior.reason for prior in card.priors}
    assert why["E"] == "" and why["sigma"] == "Set for this fit; the law's own is LogNormal(loc=-4.60517, scale=1)."


def test_a_law_with_words_has_its_equation_and_a_reason_for_every_prior():
    (card,) = law_cards(Chinchilla())
    assert card.title == "Chinchilla" and not card.part and card.source == ""
    assert card.equation.startswith("<math") and "StudentT" in card.likelihood
    assert [prior.name for prior in card.priors] == list(Chinchilla().priors)
    assert all(prior.reason.endswith(".") and "``" not in prior.reason for prior in card.priors)


def test_a_law_relates_its_parameters_to_the_constants_of_the_textbook():
    (card,) = law_cards(Chinchilla())
    assert len(card.relations) == 2 and all(one.startswith("<math") for one in card.relations)
    assert all(word in card.relations[0] for word in ("reducible", "split", "<mi>A</mi>"))
    assert law_cards(Plain(sigma=0.01))[0].relations == ()


def test_a_part_follows_the_whole_and_only_a_plain_law_has_the_plain_likelihood():
    whole, *parts = law_cards(TwoStep(step1=PowerLaw()))
    assert whole.title == "TwoStep" and not whole.part
    assert [part.title for part in parts] == ["step1: PowerLaw", "step2: SigmoidAccuracy"]
    assert {card.likelihood for card in (whole, *parts)} == {""} and all(part.part for part in parts)


def test_a_likelihood_is_that_of_the_law_and_noise_that_differs_has_an_index():
    accuracies, changing = law_cards(DirectAccuracy())[0], law_cards(HeteroscedasticChinchilla())[0]
    assert "Normal" in accuracies.likelihood and "log" not in accuracies.likelihood
    assert "StudentT" in changing.likelihood
    indexed = "<mi>σ</mi><mi>i</mi>"
    assert indexed in accuracies.likelihood and indexed in changing.likelihood
    assert indexed not in law_cards(Chinchilla())[0].likelihood


def test_a_number_in_the_place_of_a_prior_is_an_equation():
    assert "=" in prior_mathml("E", 1.69) and "<mn>1.69</mn>" in prior_mathml("E", 1.69)
    shown = prior_mathml("alpha_N", dist.LogNormal(-1.25, 0.5))
    assert "LogNormal" in shown and "<mi>α</mi>" in shown and "<mn>1.25</mn>" in shown
    nested = prior_mathml("E", dist.TruncatedNormal(1.7, 0.1, low=0.0))
    assert "Normal" in nested and "<mn>1.7</mn>" in nested and "<mi>N</mi>" not in nested


@pytest.mark.parametrize(
    ("name", "latex"),
    [("sigma", r"\sigma"), ("E1", r"\text{E1}"), ("alpha_N_mean", r"\alpha_{N \text{mean}}"), ("log_A", r"\log A")],
)
def test_names_become_symbols(name, latex):
    assert symbol(name) == latex


def test_latex_that_cannot_be_read_is_shown_and_never_run():
    assert mathml("<b>x^") == "<code>&lt;b&gt;x^</code>"
    assert "<b>" not in mathml("<b>x") and mathml("<b>x").startswith("<math")


def test_marks_of_docstrings_are_left_out():
    assert prose("See :meth:`~bayes_scaling.Law.centred`\n    and ``E``.") == "See centred and E."
