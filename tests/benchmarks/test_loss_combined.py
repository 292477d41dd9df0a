from __future__ import annotations

import math

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from benchmarks import loss_combined
from benchmarks.loss_combined import combined, outcomes_of, report, weights_of
from benchmarks.loss_to_loss import LAWS, SETS, Result, Rule, as_backtest, forecasts, paired, pairs_of


@pytest.mark.parametrize(
    ("kind", "count", "own"), [("train_to_train", 6, 0), ("held_out", 30, 1), ("downstream", 66, 1)]
)
def test_every_outcome_comes_from_the_five_other_sets_and_from_its_own_training_loss(kind, count, own):
    outcomes = outcomes_of(kind)
    assert len(outcomes) == count
    for y, pairs in outcomes.items():
        assert [x.train_data for _, (x, _) in pairs][:own] == [y.train_data] * own
        assert {x.train_data for _, (x, _) in pairs[own:]} == set(SETS) - {y.train_data}
        assert all(pair[1] == y for _, pair in pairs)


def test_others_share_what_the_own_training_loss_leaves():
    kinds = ["train_to_downstream", *["test_to_downstream"] * 5]
    assert weights_of(kinds, "own") == [1.0, *[0.0] * 5]
    assert weights_of(kinds, "others") == [0.0, *[0.2] * 5]
    assert sum(weights_of(kinds, "all")) == pytest.approx(1.0)
    assert weights_of(["train_to_train"] * 5, "others") == [0.2] * 5


def sweep() -> bs.Study:
    """Return a small sweep in which each set's loss is a multiple of the first one's, with a target."""
    rng, rows = np.random.default_rng(0), []
    flops = [*np.geomspace(1e17, 4.84e19, 14), 1e21]
    for number, name in enumerate(SETS):
        for c in flops:
            loss = (1.6 + 0.1 * number) * (1 + (c / 1e16) ** -0.15) * np.exp(rng.normal(0, 0.002))
            rows.append({"run": f"{name} {c:.3g}", "cell": f"{c:.3g}", "train_data": name, "flops": c,
                         "n_params": (c / 120) ** 0.5, "tokens": 20 * (c / 120) ** 0.5,
                         "train_loss": loss, "role": "target" if c == 1e21 else "train"})  # fmt: skip
    return bs.Study.from_frame(pd.DataFrame(rows), name="sweep")


def test_the_five_other_sets_together_forecast_a_training_loss(monkeypatch, capsys):
    monkeypatch.setattr(loss_combined, "KINDS", {"train_to_train": (None, "train_to_train")})
    monkeypatch.setattr(loss_combined, "CUTS", (4.6e18,))
    table, pairs = sweep(), pairs_of("train_to_train")
    tests = [paired(as_backtest(table, 4.6e18), pair).study for pair in pairs]
    studies = [paired(table, pair).study for pair in pairs]
    fits = list(bs.fit_many(LAWS[0], tests + studies, seed=0, draws=100, adapt=False, progress=False))
    rule = Rule("shifted", {}, {f"{name}_loss": dist.LogNormal(math.log(0.05), 0.1) for name in SETS})
    own = [rule.discrepancies[f"{y.train_data}_loss"] for _, y in pairs]
    made = [forecast for forecast, _ in forecasts([fits[len(tests) :]], studies, own)]
    backtests = {(4.6e18, pair): [fit] for pair, fit in zip(pairs, fits[: len(tests)], strict=True)}
    result = Result(rule, pd.DataFrame(), dict(zip(pairs, made, strict=True)), backtests)
    tried, rows = combined(table, {"train_to_train": result})
    assert 0 < tried["others"].item() < 3
    assert set(rows["train_data"]) == set(SETS) and rows["chosen"].all() and (rows["relative_error"].abs() < 0.02).all()
    found = report(tried, rows)
    assert found["train_to_train_combined_outcomes"] == 6 and "five other sets" in capsys.readouterr().out
