import numpy as np
import pytest

from bayes_scaling.forecasts.display import percent, scale_of, short


def test_a_fraction_is_in_per_cent_and_its_differences_in_points():
    assert scale_of("fraction") == (100.0, "%", 1, "points")
    factor, unit, digits, _ = scale_of("fraction")
    assert f"{factor * 0.123:.{digits}f} {unit}" == "12.3 %"


@pytest.mark.parametrize("unit", ["nats per token", "bits per byte", "points", "FLOPs"])
def test_every_other_unit_is_kept(unit):
    assert scale_of(unit) == (1.0, unit, 3, unit)


@pytest.mark.parametrize(
    ("medians", "digits"),
    [
        ([2.1, 0.011], 3),
        ([2e-5, 2.1], 7),
        ([0.0, np.nan], 3),
        ([-4.5e-3], 5),
        ([1e-300], 12),
        ([1.9, -1e-3], 3),
        ([2e-4, -5e-5], 6),
    ],
)
def test_small_numbers_have_three_digits_that_count(medians, digits):
    assert scale_of("nats", medians).digits == digits
    assert scale_of("fraction", medians).digits == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (999.0, "999"),
        (1e3, "1k"),
        (1e6, "1M"),
        (1e9, "1B"),
        (1e12, "1T"),
        (0.5, "0.5"),
        (9.99e14, "999T"),
        (999.6, "1k"),
        (9.996e8, "1B"),
        (9.996e14, "1e+15"),
        (1e20, "1e+20"),
    ],
)
def test_counts_are_in_words_of_the_trade(value, text):
    assert short(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.00051, "0.051 %"),
        (0.0999, "10 %"),
        (0.123, "12 %"),
        (0.996, "100 %"),
        (1.0, "100 %"),
        (1.2, "120 %"),
    ],
)
def test_shares_are_in_per_cent_and_never_in_powers_of_ten(share, text):
    assert percent(share) == text
