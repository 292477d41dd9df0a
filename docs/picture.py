"""The picture at the top of the README, from the posteriors of ``make forecast``: ``make picture``."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt

import bayes_scaling as bs
from bayes_scaling import plots
from bayes_scaling.models.two_step import routes

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
TASK = "MMLU"


def main() -> None:
    """Draw one task along the compute, and all tasks at the two targets."""
    study = bs.load_study("olmo_ladder")
    posteriors = [bs.Posterior.load(RESULTS / f"posterior_{law.feature}.nc", law, study) for law in routes()]
    forecast = bs.average([p.forecast(study.targets) for p in posteriors], seed=posteriors[0].seed)
    scores = forecast.score()
    runs = study.training.frame["run"].nunique()
    inside = scores.loc[scores["quantity"] == "accuracy", "in90"]
    with plt.style.context(str(plots.STYLE)):
        steps = plt.figure().subplots(1, 2)  # the two steps that lead to the chain, not shown
        figure, (chain, forest) = plt.subplots(1, 2, figsize=(10.5, 4.6), width_ratios=(1, 1.15))
        plots.plot_ladder(posteriors, forecast, TASK, [*steps, chain])
        plots.plot_forest(forecast, ax=forest)
        far = " and ".join(f"{distance:.0f}" for distance in forecast.targets["distance"])
        chain.set_title(f"{TASK}, forecast from {runs} small runs", pad=20)
        chain.annotate("fitted: 190M\nto 1.3B parameters", (0.04, 0.24), xycoords="axes fraction", fontsize=9)
        chain.annotate(f"forecast: {far}\ntimes the compute", (0.55, 0.88), xycoords="axes fraction", fontsize=9)
        forest.set_title(f"All tasks: {inside.sum()} of {len(inside)} outcomes inside the 90 % interval", pad=20)
        figure.savefig(HERE / "_static" / "forecast.png", dpi=150)


if __name__ == "__main__":
    main()
