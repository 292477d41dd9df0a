from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.inference import batch as batches
from bayes_scaling.inference import fit as fitting
from bayes_scaling.inference.attempts import ADAPTED_WARMUP, WARMUP
from bayes_scaling.models import Chinchilla, PowerLaw


def made(name, rows=20, floor=1.8, noise=0.002):
    rng = np.random.default_rng(int(name))
    C = np.geomspace(1e17, 1e20, rows)
    loss = floor + 1.2 * (C / 1e18) ** -0.16
    return bs.Study.from_frame(pd.DataFrame({"C": C, "loss": loss * np.exp(rng.normal(0, noise, rows))}), name=name)


def lone(name):
    return bs.Study.from_frame(pd.DataFrame({"C": [1e18, 2e18], "loss": [3.0, 2.9]}), name=name)


@pytest.fixture(scope="module")
def studies():
    return [made("1"), made("2", rows=31, floor=2.2), lone("3"), made("4", rows=12, floor=1.5)]


@pytest.fixture(scope="module")
def batch(studies):
    return bs.fit_many(PowerLaw(), studies, seed=0, draws=250, chains=4, progress=False)


def test_keeps_the_order_and_names_the_bad_study(batch, studies):
    assert [m.name for m in batch] == [s.name for s in studies]
    assert [m.verdict for m in batch] == ["converged", "converged", "failed", "converged"]
    assert batch[2].posterior is None and "2 runs" in batch[2].error
    assert [m.name for m in batch.flagged] == ["3"]
    assert len(batch.posteriors) == 3
    assert "3 converged, 1 failed" in repr(batch)


def test_a_member_is_the_fit_of_its_study_alone(batch, studies):
    member = batch[1].posterior
    alone = bs.fit(PowerLaw(), studies[1], seed=member.seed, draws=250, chains=4)
    for name in ("E", "alpha_C"):
        one, two = member.draws[name], alone.draws[name]
        spread = two.std()
        assert abs(one.mean() - two.mean()) < 0.25 * spread, name
        assert one.std() == pytest.approx(spread, rel=0.25), name


@pytest.mark.parametrize(("adapt", "steps"), [(None, WARMUP), (False, WARMUP), (True, ADAPTED_WARMUP)])
def test_a_batch_warms_up_as_many_steps_as_a_fit(studies, monkeypatch, adapt, steps):
    class Seen(Exception):
        pass

    def seen(*arguments):
        raise Seen(arguments[1].warmup, arguments[2] if name == "fit_unit" else arguments[5])

    found = []
    for module, name, fit in (
        (batches, "fit_unit", lambda **o: bs.fit_many(PowerLaw(), studies[:1], progress=False, **o)),
        (fitting, "fit_until_converged", lambda **o: bs.fit(PowerLaw(), studies[0], **o)),
    ):
        monkeypatch.setattr(module, name, seen)
        with pytest.raises(Seen) as stopped:
            fit(seed=0, adapt=adapt)
        found.append(stopped.value.args)
    (in_batch, effort), (_, alone) = found
    assert in_batch == steps and effort == alone


def test_a_member_is_repeated_by_its_seed_while_rounding_is_small(studies):
    """Both are padded to 32 rows; after few transitions the draws differ by rounding alone."""
    short = {"draws": 10, "warmup": 10, "chains": 2, "adapt": False}
    pair = [studies[1], made("5", rows=30)]
    for study, member in zip(pair, bs.fit_many(PowerLaw(), pair, seed=0, progress=False, **short), strict=True):
        seed = member.posterior.seed
        same, other = (bs.fit(PowerLaw(), study, seed=s, **short).draws["E"] for s in (seed, seed + 1))
        np.testing.assert_allclose(member.posterior.draws["E"], same, rtol=1e-4)
        assert not np.allclose(member.posterior.draws["E"], other, rtol=1e-4)


def test_the_same_seed_gives_the_same_draws(batch, studies):
    again = bs.fit_many(PowerLaw(), studies, seed=0, draws=250, chains=4, progress=False)
    other = bs.fit_many(PowerLaw(), studies, seed=1, draws=250, chains=4, progress=False)
    first = [b[0].posterior.draws["E"] for b in (batch, again, other)]
    assert np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], first[2])
    assert batch[0].posterior.seed != batch[1].posterior.seed


