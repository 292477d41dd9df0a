from __future__ import annotations

import numpy as np
import pytest

from benchmarks.discrepancies import SCALES, smallest


def test_the_smallest_scale_that_covers_nine_tenths_is_taken():
    assert smallest(lambda scale: np.arange(10) < 8 + 5 * scale) == 0.1


def test_where_no_scale_covers_nine_tenths_a_warning_says_what_the_largest_covers():
    with pytest.warns(UserWarning, match=r"No discrepancy up to 0\.8 covers .*: 0\.8 covers 80\.0%"):
        assert smallest(lambda scale: np.arange(10) < 8) == SCALES[-1]
