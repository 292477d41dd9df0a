"""The task ladder as one generative model: size and data predict losses, a loss predicts accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from bayes_scaling.errors import COMMAND_LINE, LawError, StudyError, listed, whole
from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import data_field, option, prior
from bayes_scaling.law.noise import SharedNoise
from bayes_scaling.law.pooling import assemble, by_series, derived_names, edge_by_series, move, pooled, spread_of
from bayes_scaling.law.priors import LogitNormal, Prior, describe
from bayes_scaling.law.sites import Arrays, observe, sample_or_fix, sample_slope_error
from bayes_scaling.models.power_law import PowerLaw
from bayes_scaling.models.sigmoid_accuracy import SigmoidAccuracy
from bayes_scaling.models.superset import Superset
from bayes_scaling.models.task_arrays import LATENT, labels, require_two_runs, task_arrays
from bayes_scaling.study.card import AS_GIVEN
from bayes_scaling.study.panel import series_label

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["IRREDUCIBLE", "TwoStep", "routes", "single_step"]

IRREDUCIBLE = dist.LogNormal(0.0, 1.0)
"""Prior of a floor that serves losses in bits per byte (about a half) and in nats per token (about two)."""

SHARED_EXPONENT = dist.LogNormal(math.log(0.3), 0.15)
"""Prior of the exponent that the series of a ladder share: each may differ from it, so that it needs no heavy tails."""

SHARED_REDUCIBLE = dist.LogNormal(0.0, 0.3)
"""Prior of the reducible loss, as a multiple of the floor, that the series of a ladder share at its centre.

