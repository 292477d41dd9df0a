"""What pre-training is worth: coverage on simulated studies, the image table, fine-tuning of language models.

The rule, stated before any held-out cell was scored with this law (an earlier one had been: last paragraph):

* Structure of the image law: the candidate with the highest evidence (Laplace's) on the cells up to 10 % of the data
  without ResNet-152, in units of the error.  Against the law as it stands, evidence falls by 67 where -log accuracy
  falls instead of the error, by 22 without the free turn, by 32 where models do not differ beside their size, by 3
  where size multiplies the data instead of the exponent (by 21 where the models' own deviations do so too), and by 2
  without a floor.
* Floor of the image law: of priors around a third, a fifth and a tenth of the error at the centre (``FLOORS``), the one
  with the smallest error in all backtests together: a tenth.  Scatter between models: the smallest of 0.05, 0.1 and 0.2
  with which backtests that leave ResNet-18, 34 or 101 out cover at least 90 %: 0.05.  (ResNet-50 alone has more than
  two fractions: without it there is no data curve to fit.)
* For the fine-tuning curves, the prior with the smallest error of the mode in backtests inside the training sizes.
* Discrepancy: the smallest of ``SCALES`` with which the 90 % intervals of the backtests along the data, all together,
  cover at least 90 %.  Those of images fit the fractions up to 2, 4 and 7 % and forecast the larger ones of ResNet-50
  up to 10 %; the curves' fit the sizes up to 12,800, 25,600, 102,400 and 204,800 and forecast 16 and 2 times as many
  examples.

A law whose size term adds to the scarcity of data had been fitted before, and no forecast of the larger fractions was
inside its intervals.  It was replaced for what the backtests say of it: leaving ResNet-18 out, it is off by 28 points.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import numpyro.distributions as dist
import pandas as pd
from scipy.optimize import least_squares

import bayes_scaling as bs
from bayes_scaling.law.priors import LogitNormal
from bayes_scaling.models import FadingTransfer, PretrainingSize, Rectified, Transfer
from bayes_scaling.models.transfer import PUBLISHED
from benchmarks import text_to_python
from benchmarks.discrepancies import smallest

FLOORS = {"third": -0.7, "fifth": -1.4, "tenth": -2.2}  # centres of the prior, as logits
SEEDS = 20
REPORT = Path(__file__).parent / "results" / "transfer.md"


def figures() -> dict[str, float]:
    """Measure everything, print and store the table, return flat figures."""
    found = {**simulated(), **fading(), **image(), **fine_tuning(), **text_to_python.figures()}
    text = "\n".join(["| figure | value |", "|---|---|", *(f"| `{k}` | {v:.4g} |" for k, v in found.items())])
    rule = __doc__.partition("\n\n")[2]
    print(text)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(
        f"# Transfer\n\n{rule}\n{text}\n",
        encoding="utf-8",
    )
    return found


# -- simulated studies ------------------------------------------------------------------------------------------------


def simulated(seeds: int = SEEDS) -> dict[str, float]:
    """Fit studies drawn from the published constants, at sizes like the paper's; count what the intervals cover."""
    sizes, data = np.geomspace(1e5, 1e9, 9), np.geomspace(3e5, 3e9, 8)
    grid = pd.DataFrame(
        [(n, d, arm) for arm in (0, 1) for n in sizes for d in data], columns=["N", "D_F", "pretrained"]
    )
    law = Transfer(floor=0.0)
    constants = {**law.published, "sigma": 0.005}  # reruns of equal inputs differ by about half a per cent
    studies = [bs.simulate(law, grid, constants, seed=s) for s in range(seeds)]
    batch = bs.fit_many(law, studies, seed=0, draws=500, chunk=4, progress=False)
    truth = PUBLISHED["text_to_python"]._asdict()
    found = {"sim_seeds": float(seeds), "sim_converged": float(len(batch.posteriors))}
    draws = [member.posterior.draws for member in batch if member.posterior is not None]
    for name, true in truth.items():
        ranges = np.array([np.quantile(d[name], [0.05, 0.95]) for d in draws])
        found[f"sim_cover90_{name}"] = float(((ranges[:, 0] <= true) & (true <= ranges[:, 1])).sum())
        if name != "k":
            errors = np.array([d[name].mean() / true - 1 for d in draws])
            found |= {f"sim_bias_{name}": float(errors.mean()), f"sim_largest_error_{name}": float(abs(errors).max())}
    return found


