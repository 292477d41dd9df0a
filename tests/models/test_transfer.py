import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import StudyError
from bayes_scaling.models import Scratch, Transfer
from bayes_scaling.models.transfer import PUBLISHED, data_transferred, equal_data, multiplier
from tests import worlds
from tests.models.examples import CENTRE, RUNS, WORTH


def design(arms=(0, 1)):
    sizes, data = np.geomspace(1e5, 1e9, 4), np.geomspace(1e5, 1e9, 4)
    rows = [(n, d, arm) for arm in arms for n in sizes for d in data]
    return pd.DataFrame(rows, columns=["N", "D_F", "pretrained"])


@pytest.fixture(scope="module")
def posterior():
    law = Transfer(floor=0.0)
    return bs.fit(law, bs.simulate(law, design(), seed=1), seed=0, draws=200, chains=2)


@pytest.mark.parametrize(
    ("found", "published"),
    [
        (data_transferred(1, 175e9), 3.7e8),
        (data_transferred(1, 175e9, PUBLISHED["text_and_code_to_python"]), 4.1e9),
        (data_transferred(300, 1e9) / data_transferred(1, 1e9), 2.8),
        (np.divide(*(data_transferred(d, 1e9, PUBLISHED["text_and_code_to_python"]) for d in (300, 1))), 1.7),
    ],
)
def test_worked_numbers_of_the_paper(found, published):
    assert found == pytest.approx(published, rel=0.05)


def test_numbers_of_the_paper_that_the_law_misses():
    assert multiplier(3e5, 4e7) < 500  # the paper's single 40M model: about 1000
    assert equal_data() == pytest.approx(129.2, rel=0.01)  # the paper rounds to 100
    ratio = data_transferred(1, 1e9, PUBLISHED["text_and_code_to_python"]) / data_transferred(1, 1e9)
    assert ratio == pytest.approx(11.05, rel=0.01)  # the paper says about 10


def test_pretrained_runs_follow_the_scratch_law_at_their_effective_data():
    law = Transfer()
    worth = np.asarray(law.transferred(RUNS, WORTH))
    expected = Scratch().mean(RUNS["N"], RUNS["D_F"] + worth, RUNS["N0"], RUNS["D_F0"], **CENTRE)
    pretrained = law.at({**RUNS, "pretrained": np.ones(2)}, {**CENTRE, **WORTH})
    scratch = law.at({**RUNS, "pretrained": np.zeros(2)}, {**CENTRE, **WORTH})
    np.testing.assert_allclose(pretrained, expected, rtol=1e-5)
    np.testing.assert_allclose(scratch, Scratch().at(RUNS, CENTRE), rtol=1e-5)


def test_published_k_gives_back_the_law():
    law = Transfer(floor=0.0)
    p = law.centred(RUNS, **{k: v for k, v in law.published.items() if k != "sigma"})
    np.testing.assert_allclose(law.transferred(RUNS, p), data_transferred(RUNS["D_F"], RUNS["N"]), rtol=1e-5)
    derived = law.derived(RUNS, **p)
    for name in ("k", "A", "B"):
        assert float(derived[name]) == pytest.approx(law.published[name], rel=1e-3)


def test_a_fit_finds_the_published_constants(posterior):
    posterior.require_converged()
    for name, true in PUBLISHED["text_to_python"]._asdict().items():
        draws = posterior.draws[name]
        assert abs(np.median(draws) - true) < 4 * draws.std(), name
    assert posterior.draws["b"].mean() == pytest.approx(0.38, rel=0.2)  # one small study


def test_a_fit_finds_how_suddenly_size_limits():
    law = Transfer(floor=0.0, sharpness=dist.LogNormal(0.0, 0.5))
    study = bs.simulate(law, design(), {**law.published, "sharpness": 2.0, "sigma": 0.003}, seed=0)
    posterior = bs.fit(law, study, seed=0)
    posterior.require_converged()
    found = posterior.draws["sharpness"]
    assert abs(found.mean() - 2.0) < 4 * found.std()
    assert np.quantile(found, 0.05) > 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[t["pretrained"] == 1], "has no from-scratch run"),
        (lambda t: t[t["pretrained"] == 0], "has no pre-trained run"),
        (lambda t: t.assign(D_F=t["D_F"].where(t.index != 3, 0.0)), "Row 4 has finetune_data = 0"),
        (lambda t: t.assign(unit=["tokens", "characters"] * (len(t) // 2)), "mixes data in tokens and characters"),
        (lambda t: t.assign(pretrained=t["pretrained"] * 0.5), "holds 0.5; give 1 or 0"),
        (lambda t: t.drop(columns="pretrained"), "needs the column 'pretrained'|Rows 1 and 17 are alike"),
    ],
)
def test_bad_tables(change, message):
    table = change(design().assign(loss=3.0))
    with pytest.raises(StudyError, match=message) as caught:
        bs.fit(Transfer(), bs.Study.from_frame(table), seed=0)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("flag", [0.5, 2, 1000])
def test_a_target_is_pre_trained_or_not(flag):
    assert Transfer().allows("pretrained", np.array([0.0, 1.0, flag])).tolist() == [True, True, False]
    fit = worlds.transfer()
    with pytest.raises(bs.TargetError, match=rf"pretrained = {flag}; give 1 or 0\.$"):
        fit.forecast({"N": 1e9, "D_F": 1e8, "pretrained": flag})
