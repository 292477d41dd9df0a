"""The notebooks in the README's order, each with its question and the first picture stored in it."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def questions() -> dict[str, str]:
    """Return the question of each notebook, as the README states it."""
    section = README.read_text(encoding="utf-8").partition("\n## Notebooks\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE))


def first_picture(notebook: Path) -> bytes | None:
    """Return the first PNG among the stored outputs."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                return base64.b64decode(output["data"]["image/png"])
    return None


def table(folder: Path) -> str:
    """Write the pictures beside the notebooks and return the gallery in reStructuredText."""
    lines = [".. list-table::", "   :widths: 40 60", ""]
    for name, question in questions().items():
        picture = first_picture(folder / f"{name}.ipynb")
        if picture:
            (folder / f"{name}.png").write_bytes(picture)
        shown = f".. image:: notebooks/{name}.png\n          :alt: first picture of {name}" if picture else ""
        lines += [f"   * - {shown}", f"     - :doc:`{name} <notebooks/{name}>`: {question}"]
    return "\n".join((*lines, "", ".. toctree::", "   :hidden:", "", *(f"   notebooks/{n}" for n in questions()), ""))