# -- the image table --------------------------------------------------------------------------------------------------


OWN = "model == 'resnet50'"  # the one model with more than two fractions
LOW = "finetune_fraction <= 0.1"
TESTS = {
    "fractions": (LOW, f"{OWN} and finetune_fraction in (0.16, 0.32, 0.64)"),
    "r152": (f"{LOW} and model != 'resnet152'", "model == 'resnet152'"),
}


def image() -> dict[str, float]:
    """Forecast larger fine-tuning fractions of ResNet-50, and ResNet-152 from the smaller models."""
    table = bs.load_study("cg_transfer")
    inside = table.select(f"{LOW} and model != 'resnet152'")  # what backtests may see
    splits = {
        "sizes": [(f"finetune_fraction <= {c}", f"{OWN} and finetune_fraction > {c}") for c in (0.02, 0.04, 0.07)],
        "models": [(f"model != '{m}'", f"model == '{m}'") for m in ("resnet18", "resnet34", "resnet101")],
    }

    def past(law: bs.Law, kind: str) -> list[tuple[bs.Posterior, bs.Study]]:
        return [(_fit(law, inside.select(a)), inside.select(b)) for a, b in splits[kind]]

    def scored(fits: list[tuple[bs.Posterior, bs.Study]], scale: float) -> pd.DataFrame:
        return pd.concat([_scored(posterior, held, scale) for posterior, held in fits])

    found = {}
    for name, centre in FLOORS.items():
        law = PretrainingSize(floor=LogitNormal(centre, 1.0))
        scores = scored(past(law, "sizes") + past(law, "models"), 0.0)
        found[f"image_backtest_floor_{name}_mae_points"] = _points(scores)["mae_points"]
    law = PretrainingSize()
    fits = {kind: past(law, kind) for kind in splits}
    scale = smallest(lambda s: scored(fits["sizes"], s)["in90"].to_numpy())
    found["image_discrepancy"] = scale
    for kind, ours in fits.items():
        scores = scored(ours, scale)
        found[f"image_backtest_{kind}_cover90"] = float(scores["in90"].mean())
        found[f"image_backtest_{kind}_mae_points"] = _points(scores)["mae_points"]
    kept = []
    for name, (train, test) in TESTS.items():
        fitted, held = table.select(train), table.select(test)
        scores = _scored(_fit(law, fitted), held, scale)
        scores["plain"] = _interpolated(
            fitted.frame, held.frame, "finetune_data" if name == "fractions" else "n_params"
        )
        scores["pure"] = _pure(fitted, held)
        kept.append(scores)
        found[f"image_{name}_cover90"] = float(scores["in90"].mean())
        found[f"image_{name}_width90_points"] = 100 * float(scores["width"].mean())
        found |= {f"image_{name}_{k}": v for k, v in _points(scores).items()}
    everything = pd.concat(kept)
    found["image_cover90"] = float(everything["in90"].mean())
    return found | {f"image_{k}": v for k, v in _points(everything).items()}


def _points(scores: pd.DataFrame) -> dict[str, float]:
    columns = {"mae_points": "median", "mae_points_interpolation": "plain", "mae_points_power_law": "pure"}
    known = {name: c for name, c in columns.items() if c in scores}
    return {name: 100 * float((scores[c] - scores["actual"]).abs().mean()) for name, c in known.items()}


def _fit(law: bs.Law, study: bs.Study) -> bs.Posterior:
    posterior = bs.fit(law, study, seed=0, draws=1000, adapt=True)  # the mode says little of how low a floor may be
    if not posterior.diagnostics.converged:
        print(f"not converged: {' '.join(map(str, posterior.diagnostics.problems()))}")
    return posterior


def _scored(posterior: bs.Posterior, held: bs.Study, scale: float) -> pd.DataFrame:
    """Return median, coverage and width of the 90 % interval, and outcome of each held-out cell."""
    posterior = dataclasses.replace(posterior, law=posterior.law.replace(discrepancy=scale))
    forecast = posterior.forecast(held, allow_unconverged=True)
    low, median, high = np.quantile(forecast.draws["error_run"].to_numpy(), [0.05, 0.5, 0.95], axis=0)
    actual = held.column("error")
    return pd.DataFrame(
        {"median": median, "actual": actual, "in90": (low <= actual) & (actual <= high), "width": high - low}
    )


