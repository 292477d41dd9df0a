"""A sound design, which tests spoil, and a real table that is none."""

from __future__ import annotations

import numpy as np
import pandas as pd

GRID = [(n, d * n) for n in (1e8, 2e8, 4e8, 8e8) for d in (10, 20, 40, 80)]
GOOD = pd.DataFrame(GRID, columns=["N", "D"]).assign(loss=np.linspace(3.9, 2.9, 16), run=[f"r{i}" for i in range(16)])

RISING = pd.DataFrame({  # a real table: FLOPs in units of 1e21, and accuracies under the name of a loss
    "C": [0.02, 0.1, 0.3, 0.7, 1.8, 5.0, 9.0, 12.0, 20.0, 60.0, 84.0, 400.0],
    "loss": [0.243, 0.3, 0.331, 0.352, 0.399, 0.451, 0.457, 0.491, 0.486, 0.529, 0.571, 0.605],
})  # fmt: skip
