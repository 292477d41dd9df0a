from __future__ import annotations

import jax
import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.inference import batch, mode, nuts
from bayes_scaling.inference import chunks as units
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.models import PowerLaw
from tests.inference.test_batch import lone, made

PLAN = nuts.Plan(draws=20, warmup=10, chains=2, starts=2)


def entries(*studies):
    found = [units.Entry.read(PowerLaw(), study, seed) for seed, study in enumerate(studies)]
    for entry in found:
        if entry.error is None:
            entry.pad(PowerLaw(), 20)
    return found


def test_the_chunk_follows_the_budget(monkeypatch):
    monkeypatch.setattr(units, "WIDEST", 16)
    several = entries(made("1"), made("2"), lone("3"))
    each = units.study_bytes(PowerLaw(), PLAN, several[0])
    chunks = [units.chunk_of(PowerLaw(), PLAN, several, memory) for memory in (0, each, 5.5 * each, 1e12)]
    assert chunks == [1, 1, 4, 16]
    assert units.chunk_of(PowerLaw(), PLAN, entries(lone("3")), 2**30) >= 1  # nothing to fit


def test_what_takes_more_memory_fits_fewer_side_by_side():
    one = entries(made("1"))[0]
    each = units.study_bytes(PowerLaw(), PLAN, one)
    assert units.study_bytes(PowerLaw(), PLAN._replace(draws=1000), one) > 5 * each
    assert units.study_bytes(PowerLaw(), PLAN._replace(precision="single"), one) == each / 2
    one.pad(PowerLaw(), 60_000)
    wide = units.study_bytes(PowerLaw(), PLAN, one)
    assert wide > 100 * each
    one.pad(PowerLaw(), 70_000)  # one gradient at a time
    assert units.study_bytes(PowerLaw(), PLAN, one) < wide / 4


@pytest.mark.parametrize(("rows", "many"), [(20, mode.MANY), (3000, mode.MANY), (1500, 1)])
def test_the_estimate_is_near_what_the_compiled_program_reports(rows, many, monkeypatch):
    monkeypatch.setattr(mode, "MANY", many)  # coordinates, beyond which starts are made one after another
    several = entries(made("1"), made("2"))
    for entry in several:
        entry.pad(PowerLaw(), rows)
    stacked = [{n: np.stack([getattr(e, part)[n] for e in several]) for n in getattr(several[0], part)}
               for part in ("runs", "observed")]  # fmt: skip
    with double_precision():
        keys = jax.random.split(jax.random.key(0), 2)
        program = units._sample_side_by_side.compiled.lower(PowerLaw().program, PLAN, keys, *stacked).compile()
    reported = program.memory_analysis()
    taken = (reported.temp_size_in_bytes + reported.output_size_in_bytes) / 2
    assert 0.3 < taken / units.study_bytes(PowerLaw(), PLAN, several[0]) < 3


def test_a_batch_is_divided_by_its_budget(monkeypatch):
    asked = []

    def recorded(entries, chunk):
        asked.append(chunk)
        return []

    monkeypatch.setattr(batch, "divide", recorded)
    monkeypatch.setattr(units, "WIDEST", 16)
    bs.fit_many(PowerLaw(), [made("1"), made("2")], seed=0, draws=20, memory=1.0, progress=False)
    bs.fit_many(PowerLaw(), [made("1"), made("2")], seed=0, draws=20, progress=False)
    bs.fit_many(PowerLaw(), [made("1"), made("2")], seed=0, draws=20, chunk=3, progress=False)
    assert asked == [1, 16, 3]
