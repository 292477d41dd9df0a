from __future__ import annotations

import numpy as np
import numpyro
import pytest

import bayes_scaling as bs
from bayes_scaling import nuts
from bayes_scaling.models import PowerLaw
from bayes_scaling.models.two_step import TwoStep, routes, single_step
from bayes_scaling.precision import double_precision

SHORT = {"seed": 0, "draws": 100, "adapt": False}


@pytest.fixture(scope="module")
def posterior(ladder_fits):
    return ladder_fits[0]


def test_each_route_reads_its_own_loss(ladder):
    own, c4 = (law.arrays(ladder.training)[0] for law in routes())
    wide = ladder.training.frame.drop_duplicates("run")
    assert list(own["feature"]) == list(range(8))
    assert set(c4["feature"]) == {8}
    assert c4["loss0"][8] == pytest.approx(np.exp(np.log(wide["c4_loss"]).mean()))


def test_both_routes_run_in_one_program(ladder, posterior):
    compiled = nuts.sample._cache_size()
    bs.fit(routes()[1], ladder, **SHORT)
    assert nuts.sample._cache_size() == compiled


def test_every_draw_passes_both_steps(ladder, posterior):
    forecast = posterior.forecast(ladder.targets, allow_unconverged=True)
    loss = forecast.draws["loss_run"].sel(target="7B-4T", series="task_loss:HellaSwag")
    accuracy = forecast.draws["accuracy_run"].sel(target="7B-4T", task="HellaSwag")
    assert np.corrcoef(loss, accuracy)[0, 1] < -0.5


def test_units_are_those_of_each_series(ladder, posterior):
    rows = posterior.forecast(ladder.targets, allow_unconverged=True).intervals()
    units = rows.groupby("task")["unit"].agg(set)
    assert units["c4_loss"] == {"nats per token"}
    assert units["MMLU"] == {"bits per byte", "fraction"}


def test_a_run_without_a_task_is_named(ladder):
    lost = ladder.training.select("not (run == '370M-2xC' and task == 'PIQA')")
    with pytest.raises(bs.StudyError, match="Run '370M-2xC' of study 'olmo_ladder' has no task 'PIQA'"):
        TwoStep().arrays(lost)


VARIANTS = {
    "flops": TwoStep(step1=PowerLaw()),
    "single step": single_step(),
    "task cross-entropy": TwoStep(feature="task_ce"),
    "no pooling": TwoStep(pool=None),
}


@pytest.mark.parametrize("law", VARIANTS.values(), ids=VARIANTS)
def test_variants_are_models_of_the_same_study(ladder, law):
    runs, observed = law.arrays(ladder.training)
    with double_precision():
        sites = numpyro.handlers.trace(numpyro.handlers.seed(law, 0)).get_trace(runs, observed)
    assert sites["accuracy"]["is_observed"]
    assert all(np.isfinite(s["value"]).all() for s in sites.values() if s["type"] == "sample")


@pytest.mark.skip(reason="a fit with windows cannot be put into a tree yet: its coordinates clash")
def test_repeating_checkpoints_does_not_fake_certainty(ladder):
    """Eight windows that repeat four must not narrow a forecast as sixteen more runs would."""
    one = ladder.select(task=["HellaSwag", "PIQA"])
    frame = one.frame
    for i in range(1, 5):
        for name in ("task_loss", "accuracy"):
            frame = frame.assign(**{f"{name}_window{i + 4}": frame[f"{name}_window{i}"]})
    doubled = bs.Study(frame, one.card)
    target = one.targets
    width = {}
    for windows in (4, 8):
        law = TwoStep(jointly=("task_loss",), windows=windows)
        forecast = bs.fit(law, doubled, **SHORT).forecast(target, allow_unconverged=True, discrepancy=False)
        rows = forecast.intervals().query("quantity == 'accuracy'")
        width[windows] = float((rows["q95"] - rows["q05"]).mean())
    assert width[8] > 0.8 * width[4]
