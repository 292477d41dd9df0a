from __future__ import annotations

import dataclasses
import warnings

import arviz_stats
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.evaluation.compare import check_comparable
from bayes_scaling.evaluation.refits import leave_run_out
from bayes_scaling.forecasts.scores import summarise
from bayes_scaling.models import Chinchilla
from tests import worlds
from tests.conftest import DRAWS


def fitted(study, **priors):
    return bs.fit(Chinchilla(**priors), study, seed=0, draws=DRAWS, adapt=False)


@pytest.fixture(scope="module")
def pair(simulated_fit, simulated):
    """The right law, and the same with an exponent it cannot move away from."""
    return {"steep": fitted(simulated, alpha_D=dist.LogNormal(np.log(0.9), 0.01)), "right": simulated_fit}


@pytest.fixture(scope="module")
def table(pair):
    return bs.compare(pair, refit=False, allow_unconverged=True)


def test_what_is_unreliable_is_said_in_words(table):
    for name, row in table.iterrows():
        assert ("p_waic of loss of run" in row["warnings"]) == (row["high_waic"] > 0), name
        assert ("LOO is unreliable: Pareto k of loss of run" in row["warnings"]) == (row["high_loo"] > 0), name
    assert table["high_waic"].sum() > 0 and (table["refits_loo"] == 0).all() and "refits_waic" not in table


def test_the_better_law_comes_first_by_every_criterion(table):
    assert list(table.index) == ["right", "steep"]
    for ic in ("loo", "waic", "run"):
        assert table[f"diff_{ic}"].tolist()[0] == 0.0
        assert table.loc["steep", f"diff_{ic}"] < -2 * table.loc["steep", f"se_diff_{ic}"] < 0
        assert table[f"weight_{ic}"].sum() == pytest.approx(1.0)
        assert table.loc["right", f"weight_{ic}"] > 0.8
        assert 1 < table.loc["right", f"p_{ic}"] < 9
    assert (table["pointwise"] == "independent").all()