def _pure(fitted: bs.Study, held: bs.Study) -> np.ndarray:
    """Forecast each cell by the pure power law of transfer: one fit for each pre-training size."""
    amounts = [a for a in sorted(fitted.frame["pretrain_data"].unique()) if a > 0]
    batch = bs.fit_many(for_images(Transfer()), [arms(fitted, a) for a in amounts], seed=0, draws=300, progress=False)
    result = np.full(len(held), np.nan)
    for amount, member in zip(amounts, batch, strict=True):
        assert member.posterior is not None, member.error
        wanted = held.frame["pretrain_data"].isin([0, amount]).to_numpy()
        targets = arms(held, amount).frame.drop(columns="loss")
        forecast = member.posterior.forecast(targets, allow_unconverged=True)
        result[wanted] = -np.expm1(-np.median(forecast.draws["loss_run"], axis=0))
    return result


def for_images(law: bs.Law) -> bs.Law:
    """Return a law of transfer with priors for -log accuracy: a steeper fall, which starts near guessing."""
    fall = dist.LogNormal(math.log(0.5), 0.5)
    start = {"head": dist.LogNormal(math.log(0.3), 1.0), "turn": dist.LogNormal(math.log(1.5), 0.5)}
    return law.replace(alpha_N=fall, alpha_D=fall, **start)


def arms(study: bs.Study, amount: float) -> bs.Study:
    """Return the runs from scratch and from one amount of pre-training, as two arms."""
    chosen = study.select(pretrain_data=[0, amount])
    frame = chosen.frame.assign(pretrained=(chosen.frame["pretrain_data"] > 0).astype(float))
    card = dataclasses.replace(study.card, name=f"{amount:.0f} images")
    return bs.Study.from_frame(frame.drop(columns="pretrain_data"), card=card)


def _interpolated(fitted: pd.DataFrame, held: pd.DataFrame, along: str) -> np.ndarray:
    """Continue each curve by a straight line through its last three points, error against ``along``, both logged."""
    other = "n_params" if along == "finetune_data" else "finetune_data"
    result = []
    for _, row in held.iterrows():
        near = fitted[(fitted["pretrain_data"] == row["pretrain_data"]) & (fitted[other] == row[other])]
        near = near.sort_values(along).tail(3)
        line = np.polyfit(np.log(near[along]), np.log(near["error"]), 1)
        result.append(np.exp(np.polyval(line, np.log(row[along]))))
    return np.array(result)


# -- does transfer fade? ----------------------------------------------------------------------------------------------


def fading() -> dict[str, float]:
    """Compare the law whose transfer fades with the pure power law: by LOO on the fitted cells, and by held-out cells.

    Once where the truth fades (simulated, ossification 0.3, fitted up to 1e8 characters, held out beyond) and once on
    classifiers from scratch and from 64,000 synthetic images (fitted up to 10 % of the data, held out 16 to 64 %).
    """
    sizes, data = np.geomspace(1e5, 1e9, 9), np.geomspace(3e5, 3e9, 8)
    grid = pd.DataFrame(
        [(n, d, arm) for arm in (0, 1) for n in sizes for d in data], columns=["N", "D_F", "pretrained"]
    )
    truth = {**Transfer.published, "half": 0.5, "ossification": 0.3, "sigma": 0.005}
    world = bs.simulate(FadingTransfer(floor=0.0), grid, truth, seed=0)
    images = arms(bs.load_study("cg_transfer"), 64_000)
    cases = {
        "simulated": (
            Transfer(floor=0.0),
            FadingTransfer(floor=0.0),
            world,
            "finetune_data <= 1e8",
            "finetune_data > 1e8",
        ),
        "images": (for_images(Transfer()), for_images(FadingTransfer()), images, *TESTS["fractions"]),
    }
    found = {}
    for name, (pure, fades, study, train, test) in cases.items():
        held = study.select(test)
        fits = {law.name: bs.fit(law, study.select(train), seed=0, draws=500) for law in (pure, fades)}
        table = bs.compare(fits, allow_unconverged=True)
        found[f"fading_{name}_elpd_gain"] = float(table["elpd_loo"]["FadingTransfer"] - table["elpd_loo"]["Transfer"])
        found[f"fading_{name}_elpd_gain_se"] = float(table["se_diff_loo"].max())
        for label, posterior in fits.items():
            scores = posterior.forecast(held, allow_unconverged=True).score()
            short = "pure" if label == "Transfer" else "fades"
            found[f"fading_{name}_mape_{short}"] = 100 * float(scores["relative_error"].abs().mean())
            found[f"fading_{name}_cover90_{short}"] = float(scores["in90"].mean())
    return found


