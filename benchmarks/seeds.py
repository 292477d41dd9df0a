"""What README, the pages and the notebooks show, at other seeds: ``python -m benchmarks.seeds [PAGE ...] [--seeds N]``.

Each page runs as its reader runs it, from top to bottom in a process of its own, with each of the seeds 0, 1, ... in
place of its own; all of them, and all fits that are meant to converge, should come to their end by themselves.  Each
page's row goes into ``results/seeds.csv``, in the place of what was found before.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from benchmarks.markdown import as_markdown

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "seeds.csv"
SEED = re.compile(r"""(seed=|"seed": )\d+""")
COUNT = """
import gc
from bayes_scaling.inference.posterior import Posterior
fits = [each for each in gc.get_objects() if isinstance(each, Posterior)]
print(len(fits), *(fit.law.name for fit in fits if not fit.diagnostics.converged))
"""
"""Asks how many fits are still held where a page ends, and the laws of those that did not converge."""


def pages() -> dict[str, Path]:
    """Return the pages that draw at random, by name."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "notebooks").glob("*.ipynb"))]
    return {path.stem: path for path in found if SEED.search("".join(cells(path)))}


def cells(path: Path) -> list[str]:
    """Return what a page runs, but for scripts that start processes of their own."""
    if path.suffix == ".ipynb":
        return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return [block for block in blocks(path) if "__main__" not in block]


def blocks(page: Path, language: str = "python") -> list[str]:
    """Return the blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def run(path: Path, seed: int) -> tuple[int, list[str]]:
    """Run a page at a seed; return how many fits it ends with, and the laws of those that did not converge."""
    code = [*(SEED.sub(rf"\g<1>{seed}", each) for each in cells(path)), COUNT]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in code])
    with tempfile.TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=1800, kernel_name="python3", resources=where).execute()
    said = (each.text for each in notebook.cells[-1].outputs if each.get("name") == "stdout")
    held, *unconverged = "".join(said).split()
    return int(held), unconverged


def measure(name: str, seeds: int) -> dict[str, Any]:
    """Run a page at every seed; return its row."""
    held, unconverged, failures = 0, [], []
    for seed in range(seeds):
        try:
            found = run(pages()[name], seed)
        except CellExecutionError as error:
            failures.append(f"seed {seed}: {error.ename}: {error.evalue}")
            print(name, failures[-1], flush=True)
            continue
        held += found[0]
        unconverged += [f"seed {seed}: {law}" for law in found[1]]
    return {
        "page": name,
        "seeds": seeds,
        "ran": seeds - len(failures),
        "fits held": held,
        "not converged": "; ".join(unconverged),
        "failures": "; ".join(failures),
    }


def main(arguments: list[str] | None = None) -> None:
    """Run the pages, store and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seeds", description="Run the pages at other seeds.")
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"by default all of {', '.join(pages())}")
    parser.add_argument("--seeds", type=int, default=10)
    chosen = parser.parse_args(arguments)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    known = {row["page"]: row for row in pd.read_csv(RESULTS).to_dict("records")} if RESULTS.exists() else {}
    for name in chosen.pages or pages():
        known[name] = measure(name, chosen.seeds)
        print(known[name], flush=True)
        table = pd.DataFrame([known[page] for page in pages() if page in known])
        table.to_csv(RESULTS, index=False)
    print(as_markdown(table.drop(columns="failures")))


if __name__ == "__main__":
    main()
