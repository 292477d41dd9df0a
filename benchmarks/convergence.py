"""Whether every law's fits converge by themselves: ``python -m benchmarks.convergence [LAW ...] [--json FILE]``.

200 studies are simulated from each law, at the constants of its paper where it states them and at the centre of its
priors otherwise, and fitted with the defaults.  Each law's row goes into ``results/convergence.csv``, in the place of
what was found before.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpyro.distributions import biject_to

import bayes_scaling as bs
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.priors import unconstrained
from bayes_scaling.law.trace import latent_sites
from bayes_scaling.models import LAWS
from benchmarks.markdown import as_markdown
from benchmarks.sbc import design

RESULTS = Path(__file__).parent / "results" / "convergence.csv"
DRAWN = ("_offset", "effect")  # endings of sites that differ from study to study: deviations of series and of models


def centre(law: bs.Law, study: bs.Study) -> dict[str, Any]:
    """Return the constants to simulate with."""
    if law.published:
        return dict(law.published)
    with double_precision():
        sites = latent_sites(law, *law.arrays(study))
        return {
            name: np.asarray(biject_to(prior.support)(unconstrained(prior)[0]))
            for name, prior in sites.items()
            if not name.endswith(DRAWN)
        }


def measure(name: str, simulations: int) -> dict[str, Any]:
    """Simulate and fit studies of one law; return its row."""
    law, study = design(name)
    at = centre(law, study)
    studies = [bs.simulate(law, study, at, seed=seed) for seed in range(simulations)]
    started = time.perf_counter()
    batch = bs.fit_many(law, studies, seed=0, progress=False)
    fits = [member.posterior.diagnostics for member in batch if member.posterior is not None]
    return {
        "law": name,
        "simulations": simulations,
        "converged": len(batch.posteriors),
        "adapted": sum(d.method == "adapted" for d in fits),
        "largest R-hat": max(d.max_rhat for d in fits),
        "seconds": round(time.perf_counter() - started, 1),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure the laws, store and print the table, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convergence", description="Count fits that converge.")
    parser.add_argument("laws", nargs="*", metavar="LAW", help="by default all of them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--simulations", type=int, default=200)
    chosen = parser.parse_args(arguments)
    known = {row["law"]: row for row in pd.read_csv(RESULTS).to_dict("records")} if RESULTS.exists() else {}
    for name in chosen.laws or LAWS:
        known[name] = measure(name, chosen.simulations)
        print(known[name], flush=True)
        table = pd.DataFrame([known[law] for law in LAWS if law in known])
        table.to_csv(RESULTS, index=False, float_format="%.6g")
    print(as_markdown(table))
    figures = {f"converged_{row['law']}": row["converged"] / row["simulations"] for row in known.values()}
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
