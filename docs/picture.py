"""The picture at the top of the README, from the posteriors of ``make forecast``: ``make picture``."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

import bayes_scaling as bs
from bayes_scaling import plots
from bayes_scaling.forecasts.display import short
from bayes_scaling.models.two_step import routes
from bayes_scaling.plots.style import house_style

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
TASK = "MMLU"
SIDE = 5.2  # inches: a phone of 390 pixels shows its letters at eight tenths of their size


def main() -> None:
    """Draw one task along the compute and, below it, all tasks at the two targets: narrow, so that a phone shows it."""
    study = bs.load_study("olmo_ladder")
    posteriors = [bs.Posterior.load(RESULTS / f"posterior_{law.feature}.nc", law, study) for law in routes()]
    forecast = bs.average([p.forecast(study.targets) for p in posteriors], seed=posteriors[0].seed)
    figure = draw(bs.forecast_path(posteriors, forecast), TASK)
    figure.savefig(HERE / "_static" / "forecast.png", dpi=150)


@house_style
def draw(path: bs.ForecastPath, task: str) -> Figure:
    """Return the picture: the chain of one task above the forest of all."""
    forecast = path.targets
    scores = forecast.score()
    inside = scores.loc[scores["quantity"] == "accuracy", "in90"]
    sizes = path.posteriors[0].study.runs["n_params"]
    steps = plt.figure().subplots(1, 2)  # the two steps that lead to the chain, not shown
    figure, (chain, forest) = plt.subplots(2, 1, figsize=(SIDE, 1.55 * SIDE), height_ratios=(1, 1.5))
    plots.plot_ladder(path, task, [*steps, chain])
    plots.plot_forest(forecast, ax=forest)
    far = " and ".join(f"{distance:.0f}" for distance in forecast.targets["distance"])
    chain.set_title(f"{task}, forecast from {len(sizes)} small runs", pad=20)
    words = (
        (f"fitted: {short(sizes.min())}\nto {short(sizes.max())} parameters", (0.04, 0.42)),
        (f"forecast: {far}\ntimes the compute", (0.5, 0.08)),
    )
    for said, place in words:
        chain.annotate(said, place, xycoords="axes fraction", fontsize=9)
    forest.set_title(f"{inside.sum()} of {len(inside)} outcomes inside the 90 % interval", pad=34)
    return figure


if __name__ == "__main__":
    main()
