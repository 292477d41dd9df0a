"""Accuracies of several tasks, each straight from size and data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jax.numpy as jnp
import numpy as np
import numpyro

from bayes_scaling.law.fields import data_field
from bayes_scaling.law.pooling import by_series, edge_by_series, pooled
from bayes_scaling.law.sites import Arrays, observe, sample_slope_error
from bayes_scaling.models.direct_accuracy import DirectAccuracy
from bayes_scaling.models.task_arrays import labels, task_arrays

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["DirectLadder"]

OF_TASKS = ("chance", "guessed", "per_question")


class DirectLadder(DirectAccuracy):
    r"""Accuracies of several tasks, each straight from size and data by the equation of ``DirectAccuracy``.

    .. math:: a_t(N, D) = c_t + (1 - c_t)\, e^{-A_t N^{-\alpha_{N,t}} - B_t D^{-\alpha_{D,t}}}

    with N in parameters, D in tokens, and c the accuracy of guessing (column ``chance``) of task t.  Tasks share no
    parameter; beyond the runs their slopes err partly together (``together``).  It needs no loss.  In backtests inside
    two ladders it is as close as the two-step law, and the average of both (:func:`bayes_scaling.average`) closer; at
    their targets its intervals hold less (``benchmarks/results/ladder_rivals.md``).

    References
    ----------
    .. [1] Krajewski et al. 2025, "Revisiting the Scaling Properties of Downstream Metrics in Large Language Model
       Training", arXiv 2512.08894.

    Examples
    --------
    >>> DirectLadder().run_inputs
    ('N', 'D')
    """

    together: float = data_field(
        default=0.47,
        wanted="share between 0 and 1",
        about="Share of the variance of the error of the slope that the tasks have in common, without which their mean "
        "would be forecast too surely: that of the first step of :class:`TwoStep`, which is one for all tasks, in both "
        "(0.15² of 0.22²).",
    )

    by_task = True
    indicators: ClassVar = ()  # chance is no input of a run
    equation = r"a_t = c_t + (1 - c_t) e^{-A_t N^{-\alpha_{N,t}} - B_t D^{-\alpha_{D,t}}}"

    @property
    def run_inputs(self) -> tuple[str, ...]:
        """Parameters and tokens; chance belongs to a task."""
        return tuple(name for name in super().run_inputs if name not in OF_TASKS)

    def __call__(self, runs: Arrays, observed: Arrays | None = None, fitted: Arrays | None = None) -> None:
        """Run the NumPyro model; accuracies have shape (run, task)."""
        count = jnp.shape(runs["chance"])[0]
        priors = {name: own for name, own in self.priors.items() if name != "discrepancy"}
        own = {name: pooled(name, prior, None, count) for name, prior in priors.items()}
        columns = {**runs, **by_series(self, runs)}
        mean = self.at(columns, own)
        self.publish(runs, own)
        if fitted is not None:
            unseen = self.unseen((count,))
            error = sample_slope_error(self.discrepancy, (count,), together=self.together)
            edge = {**fitted, **edge_by_series(self, fitted)}
            mean = self.extrapolated(columns, edge, {**own, **unseen}, error)
        if observed is None:
            numpyro.deterministic("accuracy_mean", mean)
        with numpyro.plate("run", jnp.shape(mean)[0], dim=-2):
            if fitted is None:
                noise = self.noise_of(columns, mean, self.sigma_of(columns, own))
            else:
                noise = self.new_noise(columns, mean, own)
            observe("accuracy", self.likelihood(mean, noise), observed)

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed): inputs of shape (run,), what is of a task (task,), accuracies (run, task).

        Raises
        ------
        StudyError
            A column is missing, or a run or a task has several values in a column of its own.
        """
        panel, found, observed = task_arrays(self.name, study, self.columns.values(), (), None, 0)
        columns = self.input_arrays(panel.runs)
        return {**columns, **self.references(columns), **{name: found[name] for name in OF_TASKS}}, observed

    def dims(self, study: Study) -> tuple[dict[str, list[str]], dict[str, Any]]:  # noqa: D102
        sites = [*self.priors, *self.relations, "accuracy", "accuracy_mean"]
        return {name: ["task"] for name in sites}, {"task": labels(study, (), None)["task"]}
