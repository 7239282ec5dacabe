"""TensorFlow is imported without the packages that Keras only tries."""

import gc
import subprocess
import sys

import pytest

from qbench.base import quick_import as quick


@pytest.fixture
def optional(monkeypatch):
    """Two modules in the place of the packages: one that is not imported yet, and one that is."""
    import colorsys
    import json

    monkeypatch.setattr(quick, "OPTIONAL", ("colorsys", "json"))
    monkeypatch.delitem(sys.modules, "colorsys")
    yield colorsys, json
    gc.enable()


def test_what_is_not_imported_yet_cannot_be_meanwhile(optional):
    with quick.quick_import():
        with pytest.raises(ImportError):
            import colorsys
        import json
    assert json is optional[1]
    import colorsys

    assert colorsys.hls_to_rgb


def test_an_error_brings_back_what_was_hidden(optional):
    with pytest.raises(ZeroDivisionError), quick.quick_import():
        raise ZeroDivisionError
    assert "colorsys" not in sys.modules
    assert gc.isenabled()


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_is_collected_afterwards_as_before(collects, optional):
    if not collects:
        gc.disable()
    with quick.quick_import():
        assert not gc.isenabled()
    assert gc.isenabled() == collects


CODE = """
import sys
from qbench.base import device
from qbench.data import load
device.start(1)
load("digits", None)
assert {"tensorflow", "keras"} <= sys.modules.keys()
assert not {"sklearn", "matplotlib", "pandas", "scipy"} & sys.modules.keys()
import pandas, scipy.special
assert pandas.DataFrame and scipy.special.stdtrit
"""


@pytest.mark.slow
def test_a_process_that_trains_the_digits_goes_without_the_packages():
    subprocess.run([sys.executable, "-c", CODE], check=True)
