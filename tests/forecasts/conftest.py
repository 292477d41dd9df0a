import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from bayes_scaling.forecasts.registered import LEVELS, RegisteredForecast


@pytest.fixture(scope="module")
def said():
    """Two runs whose losses are forecast as normal: 2 and 3, standard deviation 0.1."""
    rows = pd.DataFrame({"target": ["a", "b"], "task": [None, None], "quantity": "loss", "unit": "nats per token",
                         "mean": [2.0, 3.0], "sd": 0.1, "distance": 10.0,
                         "n_params": [7e9, 1e9], "tokens": [4e12, 2e10]})  # fmt: skip
    quantiles = np.stack([norm.ppf(LEVELS, mean, 0.1) for mean in (2.0, 3.0)])
    fits = ({"law": "Chinchilla()", "checksum": "abc"},)
    return RegisteredForecast(rows, quantiles, "2026-01-01T00:00:00+00:00", "0.1.0", "Chinchilla", "mine", 0, fits)
