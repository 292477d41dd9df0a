from __future__ import annotations

import dataclasses

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.inference.posterior import provenance
from bayes_scaling.models import Chinchilla, PowerLaw
from tests import worlds


@pytest.fixture(scope="module")
def study():
    return bs.load_study("olmo_ladder").select(task="HellaSwag").rename(loss="task_loss")


@pytest.fixture(scope="module")
def posterior(study):
    return bs.fit(PowerLaw(), study, seed=0, draws=300)


def test_is_a_tree_that_arviz_reads(posterior):
    assert set(posterior.tree.children) >= {"posterior", "sample_stats", "observed_data", "constant_data"}
    assert posterior.tree["observed_data"]["loss"].dims == ("run",)
    assert posterior.summary().loc["alpha_C", "mean"] is not None


def test_derived_constants_stand_apart_from_the_parameters(posterior):
    """They are many orders of magnitude larger, and would flatten ArviZ's tables and pictures."""
    assert "A" not in posterior.tree["posterior"] and "A" not in posterior.summary().index
    assert list(posterior.summary(group="derived").index) == ["A"]
    assert posterior.draws["A"].shape == posterior.draws["E"].shape


def test_survives_a_file(posterior, study, tmp_path):
    path = posterior.save(tmp_path / "deep" / "fit.nc")
    again = bs.Posterior.load(path, PowerLaw(), study)
    assert np.array_equal(again.draws["E"], posterior.draws["E"])
    assert again.diagnostics == posterior.diagnostics
    assert [p.name for p in path.parent.iterdir()] == ["fit.nc"]


def test_refuses_another_law_other_priors_another_study(posterior, study, tmp_path):
    path = posterior.save(tmp_path / "fit.nc")
    with pytest.raises(bs.FileError, match="does not match the law"):
        bs.Posterior.load(path, Chinchilla(), study)
    with pytest.raises(bs.FileError, match="does not match the law"):
        bs.Posterior.load(path, PowerLaw(E=1.0), study)
    with pytest.raises(bs.FileError, match="does not match the study"):
        bs.Posterior.load(path, PowerLaw(), study.select("n_params < 1e9"))
    with pytest.raises(bs.LawError, match="The law is"):
        bs.Posterior.load(path, "power law", study)


def test_laws_of_a_file_are_told_apart_by_every_digit_and_older_files_by_those_that_they_hold(tmp_path):
    posterior = worlds.chinchilla(count=10)
    law, near = (Chinchilla(E=dist.LogNormal(loc, 0.5)) for loc in (0.5, 0.50000001))
    assert repr(law) == repr(near)
    tree = posterior.tree.copy()
    tree.attrs |= provenance(law, posterior.study)
    fit = dataclasses.replace(posterior, law=law, tree=tree)
    path = fit.save(tmp_path / "fit.nc")
    assert bs.Posterior.load(path, law, fit.study).law == law
    with pytest.raises(bs.FileError, match=r"does not match the law: it holds .*loc=0\.5, .* gave .*loc=0\.5000000\d"):
        bs.Posterior.load(path, near, fit.study)
    with pytest.raises(bs.LawError, match=r"The draws do not match the law: .*loc=0\.5000000\d"):
        bs.Posterior.from_draws(near, fit.study, tree)
    del tree.attrs["identity"]
    older = fit.save(tmp_path / "older.nc")
    assert bs.Posterior.load(older, near, fit.study).law == near
    with pytest.raises(bs.FileError, match="does not match the law"):
        bs.Posterior.load(older, Chinchilla(E=dist.LogNormal(0.51, 0.5)), fit.study)


def of_equation(steep):
    """Return a law of one name, with one equation or another."""

    class Mine(bs.Law):
        E: bs.Prior = dist.LogNormal(0.5, 0.5)

        if steep:

            def mean(self, N, N0, *, E):
                return E + 3 * (N / N0) ** -0.3

        else:

            def mean(self, N, N0, *, E):
                """Return the loss."""
                return E + (N / N0) ** -0.3  # of any size

    return Mine()


