"""Scripts as modules, and what a refusal of one looks like."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from click.testing import Result

SCRIPTS = Path(__file__).parents[2] / "scripts"


def script(name: str) -> ModuleType:
    """A script as the module that it is to its neighbours."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def refused(result: Result, *expected: str) -> None:
    """Assert that the call ended with code 2 and one line on stderr that holds the expected words."""
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
    for words in expected:
        assert words in result.stderr
