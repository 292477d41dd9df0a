from __future__ import annotations

import io

from rich.console import Console

from bayes_scaling.cli.listings import law_table, plain, prior_table, study_table, unit_lines
from bayes_scaling.data import available, load_study
from bayes_scaling.models import Chinchilla, PowerLaw, TwoStep


def shown(table) -> str:
    """Return a table as a terminal of 100 columns shows it, with single spaces."""
    file = io.StringIO()
    Console(file=file, width=100).print(table)
    assert max(map(len, file.getvalue().splitlines())) <= 100
    return " ".join(file.getvalue().split())


def test_a_law_is_listed_with_inputs_outcomes_and_equation():
    said = shown(law_table({"two_step": TwoStep()}))
    assert "two_step" in said and "accuracy (fraction)" in said and "\\" not in said


def test_every_field_of_a_law_has_a_row():
    law = TwoStep()
    said = shown(prior_table(law))
    assert all(name in said for name in law.notes)
    assert "``" not in said
    changed = shown(prior_table(Chinchilla(E=1.69)))
    assert "1.69" in changed and "LogNormal" in changed


def test_a_law_in_a_column_of_the_users_choice_says_which_and_has_the_reasons_of_its_priors():
    said = shown(prior_table(PowerLaw(column="examples")))
    assert "L = E + A / C^alpha_C, where C is examples Reads examples;" in said
    assert "Follows the range of the runs" in said and "0.15 in FLOPs" not in said
    said = shown(prior_table(PowerLaw()))
    assert "where C is" not in said and "0.15 in FLOPs" in said


def test_a_law_says_what_it_reads_and_forecasts():
    assert "Reads n_params (N), tokens (D); forecasts loss (as given)" in shown(prior_table(Chinchilla()))
    assert "Reads n_params (N), tokens (D), run, task; forecasts loss (as given); accuracy" in shown(
        prior_table(TwoStep())
    )


def test_studies_say_their_rows_where_they_are_carried():
    said = shown(study_table(available()))
    assert f"olmo_ladder {len(load_study('olmo_ladder'))} " in said
    assert "Apache-2.0" in said and " yes" in said and " no" in said


def test_units_that_differ_in_brackets_alone_share_a_line():
    assert unit_lines({"N": "parameters", "loss": "nats", "c4": "nats (C4)"}) == "parameters: N\nnats: loss, c4"


def test_an_equation_without_marks():
    assert plain(r"\theta \sim N(\mu, \mathrm{spread}^2)") == "theta ~ N(mu, spread^2)"
    assert plain(r"(1 - e^{-(D / U - 1) / R})^{a_{N}}") == "(1 - e^(-(D / U - 1) / R))^a_N"
    assert plain(r"\mathrm{loss}\to E,\quad x\,y") == "loss-> E, with x y"
