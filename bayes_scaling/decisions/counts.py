"""What two recipes are called, and whether they count FLOPs alike: what is refused, and what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayes_scaling.decisions.inputs import reads_compute_alone
from bayes_scaling.decisions.surface import SAME_CONVENTION
from bayes_scaling.errors import DecisionError, listed
from bayes_scaling.study.flops import ratio_of_counts, six_n_d
from bayes_scaling.study.validation import floats

if TYPE_CHECKING:
    from bayes_scaling.decisions.surface import Surface
    from bayes_scaling.inference.posterior import Posterior
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.flops import FlopRule
    from bayes_scaling.study.study import Study

__all__ = ["recipe_names", "remarks_on_counts", "require_one_convention"]


def recipe_names(a: Posterior, b: Posterior) -> tuple[str, str]:
    """Return the names of two fits' studies, or A and B where these are one."""
    names = a.study.name, b.study.name
    return names if names[0] != names[1] else ("A", "B")


def remarks_on_counts(a: Surface, b: Surface) -> tuple[str, ...]:
    """Return a sentence where both laws read FLOPs, unless the runs are one table or tell that these are counted alike.

    Parameters
    ----------
    a, b : Surface
        The recipes.
    """
    studies = (a.posterior.study, b.posterior.study)
    if not (a.by_compute and b.by_compute) or studies[0].checksum == studies[1].checksum:
        return ()
    names, ratio = recipe_names(a.posterior, b.posterior), ratio_of_counts(*studies)
    if np.isnan(ratio):
        named = zip(names, studies, strict=True)
        known = [name for name, study in named if six_n_d.disagreement(study) <= SAME_CONVENTION]
        told = f"; those of {listed(known)} are 6ND" if known else ""
        return (f"That {listed(names)} count FLOPs alike is assumed, since their columns do not tell{told}.",)
    if max(ratio, 1 / ratio) <= 1 + SAME_CONVENTION:
        return ()
    return (
        f"The FLOPs of {names[1]} are {ratio:.3g} times those of {names[0]} for as many parameters and tokens: right "
        "if the models differ so, wrong if they are counted otherwise.",
    )


def require_one_convention(
    laws: tuple[Law, Law], studies: tuple[Study, Study], rules: tuple[FlopRule, FlopRule]
) -> None:
    """Refuse two counts of FLOPs; those that one law reads are held against the other's rule, where columns tell.

    Those that both read are taken as they are: models may differ in their FLOPs per parameter and token.

    Parameters
    ----------
    laws, studies, rules
        What describes A and B, the fitted runs, and how FLOPs are counted for a law that reads none.

    Raises
    ------
    DecisionError
        A and B count them differently.
    """
    read = [reads_compute_alone(law) for law in laws]
    if all(read):
        return
    if any(read):
        law, study = laws[read.index(True)], studies[read.index(True)]
        rule = rules[read.index(False)]
        if rule.disagreement(study) > SAME_CONVENTION:
            raise DecisionError(
                f"{law.name} reads the FLOPs of {study.name!r}, and the other's are counted by {rule.name}, which "
                "gives others, so their ratio means nothing; count both alike."
            )
    elif not _agree(rules, studies):
        raise DecisionError(
            f"A counts FLOPs by {rules[0].name} and B by {_other_name(rules)}, so their ratio means nothing; make both "
            "surfaces with one rule, as in flops='6ND'."
        )


def _agree(rules: tuple[FlopRule, FlopRule], studies: tuple[Study, Study]) -> bool:
    """Say whether two rules are one: functions have no names of their own, so what they say is compared."""
    if rules[0].name != rules[1].name:
        return False
    sizes = [floats(study.frame, "n_params").dropna().to_numpy() for study in studies if "n_params" in study.frame]
    N = np.concatenate([*sizes, [1e9]])
    ours, theirs = (rule.cost(N, 1.0) for rule in rules)
    return bool((np.abs(ours / theirs - 1) <= SAME_CONVENTION).all())


def _other_name(rules: tuple[FlopRule, FlopRule]) -> str:
    return rules[1].name if rules[1].name != rules[0].name else "another function"
