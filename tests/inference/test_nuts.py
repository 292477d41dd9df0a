from __future__ import annotations

import os
import subprocess
import sys

import jax
import numpy as np

from bayes_scaling.inference import nuts
from bayes_scaling.inference.attempts import brought_back
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.models import Chinchilla


def test_one_after_another_gives_what_side_by_side_gives(simulated, monkeypatch):
    law, found = Chinchilla(), []
    runs, observed = law.arrays(simulated)
    for limit, name in ((2**16, "double"), (0, "another")):  # the precision is a name here, and makes another program
        plan = nuts.Plan(draws=7, warmup=9, precision=name)
        monkeypatch.setattr(nuts, "SIDE_BY_SIDE", limit)  # read when the program of another plan is traced
        with double_precision():
            found.append(brought_back(nuts.sample(law, plan, jax.random.key(0), runs, observed)))
    side_by_side, in_turn = found
    assert np.allclose(side_by_side.mode_potential, in_turn.mode_potential, atol=1e-9)
    assert side_by_side.posterior["E"].shape == in_turn.posterior["E"].shape == (4, 7)
    assert np.array_equal(side_by_side.steps, in_turn.steps)
    for name in ("E", "alpha_N", "sigma"):  # apart by rounding, which grows along the chains
        assert np.allclose(side_by_side.posterior[name], in_turn.posterior[name], rtol=1e-6), name


def test_a_million_rows_take_little_memory():
    law, plan = Chinchilla(), nuts.Plan(draws=20, warmup=10, chains=2, starts=2)
    with double_precision():
        column, number = jax.ShapeDtypeStruct((2**20,), float), jax.ShapeDtypeStruct((), float)
        runs = {"N": column, "D": column, "N0": number, "D0": number}
        program = nuts.sample.compiled.lower(law, plan, jax.random.key(0), runs, {"loss": column}).compile()
    assert program.memory_analysis().temp_size_in_bytes < 2**28  # side by side, 26 gradients would take 2.5 GiB


def test_every_process_makes_the_same_program():
    """Whatever its hash seed: a program compiled by one process is found on disk by the next."""
    code = """
import jax
import bayes_scaling as bs
from bayes_scaling.inference import nuts
from bayes_scaling.inference.attempts import brought_back
from bayes_scaling.models import Chinchilla
law, plan, key = Chinchilla(), nuts.Plan(), jax.random.key(0)
study = bs.load_study("olmo_ladder").training.select(task="MMLU").rename(loss="task_loss")
print(nuts.sample.compiled.lower(law, plan, key, *law.arrays(study)).as_text())
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True
        )
        for seed in "013"
    ]
    first, *others = [process.communicate()[0] for process in processes]
    assert "stablehlo.while" in first
    assert others == [first, first]
