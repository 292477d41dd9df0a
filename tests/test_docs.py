"""The pages name every public name, and their tables of priors are whole; ``make docs`` builds them."""

import importlib
import re
from pathlib import Path

import pytest

import bayes_scaling as bs
from bayes_scaling.models import LAWS
from docs import gallery, prior_tables

DOCS = Path(__file__).parent.parent / "docs"
LISTED = re.findall(r"^   bayes_scaling\.(\S+)$", "".join(p.read_text() for p in DOCS.glob("api/*.rst")), re.MULTILINE)
PUBLIC = (
    "data", "decisions.transfer", "errors", "evaluation.backtest", "evaluation.diagnose", "evaluation.sbc",
    "forecasts.scores", "inference.batch", "inference.store", "law.fields", "law.sites", "models", "models.defaults",
    "models.transfer", "models.two_step", "plots", "reporting.assessment", "study.flops", "study.pairing",
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
