from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.evaluation import averaging
from bayes_scaling.evaluation.backtest import ablation
from bayes_scaling.evaluation.cuts import expanding_window
from bayes_scaling.forecasts.scores import summarise
from bayes_scaling.models import Chinchilla, PowerLaw
from tests import worlds


def test_scores_only_what_was_left_out(study):
    scores = bs.backtest(
        Chinchilla(), study, by="n_params", cuts=[5e8, 1e9], seed=0, draws=200, adapt=False, allow_unconverged=True
    )
    assert len(scores) == 8 + 4
    assert set(scores["target"]).isdisjoint({"190M-1xC", "370M-10xC"})
    assert (scores["distance"] > 0).all()
    assert summarise(scores, ["cut"])["mape"].max() < 0.05


def test_a_design_without_flops_is_compared_too(study):
    without = bs.Study.from_frame(study.frame.drop(columns=["flops", "n_params"]))
    ladders = {"known": study.select("n_params <= 1e9"), "unknown": without.select("tokens <= 5e10")}
    options = {"seed": 0, "draws": 50, "adapt": False, "allow_unconverged": True}
    table = ablation(PowerLaw(column="tokens"), ladders, study.select("n_params > 1e9"), **options)
    spent = table.groupby("design")["training_flops"].first()
    assert spent["known"] == ladders["known"].training.column("flops").sum() and np.isnan(spent["unknown"])


def test_default_cuts_that_leave_too_few_runs_are_left_out(ten):
    assert [len(training) for _, training, _ in expanding_window(ten, "flops")] == [5, 7, 8]
    scores = bs.backtest(Chinchilla(), ten, seed=0, draws=50, adapt=False, allow_unconverged=True)
    assert scores.groupby("cut").size().tolist() == [3, 2]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (
            10,
            {"cuts": [3e18, 1e20]},
            r"The cut flops <= 3e\+18 leaves 5 of the 10 runs of study 'my' to fit, which are too few "
            r"\(these are 5 runs, and Chinchilla needs at least 6 \(.*\)\); "
            r"give a larger one, as in cuts=\[1.68e\+19\], or fix parameters",
        ),
        (10, {"by": "N", "cuts": 2e7}, r"leaves 2 of the 10 runs .*; give a larger one, as in cuts=\[4e\+08\]"),
        (7, {}, r"The cut flops <= 1.08e\+18 leaves 4 of the 7 runs .*; give a larger one, as in cuts=\[1.68e\+19\]"),
        (6, {}, "no larger one leaves enough and something to forecast, so add runs or fix parameters"),
        (5, {}, "Study 'my' has 5 runs, and Chinchilla needs at least 6"),
    ],
)
def test_cuts_that_leave_too_few_runs_are_refused(ten, rows, options, message):
    with pytest.raises(bs.StudyError, match=message):
        bs.backtest(Chinchilla(), dataclasses.replace(ten, frame=ten.frame.iloc[:rows]), seed=0, **options)


def test_a_law_without_a_number_is_refused_by_the_name_of_its_cut_or_design(ten, monkeypatch):
    def refused(*_, **__):
        raise bs.LawError("Edged says a loss that is NaN at target 'a' in 1.0% of its draws; forecast nearer targets.")

    monkeypatch.setattr(averaging, "fit", lambda *_, **__: worlds.chinchilla(count=20))
    monkeypatch.setattr(averaging, "forecast", refused)
    said = r"^Edged says a loss that is NaN at target 'a' in 1\.0% of its draws"
    with pytest.raises(
        bs.LawError, match=rf"{said}, at the cut n_params <= 2e\+08 of study 'my'; give other cuts, or f"
    ):
        bs.backtest(Chinchilla(), ten, by="N", cuts=2e8, seed=0)
    with pytest.raises(bs.LawError, match=rf"{said}, in the design 'one'; forecast nearer targets\.$"):
        ablation({"one": Chinchilla()}, ten, ten, seed=0)
    with pytest.raises(bs.LawError, match=rf"{said}; forecast nearer targets\.$"):
        ablation(Chinchilla(), ten, ten, seed=0)


def test_no_law_at_all_is_refused(ten):
    with pytest.raises(bs.LawError, match=r"No law was given; give at least one, such as Chinchilla\(\)\."):
        bs.backtest([], ten, seed=0)


def test_a_law_of_several_whose_forecast_is_refused_is_left_out_with_its_reason(ten, monkeypatch):
    fits = {"good": worlds.chinchilla(count=60), "bad": worlds.chinchilla(seed=1, count=60)}
    kept = fits["good"].forecast(ten.select("N > 2e8"), allow_unconverged=True).score()

    def some(posterior, targets, **how):
        if posterior is fits["bad"]:
            raise bs.LawError("Chinchilla says a loss that is NaN at target 'a' in 1.0% of its draws; go nearer.")
        return bs.forecast(posterior, targets, **how)

    monkeypatch.setattr(averaging, "fit_each", lambda *_, **__: iter(fits.items()))
    monkeypatch.setattr(averaging, "forecast", some)
    said = "bad says a loss that is NaN at target 'a' in 1.0% of its draws."
    laws, how = [Chinchilla(), Chinchilla(E=1.7)], {"seed": 0, "allow_unconverged": True}
    table = bs.backtest(laws, ten, by="N", cuts=2e8, **how)
    assert table.attrs["remarks"] == [f"Left out at the cut n_params <= 2e+08 of study 'my': {said}"]
    assert table[kept.columns].equals(kept)
    for name, where in (("one", " in the design 'one'"), ("", "")):
        table = ablation({name: laws}, ten, ten.select("N > 2e8"), **how)
        assert table.attrs["remarks"] == [f"Left out{where}: {said}"]
    fits["good"] = fits["bad"]
    with pytest.raises(bs.LawError, match=r"^good says a loss that is NaN .* draws, at the cut n_params <= 2e\+08 of"):
        bs.backtest(laws, ten, by="N", cuts=2e8, **how)


def test_designs_are_held_against_outcomes(ten):
    targets = dataclasses.replace(ten, frame=ten.frame.drop(columns="loss"))
    for given in (targets, {"N": 7e9, "D": 4e12}):
        with pytest.raises(bs.TargetError, match=r"^The targets have no loss to hold forecasts against; give runs"):
            ablation(Chinchilla(), ten, given, seed=0)


def test_runs_of_several_checkpoints_are_counted_as_runs():
    table = {"run": [*"aabbccdd"], "checkpoint": [1, 2] * 4, "N": np.repeat([1e8, 2e8, 4e8, 8e8], 2)}
    study = bs.Study.from_frame({**table, "D": [1e9, 2e9] * 4, "loss": np.linspace(4.0, 3.0, 8)})
    message = r"leaves 1 of the 4 runs .* \(these are 2 checkpoints of 1 run, and Chinchilla needs at least 6"
    with pytest.raises(bs.StudyError, match=message):
        bs.backtest(Chinchilla(), study, by="N", cuts=1e8, seed=0)
    options = {"seed": 0, "draws": 50, "adapt": False, "allow_unconverged": True}
    small, large = study.select(run=["a", "b"]), study.select(run=["c", "d"])
    table = ablation(PowerLaw(column="tokens"), small, large, **options)
    assert table["training_flops"].unique().tolist() == [6 * (1e8 + 2e8) * 2e9]
    assert table["target"].tolist() == ["c", "d"]
