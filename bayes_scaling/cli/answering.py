"""The work of the command ``plan``: a question with the runs and the laws that answer it, checked, fitted, answered."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bayes_scaling.cli.against import Against
from bayes_scaling.cli.arguments import in_file
from bayes_scaling.cli.options import OVERRIDE
from bayes_scaling.cli.planning import (
    caveats,
    check_errors,
    doubts,
    in_terms_of,
    laws_to_average,
    planned,
    read_given,
    surface_of,
    with_rival,
)
from bayes_scaling.cli.questions import Ladder, Next, Question
from bayes_scaling.errors import DecisionError
from bayes_scaling.evaluation.averaging import AveragedFit
from bayes_scaling.forecasts.targets import require_read
from bayes_scaling.inference import fit as fitting
from bayes_scaling.inference.fittable import check_size
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.law.base import Law
from bayes_scaling.models.defaults import AVERAGE
from bayes_scaling.models.recommended import fit_runs
from bayes_scaling.problems import Problems
from bayes_scaling.reporting.plan import Beyond, Plan
from bayes_scaling.study.flops import FlopRule, six_n_d
from bayes_scaling.study.reading import SAME_INPUT, column_of
from bayes_scaling.study.study import Study

__all__ = ["Asked"]


@dataclasses.dataclass(frozen=True)
class Asked:
    """A question, and what it is answered by.

    Attributes
    ----------
    question : Question
        In the words of the law.
    study : Study or None
        The runs that are fitted; None where a ladder is simulated from priors.
    name : str
        Of the law, as the command line has it.
    law : Law
        The law, with its priors.
    averaged : mapping of str to Law
        The laws that are averaged in its place, by name; none where one law decides.
    rule : FlopRule
        How FLOPs are counted.
    beyond : Beyond
        The errors beyond the fitted runs, and what further inputs are held at.
    task : str or None
        The task to decide by.
    law_named : bool
        Whether the user chose the law.
    """

    question: Question
    study: Study | None
    name: str
    law: Law
    averaged: Mapping[str, Law]
    rule: FlopRule
    beyond: Beyond
    task: str | None = None
    law_named: bool = False

    @classmethod
    def of(
        cls,
        question: Question,
        study: Study | None,
        *,
        law: str | None,
        task: str | None,
        priors: Sequence[str] | None,
        aim: Mapping[str, Any] | None,
        flops: str,
        exact: bool,
        exponent_error: float | None,
        given: str | None,
        percent: bool = False,
    ) -> Asked:
        """Choose what answers a question, and refuse before anything is fitted what cannot be answered.

        Parameters
        ----------
        question : Question
            As it was read.
        study : Study or None
            The runs, all tasks of them.
        law, task, priors, flops, exact, exponent_error, given, percent
            What the options of these names say.
        aim : mapping or None
            The run of ``--target``.

        Raises
        ------
        DecisionError, LawError, StudyError, TargetError
            The options do not suit the question, the runs or one another.
        """
        with in_file(question.files[0] if isinstance(question, Against) else ""):
            table, name, chosen = planned(study, question, law, task, priors)
        question = in_terms_of(chosen, question, table)
        averaged = laws_to_average(question, table, name, law, priors)
        question = with_rival(question, name, task, priors)
        answering = [*averaged.values()] or [chosen]
        require_read(answering, table, aim or ())
        if flops == "study" and table is None:
            raise DecisionError(
                "--flops study reads FLOPs per token off the runs of a study, and no study is given; leave it out, and "
                "FLOPs are counted as 6ND, or give a study."
            )
        rule = FlopRule.of(flops, table)
        held = read_given(given, question, answering, percent=percent)
        if isinstance(question, Next):
            held_at = {column_of(symbol): value for symbol, value in held.items()}
            question = dataclasses.replace(question, target=held_at | {**question.target})
        question.check(chosen, table, rule)
        check_errors(question, exact, exponent_error)
        if table is not None:
            check_size(chosen, table.training, *chosen.arrays(table.training))
        beyond = Beyond(not exact, exponent_error, held)
        return cls(question, table, name, chosen, averaged, rule, beyond, task, law is not None)

    def answered(self, say: Callable[[str], object], *, seed: int, allow_unconverged: bool, **sampling: Any) -> Plan:
        """Fit and decide; ``say`` is told what is being done, ``sampling`` goes to the fits.

        Raises
        ------
        ConvergenceError
            A fit did not converge.
        """
        started = time.perf_counter()
        posterior = rival = average = None
        if self.study is None:
            assert isinstance(self.question, Ladder)
            say(f"Simulating {self.question.families} families from the priors of {self.law.name} ...")
            answer, problems = self.question.simulate(self.law, self.rule), Problems()
        else:
            how = {"seed": seed, **sampling}
            posterior, average = self._fitted(self.study, say, allow_unconverged, how)
            question, rival = self._with_rival_fitted(say, allow_unconverged, how)
            say("Deciding ...")
            surface = surface_of(
                question, average or posterior, self.rule, task=self.task, seed=seed, **vars(self.beyond)
            )
            further = caveats(posterior, self.rule, law_named=self.law_named, average=average, beyond=self.beyond)
            answer = question.answer(surface).with_sentences(further)
            problems = doubts(posterior, answer, rival, average, self.beyond)
        return Plan(
            question=self.question.name,
            study=self.study.name if self.study else "",
            law=AVERAGE if average else self.name,
            flops=self._counted,
            seed=seed,
            seconds=time.perf_counter() - started,
            posterior=posterior,
            answer=answer,
            caveats=problems,
            rival=rival,
            beyond=self.beyond,
        )

    @property
    def _counted(self) -> str:
        """How FLOPs are counted, in words."""
        if "C" not in self.law.run_inputs:
            return self.rule.name
        if self.study is None:
            return "as in the table"
        return six_n_d.name if six_n_d.disagreement(self.study) <= SAME_INPUT else "as in the study"

    def _fitted(
        self, study: Study, say: Callable[[str], object], allow_unconverged: bool, how: Mapping[str, Any]
    ) -> tuple[Posterior, AveragedFit | None]:
        """Return the fit, of an average that of the law of most weight, and the average."""
        average = None
        if self.averaged:
            average = fit_runs(study, laws=self.averaged, say=say, **how)
            posterior = average.heaviest
        else:
            say(f"Fitting {self.law.name} to {study.name} ...")
            posterior = fitting.fit(self.law, study, **how)
        posterior.require_converged(allow_unconverged, override=OVERRIDE)
        return posterior, average

    def _with_rival_fitted(
        self, say: Callable[[str], object], allow_unconverged: bool, how: Mapping[str, Any]
    ) -> tuple[Question, Posterior | None]:
        """Return the question with the fit of the other table's runs, and that fit, where it speaks of such."""
        if not isinstance(self.question, Against):
            return self.question, None
        say(f"Fitting {self.law.name} to {self.question.other.name} ...")
        question = self.question.fitted(partial(fitting.fit, **how))
        assert question.rival is not None
        question.rival.require_converged(allow_unconverged, override=OVERRIDE)
        return question, question.rival
