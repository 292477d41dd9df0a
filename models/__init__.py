"""The laws: one file, one law, with its equation, its priors and the reason for each."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayes_scaling.models.chinchilla import Chinchilla
    from bayes_scaling.models.fading_transfer import FadingTransfer
    from bayes_scaling.models.few_steps import FewSteps
    from bayes_scaling.models.kaplan import Kaplan
    from bayes_scaling.models.pooled import Pooled
    from bayes_scaling.models.power_law import PowerLaw
    from bayes_scaling.models.pretraining_size import PretrainingSize
    from bayes_scaling.models.rectified import Rectified
    from bayes_scaling.models.scratch import Scratch
    from bayes_scaling.models.shifted_compute import ShiftedCompute
    from bayes_scaling.models.shifted_power_law import ShiftedPowerLaw
    from bayes_scaling.models.sigmoid_accuracy import SigmoidAccuracy
    from bayes_scaling.models.transfer import Transfer
    from bayes_scaling.models.two_step import TwoStep

__all__ = [
    "LAWS",
    "Chinchilla",
    "FadingTransfer",
    "FewSteps",
    "Kaplan",
    "Pooled",
    "PowerLaw",
    "PretrainingSize",
    "Rectified",
    "Scratch",
    "ShiftedCompute",
    "ShiftedPowerLaw",
    "SigmoidAccuracy",
    "Transfer",
    "TwoStep",
]

LAWS = {
    "chinchilla": "Chinchilla",
    "fading_transfer": "FadingTransfer",
    "few_steps": "FewSteps",
    "kaplan": "Kaplan",
    "pooled": "Pooled",
    "power_law": "PowerLaw",
    "pretraining_size": "PretrainingSize",
    "rectified": "Rectified",
    "scratch": "Scratch",
    "shifted_compute": "ShiftedCompute",
    "shifted_power_law": "ShiftedPowerLaw",
    "sigmoid_accuracy": "SigmoidAccuracy",
    "transfer": "Transfer",
    "two_step": "TwoStep",
}
"""Every law of the package: its module, which is also its name on the command line, and its class."""


def __getattr__(name: str) -> Any:
    for module, law in LAWS.items():
        if law == name:
            return getattr(importlib.import_module(f"bayes_scaling.models.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
