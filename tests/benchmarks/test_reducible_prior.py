import numpy as np

from benchmarks import reducible_prior
from benchmarks.large_ladders import NOISE, published_loss


def test_ladders_follow_the_published_law_and_targets_lie_beyond_them():
    runs, targets = reducible_prior._ladder(1e18, 1e21, 12, seed=0)
    assert len(runs) == 12 and np.allclose(targets.column("flops"), [1e22, 1e23])
    for study in (runs, targets):
        N, D = study.column("n_params"), study.column("tokens")
        assert np.allclose(6 * N * D, study.column("flops")) and np.allclose(D, 20 * N)
        assert (np.abs(np.log(study.column("loss") / published_loss(N, D))) < 4 * NOISE).all()
