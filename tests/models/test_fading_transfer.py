import numpy as np

from bayes_scaling.models import FadingTransfer, Scratch, Transfer
from tests.models.examples import CENTRE, RUNS, WORTH


def test_fading_keeps_the_power_law_below_a_tenth_and_ossifies_beyond():
    p = {**CENTRE, **WORTH, "half": 0.5, "ossification": 0.5}
    enough = np.asarray(Scratch().enough(RUNS, CENTRE))
    low, high = ({**RUNS, "D_F": share * enough} for share in (0.1, 100.0))
    ratio = FadingTransfer().transferred(low, p) / Transfer().transferred(low, p)
    np.testing.assert_allclose(ratio, 1 - 1.5 * 0.04 / 1.04, rtol=1e-4)
    assert (np.asarray(FadingTransfer().transferred(high, p)) < 0).all()
    end = np.asarray(FadingTransfer().transferred(high, {**p, "ossification": -1.0}) / Transfer().transferred(high, p))
    np.testing.assert_allclose(end, 1.0, rtol=1e-5)


def test_harm_never_makes_the_effective_data_negative():
    p = {**CENTRE, **WORTH, "half": 0.5, "ossification": 5000.0}
    far = {**RUNS, "D_F": 100 * np.asarray(Scratch().enough(RUNS, CENTRE)), "pretrained": np.ones(2)}
    np.testing.assert_allclose(FadingTransfer().transferred(far, p), -0.99 * far["D_F"], rtol=1e-5)
    left = Scratch().at({**far, "D_F": 0.01 * far["D_F"]}, CENTRE)
    np.testing.assert_allclose(FadingTransfer().at(far, p), left, rtol=1e-5)
