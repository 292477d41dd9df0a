"""Draw a study from a law: to plan an experiment, and to check that a fit finds what was put in."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import pandas as pd

from bayes_scaling.errors import LawError, StudyError, listed, suggest, whole
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.base import Law, require_law
from bayes_scaling.law.fields import in_support
from bayes_scaling.law.priors import describe
from bayes_scaling.law.sites import Arrays
from bayes_scaling.law.trace import latent_names, latent_priors, run_model
from bayes_scaling.study.card import Card
from bayes_scaling.study.panel import series_parts
from bayes_scaling.study.reading import as_rows
from bayes_scaling.study.study import Study
from bayes_scaling.study.validation import LOSS_ERROR

__all__ = ["simulate"]

PLACEHOLDERS = (0.4, 0.6)  # stand where an outcome will be drawn: valid losses and valid fractions, different ones


def simulate(law: Law, design: Any, parameters: Mapping[str, Any] | None = None, *, seed: int) -> Study:
    """Draw the outcomes of planned runs through the law's own model.

    Parameters
    ----------
    law : Law
        The law to simulate.
    design : Study, DataFrame or mapping of columns
        The inputs of each run (and of each task), as for a fit.  Outcomes in it are replaced; for a joint law they also
        say which losses the tasks of a run share, and for one whose parameters are relative to outcomes, such as
        :class:`~bayes_scaling.models.ShiftedPowerLaw`, about how large they are.
    parameters : mapping, optional
        Parameters of the law by name, or the textbook constants of its paper where the law knows how to read them
        (``Law.centred``), all of them, and ``sigma``.  By default the published constants of a law that states
        them (``law.published``).  Parameters that are not given are drawn from their priors.
    seed : int
        Seed of every random draw.

    Returns
    -------
    Study
        The design with its outcomes; all rows get the role ``train``.

    Raises
    ------
    LawError
        A parameter is none of the law's, or no site of its model, or has a value where its prior has no mass; or some
        textbook constants are missing, or a parameter that they make is given beside them at another value; or the law
        reads outcomes that its model does not draw, as with ``windows`` of the two-step law.
    StudyError
        The design lacks an input of the law, or outcomes, and the law takes the scale of its parameters from them.

    Examples
    --------
    >>> from bayes_scaling.models import Chinchilla
    >>> plan = {"N": [1e8, 1e9, 1e9], "D": [2e9, 2e9, 2e10]}
    >>> drawn = simulate(Chinchilla(), plan, {"E": 1.7, "reducible": 0.5, "alpha_N": 0.3, "sigma": 0.01}, seed=0)
    >>> bool(drawn.frame["loss"].gt(1.7).all())
    True
    """
    require_law(law)
    frame = as_rows(design).drop(columns=LOSS_ERROR, errors="ignore")  # of other losses than those drawn here
    if lacking := [symbol for symbol, column in law.columns.items() if column not in frame]:
        raise StudyError(
            f"The design has no {lacking[0]} ({law.columns[lacking[0]]}), which {law.name} reads; add a column of "
            "either name."
        )
    card = design.card if isinstance(design, Study) else Card("simulated")
    if not isinstance(parameters, Mapping | None):
        raise LawError(f"The parameters are a {type(parameters).__name__}; give a mapping, as in {{'sigma': 0.01}}.")
    made_up = [column for column in _outcomes(law) if column not in frame]
    for column in made_up:
        frame[column] = np.linspace(*PLACEHOLDERS, len(frame))
    frame["role"] = "train"
    name = card.name if card.name.endswith("simulated") else f"{card.name} simulated"
    study = Study.from_frame(frame, card=dataclasses.replace(card, name=name))
    runs, observed = law.arrays(study)
    _require_scale(law, study, made_up, runs)
    chosen = law.published if parameters is None else parameters
    given = {name: _as_numbers(f"{law.name}.{name}", value) for name, value in chosen.items()}
    sites = latent_names(law, runs, observed)
    if not set(given) <= {*sites, *law.priors}:
        given = _of_textbook(law, runs, given, sites)
    _check_given(law, given, sites)
    with double_precision():
        shapes = {name: own.shape() for name, own in latent_priors(law.program, runs, observed).items()}
        latent = {n: _shaped(f"{law.name}.{n}", value, shapes[n]) for n, value in given.items() if n in sites}
        drawn_sites = run_model(law, runs, latent=latent, key=jax.random.key(whole("seed", seed, 0)))
        if lost := [name for name in observed if name not in drawn_sites]:
            raise LawError(
                f"{law.name} also reads {listed(lost)}, which its model does not draw; simulate it without them, as "
                "TwoStep(windows=0) is."
            )
        drawn = {name: np.asarray(drawn_sites[name]["value"]) for name in observed}
    return dataclasses.replace(study, frame=_filled(law, study, drawn))


def _require_scale(law: Law, study: Study, made_up: Sequence[str], runs: Arrays) -> None:
    """Refuse a design without outcomes where the law takes the scale of its parameters from them.

    Raises
    ------
    StudyError
        It does, and they are not there.
    """
    if not made_up:
        return
    others = {column: study.frame[column].to_numpy()[::-1] ** 2 for column in made_up}
    again = law.arrays(dataclasses.replace(study, frame=study.frame.assign(**others)))[0]
    read = [name for name in law.inputs if name in runs]
    if differ := [name for name in read if not np.array_equal(runs[name], again[name], equal_nan=True)]:
        raise StudyError(
            f"The design has no {made_up[0]}, from which {law.name} takes {listed(differ)}, the scale of its "
            f"parameters; add a column of about what {made_up[0]} will be."
        )


def _as_numbers(name: str, value: Any) -> np.ndarray:
    """Return a parameter as an array of floats.

    Raises
    ------
    LawError
        It is no number.
    """
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise LawError(f"{name} is {value!r}; give a number.") from None


def _shaped(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a value in the shape of its site; one number stands for all of a site of several.

    Raises
    ------
    LawError
        It is of another shape.
    """
    numbers = np.asarray(value, dtype=float)
    if numbers.size == 1:
        return np.full(shape, numbers.item())
    if numbers.shape != shape:
        what = f"numbers of shape {shape}, or one for all" if shape else "one number"
        raise LawError(f"{name} has the shape {numbers.shape}; give {what}.")
    return numbers


