"""Effective data transferred: what pre-training is worth, in fine-tuning data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from bayes_scaling.errors import StudyError
from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.scratch import Scratch
from bayes_scaling.study.rows import row_number

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["PUBLISHED", "Constants", "Transfer", "data_transferred", "equal_data", "multiplier"]


class Constants(NamedTuple):
    """Constants of D_T = k D_F^a N^b, with D in characters and N in non-embedding parameters.

    Attributes
    ----------
    k : float
        In characters^(1 - a) per parameter^b.
    a, b : float
        Exponents of fine-tuning data and of model size.
    """

    k: float
    a: float
    b: float


PUBLISHED = {
    "text_to_python": Constants(k=1.9e4, a=0.18, b=0.38),
    "text_and_code_to_python": Constants(k=2.1e5, a=0.096, b=0.38),
}
"""Table 1 of Hernandez et al. 2021: pre-trained on English text, or on half text and half other code."""

SCRATCH = {"E": 0.0, "A": 6.4e13, "B": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}
"""Kaplan et al. 2020, section 4, for English text; the transfer paper's own from-scratch constants are not public."""


def data_transferred(D_F: Any, N: Any, constants: Constants = PUBLISHED["text_to_python"]) -> Any:
    """Return D_T, in characters, of fine-tuning on ``D_F`` characters with ``N`` non-embedding parameters.

    Equation 1.2 of Hernandez et al. 2021; good up to a tenth of D(N).

    Examples
    --------
    >>> f"{data_transferred(1, 175e9):.2e}"  # the paper says 3.7e8
    '3.56e+08'
    """
    return constants.k * np.power(D_F, constants.a) * np.power(N, constants.b)


def multiplier(D_F: Any, N: Any, constants: Constants = PUBLISHED["text_to_python"]) -> Any:
    """Return D_E / D_F, by how much pre-training multiplies the fine-tuning data.

    Examples
    --------
    >>> round(float(multiplier(3e5, 4e7)))  # the paper shows about 1000 for one model: single models scatter
    476
    """
    return 1 + data_transferred(D_F, N, constants) / D_F


def equal_data(constants: Constants = PUBLISHED["text_to_python"], larger: float = 10.0) -> float:
    """Return how many times more fine-tuning data transfer as much as a ``larger`` times larger model.

    Examples
    --------
    >>> round(equal_data())  # the paper rounds b / a to 2 and says 100
    129
    """
    return float(larger ** (constants.b / constants.a))


