"""Public leaderboards of forecasts of scaling laws: ``python -m benchmarks.leaderboard sldbench``.

What a part finds goes into ``results/leaderboard.json``, in the place of what it found before, and
``results/leaderboard.md`` is made from all of them.
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

from benchmarks.markdown import as_markdown, show
from benchmarks.stored import machine

__all__ = ["BOARDS", "main", "store"]

RESULTS = Path(__file__).parent / "results"
BOARDS = ("sldbench", "nslpfn")
PREFACE = """# Leaderboards

Written by `python -m benchmarks.leaderboard`; `docs/leaderboards.md` has others' scores beside ours.  Laws were chosen
by backtests inside the training rows: least mean CRPS on SLDBench; on the curves of NSL-PFN they are averaged, with
weights that stack log densities.  Which sets were scored more than once, that page says.
"""


def store(folder: Path, board: str, part: str, tables: dict, figures: dict[str, float]) -> dict[str, float]:
    """Put what a part of a board found into ``folder``, write the files anew and return the figures of the board."""
    path = folder / "leaderboard.json"
    boards = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    boards.setdefault(board, {})[part] = {
        "figures": {name: float(f"{value:.6g}") for name, value in figures.items()},
        "tables": {title: as_markdown(table) for title, table in tables.items()},
    }
    path.write_text(json.dumps(boards, indent=1) + "\n", encoding="utf-8")
    blocks = [PREFACE]
    for name, parts in boards.items():
        blocks.append(f"## {name}")
        for label, found in parts.items():
            blocks.append(f"### {label}")
            blocks += [f"{title}\n\n{table}" for title, table in found["tables"].items()]
            lines = [f"| {figure} | {value:.4g} |" for figure, value in found["figures"].items()]
            blocks.append("\n".join(["| figure | value |", "| --- | --- |", *lines]))
    (folder / "leaderboard.md").write_text("\n\n".join(block.strip() for block in blocks) + "\n", encoding="utf-8")
    return {figure: value for found in boards[board].values() for figure, value in found["figures"].items()}


def main(arguments: list[str] | None = None) -> None:
    """Score the parts of a board, store and print what they find, and write the figures of the board."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leaderboard", description="Score public leaderboards.")
    parser.add_argument("board", choices=BOARDS, metavar="BOARD", help=", ".join(BOARDS))
    parser.add_argument("parts", nargs="*", metavar="PART", help="tasks of the board; by default all of them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of the board here too")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    board = importlib.import_module(f"benchmarks.{chosen.board}")
    unknown = set(chosen.parts) - set(board.TASKS)
    if unknown:
        parser.error(f"{chosen.board} has no part {sorted(unknown)[0]!r}; give some of {', '.join(board.TASKS)}.")
    print(machine())
    figures: dict[str, float] = {}
    for part in chosen.parts or board.TASKS:
        tables, found = board.score_task(part, chosen.seed)
        for title, table in tables.items():
            show(f"{part}: {title}", table)
        figures = store(RESULTS, chosen.board, part, tables, found)
        print(json.dumps(found, indent=2), flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
