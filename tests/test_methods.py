"""A value chains to functions of higher rooms, and knows none of them before it is asked."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

import bayes_scaling as bs
from bayes_scaling import methods
from bayes_scaling.methods import Method
from tests.worlds import chinchilla

HOLDERS = {
    "PosteriorMethods": bs.Posterior,
    "ForecastMethods": bs.Forecast,
    "ForecastPathMethods": bs.ForecastPath,
    "AllocationMethods": bs.Allocation,
    "RegretMethods": bs.Regret,
    "ReachMethods": bs.Reach,
    "NextRunsMethods": bs.NextRuns,
    "SpeedupMethods": bs.Speedup,
    "LadderPlansMethods": bs.LadderPlans,
}
BOUND = [
    (base, name) for base in HOLDERS for name, value in vars(getattr(methods, base)).items() if type(value) is Method
]


def test_every_set_of_methods_belongs_to_a_value():
    assert set(HOLDERS) == set(methods.__all__) - {"Method"}
    for base, value in HOLDERS.items():
        assert issubclass(value, getattr(methods, base))


@pytest.mark.parametrize(("base", "name"), BOUND)
def test_a_method_is_a_function_whose_first_argument_is_the_value(base, name):
    method = vars(getattr(methods, base))[name]
    function = getattr(importlib.import_module(method.module), method.function)
    assert getattr(HOLDERS[base], name) is function  # of the class: the function itself, with its signature
    first = next(iter(inspect.signature(function).parameters.values()))
    assert first.annotation == HOLDERS[base].__name__ and first.kind is first.POSITIONAL_OR_KEYWORD
    assert function.__name__ in importlib.import_module(method.module).__all__


def test_chained_and_called_are_the_same():
    posterior, target = chinchilla(count=8), {"N": 7e9, "D": 4e12}
    chained, called = posterior.forecast(target, seed=1), bs.forecast(posterior, target, seed=1)
    assert chained.draws.equals(called.draws)


def test_a_values_module_imports_no_higher_room():
    code = (
        "import sys, bayes_scaling.inference.posterior\n"
        "rooms = ('forecasts', 'evaluation', 'decisions', 'plots', 'reporting', 'cli')\n"
        "print([r for r in rooms if f'bayes_scaling.{r}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
