"""A batch that was killed, or that ran elsewhere, equals one that ran here without a break."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import FileError
from bayes_scaling.models import PowerLaw

SHORT = {"seed": 0, "draws": 50, "chains": 2, "chunk": 2, "adapt": False, "progress": False}
SCRIPT = """
import sys
import bayes_scaling as bs
from bayes_scaling.models import PowerLaw
from tests.inference.test_store import SHORT, make_studies
bs.fit_many(PowerLaw(), make_studies(), store=sys.argv[1], **SHORT)
"""


def make_studies(count=6):
    C = np.geomspace(1e17, 1e20, 14)
    studies = []
    for i in range(count):
        noise = np.random.default_rng(i).normal(0, 0.002, len(C))
        loss = (1.8 + 0.1 * i + 1.2 * (C / 1e18) ** -0.16) * np.exp(noise)
        studies.append(bs.Study.from_frame(pd.DataFrame({"C": C, "loss": loss}), name=f"study {i}"))
    return studies


def draws_of(batch):
    return np.stack([m.posterior.draws["E"] for m in batch])


@pytest.fixture(scope="module")
def uninterrupted():
    return draws_of(bs.fit_many(PowerLaw(), make_studies(), **SHORT))


def test_a_batch_killed_by_the_system_resumes(tmp_path, uninterrupted):
    store = tmp_path / "fits"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(store)])
    deadline = time.monotonic() + 120
    while not list(store.glob("*.nc")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path.name: path.stat().st_mtime_ns for path in store.glob("*.nc")}
    assert done, "nothing was kept before the kill"
    last = store / "000005.nc"
    last.unlink(missing_ok=True)  # a fast machine may have finished: then lose the last fit
    resumed = bs.fit_many(PowerLaw(), make_studies(), store=store, **SHORT)
    assert np.array_equal(draws_of(resumed), uninterrupted)
    assert (store / "000000.nc").stat().st_mtime_ns == done["000000.nc"] or "000001.nc" not in done
    assert not list(store.glob(".*part"))


def test_a_finished_batch_is_read_not_fitted(tmp_path, uninterrupted, monkeypatch):
    bs.fit_many(PowerLaw(), make_studies(), store=tmp_path, **SHORT)
    monkeypatch.setattr("bayes_scaling.inference.batch.fit_unit", lambda *_: pytest.fail("fitted again"))
    again = bs.fit_many(PowerLaw(), make_studies(), store=tmp_path, **SHORT)
    assert np.array_equal(draws_of(again), uninterrupted)


def test_another_process_draws_the_same(uninterrupted):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        elsewhere = bs.fit_many(PowerLaw(), make_studies(), executor=pool, **SHORT)
    assert np.array_equal(draws_of(elsewhere), uninterrupted)


def test_a_store_of_another_batch_is_refused(tmp_path):
    bs.fit_many(PowerLaw(), make_studies(2), store=tmp_path, **SHORT)
    with pytest.raises(FileError, match=r"another batch \(other studies\)"):
        bs.fit_many(PowerLaw(), make_studies(3), store=tmp_path, **SHORT)
    with pytest.raises(FileError, match=r"another batch \(another law\)"):
        bs.fit_many(PowerLaw(E=1.0), make_studies(2), store=tmp_path, **SHORT)
    with pytest.raises(FileError, match=r"another batch \(another law\)"):
        bs.fit_many(PowerLaw(discrepancy=0.20000001), make_studies(2), store=tmp_path, **SHORT)
    for changed, said in (
        ({"draws": 60, "chains": 3}, "draws = 50 there and 60 here and chains = 2 there and 3 here"),
        ({"seed": 1}, "the same studies with another seed"),
        ({"adapt": None}, "adapt = False there and None here"),
        ({"chunk": 1}, r"chunk = \d+ there and 1 here"),
    ):
        with pytest.raises(FileError, match=rf"another batch \({said}\); resume it with the same"):
            bs.fit_many(PowerLaw(), make_studies(2), store=tmp_path, **{**SHORT, **changed})
    manifest = tmp_path / "manifest.json"
    kept = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(kept | {"bayes_scaling": "0.0.1"}))
    with pytest.raises(FileError, match=r"other versions .*\(0\.0\.1, .*begin anew in another folder"):
        bs.fit_many(PowerLaw(), make_studies(2), store=tmp_path, **SHORT)
    manifest.write_text(json.dumps({name: value for name, value in kept.items() if name != "identity"}))
    assert len(bs.fit_many(PowerLaw(), make_studies(2), store=tmp_path, **SHORT)) == 2  # an older store
    manifest.write_text(json.dumps(kept))
    assert json.loads(manifest.read_text())["law"].startswith("PowerLaw(")
    manifest.write_text("{")
    with pytest.raises(FileError, match="damaged"):
        bs.fit_many(PowerLaw(), make_studies(2), store=tmp_path, **SHORT)


class Mine(PowerLaw):
    """A law of a user."""

    def mean(self, C, C0, *, E, reducible, alpha_C):
        return super().mean(C, C0, E=E, reducible=reducible, alpha_C=alpha_C)


def test_a_store_of_a_law_that_was_written_anew_is_refused(tmp_path):
    bs.fit_many(Mine(), make_studies(2), store=tmp_path, **SHORT)
    assert len(bs.fit_many(Mine(), make_studies(2), store=tmp_path, **SHORT)) == 2
    manifest = tmp_path / "manifest.json"
    kept = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(kept | {"code": "0123456789abcdef"}))
    with pytest.raises(FileError, match=r"another batch \(other equations of the law\)"):
        bs.fit_many(Mine(), make_studies(2), store=tmp_path, **SHORT)


def test_a_store_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="Cannot keep fits"):
        bs.fit_many(PowerLaw(), make_studies(2), store=tmp_path / "file" / "fits", **SHORT)


def test_a_dask_cluster_survives_a_killed_worker(tmp_path, uninterrupted):
    distributed = pytest.importorskip("distributed", reason="needs the extra 'dask'")
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            victim = next(iter(client.run(os.getpid).values()))
            threading.Thread(target=kill_at_first_fit, args=(tmp_path, victim), daemon=True).start()
            elsewhere = bs.fit_many(PowerLaw(), make_studies(), executor=client.get_executor(), store=tmp_path, **SHORT)
    assert np.array_equal(draws_of(elsewhere), uninterrupted)
    with pytest.raises(ProcessLookupError):
        os.kill(victim, 0)


def kill_at_first_fit(store, process):
    while not list(store.glob("*.nc")):
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
