"""How numbers are shown to people, the same on the screen, on the page and in pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from bayes_scaling.study.card import AS_GIVEN

__all__ = ["Scale", "percent", "scale_of", "short", "times"]


SMALL, MOST_DIGITS = 0.01, 12  # below which three decimals are too few, and how many there are at most


class Scale(NamedTuple):
    """How a quantity is written.

    Attributes
    ----------
    factor : float
        By which its values are multiplied.
    unit : str
        The unit then, for the heading of a table or an axis.
    digits : int
        Decimals in tables.
    gap : str
        The unit of differences and widths: two accuracies of 60 and 62 % are 2 points apart.
    """

    factor: float
    unit: str
    digits: int
    gap: str

    @property
    def said(self) -> str:
        """The unit in a sentence: nothing where none was given."""
        return "" if self.unit == AS_GIVEN else self.unit


def scale_of(unit: str, values: Iterable[float] = ()) -> Scale:
    """Return how a quantity is written: fractions in per cent, all else in its unit.

    Parameters
    ----------
    unit : str
        Its unit.
    values : iterable of float
        What a table shows in the middle of each row: the smallest has three significant digits, where it is small.
        Where some are negative and some positive it is the largest, since one may be near zero by accident.

    Examples
    --------
    >>> scale_of("fraction").unit, scale_of("nats per token").gap
    ('%', 'nats per token')
    >>> scale_of("nats", [2.1, 0.5]).digits, scale_of("nats", [2.1, 2e-5]).digits
    (3, 7)
    >>> scale_of("nats", [2.1, -2e-5]).digits
    3
    """
    if unit == "fraction":
        return Scale(100.0, "%", 1, "points")
    known = [value for value in values if np.isfinite(value) and value]
    of_any_sign = len({value > 0 for value in known}) > 1
    size = (max if of_any_sign else min)(map(abs, known), default=1.0)
    digits = 3 if size >= SMALL else min(2 - math.floor(math.log10(size)), MOST_DIGITS)
    return Scale(1.0, unit, digits, "" if unit == AS_GIVEN else unit)


def percent(share: float) -> str:
    """Return a share in per cent: two digits below ten, whole above.

    Examples
    --------
    >>> percent(0.0123), percent(0.5), percent(1.0)
    ('1.2 %', '50 %', '100 %')
    """
    value = 100 * share
    return f"{value:.0f} %" if abs(value) >= 10 else f"{value:.2g} %"


def times(factor: float) -> str:
    """Return a factor in two digits.

    Examples
    --------
    >>> times(0.5), times(1.234), times(12.6), times(1234.0)
    ('0.5x', '1.2x', '13x', '1,200x')
    """
    return f"{float(f'{factor:.2g}'):,.0f}x" if factor >= 10 else f"{factor:.2g}x"


def short(value: float) -> str:
    """Return a count in words of the trade; FLOPs, which have none, by their power of ten.

    Examples
    --------
    >>> short(7.05e10), short(1.4e12), short(2.5e4), short(1.09e20), short(9.996e8)
    ('70.5B', '1.4T', '25k', '1.09e+20', '1B')
    """
    value = float(f"{value:.3g}")  # so that what is shown, not what was given, has the unit
    if value >= 1e15:
        return f"{value:.3g}"
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