def test_laws_of_one_name_are_told_apart_by_their_equations(tmp_path):
    law, other = of_equation(False), of_equation(True)
    assert (
        law.identity == other.identity and law.source_digest == of_equation(False).source_digest != other.source_digest
    )
    fit = worlds.known(law, {"E": np.full(10, 1.8), "sigma": np.full(10, 0.01)})
    path = fit.save(tmp_path / "fit.nc")
    assert bs.Posterior.load(path, law, fit.study).law == law
    with pytest.raises(bs.FileError, match="it was fitted with other equations of the name Mine; load it with those"):
        bs.Posterior.load(path, other, fit.study)
    with pytest.raises(bs.LawError, match="The draws do not match the law: their tree was made with other equations"):
        bs.Posterior.from_draws(other, fit.study, fit.tree)
    del fit.tree.attrs["code"]
    assert bs.Posterior.load(fit.save(tmp_path / "older.nc"), other, fit.study).law == other


def test_refuses_a_damaged_file(posterior, study, tmp_path):
    path = posterior.save(tmp_path / "fit.nc")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(bs.FileError, match="damaged"):
        bs.Posterior.load(path, PowerLaw(), study)
    with pytest.raises(bs.FileError, match="There is no file"):
        bs.Posterior.load(tmp_path / "none.nc", PowerLaw(), study)


def test_an_unconverged_fit_is_refused_unless_overridden(posterior):
    bad = dataclasses.replace(posterior, diagnostics=dataclasses.replace(posterior.diagnostics, max_rhat=1.2))
    with pytest.raises(bs.ConvergenceError, match=r"R-hat of .* is 1\.200"):
        bad.forecast({"C": 1e22})
    assert bad.forecast({"C": 1e22}, allow_unconverged=True).intervals()["median"].notna().all()


@pytest.mark.parametrize(
    "use",
    [
        lambda study: bs.forecast(study, {"N": 1e9}), lambda study: bs.forecast_chunks(study, {"N": 1e9}),
        bs.diagnose, bs.sensitivity, bs.predictive_check, bs.loo_pit, bs.complete, bs.Surface.of,
        lambda study: bs.allocate(study, [1e21]), lambda study: bs.report(study, "report.html", {"N": 1e9}),
    ],
)  # fmt: skip
def test_a_study_is_no_fit(study, use):
    with pytest.raises(bs.LawError, match=r"A Study is given where a fit is needed; make one with bs.fit"):
        use(study)


def test_known_errors_are_kept_beside_the_inputs_and_are_no_outcome():
    found = worlds.chinchilla(count=10, table=worlds.on_the_curve(0.01).assign(loss_se=0.02))
    assert set(found.tree["observed_data"].data_vars) == {"loss"}
    assert found.tree["constant_data"]["loss_se"].to_numpy().tolist() == [0.02] * 16
    row = found.forecast({"N": 7e9, "D": 4e12}).intervals().iloc[0]
    bare = worlds.chinchilla(count=10, table=worlds.on_the_curve(0.01))
    assert row["q95"] == bare.forecast({"N": 7e9, "D": 4e12}).intervals().iloc[0]["q95"]
    scored, plain = (
        np.asarray(bs.complete(p, ["log_likelihood"]).tree["log_likelihood"]["loss"]) for p in (found, bare)
    )
    assert scored.max() < plain.max()  # wider densities are lower at their middle


def test_units_are_the_cards_or_as_given(posterior):
    assert posterior.units == {"loss": "bits per byte"}
    assert worlds.chinchilla(count=2).units == {"loss": "as given"}
    assert worlds.ladder(count=2).series_units == {"task_loss": "as given"}


@pytest.mark.parametrize("count", [0, -3, 2.5, True])
def test_draws_are_thinned_to_a_whole_number_of_them(count):
    posterior = worlds.chinchilla(count=30)
    assert len(posterior.thin(np.int64(7))["E"]) == 7 and len(posterior.thin(99)["E"]) == 30
    with pytest.raises(bs.BayesScalingError, match=f"samples is {count}; give a whole number of at least 1"):
        posterior.thin(count)


def test_runs_that_are_called_by_dates_have_one_name_before_and_after_a_file(tmp_path):
    table = worlds.GRID.assign(run=pd.date_range("2026-01-01", periods=len(worlds.GRID)))
    fit = worlds.chinchilla(count=10, table=table)
    again = bs.Posterior.load(fit.save(tmp_path / "fit.nc"), fit.law, fit.study)
    assert again.run_labels.tolist() == fit.run_labels.tolist() and fit.run_labels[1] == "2026-01-02"
