from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.evaluation.held_out import SLOPES, Window, hold_out, unit_of_density
from bayes_scaling.models import Chinchilla, DirectAccuracy, Kaplan, SigmoidAccuracy, Vocabulary
from tests import worlds


@pytest.fixture(scope="module")
def windows(simulated):
    small, large = simulated.select("n_params < 7e8"), simulated.select("n_params > 7e8")
    return [Window(law, small, large) for law in (Chinchilla(), Kaplan(), Chinchilla(discrepancy=0.1))]


@pytest.fixture(scope="module")
def found(windows):
    return hold_out(windows, seed=0)


def test_every_outcome_has_a_density_for_each_error_of_the_slope(found):
    for one in found:
        assert one.log_density.shape == (len(SLOPES), 4) and one.outcomes.shape[::2] == (len(SLOPES), 4)
        assert np.isfinite(one.log_density).all()


def test_runs_that_follow_the_law_speak_for_no_error_and_others_for_theirs(windows):
    def best(factor):
        large = windows[0].held_out
        moved = dataclasses.replace(large, frame=large.frame.assign(loss=factor * large.frame["loss"]))
        (one,) = hold_out([Window(Chinchilla(), windows[0].training, moved)], seed=0)
        return SLOPES[one.log_density.mean(axis=1).argmax()]

    assert abs(best(1.0)) < 0.2  # one step of the grid
    assert best(0.97) > 0.3 and best(1.03) < -0.3


def test_an_outcome_is_likely_where_the_draws_lie(found, windows):
    one, actual = found[0], windows[0].held_out.column("loss")
    apart = np.abs(np.median(one.outcomes, axis=1) - actual) / one.outcomes.std(axis=1)
    ranks = [values.ravel().argsort().argsort() for values in (apart, one.log_density)]
    assert np.corrcoef(ranks)[0, 1] < -0.8


class Loud(Chinchilla):
    """Part of the noise of each run is known, and more than all else."""

    def noise_of(self, runs, mean, sigma):
        return 0.2 + sigma


def test_known_noise_is_part_of_what_is_forecast(found, windows):
    (loud,) = hold_out([Window(Loud(), windows[0].training, windows[0].held_out)], seed=0)
    middle = len(SLOPES) // 3
    assert (loud.outcomes[middle].std(axis=0) > 5 * found[0].outcomes[middle].std(axis=0)).all()
    assert (loud.log_density[middle] < found[0].log_density[middle]).all()


def test_a_task_that_all_fitted_runs_guess_may_leave_chance():
    table = worlds.GRID.assign(loss=np.linspace(2.0, 1.0, 16), accuracy=0.25, chance=0.25, questions=100.0)
    later = bs.Study.from_frame(table.tail(2).assign(loss=[0.3, 0.2]))
    (found,) = hold_out([Window(SigmoidAccuracy(), bs.Study.from_frame(table), later)], seed=0)
    assert np.isfinite(found.log_density).all()
    best = found.outcomes[len(SLOPES) // 3, :, 1]
    assert (best > 0.5).mean() > 0.5 and (best < 0.35).any()  # the place where it leaves is drawn


@pytest.mark.parametrize("law", [Chinchilla(), Vocabulary(), DirectAccuracy()], ids=lambda law: law.name)
def test_densities_are_per_unit_of_the_outcome(law):
    fitted, later = np.array([0.2, 0.5, 0.7, np.nan]), np.array([0.4, 0.8])
    unit = unit_of_density(law, later, fitted)
    assert np.allclose(unit_of_density(law, 1000 * later, 1000 * fitted), 1000 * unit)
    assert np.isfinite(np.log(unit)).all()


def test_fitted_outcomes_that_are_all_alike_have_no_spread_to_count_in():
    assert unit_of_density(DirectAccuracy(), np.array([0.3]), np.array([0.25, 0.25])) == 1


def test_laws_of_several_programs_keep_their_order(found, windows):
    (alone,) = hold_out(windows[1:2], seed=0)
    near = np.abs(SLOPES) < 0.4  # far from what the runs say, a density rests on few draws
    assert alone.log_density[near].mean() == pytest.approx(found[1].log_density[near].mean(), abs=0.3)
    assert hold_out([], seed=0) == []
