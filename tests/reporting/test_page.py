import dataclasses
import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling import files
from bayes_scaling.errors import ComparisonError, ConvergenceError, FileError
from bayes_scaling.evaluation.averaging import AveragedForecast
from bayes_scaling.forecasts.mixing import average
from bayes_scaling.problems import Problem, Problems
from bayes_scaling.reporting.assessment import Assessment
from bayes_scaling.reporting.page import write_report
from bayes_scaling.reporting.result import Result
from tests import worlds

TARGET = {"N": 7e9, "D": 4e12}
EVIL = "<script>alert('x')</script>"
VOID = {"meta", "img", "br", "mspace"}


class Page(HTMLParser):
    """A page as a flat list of tags with their attributes, its text and its headings."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words, self.headings = [], [], [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)
        if "h2" in self.open:
            self.headings.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def converged(posterior, **changes):
    return dataclasses.replace(
        posterior, diagnostics=dataclasses.replace(worlds.GOOD, draws=posterior.diagnostics.draws), **changes
    )


@pytest.fixture(scope="module")
def path(simulated_fit, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "new" / "report.html"
    assert converged(simulated_fit).report(path, TARGET) == path
    return path


@pytest.fixture(scope="module")
def page(path):
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def hostile(simulated_fit, tmp_path_factory):
    """A report whose every word from a user is an attack; two fits, and known outcomes of more runs than cards hold."""
    card = bs.Card(
        **{name: f'{name}"{EVIL}' for name in ("name", "title", "licence", "citation", "notes", "tokeniser")}
    )
    card = dataclasses.replace(card, source="javascript:alert(1)", units={"loss": EVIL})
    posterior = converged(simulated_fit, study=bs.Study(simulated_fit.study.frame, card))
    targets = [{"target": f"{EVIL}{i}", "N": 1e9 * i, "D": 4e12, "loss": 2.2} for i in range(1, 6)]
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    posterior.report(path, targets, others={EVIL: posterior})
    return Page(path.read_text(encoding="utf-8"))


def test_the_answer_comes_first(page, simulated_fit):
    row = simulated_fit.forecast(TARGET, allow_unconverged=True).intervals().iloc[0]
    first = page.text.partition("Question")[0]
    assert "Loss of N=7e+09, D=4e+12" in first and "Chinchilla from 16 runs of simulated" in first
    assert f"{row['median']:.3f} " in first and "nats" not in first
    assert f"90 %: {row['q05']:.3f} to {row['q95']:.3f}" in first and f"50 %: {row['q25']:.3f} to" in first
    assert "Distance: 547 ×" in first and "Sampling converged" in first


def test_each_section_says_what_it_promises(page, simulated_fit):
    assert page.headings == [
        "Forecast", "Question", "Law and priors", "Data", "Diagnostics", "Comparison", "Caveats", "Provenance",
    ]  # fmt: skip
    for words in (
        "N (parameters)", "D (tokens)", "547 ×",
        "nine tenths between 0.23 and 0.40", "contraction",
        "1e+08 to 8e+08", "without a card",
        "R-hat (at most 1.01)", "E-BFMI",
        "law alone", "law and discrepancy",
        "its interval is widened for that by a rule of thumb", "a change of prompt",
        simulated_fit.tree.attrs["checksum"], json.loads(simulated_fit.tree.attrs["versions"])["numpyro"],
        "bs.fit(law, study, seed=0).report('report.html', targets)",
    ):  # fmt: skip
        assert words in page.text, words
    assert len(page.all("math")) == 2 + 2 + 7  # equation, likelihood, constants, priors
    assert [bool(img["alt"]) for img in page.all("img")] == [True, True]
    assert page.open == []


def test_the_page_loads_nothing(path, page, hostile):
    for one in (page, hostile):
        names = {tag for tag, _ in one.tags}
        assert not names & {"script", "link", "iframe", "object", "embed", "base", "form", "svg"}
        for tag, attributes in one.tags:
            assert not any(name.startswith("on") for name in attributes)
            assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
            assert tag == "a" or "href" not in attributes
            assert attributes.get("href", "#").startswith(("#", "https://"))
    assert not re.search(r"url\(|@import", path.read_text(encoding="utf-8"))
    assert any("default-src 'none'" in meta.get("content", "") for meta in page.all("meta"))


def test_what_a_user_wrote_is_shown_and_never_run(hostile):
    for words in ("title", "licence", "citation", "notes", "tokeniser"):
        assert f'{words}"{EVIL}' in hostile.text
    assert f"{EVIL}3" in hostile.text and "javascript:alert(1)" in hostile.text
    assert hostile.open == []


def test_many_answers_are_a_table_and_fits_are_compared(hostile):
    assert "of 5 inside the 90 % interval" in hostile.text
    assert {"class": "matrix"} in hostile.all("table")
    assert "LOO: difference" in hostile.text and "+0.0 ± 0.0" in hostile.text


def test_tasks_come_in_the_order_of_the_study_and_their_mean_last(tmp_path):
    targets = [{**TARGET, "target": "7B"}, {**TARGET, "target": "13B", "N": 1.3e10}]
    worlds.ladder(count=60).report(tmp_path / "report.html", targets)
    first = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text.partition("Question")[0]
    assert first.index(" one ") < first.index(" two ") < first.index(" mean of 2 ")


def test_a_mixture_says_so_and_shows_its_parts(simulated_fit, tmp_path):
    fits = (converged(simulated_fit), converged(simulated_fit))
    forecast = average([fit.forecast(TARGET) for fit in fits])
    result = Result.of(simulated_fit.study, "chinchilla", fits, forecast, seed=0, seconds=1.0)
    write_report(Assessment.of(result), tmp_path / "report.html")
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "equal mixture of 2 fits" in text and "this report Chinchilla (1) Chinchilla (2)" in text
    assert "What the runs taught Chinchilla (2)" in text and "LOO: difference" in text


def test_an_average_shows_priors_and_check_of_every_law(simulated_fit, tmp_path):
    fits = {name: converged(simulated_fit) for name in ("narrow", "wide")}
    forecast = average([fit.forecast(TARGET) for fit in fits.values()])
    own = {field.name: getattr(forecast, field.name) for field in dataclasses.fields(forecast)}
    weights = pd.Series({"narrow": 0.6, "wide": 0.4})
    averaged = AveragedForecast(**own, weights=weights, posteriors=fits)
    result = Result.of(simulated_fit.study, "average", list(fits.values()), averaged, seed=0, seconds=1.0)
    write_report(Assessment.of(result), tmp_path / "report.html")
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    _, first, second = re.split(r"(?:narrow|wide) \(Chinchilla\)", text.partition("Law and priors")[2])
    assert "Its textbook constants follow" in first and "nine tenths between 0.23 and 0.40" in first
    assert "The equation of narrow, with priors and settings of its own." in second
    assert "nine tenths between 0.23 and 0.40" in second
    assert "Its textbook constants follow" not in second
    assert all(f"Predictive intervals of the fitted runs by {name}" in text for name in fits)


def test_fits_of_other_outcomes_are_shown_side_by_side_with_the_reason(simulated_fit, tmp_path):
    tree = simulated_fit.tree.copy()
    tree["observed_data"] = tree["observed_data"].dataset * 1.1
    posterior, other = converged(simulated_fit), converged(simulated_fit, tree=tree)
    posterior.report(tmp_path / "report.html", TARGET, others=[other])
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "cannot be compared" in text and "Median and 90 % interval by fit" in text


def test_what_was_done_in_reading_is_said_and_runs_are_not_of_runs(simulated_fit, tmp_path):
    study = dataclasses.replace(
        simulated_fit.study, card=bs.Card("runs"), remarks=("1 of 17 rows was left out <b>there</b>.",)
    )
    converged(simulated_fit, study=study).report(tmp_path / "one.html", TARGET)
    text = Page((tmp_path / "one.html").read_text(encoding="utf-8")).text
    assert "1 of 17 rows was left out <b>there</b>." in text
    assert "from 16 runs" in text and "runs of runs" not in text


def test_it_is_made_for_a_phone_and_for_paper(path, page):
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    assert "@media print" in path.read_text(encoding="utf-8")


def test_an_unconverged_fit_is_refused_or_said_first(simulated_fit, tmp_path):
    bad = dataclasses.replace(simulated_fit, diagnostics=dataclasses.replace(worlds.GOOD, max_rhat=1.5))
    with pytest.raises(ConvergenceError, match="R-hat"):
        bad.report(tmp_path / "report.html", TARGET)
    with pytest.raises(ConvergenceError, match="R-hat"):
        converged(simulated_fit).report(tmp_path / "report.html", TARGET, others={"bad": bad})
    with pytest.raises(ComparisonError, match="3 is given where a fit is compared; give posteriors by name"):
        converged(simulated_fit).report(tmp_path / "report.html", TARGET, others={"three": 3})
    assert not list(tmp_path.iterdir())
    bad.report(tmp_path / "report.html", TARGET, allow_unconverged=True)
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert text.index("NOT CONVERGED") < text.index("90 %") and "R-hat of E is 1.500" in text


def test_a_fit_to_compare_with_that_did_not_converge_is_named_and_the_forecast_is_not_blamed(simulated_fit, tmp_path):
    failed = dataclasses.replace(simulated_fit, diagnostics=dataclasses.replace(worlds.GOOD, max_rhat=2.0))
    path = tmp_path / "others.html"
    converged(simulated_fit).report(path, TARGET, others={"Rival": failed}, allow_unconverged=True)
    page = Page(path.read_text())
    assert "NOT CONVERGED" not in page.text and "Sampling converged" in page.text
    assert "Rival, for comparison, did not converge : see diagnostics" in page.text


def test_an_interval_that_nothing_widens_is_said_to_be_that_of_the_law(simulated_fit, tmp_path):
    for law, said in ((simulated_fit.law, True), (simulated_fit.law.replace(discrepancy=0.0), False)):
        path = tmp_path / "page.html"
        dataclasses.replace(converged(simulated_fit), law=law).report(path, TARGET)
        text = Page(path.read_text()).text
        assert ("It widens with distance by the discrepancy" in text) == said
        assert ("It is that of the law as if exact" in text) != said
        assert ("is not widened for that" in text) != said


def test_what_speaks_against_it_is_one_list_the_worst_first(simulated_fit, tmp_path):
    few, far, apart, units = (
        Problem(code, f"Here is {code}", "mend it", 1.0, severe=code == "rhat")
        for code in ("few-runs", "far-target", "rhat", "units")
    )
    forecast = simulated_fit.forecast(TARGET, allow_unconverged=True)
    made = Result.of(simulated_fit.study, "chinchilla", [simulated_fit], forecast, seed=0, seconds=1.0)
    result = dataclasses.replace(made, design=Problems([few, far, units]), problems={"Chinchilla": Problems([apart])})
    write_report(Assessment.of(result), tmp_path / "report.html")
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    listed = text.rpartition("Caveats")[2]
    assert re.findall(r"Here is ([\w-]+) ?: mend it\.", listed) == ["rhat", "units", "far-target", "few-runs"]
    assert text.count("mend it") == 4 and "4 things speak against this forecast" in text


def test_a_path_that_cannot_be_written_is_one_sentence(simulated_fit, tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(FileError, match="is a folder"):
        simulated_fit.report(tmp_path, TARGET)
    with pytest.raises(FileError, match="is a file"):
        simulated_fit.report(tmp_path / "file" / "report.html", TARGET)


def test_a_full_disk_leaves_the_old_page(simulated_fit, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    path = tmp_path / "report.html"
    path.write_text("old")
    forecast = simulated_fit.forecast(TARGET, allow_unconverged=True)
    result = Result.of(simulated_fit.study, "chinchilla", [simulated_fit], forecast, seed=0, seconds=1.0)
    assessment = Assessment.of(result)
    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(FileError, match="No space left"):
        write_report(assessment, path)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


# -- in a browser ---------------------------------------------------------------------------------------------------

MEASURE = """<!DOCTYPE html><body style="margin: 0"><iframe srcdoc="{page}" style="border: 0; width: {width}px;
height: 900px"></iframe><p id="found"></p><script>onload = () => {{
const root = document.querySelector("iframe").contentDocument.documentElement;
document.getElementById("found").textContent = "widths " + root.scrollWidth + " " + root.clientWidth; }}</script>"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1200], ids=["phone", "desktop"])
def test_a_browser_shows_the_page_without_scrolling_sideways(width, path, tmp_path):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no chromium, chromium-browser or google-chrome is installed")
    frame = tmp_path / "frame.html"  # a window cannot be as narrow as a phone, a frame can
    frame.write_text(MEASURE.format(page=html.escape(path.read_text(encoding="utf-8")), width=width), encoding="utf-8")
    quiet = ["gpu", "quic", "background-networking", "component-update", "sync"]
    options = ["--headless", "--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    options += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={max(width, 500)},950"]
    command = [chromium, *options, "--dump-dom", f"--screenshot={tmp_path / 'page.png'}", frame.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    needed, given = map(int, re.search(r"widths (\d+) (\d+)", done.stdout).groups())
    assert needed == given <= width
    picture = (tmp_path / "page.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and np.frombuffer(picture, np.uint8).size > 10_000
