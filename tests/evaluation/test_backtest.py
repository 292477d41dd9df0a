from __future__ import annotations

import pytest

import bayes_scaling as bs
from bayes_scaling.evaluation.backtest import expanding_window
from bayes_scaling.forecasts.scores import summarise
from bayes_scaling.models import Chinchilla


@pytest.fixture(scope="module")
def study():
    return bs.load_study("olmo_ladder").select(task="HellaSwag").rename(loss="c4_loss")


def test_windows_hold_small_runs_and_leave_out_larger_ones(study):
    parts = expanding_window(study, "flops")
    assert [len(training) for _, training, _ in parts] == sorted(len(training) for _, training, _ in parts)
    for cut, training, held_out in parts:
        assert training.column("flops").max() <= cut < held_out.column("flops").min()
        assert len(training) + len(held_out) == 16


def test_a_cut_outside_the_data_is_refused(study):
    with pytest.raises(bs.StudyError, match="leaves no run on one side"):
        expanding_window(study, "n_params", [1e20])


def test_scores_only_what_was_left_out(study):
    scores = bs.backtest(
        Chinchilla(), study, by="n_params", cuts=[5e8, 1e9], seed=0, draws=200, adapt=False, allow_unconverged=True
    )
    assert len(scores) == 8 + 4
    assert set(scores["target"]).isdisjoint({"190M-1xC", "370M-10xC"})
    assert (scores["distance"] > 0).all()
    assert summarise(scores, ["cut"])["mape"].max() < 0.05
