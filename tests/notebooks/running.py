"""Run a notebook from top to bottom with few draws."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent.parent / "notebooks"


def run(name, monkeypatch):
    monkeypatch.setenv("BAYES_SCALING_DRAWS", "100")
    monkeypatch.delenv("XLA_FLAGS", raising=False)  # compiled as its reader compiles
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    where = {"metadata": {"path": FOLDER}}
    NotebookClient(notebook, timeout=1800, kernel_name="python3", resources=where).execute()