# -- fine-tuning of language models -----------------------------------------------------------------------------------


def fine_tuning() -> dict[str, float]:
    """Forecast the loss at 819,200 examples for 42 curves, from all smaller sizes and from a sixteenth."""
    study = bs.load_study("rectified_sft", full=True, progress=False)
    curves = [study.select(task=t) for t in study.tasks]
    past = [
        (fit_curves(curves, a), a, b)
        for a, b in ((12_800, 204_800), (25_600, 409_600), (102_400, 204_800), (204_800, 409_600))
    ]
    scale = smallest(lambda s: np.concatenate([curve_scores(p, curves, b, s)["in90"] for p, _, b in past]))
    found = {"sft_discrepancy": scale}
    for name, cut in (("sft", 409_600), ("sft16", 51_200)):
        scores = curve_scores(fit_curves(curves, cut), curves, 819_200, scale)
        squares = np.array([rectified_by_least_squares(c.frame, cut, 819_200) for c in curves])
        found[f"{name}_mape"] = 100 * float((scores["median"] / scores["actual"] - 1).abs().mean())
        found[f"{name}_mape_ls"] = 100 * float(np.abs(squares / scores["actual"] - 1).mean())
        found[f"{name}_cover90"] = float(scores["in90"].sum())
        found[f"{name}_width90"] = 100 * float((scores["width"] / scores["actual"]).mean())
    return found


def fit_curves(curves: list[bs.Study], largest: float) -> list[bs.Posterior]:
    """Fit each curve up to a fine-tuning size."""
    parts = [bs.Study(c.frame[c.frame["finetune_data"] <= largest].reset_index(drop=True), c.card) for c in curves]
    batch = bs.fit_many(Rectified(), parts, seed=0, progress=False)
    flagged = [m.problem for m in batch.flagged]
    if flagged:
        print(f"{len(flagged)} of {len(batch)} curves up to {largest:,} are not converged: {flagged[0]}")
    return [m.posterior for m in batch if m.posterior is not None]


def curve_scores(posteriors: list[bs.Posterior], curves: list[bs.Study], size: float, scale: float) -> pd.DataFrame:
    """Score the forecasts of each curve at one fine-tuning size."""
    rows = []
    for posterior, curve in zip(posteriors, curves, strict=True):
        fitted = dataclasses.replace(posterior, law=posterior.law.replace(discrepancy=scale))
        target = curve.select(f"finetune_data == {size}")
        forecast = fitted.forecast(target, allow_unconverged=True)
        low, median, high = np.quantile(forecast.draws["loss_run"].to_numpy()[:, 0], [0.05, 0.5, 0.95])
        actual = float(target.column("loss")[0])
        rows.append({"median": median, "actual": actual, "in90": low <= actual <= high, "width": high - low})
    return pd.DataFrame(rows)


def rectified_by_least_squares(frame: pd.DataFrame, largest: float, size: float, starts: int = 40) -> float:
    """Return the forecast of the rectified law fitted by least squares on log loss, best of many starts."""
    near = frame[frame["finetune_data"] <= largest]
    data, log_loss = near["finetune_data"].to_numpy(dtype=float), np.log(near["loss"].to_numpy(dtype=float))
    rng = np.random.default_rng(0)

    def curve(z: np.ndarray, at: np.ndarray) -> np.ndarray:
        log_b, log_l, log_beta, log_e = z
        return np.logaddexp(log_b - np.logaddexp(log_l, np.exp(log_beta) * np.log(at)), log_e)

    best, height = None, np.inf
    for _ in range(starts):
        start = rng.normal([5.0, 5.0, np.log(0.5), np.log(0.7)], [3.0, 3.0, 0.5, 1.0])
        residuals = lambda z: np.nan_to_num(curve(z, data) - log_loss, nan=1e3, posinf=1e3, neginf=-1e3)  # noqa: E731
        found = least_squares(residuals, start, bounds=([-10, -20, -4, -12], [60, 60, 1.5, 3]))
        if found.cost < height:
            best, height = found.x, found.cost
    assert best is not None
    return float(np.exp(curve(best, np.array([size])))[0])