class Transfer(Scratch):
    r"""Pre-training is worth a number of fine-tuning data that grows as a power of both.

    .. math:: L = \begin{cases} f(N, D_F) & \text{from scratch} \\ f(N, D_F + D_T) & \text{pre-trained} \end{cases},
              \qquad D_T = k\, D_F^{\,a} N^{\,b}

    with f the law of :class:`Scratch`, the *same* for both arms, N in parameters without embeddings, D_F and D_T in one
    unit (characters in the paper).  The likelihood is on the loss: an inverted D_T is infinite wherever a pre-trained
    run beats the from-scratch floor.  Column ``pretrained`` is 1 or 0.  Sampled is ``worth``, D_T / D_F at the
    references (N0, D0); published is k in the paper's units.

    References
    ----------
    .. [1] Hernandez et al. 2021, "Scaling Laws for Transfer", arXiv 2102.01293, equations 1.1 and 1.2, Table 1.

    Examples
    --------
    >>> law = Transfer(floor=0.0)
    >>> scratch = dict(level=2.0, floor=0.0, split=0.5, alpha_N=0.1, alpha_D=0.1, head=0.0, turn=1.0, sharpness=1.0)
    >>> p = {**scratch, "worth": 3.0, "a": 0.2, "b": 0.4}
    >>> centre = {"N": 1e7, "D_F": 1e8, "N0": 1e7, "D_F0": 1e8}
    >>> round(float(law.transferred(centre, p)))
    300000000
    """

    worth: Prior = prior(
        default=dist.LogNormal(0.0, 1.5),
        unit="multiple of D_F0",
        reason="D_T / D_F at the geometric mean of the fitted runs.  Very wide: a factor of twenty either way around "
        "one.",
    )
    a: Prior = prior(
        default=dist.Normal(0.2, 0.3),
        unit="pure number",
        reason="Exponent of fine-tuning data.  Published 0.096 and 0.18; at 1, pre-training would be worth a constant "
        "factor.",
    )
    b: Prior = prior(
        default=dist.Normal(0.3, 0.3),
        unit="pure number",
        reason="Exponent of model size.  Published 0.38, for both pre-training sets.",
    )

    equation = r"L = f(N, D_F + D_T), \quad D_T = k D_F^a N^b"
    indicators: ClassVar[tuple[str, ...]] = ("pretrained",)
    flags: ClassVar[tuple[str, ...]] = ("pretrained",)
    transfers = True
    published: ClassVar = {**PUBLISHED["text_to_python"]._asdict(), **SCRATCH, "sigma": 0.01}

    @property
    def relations(self) -> dict[str, str]:
        """What the textbook constants are made of, in LaTeX."""
        return {**super().relations, "k": r"\text{worth} \cdot D_0^{1 - a} \cdot N_0^{-b}"}

    def mean(  # noqa: D102
        self, N, D_F, pretrained, N0, D_F0, *, level, floor, split, alpha_N, alpha_D, head, turn, sharpness, worth, a, b
    ):
        own = {
            "level": level,
            "floor": floor,
            "split": split,
            "alpha_N": alpha_N,
            "alpha_D": alpha_D,
            "head": head,
            "turn": turn,
            "sharpness": sharpness,
        }
        runs = {"N": N, "D_F": D_F, "pretrained": pretrained, "N0": N0, "D_F0": D_F0}
        effective = D_F + self.transferred(runs, {**own, "worth": worth, "a": a, "b": b})
        return Scratch.mean(self, N, effective, N0, D_F0, **own)

    def transferred(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return D_T, in the unit of D_F; 0 for a run from scratch."""
        p = parameters
        by_data = jnp.exp(p["a"] * jnp.log(runs["D_F"] / runs["D_F0"]))
        by_size = jnp.exp(p["b"] * jnp.log(runs["N"] / runs["N0"]))
        return runs.get("pretrained", 1.0) * p["worth"] * runs["D_F0"] * by_data * by_size

    def derived(self, runs: Arrays, **parameters: jax.Array) -> dict[str, jax.Array]:  # noqa: D102
        return {**super().derived(runs, **parameters), "k": factor_of(runs, parameters)}

    def centred(self, runs: Arrays, *, k, a, b, **others) -> dict[str, jax.Array]:  # noqa: D102
        worth = data_transferred(runs["D_F0"], runs["N0"], Constants(k, a, b)) / runs["D_F0"]
        return super().centred(runs, **{**others, "worth": worth, "a": a, "b": b})

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed).

        Raises
        ------
        StudyError
            An arm or a column is missing, a fine-tuning size is not positive, or units are mixed.
        """
        check_arms(self.name, study)
        return super().arrays(study)


def factor_of(runs: Arrays, parameters: Arrays) -> jax.Array:
    """Return k of ``D_T = k D_F^a N^b`` from what pre-training is worth at the references."""
    p = parameters
    log_k = jnp.log(p["worth"]) + (1 - p["a"]) * jnp.log(runs["D_F0"]) - p["b"] * jnp.log(runs["N0"])
    return jnp.exp(log_k)


def check_arms(name: str, study: Study) -> None:
    """Refuse a study without both arms.

    Raises
    ------
    StudyError
        An arm has no run, or what tells arms apart is no flag or amount.
    """
    frame = study.frame
    arm = next((c for c in ("pretrained", "pretrain_data") if c in frame), None)
    if arm is None:
        return
    values = study.column(arm)
    if arm == "pretrained" and not np.isin(values, (0, 1)).all():
        raise StudyError(
            f"Column 'pretrained' holds {values[~np.isin(values, (0, 1))][0]:g}; give 1 or 0 (from scratch)."
        )
    if not (values >= 0).all():
        row = int(np.argmin(values >= 0))
        number = row_number(frame, row)
        raise StudyError(
            f"Row {number} has {arm} = {values[row]:g}; give the pre-training data, 0 for a run from scratch."
        )
    if (values > 0).all() or (values == 0).all():
        lacking = "from-scratch" if (values > 0).all() else "pre-trained"
        raise StudyError(
            f"Study {study.name!r} has no {lacking} run, and {name} compares both arms; add some runs of it."
        )
