"""Runs that a fitted law does not expect: a wrong entry, a run that broke, or a law that bends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayes_scaling.checks import loo_pit
from bayes_scaling.errors import LawError
from bayes_scaling.pointwise import LEVELS, outcomes
from bayes_scaling.problems import Problem, Problems

if TYPE_CHECKING:
    from bayes_scaling.posterior import Posterior

__all__ = ["outliers"]

MAX_CHANCE = 0.01  # that the most extreme of all outcomes lies as far out as this one
NAMED = 3


def outliers(posterior: Posterior) -> Problems:
    """Return the outcomes that the law, fitted to the others, does not expect.

    A likelihood with heavy tails keeps the curve where the other runs have it, and so hides a wrong entry; its place in
    the distribution that the others foretell (:func:`bayes_scaling.loo_pit`) shows it.

    Parameters
    ----------
    posterior : Posterior
        A fit.

    Returns
    -------
    Problems
        At most one, with the code ``outlier``: outcomes whose two-sided tail probability, times the number of
        outcomes (Bonferroni), is below 0.01, the least expected first.  Nothing where the likelihood has no
        distribution function.
    """
    try:
        places = loo_pit(posterior)
    except (LawError, NotImplementedError):
        return Problems()
    places = places.set_index(list(LEVELS)).assign(value=outcomes(posterior))
    places["tail"] = 2 * np.minimum(places["pit"], 1 - places["pit"])
    found = places[places["tail"] * len(places) < MAX_CHANCE].sort_values("tail", kind="stable")
    if found.empty:
        return Problems()
    words = []
    for (quantity, run, place, _), value in found["value"].head(NAMED).items():
        words.append(f"{quantity} {value:.4g} of {' on '.join(filter(None, (f'run {run!r}', place)))}")
    further = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    least = float(found["tail"].iloc[0])
    sentence = (
        f"The law, fitted to the other outcomes, does not expect {', '.join(words)}{further} "
        f"(tail probability {least:.1g}, at least {MAX_CHANCE / len(places):.1g})"
    )
    remedy = "check the entry, and drop the run if something went wrong in it"
    return Problems([Problem("outlier", sentence, remedy, least, str(found.index[0][1]))])
