"""The stored copy of every notebook is whole and small, and every notebook is run by a test."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.notebooks.running import FOLDER

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_copy_is_whole_and_small(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert path.stat().st_size <= 300 * 1024  # as .pre-commit-config.yaml
    assert all(cell.execution_count for cell in code)
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
    assert "assert " in code[-1].source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_run_by_a_test_of_its_own(path):
    assert (Path(__file__).parent / f"test_{path.stem}.py").is_file()
