"""The pages name every public name, and their tables of priors are whole; ``make docs`` builds them."""

import importlib
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.text import Text
from typer.main import get_command

import bayes_scaling as bs
from bayes_scaling.cli.app import app
from bayes_scaling.inference.fittable import refusal
from bayes_scaling.models import LAWS
from bayes_scaling.models.defaults import two_step_routes
from docs import command_tables, gallery, picture, prior_tables
from tests import worlds
from tests.pages import blocks, run_script

DOCS = Path(__file__).parent.parent / "docs"
LISTED = re.findall(r"^   bayes_scaling\.(\S+)$", "".join(p.read_text() for p in DOCS.glob("api/*.rst")), re.MULTILINE)
PUBLIC = (
    "data", "decisions.mixture", "decisions.transfer", "decisions.transfer_curves", "errors", "evaluation.backtest",
    "evaluation.cuts", "evaluation.diagnose", "evaluation.sbc", "forecasts.scores", "inference.batch",
    "inference.store", "law.fields", "law.sites", "models", "models.defaults", "models.step_law", "models.transfer",
    "models.two_step", "plots", "reporting.assessment", "study.flops", "study.pairing", "study.read_off",
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(bs.__all__) - {"data", "models", "plots"}))
def test_every_name_of_the_package_is_in_the_reference(name):
    assert name in LISTED


@pytest.mark.parametrize("module", PUBLIC)
def test_every_name_of_a_public_module_is_in_the_reference(module):
    names = importlib.import_module(f"bayes_scaling.{module}").__all__
    places = (f"{module}.", f"{module.partition('.')[0]}.", "")
    assert [n for n in names if not any(place + n in LISTED for place in places)] == []


def test_the_reference_names_nothing_twice_and_nothing_that_is_not_there():
    assert len(LISTED) == len(set(LISTED))
    for entry in LISTED:
        module, _, name = entry.rpartition(".")
        home = importlib.import_module(f"bayes_scaling.{module}" if module else "bayes_scaling")
        assert getattr(home, name) is not None


@pytest.mark.parametrize("name", LAWS)
def test_every_prior_has_a_unit_and_a_reason(name):
    rows = {row[0]: row for row in prior_tables.rows(name)}
    assert set(bs.models.defaults.law_by_name(name).priors) <= rows.keys()
    assert all(all(row) for row in rows.values())


def test_a_table_shows_defaults_that_hold():
    rows = {row[0]: row for row in prior_tables.rows("transfer")}
    assert rows["worth"][1:4] == ("multiple of D_F0", "LogNormal(loc=0, scale=1.5)", "1 (0.085 to 12)")
    assert rows["head"][2:4] == ("0", "fixed")  # taken over from Scratch
    assert "guessing" in rows["head"][4]


def test_the_examples_of_choosing_priors_hold():
    page = (DOCS / "choosing_priors.md").read_text(encoding="utf-8")
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], {})


def test_every_notebook_is_in_the_gallery():
    assert set(gallery.questions()) == {p.stem for p in (DOCS.parent / "notebooks").glob("*.ipynb")}


@pytest.mark.parametrize(("name", "command"), command_tables.commands().items(), ids=command_tables.commands())
def test_the_tables_of_the_command_line_are_what_help_says(name, command):
    known = [p for p in get_command(app).commands[name].params if p.name != "help"]
    tables = list(command_tables.options(command))
    assert [set(o.name.split(", ")) for o in tables if not o.argument] == [
        set(p.opts) for p in known if p.param_type_name == "option"
    ]
    assert [(o.about, o.default == "must be given") for o in tables] == [(p.help, p.required) for p in known]


def test_the_page_of_the_command_line_names_every_command():
    page = (DOCS / "command_line.md").read_text(encoding="utf-8")
    assert set(command_tables.commands()) == set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))


def test_a_table_of_options_shows_what_each_takes():
    rows = {o.name: o for o in command_tables.options(command_tables.commands()["plan"])}
    assert rows["--prob"][1:3] == ("text", "0.9") and rows["--next"].takes == "path"
    assert rows["--spend"].takes == rows["--exponent-error"].takes == "text"  # numbers as they are written elsewhere
    assert rows["--draws"][1:3] == ("whole number", "1000") and rows["--quiet, -q"].takes == "nothing"
    assert rows["STUDY_OR_FILE"].argument and rows["--map"].takes == "text"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "printed"),
    [
        ("numpyro", ["'N0': ()", "loss dist 20", "['sigma', 'E', 'reducible', 'split', 'alpha_N', 'alpha_D']"]),
        ("arviz", ["alpha_N", "'derived', 'log_likelihood'", "elpd_loo"]),
        (
            "own_tables",
            ["5 5", "run 'b' (row 2)", "['a (seed 0)', 'a (seed 1)', 'b']", "'PIQA', 'SQuAD'", "few-runs"],
        ),
        ("choosing_priors", ["sensitivity"]),
        ("honest_intervals", []),
        ("batches", ["Batch(4 studies: 4 converged)", "Batch(8 studies: 8 converged)"]),
    ],
)
def test_the_examples_of_a_page_run_as_scripts(page, printed, tmp_path):
    found = blocks(DOCS / f"{page}.md")
    alone = [block for block in found if "__main__" in block]
    scripts = ["\n".join(block for block in found if block not in alone), *alone]
    said = "".join(run_script(script, tmp_path) for script in scripts)
    assert [text for text in printed if text not in said] == []


def test_the_wide_table_of_the_guide_has_enough_runs_for_the_fit_that_is_advised():
    (block,) = (block for block in blocks(DOCS / "own_tables.md") if "wide = " in block)
    names = {"pd": pd, "bs": bs}
    exec(block, names)
    (law,) = two_step_routes(names["tasks"])
    assert refusal(law, names["tasks"]) is None


def test_every_page_is_in_the_contents():
    contents = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^([\w/]+)$", contents, re.MULTILINE))
    assert {p.stem for p in DOCS.glob("*.md")} - {"index"} <= listed


def test_the_landing_picture_can_be_read_on_a_phone():
    posterior = worlds.ladder(count=60)
    forecast = posterior.forecast([{"target": "3B", "N": 3e9, "D": 1e12}, {"target": "7B", "N": 7e9, "D": 4e12}])
    known = forecast.draws["accuracy_mean"].median("sample")
    forecast.actual["accuracy"][:] = known.transpose(*forecast.actual["accuracy"].dims)
    figure = picture.draw(bs.forecast_path(posterior, forecast), "one")
    said = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    pixels = [text.get_fontsize() * 390 / (72 * figure.get_figwidth()) for text in said]
    assert min(pixels) > 7 and "4 of 4 outcomes inside the 90 % interval" in [text.get_text() for text in said]
    plt.close("all")


def test_wide_tables_scroll_by_themselves():
    style = (DOCS / "_static" / "wide.css").read_text(encoding="utf-8")
    rule = re.search(r"([^{}]*)\{[^{}]*overflow-x: auto;", re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL))[1]
    assert {"div.cell_output", ".table-wrapper", "div.math"} <= {one.strip() for one in rule.split(",")}
