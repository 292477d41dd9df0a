"""Image classifiers: what pre-training is worth, by its amount, on an error rate between guessing and a floor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import LogitNormal, Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.scratch import NEAR_LIMIT, check_sizes
from bayes_scaling.models.transfer import check_arms, factor_of

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["PretrainingSize"]

SAME = 1e-5  # difference of the logarithm up to which two sizes are those of one model


class PretrainingSize(Law):
    r"""The error falls from guessing to a floor as a power of effective data, and larger models fall more steeply.

    .. math:: e = E + (G - E) \left[ 1 + \left( \frac{D_F + D_T}{D_G} \right)^{t} \right]^{-\alpha_m / t}, \qquad
              \alpha_m = \alpha \left( \frac{N}{N_0} \right)^{s} e^{\tau u_m}, \qquad
              D_T = k\, D_F^{\,a} N^{\,b} \frac{D_P^{\,c}}{D_P^{\,c} + H^{c}}, \qquad H = H_0 (D_F / D_{F0})^{-d}

    with e an error rate (column ``error``), G that of guessing, D_P the pre-training data (column ``pretrain_data``, 0
    for a run from scratch), D_F and D_T in images, u_m ~ N(0, 1) a model's own deviation, and N0, D_F0 the geometric
    means of the fitted runs.  Models are told apart by N.  Endless pre-training is worth k D_F^a N^b; half of it comes
    from H, which falls as fine-tuning data grow.  With few images all models are near guessing, whatever their size,
    and differ the more the further they come down: so size sits in the exponent.  Added to the scarcity of data, as in
    :class:`Scratch`, it would be taken for a floor.

    References
    ----------
    .. [1] Mikami et al. 2021, "A Scaling Law for Synthetic-to-Real Transfer", arXiv 2108.11018, equation 2 (a law for
       the error, with a transfer gap; here the gap is one of effective data, so that both arms share one law).

    Examples
    --------
    >>> law = PretrainingSize()
    >>> p = dict(worth=1.0, a=0.2, b=0.4, gain=1.0, scale=1e4, ease=0.0)
    >>> runs = {"N": 1e7, "D_F": 1e5, "N0": 1e7, "D_F0": 1e5, "D_P": jnp.array([0.0, 1e4])}
    >>> law.transferred(runs, p).round().tolist()
    [0.0, 50000.0]
    """

    level: Prior = prior(
        default=LogitNormal(0.0, 1.5),
        unit="share of G",
        reason="Error at (N0, D_F0) from scratch, as a share of G.  Very wide: always well fixed by the data.",
    )
    floor: Prior = prior(
        default=LogitNormal(-2.2, 1.0),
        unit="fraction",
        reason="phi, the share of that error which endless fine-tuning data leave: E = phi level G.  Around a tenth, "
        "wide: where an error still falls steeply at the end of the data, they say little of a floor, and "
        "higher ones made forecasts too high in backtests inside the fitted sizes.",
    )
    alpha_D: Prior = prior(
        default=dist.LogNormal(math.log(0.5), 0.5),
        unit="pure number",
        reason="Exponent of the fall at N0.  Wide, around one half: image errors fall faster in scarce data than "
        "losses.",
    )
    turn: Prior = prior(
        default=dist.LogNormal(0.0, 0.5),
        unit="pure number",
        reason="t, how sharply the fall begins.  1 is a plain sum of data and D_G; wide around it.",
    )
    steep: Prior = prior(
        default=dist.Normal(0.1, 0.2),
        unit="pure number",
        reason="s.  Larger models learn more from the same data: positive, small.",
    )
    scatter: Prior = prior(
        default=0.05,
        unit="fraction",
        reason="tau, by how much models of one size differ in exponent, relative.  The smallest of 0.05, 0.1 and 0.2 "
        "with which backtests that leave a model out cover nine tenths; held, as a few models cannot teach it.",
    )
    worth: Prior = prior(
        default=dist.LogNormal(math.log(0.3), 1.5),
        unit="multiple of D_F0",
        reason="D_T / D_F at (N0, D_F0) in the limit of endless pre-training.  Very wide, around a third.",
    )
    a: Prior = prior(
        default=dist.Normal(0.2, 0.3),
        unit="pure number",
        reason="Exponent of fine-tuning data.  Wide, around those published for text, 0.1 and 0.2 (:class:`Transfer`).",
    )
    b: Prior = prior(
        default=dist.Normal(0.3, 0.3),
        unit="pure number",
        reason="Exponent of model size.  Wide, around the one published for text, 0.38.",
    )
    gain: Prior = prior(
        default=dist.LogNormal(0.0, 0.5),
        unit="pure number",
        reason="c, the exponent with which the rest of the gap closes.  The source's exponents of pre-training data "
        "lie between 0.2 and 1; ours is that of a bend from one side to the other, around one.",
    )
    scale: Prior = prior(
        default=dist.LogNormal(math.log(1e4), 2.3),
        unit="pre-training data",
        reason="H0, in pre-training data.  Very wide: a factor of a hundred either way around ten thousand images.",
    )
    ease: Prior = prior(
        default=dist.Normal(1.0, 1.0),
        unit="pure number",
        reason="d.  Weak, around one: with twice the fine-tuning data, half the pre-training.",
    )
    guess: Prior = prior(
        default=1.0,
        unit="error rate",
        reason="G, the error of guessing.  Known: 1 less one over the number of classes.",
    )

    outcome: ClassVar[str] = "error"
    unit: ClassVar[str] = "fraction"
    indicators: ClassVar[tuple[str, ...]] = ("D_P",)
    transfers = True
    adapts = True
    equation = r"e = E + (G - E) [1 + ((D_F + D_T) / D_G)^t]^{-\alpha_m / t}, \quad \alpha_m = \alpha N^s e^{\tau u_m}"
    relations: ClassVar = {
        "E": r"\text{floor} \cdot \text{level} \cdot \text{guess}",
        "k": r"\text{worth} \cdot D_{F0}^{1 - a} \cdot N_0^{-b}",
    }

    def mean(  # noqa: D102
        self, N, D_F, D_P, own, N0, D_F0,
        *, level, floor, alpha_D, turn, steep, scatter, worth, a, b, gain, scale, ease, guess,
    ):  # fmt: skip
        runs = {"N": N, "D_F": D_F, "D_P": D_P, "N0": N0, "D_F0": D_F0}
        p = {"worth": worth, "a": a, "b": b, "gain": gain, "scale": scale, "ease": ease}
        log_data = jnp.log(D_F / D_F0) + jnp.log1p(self.transferred(runs, p) / D_F)
        low, start = self.ends(level, floor, alpha_D, turn, guess)
        exponent = alpha_D * jnp.exp(steep * jnp.log(N / N0) + scatter * own)
        return low + (guess - low) * jnp.exp(-exponent / turn * jnp.logaddexp(0.0, start + turn * log_data))

    def ends(self, level: Any, floor: Any, alpha_D: Any, turn: Any, guess: Any) -> tuple[Any, Any]:
        """Return the floor E, and t log(D_F0 / D_G), where the fall starts."""
        low = floor * level * guess
        come_down = -jnp.log((level * guess - low) / (guess - low))
        return low, jnp.log(jnp.expm1(come_down * turn / alpha_D))

    def transferred(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return D_T, in the unit of D_F; 0 for a run from scratch; of endless pre-training where no D_P is given."""
        p = parameters
        log_data, log_size = jnp.log(runs["D_F"] / runs["D_F0"]), jnp.log(runs["N"] / runs["N0"])
        amount = jnp.asarray(runs.get("D_P", jnp.inf), float)
        log_amount = jnp.log(jnp.where(amount > 0, amount, 1.0) / p["scale"]) + p["ease"] * log_data
        share = jnp.where(amount > 0, jax.nn.sigmoid(p["gain"] * log_amount), 0.0)
        return share * p["worth"] * runs["D_F0"] * jnp.exp(p["a"] * log_data + p["b"] * log_size)

    def enough(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return D(N), the data at which training from scratch is within one per cent of its floor."""
        p = {**self.priors, **parameters}
        low, start = self.ends(p["level"], p["floor"], p["alpha_D"], p["turn"], p["guess"])
        exponent = p["alpha_D"] * jnp.exp(p["steep"] * jnp.log(runs["N"] / runs["N0"]))
        left = jnp.log(low * (1 / NEAR_LIMIT - 1) / (p["guess"] - low))
        fall = -left * p["turn"] / exponent
        return runs["D_F0"] * jnp.exp((fall + jnp.log(-jnp.expm1(-fall)) - start) / p["turn"])

    def derived(self, runs: Arrays, **parameters: jax.Array) -> dict[str, jax.Array]:  # noqa: D102
        p = parameters
        return {"E": p["floor"] * p["level"] * p["guess"], "k": factor_of(runs, p)}

    def straighten(self, u: dict[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:
        """Sample the slope of the error where it is smallest, which the data fix, in place of alpha_D.

        The slope is alpha_D times the share of the error above the floor, 1 - phi / ``depth``, with depth the smallest
        error over the geometric mean.
        """
        if not {"alpha_D", "floor"} <= u.keys():
            return dict(u)
        above = 1 - jax.nn.sigmoid(u["floor"]) / runs["depth"]
        return {**u, "alpha_D": u["alpha_D"] - jnp.log(jax.nn.softplus(20 * above) / 20)}

    # -- models beside their size -----------------------------------------------------------------------------------

    def at(self, runs: Arrays, parameters: Arrays) -> jax.Array:  # noqa: D102
        return super().at({**runs, "own": self.deviation({**runs, **parameters})}, parameters)

    def deviation(self, known: Arrays) -> jax.Array:
        """Return u_m of each run: a fitted model's, or that of a model nobody fitted (0: the average one)."""
        same = alike(known["N"], known["models"])
        fitted = same.astype(float) @ known["effect"]
        return jnp.where(same.any(-1), fitted, known.get("new_effect", 0.0))

    def __call__(self, runs: Arrays, observed: Arrays | None = None, fitted: Arrays | None = None) -> None:  # noqa: D102
        effect = numpyro.sample("effect", dist.Normal(0.0, 1.0).expand(jnp.shape(runs["models"])).to_event(1))
        runs = {**runs, "effect": effect}
        if observed is None:
            runs["new_effect"] = numpyro.sample("new_models", OfModels(runs["N"]))
        super().__call__(runs, observed, None if fitted is None else {**fitted, "effect": effect})

    def irreducible(self, runs: Arrays, parameters: Arrays) -> jax.Array:  # noqa: D102
        return parameters["floor"] * parameters["level"] * parameters["guess"]

    # -- the data ---------------------------------------------------------------------------------------------------

    @property
    def run_inputs(self) -> tuple[str, ...]:
        """The columns of a run; what its model adds to its size is learnt."""
        return ("N", "D_F", "D_P")

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed), with the sizes of the models, shape (model,), and the depth of the errors.

        Raises
        ------
        StudyError
            An arm or a column is missing, a fine-tuning size is not positive, or units are mixed.
        """
        check_arms(self.name, study)
        check_sizes(self.name, study)
        runs, observed = super().arrays(study)
        errors = observed[self.outcome]
        depth = np.nanmin(errors) / np.exp(np.nanmean(np.log(errors)))
        return {**runs, "models": np.unique(runs["N"]), "depth": np.asarray(depth)}, observed

    def dims(self, study: Study) -> tuple[dict[str, list[str]], dict[str, Any]]:  # noqa: D102
        sizes = np.unique(study.column("n_params"))
        return {"effect": ["model"]}, {"model": [f"{size:.3g}" for size in sizes]}


class OfModels(dist.Distribution):
    """Deviations of models, standard normal each: one for a size, wherever and among whatever others it is drawn.

    A key has one deviation for each size, to one in a hundred thousand, so that runs of one model share it although
    they are forecast in several blocks.  Drawn from alone, in forecasts: it has no density.

    Parameters
    ----------
    sizes : array, shape (run,)
        Parameters of the model of each run.
    """

    support = dist.constraints.real_vector
    pytree_data_fields = ("sizes",)

    def __init__(self, sizes: jax.Array, *, validate_args: bool | None = None) -> None:
        self.sizes = sizes
        super().__init__((), jnp.shape(sizes), validate_args=validate_args)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Return draws, shape ``sample_shape`` and that of the sizes."""
        places = jnp.round(jnp.log(self.sizes) / SAME).astype(jnp.int32)  # below a size of one they are negative
        numbers = places.astype(jnp.uint32)
        own = jax.vmap(lambda number: jax.random.normal(jax.random.fold_in(key, number), sample_shape))
        return jnp.moveaxis(own(numbers), 0, -1)


def alike(sizes: Any, models: Any) -> jax.Array:
    """Return which of the models each run is of, shape (run, model): sizes equal to one in a hundred thousand."""
    return jnp.abs(jnp.log(jnp.asarray(sizes)[:, None] / jnp.asarray(models))) < SAME
