"""What ``bayes-scaling pair`` does: pair runs, fit a loss against a loss, forecast, write."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bayes_scaling.batch import Member, fit_many
from bayes_scaling.errors import StudyError, suggest
from bayes_scaling.files import as_json, check_writable, published, write_json
from bayes_scaling.job import open_study, require_converged
from bayes_scaling.pairing import Pairing, choose, pair
from bayes_scaling.results import records
from bayes_scaling.study import Study
from bayes_scaling.tables import output, status

__all__ = ["Axis", "PairRequest", "run_pairs"]

ALL, SAME = "all", "same"


@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis of a pair as the user writes it: ``SET:LOSS``; the set may be ``all`` or (on the ordinate) ``same``."""

    name: str
    loss: str

    @classmethod
    def read(cls, text: str, option: str) -> Axis:
        """Read ``SET:LOSS``.

        Examples
        --------
        >>> Axis.read("fineweb_edu:train_loss", "--from")
        Axis(name='fineweb_edu', loss='train_loss')
        """
        name, sign, loss = (part.strip() for part in text.partition(":"))
        if not (name and sign and loss):
            raise StudyError(f"{option} {text!r} is not a set and a loss; write it like fineweb_edu:train_loss.")
        return cls(name, loss)


@dataclasses.dataclass(frozen=True)
class PairRequest:
    """The options of the command, as they were given."""

    study: str
    source: str
    target: str
    sets: str = "train_data"
    by: str = "n_params,flops"
    full: bool = False
    columns: str | None = None
    out: Path | None = None
    json: Path | None = None
    seed: int = 0
    draws: int = 1000
    chains: int = 4
    allow_unconverged: bool = False


def run_pairs(request: PairRequest, *, quiet: bool = False) -> pd.DataFrame:
    """Carry a request out; return one row per pair and target.

    Raises
    ------
    StudyError, FileError
        Something asked for does not exist or cannot be used.
    ConvergenceError
        A fit did not converge, and the request does not allow that.
    """
    from bayes_scaling.models import ShiftedPowerLaw

    study = Study.load(request.study, full=True) if request.full else open_study(request.study, request.columns)
    pairings = pairings_of(study, request)
    check_writable(request.out, request.json)
    with status(quiet) as say:
        say(f"Fitting {len(pairings)} pairs of losses ...")
        studies = [p.study for p in pairings]
        batch = fit_many(
            ShiftedPowerLaw(), studies, seed=request.seed, draws=request.draws, chains=request.chains, progress=False
        )
        rows = pd.concat(
            [rows_of(p, m, request.allow_unconverged) for p, m in zip(pairings, batch, strict=True)], ignore_index=True
        )
        if request.out or request.json:
            say("Writing ...")
            write(rows, request)
    if not quiet:
        show(rows, pairings)
    return rows


def pairings_of(study: Study, request: PairRequest) -> list[Pairing]:
    """Return the pairings a request asks for."""
    source, target = Axis.read(request.source, "--from"), Axis.read(request.target, "--to")
    if request.sets not in study.frame:
        raise StudyError(
            f"Study {study.name!r} has no column {request.sets!r} to tell training sets apart; "
            f"{suggest(request.sets, study.frame.columns)}"
        )
    known = [str(name) for name in study.frame[request.sets].drop_duplicates()]
    sources = known if source.name == ALL else [source.name]
    found = []
    for one in sources:
        targets = [one] if target.name == SAME else known if target.name == ALL else [target.name]
        found += [(one, two) for two in targets if (one, source.loss) != (two, target.loss)]
    if not found:
        raise StudyError(f"{request.source!r} and {request.target!r} are one axis; give two different ones.")
    chosen = {name: choose(study, request.sets, name) for name in dict.fromkeys(itertools.chain(*found))}
    by = [name.strip() for name in request.by.split(",")]
    return [
        pair(
            chosen[one],
            chosen[two],
            source_loss=source.loss,
            loss=target.loss,
            by=by,
            name=f"{one}:{source.loss} -> {two}:{target.loss}",
        )
        for one, two in found
    ]


def rows_of(pairing: Pairing, member: Member, allow_unconverged: bool) -> pd.DataFrame:
    """Return the intervals of a pair's targets; a pair without targets has one row without numbers."""
    if member.posterior is None:
        raise StudyError(f"{pairing.study.name}: {member.error}")
    require_converged(member.posterior, allow_unconverged)
    counts = {"pair": pairing.study.name, "paired": pairing.paired, "left_out": len(pairing.left_out)}
    if not pairing.targets:
        return pd.DataFrame([{**counts, "target": None}])
    rows = member.posterior.forecast(pairing.study.targets, allow_unconverged=True).intervals()
    return rows.drop(columns=["task", "quantity"]).rename(columns={"median": "q50"}).assign(**counts)


def write(rows: pd.DataFrame, request: PairRequest) -> None:
    """Write ``pairs.csv`` and ``pairs.json`` to the folder, and the JSON to the file; each whole or not at all."""
    document = {"study": request.study, "seed": request.seed, "rows": records(rows)}
    if request.out:
        with published(request.out) as stage:
            rows.to_csv(stage / "pairs.csv", index=False, float_format="%.8g")
            (stage / "pairs.json").write_text(as_json(document), encoding="utf-8")
    if request.json:
        write_json(document, request.json)


def show(rows: pd.DataFrame, pairings: list[Pairing]) -> None:
    """Print a row per pair and target, and what was left out."""
    console = output()
    table = Table(box=SIMPLE_HEAD, title="A loss from another", title_justify="left")
    for heading in ("pair", "target"):
        table.add_column(heading)
    for heading in ("pairs", "median", "50 % interval", "90 % interval", "actual"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows.to_dict("records"):
        shown = {k: f"{v:.3f}" for k, v in row.items() if isinstance(v, float)}
        cells = [row["pair"], str(row["target"] or "-"), str(row["paired"])]
        if row["target"] is not None:
            cells += [shown["q50"], f"{shown['q25']} to {shown['q75']}", f"{shown['q05']} to {shown['q95']}"]
            cells.append(shown["actual"] if row["actual"] == row["actual"] else "-")
        table.add_row(*cells)
    console.print(table)
    known = rows[rows["actual"].notna()] if "actual" in rows else rows.iloc[:0]
    if len(known):
        inside = int(((known["q05"] <= known["actual"]) & (known["actual"] <= known["q95"])).sum())
        error = 100 * (known["q50"] / known["actual"] - 1).abs().mean()
        console.print(f"{inside} of {len(known)} inside the 90 % interval; mean absolute error {error:.2f} %.")
    alone = sum(len(p.left_out) for p in pairings)
    console.print(f"{alone} runs were left out for want of a partner." if alone else "Every run has a partner.")