def _of_textbook(law: Law, runs: Arrays, given: Mapping[str, Any], sites: Collection[str]) -> dict[str, Any]:
    """Return the parameters of a law that the constants of its paper make, all of these together.

    Raises
    ------
    LawError
        One is neither such a constant nor a parameter, or contradicts what the others make of it, or some are missing.
    """
    readers = [inspect.signature(vars(base)["centred"]) for base in type(law).__mro__ if "centred" in vars(base)]
    constants = {p.name: p for one in readers for p in one.parameters.values() if p.kind is p.KEYWORD_ONLY}
    known = {*constants, *sites, *law.priors}
    for name in given:
        if name not in known:
            raise LawError(f"{law.name} has no parameter {name!r}; {suggest(name, known)}")
    if missing := [name for name, one in constants.items() if one.default is one.empty and name not in given]:
        raise LawError(
            f"{law.name} reads the constants of its paper all together, and {listed(given)} lack {listed(missing)}; "
            f"give {'it' if len(missing) == 1 else 'them'} too, or its own parameters ({', '.join(sites)})."
        )
    made = law.centred(runs, **given)
    own = [name for name in given if name not in constants]
    if lost := [name for name in own if name not in made or not np.allclose(made[name], given[name], equal_nan=True)]:
        raise LawError(
            f"{law.name} computes {listed(lost)} from the constants of its paper ({listed(constants)}), and another "
            f"value is given too; leave {'it' if len(lost) == 1 else 'them'} out, or those constants."
        )
    return made


def _check_given(law: Law, given: Mapping[str, Any], sites: Collection[str]) -> None:
    """Refuse what is no site of the law's model, values that a prior rules out, and others of parameters it fixes."""
    for name, value in given.items():
        if name in sites:
            for one in np.ravel(value).tolist():
                if not np.isfinite(one):
                    raise LawError(f"{law.name}.{name} is {one:g}; give a finite number.")
                if name in law.priors and not in_support(one, own := law.priors[name]):
                    raise LawError(
                        f"{law.name}.{name} is {one:g}, where its prior {describe(own)} has no mass; give a number "
                        "that it allows, or the law a prior of your own."
                    )
            continue
        if name not in law.priors:
            raise LawError(f"{law.name} has no parameter {name!r}; {suggest(name, sites)}")
        fixed = law.priors[name]
        if not isinstance(fixed, (int, float)):
            raise LawError(f"{law.name} has no site {name!r} on these runs; {suggest(name, sites)}")
        if not np.allclose(value, fixed):
            other = " and ".join(f"{one:g}" for one in np.ravel(value))
            raise LawError(
                f"{law.name} fixes {name} at {fixed:g}, and {other} is given; leave it out, or fix that in the law."
            )


def _outcomes(law: Law) -> list[str]:
    """Return the outcome columns of a table for this law."""
    return [*law.series, *(q for q in law.quantities if not (law.series and q == "loss"))]


def _filled(law: Law, study: Study, drawn: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Put drawn outcomes, of shape (run,) or (run, series or task), into the rows they belong to."""
    frame = study.frame.copy()
    dims, coords = law.dims(study)
    if "task" in frame and any(np.ndim(values) > 1 for values in drawn.values()):
        run = pd.Index(frame["run"].drop_duplicates()).get_indexer(frame["run"])
    for name, values in drawn.items():
        if values.ndim == 1:
            frame[name] = values
            continue
        for place, label in enumerate(coords[dims[name][-1]]):
            column, task = series_parts(label) if dims[name][-1] == "series" else (name, label)
            rows = (frame["task"] == task).to_numpy() if task else np.full(len(frame), True)
            frame.loc[rows, column] = values[run[rows], place]
    return frame