It speaks of ladders of 1e8 to 1e9 parameters.  That of :class:`bayes_scaling.models.Chinchilla` makes room for larger
ones, too.
"""

BETWEEN = dist.LogNormal(math.log(0.55), 0.6)
"""Prior of the outer exponent: the laws of Chinchilla (1) and of Kaplan (0.3) are one standard deviation away."""

BY_COMPUTE = PowerLaw(E=IRREDUCIBLE, reducible=SHARED_REDUCIBLE, discrepancy=0.15)
"""Step 1 of a ladder whose runs have no size or no data: from FLOPs, with the floor, level and error of the other."""

WANDER_LENGTH = 0.1  # log loss over which a run's deviation from the accuracy curve changes by ``wander``


class TwoStep(Law):
    r"""Task accuracy of a model from its size and data, through a loss, for several tasks at once.

    Step 1: every loss series s (one per task, and the shared ones) of run r follows ``step1``, with parameters pooled
    over the series and noise that a run's series share,

    .. math:: \log L_{rs} = \log f_s(N_r, D_r) + u_r + e_{rs}, \;
              u_r \sim N(0, \tau^2), \; e_{rs} \sim N(0, \sigma_s^2);

    the run effects u are integrated out (rank-one covariance).  Step 2: the accuracy of task t follows ``step2`` at
    the run's own loss: the observed one in a fitted run, the predicted one of the same draw in a forecast.

    References
    ----------
    .. [1] Bhagia et al. 2024, "Establishing Task Scaling Laws via Compute-Efficient Model Ladders", arXiv 2412.04403,
       sections 3 and 4.

    Examples
    --------
    >>> TwoStep(feature="c4_loss").run_inputs
    ('N', 'D')
    """

    step1: Law = data_field(
        default=Superset(
            E=IRREDUCIBLE,
            reducible=SHARED_REDUCIBLE,
            split=LogitNormal(0.0, 0.8),
            alpha_N=SHARED_EXPONENT,
            alpha_D=SHARED_EXPONENT,
            coupling=BETWEEN,
            penalty=0.0,
            discrepancy=0.15,
            drift=0.0,
            scatter=1.0,
            reference=None,
        ),
        about="Loss from parameters and tokens (:class:`Superset`, whose outer exponent lets the ladder choose between "
        "the laws of Chinchilla and of Kaplan: in backtests inside two ladders it forecasts losses closer than "
        ":class:`Chinchilla`), from FLOPs (:class:`PowerLaw`), or your own.  Its floor has a wide prior around 1, "
        "because the series come in two units: bits per byte (about 0.5) and nats per token (1.9); its exponents, "
        "shared by the series, have none of the heavy tails that a single series needs.  Its discrepancy is 0.15, "
        "which cuts of the ladder of Bhagia et al. 2024 gave under earlier priors; today they ask for more than 0.2 "
        "(notebook ``ladder``), and other cuts of two ladders for none at all (``benchmarks/results/ladders.md``).",
    )
    step2: Law = data_field(
        default=SigmoidAccuracy(),
        about="Accuracy from loss.",
    )
    feature: str | None = option(
        default="task_loss",
        about="The loss that step 2 reads, a column of any name and unit, one per task or shared by the tasks.  None "
        "goes in a single step: no loss is observed, and step 1 is a latent index; see :func:`.single_step`.",
    )
    jointly: tuple[str, ...] = option(
        default=("task_loss", "c4_loss"),
        about="Columns of losses that step 1 describes together; ``feature`` is always one of them.  More series pin "
        "the run effects and the pooled exponents.  :func:`.routes` sets both from the losses there are.",
    )
    pool: float | None = data_field(
        default=1.0,
        wanted="positive number",
        about="Multiplies the spread between series that each step law states (``pooling``); None fits every series "
        "alone.",
    )
    windows: int = option(
        default=0,
        about="Number of window means per run (columns ``accuracy_window1`` ...) that step 2 sees beside the final "
        "values. A run's deviations from the curve are alike, so that many checkpoints of one run do not count "
        "as many runs.",
    )
    df: float | None = option(
        default=None,
        about="Degrees of freedom of the noise of a run's losses, all of them together: with 5, a Student t, one odd "
        "run does not bend the law; None, a normal.  In backtests inside two ladders the t forecasts losses closer and "
        "accuracies no closer, and the search for its mode may end in several places; so the normal is the default.",
    )
    tau: Prior = prior(
        default=dist.LogNormal(math.log(0.005), 0.5),
        unit="fraction",
        reason="Standard deviation of the run effect on log loss.  Reruns of the ladder's smallest sizes differ by "
        "about half a per cent.",
    )
    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.01), 0.7),
        unit="fraction",
        reason="Standard deviation of each series' own noise on log loss.",
    )
    wander: Prior = prior(
        default=dist.LogNormal(math.log(0.006), 0.5),
        unit="fraction",
        reason="With windows: standard deviation of a run's own deviation from the curve, a fraction.",
    )
    anneal: Prior = prior(
        default=dist.Normal(0.0, 0.2),
        unit="tenths of log loss",
        reason="With windows: how much further along the curve an un-annealed checkpoint of equal loss is, in tenths "
        "of log loss.",
    )

    discrepancy: Prior = prior(
        default=Law.discrepancy,
        unit="fraction",
        reason="Not used: each step errs by its own, that of ``step1`` and that of ``step2``.",
    )

    by_task = True
    spreads: ClassVar = ("tau", "wander", "accuracy_sigma")
    equation = r"(N, D) \to L \to \mathrm{accuracy}"

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(f"{self.name}.windows", self.windows, 0, LawError)
        if self.windows and self.feature is None:
            raise LawError(
                f"{self.name} has windows={self.windows} and no feature, so that no loss of a window is read; give the "
                "column of a loss as feature, or windows=0."
            )
        made = [n for n in self.inputs if n not in self.step1.run_inputs and not self._is_reference(n)]
        if made:
            raise LawError(
                f"{self.name} reads columns and their geometric means, and its step1, {self.step1.name}, makes "
                f"{listed(made)} of all runs; give another, such as SupersetInCompute()."
            )
        if self.df is not None and not (isinstance(self.df, (int, float, np.number)) and self.df > 0):
            raise LawError(f"{self.name}.df is {self.df!r}; give a positive number, or None for a normal.")
        if self.discrepancy != Law.discrepancy:
            cure = "give it to the step, as in TwoStep(step2=SigmoidAccuracy(discrepancy=0.1))"
            raise LawError(
                f"{self.name}.discrepancy is {describe(self.discrepancy)}, and each of its steps errs by its own; "
                f"{'leave it out' if COMMAND_LINE.get() else cure}."
            )

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The columns of step 1, without those that it can do without."""
        return tuple(name for name in self.step1.inputs if name not in self.step1.absent)

    @property
    def columns(self) -> dict[str, str]:
        """Where in a table step 1 finds what it reads, which may make its inputs of other columns."""
        return self.step1.columns

    def input_arrays(self, frame: Any) -> dict[str, np.ndarray]:
        """Return the inputs of step 1 of a table, as it makes them, without those that it can do without.

        Raises
        ------
        StudyError
            A column is missing, or has an entry that is not a number that a fit can use.
        """
        self.columns_of(frame)  # what is missing is missed in the name of this law
        without = [self.step1.readable[symbol] for symbol in self.step1.absent]
        made = self.step1.input_arrays(frame.drop(columns=without, errors="ignore"))
        return {name: made[name] for name in self.run_inputs}

    @property
    def quantities(self) -> dict[str, str]:
        """Loss of each series (where one is observed) and accuracy of each task, with units."""
        return {"accuracy": "fraction"} if self.feature is None else {"loss": AS_GIVEN, "accuracy": "fraction"}

    @property
    def series(self) -> tuple[str, ...]:
        """The loss columns of step 1."""
        if self.feature is None:
            return ()
        return self.jointly if self.feature in self.jointly else (*self.jointly, self.feature)

    @property
    def route(self) -> str | None:
        """The loss that accuracy is read from."""
        return self.feature

    def series_of(self, task: str, labels: Sequence[str]) -> str:
        """Return the series that a task stands for: its own, or that of the loss its accuracy is read from."""
        known = (task, series_label(str(self.feature), task), str(self.feature))
        return next((name for name in known if name in labels), task)

    @property
    def program(self) -> Law:
        """One compiled program serves every feature among ``jointly``: which one step 2 reads is data."""
        return self if self.feature is None else self.replace(feature=self.series[0], jointly=self.series)

    # -- the model --------------------------------------------------------------------------------------------------

    def __call__(self, runs: Arrays, observed: Arrays | None = None, fitted: Arrays | None = None) -> None:
        """Run the NumPyro model; losses have shape (run, series), accuracies (run, task)."""
        chance, feature = runs["chance"], runs["feature"]
        own = self._sample(self.step1, "", jnp.shape(runs["loss0"])[0])
        loss0 = self._in_the_middle(runs, own)
        curve = self._sample(self.step2, "accuracy_", jnp.shape(chance)[0])
        columns = by_series(self, runs)
        mean = self.step1.at(columns, own)
        if fitted is not None:
            unseen, error = self.step1.unseen(jnp.shape(runs["loss0"])), self.step1.slope_error()
            edge = edge_by_series(self, fitted)
            mean = self.step1.extrapolated(columns, edge, {**own, **unseen}, error)
            reached = fitted["reached"] if self.feature is not None else self.step1.at(edge, own)
        loss = mean if self.feature is None else self._losses(mean, observed, fitted)

        def accuracy(loss: jax.Array) -> jax.Array:
            inputs = {"loss": loss, "loss0": loss0[feature], "chance": chance, "guessed": runs["guessed"]}
            if fitted is None:
                return self.step2.at(inputs, curve)
            return self.step2.extrapolated(inputs, {"loss": reached}, curve, curve_error)

        if fitted is not None:
            curve_error = sample_slope_error(self.step2.discrepancy, jnp.shape(chance), "accuracy_discrepancy")
            curve |= self.step2.unseen(jnp.shape(chance), "accuracy_")
        if observed is None:
            numpyro.deterministic("loss_mean", mean)
            numpyro.deterministic("accuracy_mean", accuracy(mean[:, feature]))
        read = {**runs, "loss": loss[:, feature]}
        final = accuracy(read["loss"])
        if self.windows:
            self._windowed(final, accuracy, curve, read, observed, fitted)
        else:
            with numpyro.plate("run", jnp.shape(mean)[0], dim=-2):
                observe("accuracy", self._around(final, curve, read, fitted), observed)
        self.step1.publish(columns, own)

    def _in_the_middle(self, runs: Arrays, own: Arrays) -> jax.Array:
        """Return each series' loss at the references of the runs, from which the accuracy curve is measured.

        The model says what it is, not the data, so that priors of the curve mean the same whatever the unit of a loss.
        A ``step1`` that asks for no references is measured from the geometric mean of the fitted losses.
        """
        middle = {name: runs[f"{name}0"] for name in self.run_inputs if f"{name}0" in self.inputs}
        if self.feature is None or len(middle) < len(self.run_inputs):
            return runs["loss0"]
        return self.step1.at({**runs, **middle}, own)

    def _around(self, mean: jax.Array, curve: Arrays, read: Arrays, fitted: Arrays | None) -> dist.Distribution:
        """Return the distribution of accuracies around what is expected, of new runs where there are fitted ones."""
        if fitted is None:
            return self.step2.likelihood(mean, self.step2.noise_of(read, mean, curve["sigma"]))
        return self.step2.likelihood(mean, self.step2.new_noise(read, mean, curve))

    def _losses(self, mean: jax.Array, observed: Arrays | None, fitted: Arrays | None) -> jax.Array:
        """Observe the losses of each run, their shared effect integrated out; what is missing is as expected."""
        sigma, tau = pooled("sigma", self.sigma, None, jnp.shape(mean)[1]), sample_or_fix("tau", self.tau)
        if fitted is not None:
            sigma, tau = self.step1.beyond(sigma), self.step1.beyond(tau)
        present = jnp.full(jnp.shape(mean), True) if observed is None else jnp.isfinite(observed["loss"])
        noise = SharedNoise(jnp.log(mean), tau, sigma, df=self.df, present=present)
        values = None if observed is None else jnp.where(present, observed["loss"], 1.0)
        around = dist.TransformedDistribution(noise, dist.transforms.ExpTransform())
        with numpyro.plate("run", jnp.shape(mean)[0]):
            loss = numpyro.sample("loss", around, obs=values)
        return jnp.where(present, loss, mean)

    def _windowed(
        self,
        final: jax.Array,
        accuracy: Any,
        curve: Arrays,
        read: Arrays,
        observed: Arrays | None,
        fitted: Arrays | None,
    ) -> None:
        """Observe final accuracies together with window means of earlier checkpoints of the same run.

        A run lies off the curve by an amount that changes slowly along its training, so more windows of one run do not
        make it a larger sample.  Windows are shifted by ``anneal`` tenths of log loss along the curve, because
        their learning rate has not decayed yet.
        """
        wander = pooled("wander", self.wander, None, jnp.shape(final)[1])
        anneal = pooled("anneal", self.anneal, None, jnp.shape(final)[1])
        if observed is None:
            scale = jnp.sqrt(wander**2 + curve["sigma"] ** 2)
            with numpyro.plate("run", jnp.shape(final)[0], dim=-2):
                observe("accuracy", self._around(final, {**curve, "sigma": scale}, read, fitted), None)
            return
        values = jnp.concatenate([observed["accuracy"][:, :, None], observed["accuracy_windows"]], axis=-1)
        losses = jnp.concatenate([read["loss"][:, :, None], observed["loss_windows"]], axis=-1)
        present = (jnp.isfinite(values) & jnp.isfinite(losses)).all(axis=-1)
        shift = jnp.concatenate([jnp.zeros((len(anneal), 1)), jnp.tile(anneal[:, None] / 10, self.windows)], axis=-1)
        losses = jnp.where(present[:, :, None], losses, 1.0) * jnp.exp(shift)
        means = jax.vmap(accuracy, in_axes=-1, out_axes=-1)(losses)
        noise = jnp.broadcast_to(self.step2.noise_of(read, final, curve["sigma"]), jnp.shape(final))
        joint = SharedNoise(means, wander, noise[:, :, None], jnp.log(losses) / WANDER_LENGTH)
        with numpyro.plate("run", jnp.shape(final)[0], dim=-2), numpyro.handlers.mask(mask=present):
            numpyro.sample("accuracy", joint, obs=jnp.where(present[:, :, None], values, 0.5))

    def _sample(self, law: Law, prefix: str, size: int) -> dict[str, jax.Array]:
        left_out = {"discrepancy"} | ({"sigma"} if law is self.step1 else set())
        priors = {name: prior for name, prior in law.priors.items() if name not in left_out}
        spreads = {name: spread_of(law, name, self.pool) for name in priors}
        return {name: pooled(prefix + name, prior, spreads[name], size) for name, prior in priors.items()}

    def straighten(self, u: dict[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:  # noqa: D102
        feature = runs["feature"]
        curve = {"loss": runs["range"][:, feature], "loss0": runs["loss0"][feature], "chance": runs["chance"]}
        straight = dict(u)
        for law, prefix, inputs in ((self.step1, "", runs), (self.step2, "accuracy_", curve)):
            values = {n: assemble(u, prefix + n, spread_of(law, n, self.pool)) for n in law.priors}
            known = {n: value for n, value in values.items() if value is not None}
            for n, value in law.straighten(known, inputs).items():
                straight |= move(u, prefix + n, spread_of(law, n, self.pool), value)
        return straight

    # -- the data ---------------------------------------------------------------------------------------------------

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed): losses of shape (run, series), accuracies of shape (run, task).

        Accuracies may be missing, losses of a run, and rows of a task.  An accuracy is not used where the loss that it
        is read off is missing.

        Raises
        ------
        StudyError
            A column is missing, has an entry that is not usable or several values in a run, or a single run has a loss.
        """
        self._require_windows(study)
        panel, runs, observed = task_arrays(
            self.name, study, self.columns.values(), self.series, self.feature, self.windows
        )
        described = observed["accuracy" if self.feature is None else "loss"]
        require_two_runs(self.name, study, self.series, self.feature, described)
        columns = self.input_arrays(panel.runs)
        return {**columns, **self.references(columns), **runs}, observed

    def _require_windows(self, study: Study) -> None:
        """Refuse a study without the window means that step 2 sees."""
        names = [f"{column}_window{i + 1}" for column in ("accuracy", self.feature) for i in range(self.windows)]
        if lost := [name for name in names if name not in study.frame]:
            raise StudyError(
                f"{self.name} with windows={self.windows} reads {listed(names)}, and study {study.name!r} lacks "
                f"{listed(lost)}; add {'it' if len(lost) == 1 else 'them'}, or do without windows, as "
                f"{self.name}(windows=0) does."
            )

    def dims(self, study: Study) -> tuple[dict[str, list[str]], dict[str, Any]]:  # noqa: D102
        by_series = [f"{n}{end}" for n in self.step1.priors for end in ("", "_offset")]
        by_series += ["sigma", *derived_names(self.step1), "loss", "loss_mean"]
        by_task = [f"accuracy_{n}{end}" for n in self.step2.priors for end in ("", "_offset")]
        by_task += ["accuracy", "accuracy_mean", "wander", "anneal"]
        dims = {n: ["series"] for n in by_series} | {n: ["task"] for n in by_task}
        dims |= {"loss_windows": ["task", "window"], "accuracy_windows": ["task", "window"]} if self.windows else {}
        return dims, labels(study, self.series, self.feature)


def routes(
    losses: Sequence[str] = ("task_loss", "c4_loss"), *, by_compute: bool = False, **changes: Any
) -> tuple[TwoStep, ...]:
    """Return the laws whose forecasts a ladder averages: accuracy read off each of its losses.

    Within the ladder of Bhagia et al. the average of task loss and C4 loss forecasts at least as well as either route
    alone, and neither is best throughout; all routes share one compiled program.

    Parameters
    ----------
    losses : sequence of str
        Columns of losses, of any names: one per task or shared by the tasks.  All are described together.
    by_compute : bool
        Losses from FLOPs; by default from parameters and tokens.  In backtests inside two ladders accuracies are
        closer this way than straight from FLOPs, and intervals hold more of them; at the targets they are a little
        less close (``benchmarks/results/ladder_flops.md``).
    **changes
        Other fields of the laws.
    """
    losses = (losses,) if isinstance(losses, str) else tuple(losses)
    changes = {"step1": BY_COMPUTE, **changes} if by_compute else changes
    return tuple(TwoStep(**{"feature": loss, "jointly": losses, **changes}) for loss in losses)


def single_step(*, by_compute: bool = False, lean: bool = False, **changes: Any) -> TwoStep:
    """Return the law that goes straight to accuracy, through a latent index with floor 1, where no loss is known.

    Parameters
    ----------
    by_compute : bool
        From FLOPs; by default from parameters and tokens.
    lean : bool
        Fix what accuracies without a loss do not tell from the slope and the place of their curve: how much of the
        index is reducible, its outer exponent, and the bend of the abscissa.  Few runs then converge at once.
    **changes
        Other fields of the law.
    """
    step1 = PowerLaw(discrepancy=0.15) if by_compute else TwoStep().step1
    if lean:
        fixed = {"reducible": LATENT[1] - 1, "coupling": 1.0}
        step1 = step1.replace(**{name: value for name, value in fixed.items() if name in step1.priors})
        changes = {"step2": SigmoidAccuracy(bend=0.0), **changes}
    return TwoStep(step1=step1.replace(E=1.0), feature=None, **changes)
