from __future__ import annotations

from bayes_scaling.models.population import POPULATION, Population


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "population.json"
    POPULATION.write(path)
    assert Population.read(path) == POPULATION
    assert "benchmarks.quality population" in path.read_text()


def test_it_names_where_it_was_learnt_and_speaks_of_every_parameter():
    from bayes_scaling.models import Superset

    assert len(POPULATION.collections) == len(set(POPULATION.collections)) >= 12
    assert set(POPULATION.parameters) == {*Superset().free_parameters, "discrepancy"}
    assert all(spread > 0 for _, spread in POPULATION.parameters.values())
