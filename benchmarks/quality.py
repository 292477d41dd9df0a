"""Measure forecast quality: ``python -m benchmarks.quality ladder loss_to_loss [--json FILE]``."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

NAMES = (
    "population",
    "collections",
    "ablation",
    "ladder",
    "ladder_c4",
    "ladders",
    "borrowed_curves",
    "ladder_rivals",
    "ladder_flops",
    "loss_to_loss",
    "transfer",
    "text_to_python",
    "backtest",
    "small_worlds",
    "decisions",
    "agreement",
)


def main(arguments: list[str] | None = None) -> None:
    """Run the named benchmarks; each prints its table, and the figures go to a flat JSON file.

    A figure whose name an earlier benchmark has taken is written as BENCHMARK_figure.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description="Measure forecast quality.")
    parser.add_argument("names", nargs="+", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    chosen = parser.parse_args(arguments)
    figures: dict[str, float] = {}
    for name in chosen.names:
        found = importlib.import_module(f"benchmarks.{name}").figures()
        figures |= {f"{name}_{figure}" if figure in figures else figure: value for figure, value in found.items()}
    text = json.dumps({name: float(f"{value:.6g}") for name, value in figures.items()}, indent=2)
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
