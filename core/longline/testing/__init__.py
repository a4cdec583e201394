"""Contract suites: what a backend must do, as test classes to inherit. Only this package imports pytest."""

import pkgutil

import pytest

# So that a failing contract shows the values that it compared, also in the tests of who inherits it.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)))
