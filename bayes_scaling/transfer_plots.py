"""Pictures of what pre-training is worth, in the house style; matplotlib Axes in and out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from bayes_scaling.intervals import short
from bayes_scaling.marks import BLUE, QUIET, STAR, draw_runs, headline, house_style, new_axes
from bayes_scaling.posterior import Posterior
from bayes_scaling.transfer import curves, data_unit, transferred

__all__ = ["plot_data_efficiency", "plot_transfer_map"]

LEVELS = 9  # colours of the map
HELPS = 0.9  # probability from which on pre-training is said to help


@house_style
def plot_transfer_map(
    posterior: Posterior, N: Sequence[float], D_F: Sequence[float], ax: Axes | None = None, **inputs: float
) -> Axes:
    """Draw by how much pre-training multiplies the fine-tuning data, over size and data.

    Parameters
    ----------
    posterior : Posterior
        Fit of a law of transfer.
    N, D_F : sequence of float
        Parameters, and fine-tuning data in the unit of the study: the axes of the map.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    **inputs
        Further inputs of the law, such as ``D_P``.

    Returns
    -------
    matplotlib.axes.Axes
        The median of the multiplier as colour; left of the white dashed line the power law of transfer was found to
        hold; beyond a red line pre-training helps with less than 90 % probability.

    Examples
    --------
    >>> ax = plot_transfer_map(posterior, np.geomspace(1e6, 1e9, 20), np.geomspace(1e5, 1e9, 20))  # doctest: +SKIP
    """
    size, data = np.asarray(N, dtype=float), np.asarray(D_F, dtype=float)
    shape = (len(size), len(data))
    cells = {"N": np.repeat(size, len(data)), "D_F": np.tile(data, len(size))}
    draws = transferred(posterior, cells | {name: np.full(size.size * data.size, v) for name, v in inputs.items()})
    middle = np.log10(np.maximum(draws["multiplier"].median("sample").to_numpy(), 1e-2)).reshape(shape)
    helps = (draws["D_T"] > 0).mean("sample").to_numpy().reshape(shape)
    edge = draws["low_data"].median("sample").to_numpy().reshape(shape)[:, 0]
    ax = new_axes(ax, height=4.4)
    levels = np.linspace(0.0, max(float(np.nanmax(middle)), 0.1), LEVELS)
    shade = ax.contourf(data, size, middle, levels=levels, cmap="viridis", extend="min")
    bar = ax.figure.colorbar(shade, ax=ax, label="effective data / fine-tuning data (times)")
    bar.set_ticks(list(levels), labels=[f"{float(f'{10**v:.2g}'):,g}x" for v in levels])
    red = ""
    if (helps < HELPS).any() and (helps > HELPS).any():
        ax.contour(data, size, helps, levels=[HELPS], colors=STAR)
        red = "   red line: beyond it pre-training helps with less than 90 % probability"
    ax.plot(edge, size, color="white", linestyle="--", linewidth=2)
    inside = np.flatnonzero((edge > data.min()) & (edge < data.max()))
    if len(inside):
        place = inside[len(inside) // 2]
        ax.annotate("power law found\nleft of this line", (edge[place], size[place]), xytext=(-6, 0), color="white",
                    textcoords="offset points", ha="right", va="bottom", fontsize=9)  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel=f"fine-tuning data D_F ({data_unit(posterior)})", ylabel="N (parameters)")
    ax.set(xlim=(data.min(), data.max()), ylim=(size.min(), size.max()))
    words = f"colour: median of all data in effect over the fine-tuning data{red}"
    headline(ax, "By how much pre-training multiplies the data", words)
    return ax


@house_style
def plot_data_efficiency(
    posterior: Posterior, N: float, D_F: Sequence[float], ax: Axes | None = None, **inputs: float
) -> Axes:
    """Draw the outcome from scratch and pre-trained over fine-tuning data, and how much data lie between them.

    Parameters
    ----------
    posterior : Posterior
        Fit of a law of transfer.
    N : float
        Parameters.
    D_F : sequence of float
        Fine-tuning data, in the unit of the study.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    **inputs
        Further inputs of the law for the pre-trained arm, such as ``D_P``.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> ax = plot_data_efficiency(posterior, 1e8, np.geomspace(1e5, 1e9, 40))  # doctest: +SKIP
    """
    D = np.asarray(D_F, dtype=float)
    found = curves(posterior, N, D, **inputs)
    ax = new_axes(ax)
    middle = {}
    for arm, words, colour in (("scratch", "from scratch", QUIET), ("pretrained", "pre-trained", BLUE)):
        low, middle[arm], high = found[arm].quantile([0.05, 0.5, 0.95], "sample").to_numpy()
        ax.fill_between(D, low, high, color=colour, alpha=0.25, linewidth=0)
        ax.plot(D, middle[arm], color=colour)
        ax.annotate(words, (D[0], middle[arm][0]), (6, 6), textcoords="offset points", color=colour, fontsize=9)
    frame = posterior.study.training.frame
    near = frame[np.isclose(frame["n_params"], N, rtol=0.05)]
    draw_runs(ax, near["finetune_data"].to_numpy(dtype=float), near[posterior.law.outcome].to_numpy(dtype=float))
    place = len(D) // 3
    level = middle["pretrained"][place]
    if middle["scratch"].min() < level < middle["scratch"].max():
        end = float(np.exp(np.interp(-level, -middle["scratch"], np.log(D))))
        ax.annotate("", (end, level), (D[place], level), arrowprops={"arrowstyle": "<->", "color": STAR})
        ax.annotate(f"worth {end / D[place]:.3g}x the data", (np.sqrt(end * D[place]), level), xytext=(0, -6),
                    textcoords="offset points", ha="center", va="top", color=STAR)  # fmt: skip
    ax.set(xscale="log", xlabel=f"fine-tuning data D_F ({data_unit(posterior)})")
    ax.set(ylabel=f"{posterior.law.outcome} ({posterior.units[posterior.law.outcome]})")
    words = "bands: 90 % of expected outcomes   dots: fitted runs of this size"
    headline(ax, f"What pre-training saves at {short(N)} parameters", words)
    return ax
