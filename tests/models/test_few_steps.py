import numpy as np
import pytest

from bayes_scaling.models import Chinchilla, FewSteps

COLUMNS = (3e8, 7e9, 500.0, 1e8, 5e9)
VALUES = {"E": 1.7, "reducible": 0.8, "split": 0.4, "alpha_N": 0.34, "alpha_D": 0.28}


def test_without_penalty_and_coupling_it_is_chinchilla():
    plain = Chinchilla().mean(*COLUMNS[:2], *COLUMNS[3:], **VALUES)
    bare = FewSteps().mean(*COLUMNS, coupling=1.0, penalty=0.0, **VALUES)
    assert float(bare) == pytest.approx(float(plain), rel=1e-5)
    assert FewSteps().mean(*COLUMNS, coupling=1.0, penalty=0.02, **VALUES) > plain


def test_the_penalty_falls_with_the_square_of_the_steps():
    p = {**VALUES, "coupling": 1.0, "penalty": 0.02}
    runs = {"N": np.full(3, 3e8), "D": np.full(3, 7e9), "steps": np.array([1e3, 2e3, 1e9]), "N0": 1e8, "D0": 5e9}
    losses = np.asarray(FewSteps().at(runs, p))
    assert losses[:2] / losses[2] - 1 == pytest.approx([0.02, 0.005], rel=1e-3)


def test_the_discrepancy_leaves_the_penalty_alone():
    p = {**VALUES, "coupling": 1.0, "penalty": 0.5}
    fitted = {"N": np.full(4, 1e8), "D": np.full(4, 5e9), "steps": np.full(4, 1e3), "N0": 1e8, "D0": 5e9}
    far = {**fitted, "N": np.full(4, 1e10), "D": np.full(4, 5e11)}
    short, long = (
        np.asarray(FewSteps().extrapolated({**far, "steps": np.full(4, steps)}, fitted, p, 0.3)) for steps in (1e3, 1e9)
    )
    assert short / long == pytest.approx(np.full(4, 1.5), rel=1e-4)