def test_members_forecast(batch):
    rows = batch[0].posterior.forecast({"C": 1e21}).intervals()
    assert rows["median"].iloc[0] == pytest.approx(1.8 + 1.2 * 1000**-0.16, rel=0.03)


def test_a_table_tells_each_verdict(batch):
    table = batch.table()
    assert table["study"].tolist() == ["1", "2", "3", "4"] and table["place"].tolist() == [0, 1, 2, 3]
    assert [member.place for member in batch.flagged] == [p for p in range(4) if table["verdict"][p] != "converged"]
    assert (table["max_rhat"].dropna() < 1.05).all()
    assert "needs at least" in table["problem"][2]


def test_adaptation_from_the_first(studies):
    batch = bs.fit_many(PowerLaw(), studies[:1], seed=0, draws=200, chains=2, adapt=True, progress=False)
    assert batch[0].posterior.diagnostics.method == "adapted"


def test_nothing_to_fit():
    assert len(bs.fit_many(PowerLaw(), [], seed=0, progress=False)) == 0
    assert bs.fit_many(PowerLaw(), [lone("x")], seed=0, progress=False)[0].verdict == "failed"


ODD = [
    {"chunk": 0},
    {"chunk": -1},
    {"chunk": 1.5},
    {"chunk": "2"},
    {"memory": -1.0},
    {"memory": np.inf},
    {"memory": "1"},
    {"patience": -1.0},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_batch_of_no_studies_side_by_side_is_refused(studies, odd):
    with pytest.raises(bs.BayesScalingError, match=r"give a (whole )?number"):
        bs.fit_many(Chinchilla(), studies, seed=0, **odd)


def test_what_runs_nothing_is_no_executor(studies):
    with pytest.raises(bs.BayesScalingError, match="The executor is 2, to which nothing can be submitted"):
        bs.fit_many(Chinchilla(), studies, seed=0, executor=2)


class Steep(bs.Law):
    """A law whose outcome is no number where a run has more than 3e20 FLOPs."""

    a: bs.Prior = dist.Normal(1.0, 0.1)

    def mean(self, C, *, a):
        return a * (3.0 + jnp.log10(3e20 - C) / 100)


def test_a_study_of_no_probability_is_a_failure_and_holds_up_no_other(tmp_path):
    good, bad = made("1"), made("2")
    bad = dataclasses.replace(bad, frame=bad.frame.assign(flops=10 * bad.frame["flops"]))
    short = {"seed": 0, "draws": 20, "warmup": 10, "chains": 2, "starts": 2, "adapt": False, "progress": False}
    batch = bs.fit_many(Steep(), [bad, good], store=tmp_path, chunk=2, **short)
    assert batch[0].verdict == "failed" and batch[1].posterior is not None
    assert "Steep gives the runs no probability from any of 2 starts" in batch[0].problem
    assert bs.fit_many(Steep(), [bad, good], store=tmp_path, chunk=2, **short)[0].error == batch[0].error


def test_a_failure_that_a_folder_holds_is_not_tried_again(tmp_path, monkeypatch):
    units = []

    def refused(law, plan, effort, size, arrays):
        units.append(len(arrays))
        return [bs.LawError("No probability.") for _ in arrays]

    monkeypatch.setattr(batches, "fit_unit", refused)
    studies, short = [made("1"), made("2"), made("3")], {"seed": 0, "chunk": 2, "progress": False, "store": tmp_path}
    first, again = (bs.fit_many(PowerLaw(), studies, **short) for _ in range(2))
    assert units == [2, 1] and [m.error for m in again] == [m.error for m in first] == ["No probability."] * 3
    (tmp_path / "000002.json").unlink()  # as if it had been killed before the last unit
    assert [m.verdict for m in bs.fit_many(PowerLaw(), studies, **short)] == ["failed"] * 3 and units == [2, 1, 1]
    (tmp_path / "000000.json").write_text("[")
    with pytest.raises(bs.errors.FileError, match="is damaged; remove it, and its study is fitted again"):
        bs.fit_many(PowerLaw(), studies, **short)
