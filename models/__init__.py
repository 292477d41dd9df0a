"""The laws: one file, one law, with its equation, its priors and the reason for each.

``__init__.pyi`` lists them; a law's file has the name of its class in lower case.
"""

import re

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

LAWS = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): name for name in __all__}
"""Every law of the package: its module, which is also its name on the command line, and its class."""