def test_the_numbers_are_arvizs_up_to_its_sign(table, pair):
    trees = {name: p.with_groups("log_likelihood").tree for name, p in pair.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # high Pareto k
        theirs = arviz_stats.compare(trees)
    rounded = table.loc["steep", "se_diff_loo"]  # newer ArviZ rounds its table to what the standard errors support
    assert table["elpd_loo"].to_dict() == pytest.approx(theirs["elpd"].to_dict(), abs=rounded)
    assert abs(table.loc["steep", "diff_loo"]) == pytest.approx(abs(theirs.loc["steep", "elpd_diff"]), abs=rounded)
    assert table.loc["steep", "se_diff_loo"] == pytest.approx(theirs.loc["steep", "dse"], rel=0.05)
    assert table["weight_loo"].to_dict() == pytest.approx(theirs["weight"].to_dict(), abs=0.01)


def test_the_ladder_is_compared_given_the_other_outcomes_of_a_run(ladder_fits):
    routes = {p.law.feature: p for p in ladder_fits}
    table = bs.compare(routes, "run", refit=False, allow_unconverged=True)
    assert set(table["pointwise"]) == {"accuracy independent, loss conditional"}
    assert table["elpd_run"].is_monotonic_decreasing
    assert len(leave_run_out(ladder_fits[0], refit=False).elpd) == 16


def test_stacking_weights_feed_a_mixture(pair):
    weights = bs.stacking_weights(pair, refit=False, allow_unconverged=True)
    assert list(weights.index) == list(pair)
    target = {"N": 1e9, "D": 2e10}
    forecasts = [p.forecast(target, allow_unconverged=True) for p in pair.values()]
    mixed = bs.average(forecasts, weights, seed=0).intervals()["median"].item()
    alone = [f.intervals()["median"].item() for f in forecasts]
    assert abs(mixed - alone[1]) < abs(mixed - alone[0])


def test_weights_of_a_comparison_are_given_by_name(pair, table):
    target = {"N": 1e9, "D": 2e10}
    forecasts = {name: p.forecast(target, allow_unconverged=True) for name, p in pair.items()}
    mixed = bs.average(forecasts, table["weight_loo"], seed=0)
    again = bs.average([forecasts[name] for name in pair], list(table.loc[list(pair), "weight_loo"]), seed=0)
    assert mixed.draws.equals(again.draws) and [fit["weight"] for fit in mixed.fits][1] > 0.8
    with pytest.raises(bs.TargetError, match="a column of a comparison, whose order is not"):
        bs.average([forecasts[name] for name in pair], table["weight_loo"])
    with pytest.raises(bs.TargetError, match="There is a forecast of 'steep' and no weight"):
        bs.average(forecasts, {"right": 1.0})


def test_backtests_stand_beside(pair):
    scores = pd.DataFrame({"actual": [2.0, 4.0], "error": [0.2, -0.2], "relative_error": [0.1, -0.05], "crps": 0.1})
    scores = scores.assign(in50=False, in80=True, in90=[True, False], width90=0.3, quantity="loss")
    table = bs.compare(pair, refit=False, extrapolation={"right": scores, "steep": scores}, allow_unconverged=True)
    assert table.loc["right", "backtest_mape"] == pytest.approx(0.075)
    assert table.loc["steep", "backtest_cover90"] == 0.5
    both = scores.assign(quantity=["loss", "accuracy"])
    table = bs.compare(pair, refit=False, extrapolation={"right": both, "steep": both}, allow_unconverged=True)
    assert table.loc["right", ["backtest_mape_loss", "backtest_mape_accuracy"]].tolist() == [0.1, 0.05]
    with pytest.raises(bs.ComparisonError, match="'right' has no backtest"):
        bs.compare(pair, refit=False, extrapolation={"steep": scores}, allow_unconverged=True)
    for tables in ([scores, scores], scores):
        with pytest.raises(
            bs.ComparisonError, match=r"The backtests are a (list|DataFrame); give the table of each fit"
        ):
            bs.compare(pair, refit=False, extrapolation=tables, allow_unconverged=True)
    with pytest.raises(bs.ComparisonError, match="The backtest of 'right' is 1 and no table"):
        bs.compare(pair, refit=False, extrapolation={"right": 1, "steep": scores}, allow_unconverged=True)
    for table, missing in ((scores.drop(columns=["crps", "in90"]), "crps and in90"), (summarise(scores), "quantity, ")):
        tables = {"right": table, "steep": scores}
        with pytest.raises(bs.ComparisonError, match=f"backtest of 'right' lacks the columns {missing}.*; give the ta"):
            bs.compare(pair, refit=False, extrapolation=tables, allow_unconverged=True)


def test_fits_of_other_outcomes_are_refused(simulated_fit, simulated, ladder_fits):
    def refused(other, message):
        with pytest.raises(bs.ComparisonError, match=message):
            bs.compare({"one": simulated_fit, "other": other}, allow_unconverged=True)

    frame = simulated.frame
    refused(fitted(simulated.select("n_params > 1.5e8")), r"only 'one' saw loss of run run 0 \(16 and 12 outcomes\)")
    changed = bs.Study.from_frame(frame.assign(loss=frame["loss"].where(frame.index != 3, 3.0)))
    refused(fitted(changed), r"loss of run run 3 is .* and 3 in the other; fit both to the same outcomes")
    logarithm = bs.Study.from_frame(frame.assign(loss=np.log(frame["loss"])))
    refused(fitted(logarithm), "'other' describes the logarithm of the outcomes, so its densities lack the Jacobian")
    nats, bits = (
        dataclasses.replace(
            simulated_fit, study=bs.Study(frame, dataclasses.replace(simulated.card, units={"loss": u}))
        )
        for u in ("nats", "bits")
    )
    with pytest.raises(bs.ComparisonError, match=r"differ in the unit of 'loss' \('nats' and 'bits'\); fit both to"):
        check_comparable({"a": nats, "b": bits})
    check_comparable({"a": simulated_fit, "b": bits})
    refused(ladder_fits[0], "one describes loss, the other accuracy and loss")


def test_what_cannot_be_compared_is_refused(pair, simulated_fit):
    with pytest.raises(bs.ComparisonError, match="two fits or more, and 1 were given"):
        bs.compare({"one": simulated_fit})
    with pytest.raises(bs.ComparisonError, match="no criterion 'lo'; did you mean 'loo'"):
        bs.compare(pair, "lo")
    bad = dataclasses.replace(simulated_fit, diagnostics=dataclasses.replace(simulated_fit.diagnostics, max_rhat=1.2))
    with pytest.raises(bs.ConvergenceError, match=r"is 1\.200"):
        bs.compare({"one": bad, "other": simulated_fit})


def test_fits_in_a_list_are_called_by_their_laws(simulated_fit):
    from bayes_scaling.evaluation.compare import by_name

    assert list(by_name([simulated_fit, simulated_fit])) == ["Chinchilla 1", "Chinchilla 2"]
    assert list(by_name([simulated_fit])) == ["Chinchilla"]
    with pytest.raises(bs.ComparisonError, match=r"^3 is given where a fit is compared; give posteriors"):
        by_name([simulated_fit, 3])
    with pytest.raises(bs.ComparisonError, match=r"^3 is given where"):
        bs.compare(3)


def test_runs_that_single_draws_would_explain_make_loo_unreliable():
    runs = worlds.on_the_curve(0.005)
    wide = {f"seed {seed}": worlds.chinchilla(seed=seed, table=runs) for seed in (0, 1)}  # as no data would have it
    table = bs.compare(wide, refit=False)
    assert (table["high_loo"] > 3).all() and (table["refits_loo"] == 0).all()
    assert table["warnings"].str.contains("LOO is unreliable: Pareto k of loss of run").all()
