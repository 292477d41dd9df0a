"""Training from scratch on little data: size and data share one bottleneck, below a ceiling and above a floor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from bayes_scaling.errors import StudyError
from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import option, prior
from bayes_scaling.law.priors import LogitNormal, Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.chinchilla import slope_for_exponent
from bayes_scaling.study.rows import row_number

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["Scratch", "check_sizes"]

NEAR_LIMIT = 0.99  # D(N) is the data at which this share of the loss is the loss with endless data (section 1.1 of [2])


class Scratch(Law):
    r"""Loss of early-stopped training from scratch, limited by size and by data.

    .. math:: L(N, D) = E + \left[ \left(\frac{A}{N}\right)^{\alpha_N / \kappa}
                + \left(\frac{B}{D + D_G}\right)^{\alpha_D / \kappa} \right]^{\kappa}
              = \ell \left[ \phi + (1 - \phi) \left( \psi \left(\frac{N}{N_0}\right)^{-\alpha_N / \kappa}
                + (1 - \psi) \left(\frac{1 + g}{D / D_0 + g}\right)^{\alpha_D / \kappa} \right)^{\kappa} \right],
              \qquad \kappa = \frac{\alpha_D}{s}

    with N in parameters, D the training data in any unit (column ``finetune_data``), and N0, D0 the geometric means of
    the fitted runs.  The equation of Kaplan et al. has s = 1, no floor and no ceiling: that is ``floor=0`` and
    ``head=0``, the form of the transfer paper.  E, A and B are published with the posterior.

    References
    ----------
    .. [1] Kaplan et al. 2020, "Scaling Laws for Neural Language Models", arXiv 2001.08361, equation 1.5.
    .. [2] Hernandez et al. 2021, "Scaling Laws for Transfer", arXiv 2102.01293, section 2.

    Examples
    --------
    >>> law = Scratch(floor=0.0)
    >>> at_centre = dict(level=2.0, floor=0.0, split=0.5, alpha_N=0.1, alpha_D=0.1, head=0.0, turn=1.0, sharpness=1.0)
    >>> round(float(law.mean(1e7, 1e8, 1e7, 1e8, **at_centre)), 6)
    2.0
    """

    level: Prior = prior(
        default=dist.LogNormal(math.log(2.0), 1.0),
        unit="unit of the loss",
        reason="Loss at (N0, D0).  Wide, and always well fixed by the data.",
    )
    floor: Prior = prior(
        default=LogitNormal(-0.7, 1.0),
        unit="share of the loss",
        reason="phi, the irreducible share of the loss at the centre.  Wide, around a third.",
    )
    split: Prior = prior(
        default=LogitNormal(-1.0, 1.0),
        unit="share",
        reason="psi, the share of the bracket at (N0, D0) that more parameters would remove.  Weak, below one half, "
        "since this law is for scarce data.",
    )
    alpha_N: Prior = prior(
        default=dist.LogNormal(math.log(0.2), 0.5),
        unit="pure number",
        reason="Exponents with endless data and with endless size.  Wide: published ones run from 0.08 (no floor) to "
        "0.6 (image errors at scarce data).",
    )
    alpha_D: Prior = prior(
        default=dist.LogNormal(math.log(0.3), 0.5), unit="pure number", reason="As ``alpha_N``, with endless size."
    )
    head: Prior = prior(
        default=0.0,
        unit="multiple of D0",
        reason="g = D_G / D0: what guessing is worth, in data.  A loss of guessing is finite (the log of the number "
        "of classes), and g says from where on data count.  0 by default, the equation as published.",
    )
    turn: Prior = prior(
        default=1.0,
        unit="pure number",
        reason="How sharply data begin to count, as the power t in ``(D^t + D_G^t)^(1/t)``.  1 by default, a plain "
        "sum.",
    )
    sharpness: Prior = prior(
        default=1.0,
        unit="pure number",
        reason="s, how sharply the scarcer of size and data takes over from the other.  1 by default, the equation as "
        "published; endless, the scarcer alone would count.",
    )
    bottleneck: bool = option(
        default=True,
        about="Whether kappa is ``alpha_D / sharpness`` (Kaplan et al.) or ``1 / sharpness`` (Hoffmann et al., where "
        "two powers add).",
    )

    equation = (
        r"L = E + ((A / N)^{\alpha_N / \kappa} + (B / (D_F + D_G))^{\alpha_D / \kappa})^{\kappa}, "
        r"\quad \kappa = \alpha_D / \text{sharpness}"
    )
    adapts = True
    pooling: ClassVar = {"floor": 0.4, "split": 0.4, "alpha_N": 0.2, "alpha_D": 0.2}

    @property
    def relations(self) -> dict[str, str]:  # type: ignore[override]
        """What the textbook constants are made of, in LaTeX."""
        left, data = r"\text{level} (1 - \text{floor})", r"D_0 (1 + \text{head}^{\text{turn}})^{1 / \text{turn}}"
        kappa = r"\alpha_D / \text{sharpness}" if self.bottleneck else r"1 / \text{sharpness}"
        A = rf"N_0 \left({left} \, \text{{split}}^{{{kappa}}}\right)^{{1 / \alpha_N}}"
        B = rf"{data} \left({left} (1 - \text{{split}})^{{{kappa}}}\right)^{{1 / \alpha_D}}"
        learnt = isinstance(self.floor, dist.Distribution)
        return {"A": A, "B": B, **({"E": r"\text{level} \cdot \text{floor}"} if learnt else {})}

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:
        """Sample slope and curvature of the loss, as in the laws with a floor E: reducible is (1 - floor) / floor."""
        if "floor" not in u:
            return dict(u)
        sharpness = jnp.exp(u["sharpness"]) if "sharpness" in u else self.sharpness
        moved = slope_for_exponent({**u, "reducible": -u["floor"]}, 1 / sharpness, bottleneck=float(self.bottleneck))
        floor = -moved.pop("reducible")
        return {**moved, "floor": floor}

    def mean(self, N, D_F, N0, D_F0, *, level, floor, split, alpha_N, alpha_D, head, turn, sharpness):  # noqa: D102
        p = {"split": split, "alpha_N": alpha_N, "alpha_D": alpha_D, "sharpness": sharpness}
        scarcity = together_with(0.0, head, turn) / together_with(jnp.log(D_F / D_F0), head, turn)
        by_size, by_data = self.shortages(N / N0, scarcity, p)
        return level * (floor + (1 - floor) * (by_size + by_data) ** self.outer(p))

    def outer(self, p: Arrays) -> Any:
        """Return kappa, the outer exponent: the power of what size and data leave of the loss."""
        return (p["alpha_D"] if self.bottleneck else 1.0) / p["sharpness"]

    def shortages(self, size: Any, scarcity: Any, p: Arrays) -> tuple[jax.Array, jax.Array]:
        """Return what size and what data leave of the loss, as parts of 1, from N / N0 and the scarcity of data."""
        kappa = self.outer(p)
        return (
            p["split"] * jnp.exp(-p["alpha_N"] / kappa * jnp.log(size)),
            (1 - p["split"]) * jnp.exp(p["alpha_D"] / kappa * jnp.log(scarcity)),
        )

    def enough(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return D(N), the data at which training from scratch is within one per cent of its limit."""
        p, kappa = parameters, self.outer(parameters)
        by_size, per_data = self.shortages(runs["N"] / runs["N0"], 1.0, p)
        floor = p["floor"] / (1 - p["floor"])
        near = (floor + by_size**kappa) / NEAR_LIMIT - floor
        scarcity = ((near ** (1 / kappa) - by_size) / per_data) ** (kappa / p["alpha_D"])
        sharp = (
            jnp.exp(p["turn"] * jnp.log(together_with(0.0, p["head"], p["turn"]) / scarcity)) - p["head"] ** p["turn"]
        )
        return runs["D_F0"] * jnp.exp(jnp.log(jnp.maximum(sharp, 1e-12)) / p["turn"])

    def derived(self, runs: Arrays, **parameters: jax.Array) -> dict[str, jax.Array]:  # noqa: D102
        p = parameters
        kappa, log_reducible = self.outer(p), jnp.log(p["level"] * (1 - p["floor"]))
        log_A = (log_reducible + kappa * jnp.log(p["split"])) / p["alpha_N"]
        log_B = (log_reducible + kappa * jnp.log1p(-p["split"])) / p["alpha_D"]
        constants = {
            "A": runs["N0"] * jnp.exp(log_A),
            "B": runs["D_F0"] * together_with(0.0, p["head"], p["turn"]) * jnp.exp(log_B),
        }
        learnt = isinstance(self.floor, dist.Distribution)  # a floor held at zero is no draw to publish
        return {**constants, "E": p["level"] * p["floor"]} if learnt else constants

    def centred(self, runs: Arrays, *, E=0.0, A, B, alpha_N, alpha_D, **others) -> dict[str, jax.Array]:  # type: ignore[override]
        """Return the parameters of this law at the references of ``runs`` from textbook constants (no head start)."""
        p = {"alpha_N": alpha_N, "alpha_D": alpha_D, "head": 0.0, "turn": 1.0, "sharpness": 1.0, **others}
        kappa = self.outer(p)
        by_size, by_data = (A / runs["N0"]) ** (alpha_N / kappa), (B / runs["D_F0"]) ** (alpha_D / kappa)
        reducible = (by_size + by_data) ** kappa
        return {**p, "level": E + reducible, "floor": E / (E + reducible), "split": by_size / (by_size + by_data)}

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed).

        Raises
        ------
        StudyError
            A column is missing, a size is not positive, or units are mixed.
        """
        check_sizes(self.name, study)
        return super().arrays(study)

    def irreducible(self, runs: Arrays, parameters: Arrays) -> jax.Array:  # noqa: D102
        return parameters["level"] * parameters["floor"]


def together_with(log_data: Any, head: Any, turn: Any) -> jax.Array:
    """Return data plus what guessing is worth, ``(D^turn + head^turn)^(1 / turn)``, in units of D0."""
    return jnp.exp(jnp.log(jnp.exp(turn * log_data) + jnp.exp(turn * jnp.log(jnp.maximum(head, 1e-30)))) / turn)


def check_sizes(name: str, study: Study) -> None:
    """Refuse fine-tuning sizes that are not positive, or that are given in several units.

    Raises
    ------
    StudyError
        There are such sizes.
    """
    frame = study.frame
    if "unit" in frame and frame["unit"].nunique() > 1:
        units = " and ".join(map(str, frame["unit"].drop_duplicates()))
        raise StudyError(f"Study {study.name!r} mixes data in {units}; convert the fine-tuning sizes to one unit.")
    if "finetune_data" in frame:
        sizes = study.column("finetune_data")
        if not (sizes > 0).all():
            row = int(np.argmin(sizes > 0))
            number = row_number(frame, row)
            raise StudyError(
                f"Row {number} has finetune_data = {sizes[row]:g}; {name} needs a positive size, drop the row."
            )
