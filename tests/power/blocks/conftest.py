# SPDX-License-Identifier: Apache-2.0
"""These tests use the worlds of tests/system, and its temporary folders."""
import importlib.util
import pathlib
import sys

SYSTEM = pathlib.Path(__file__).resolve().parents[2] / "system"
sys.path.insert(0, str(SYSTEM))
spec = importlib.util.spec_from_file_location("system_conftest", SYSTEM / "conftest.py")
theirs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(theirs)

pytest_configure = theirs.pytest_configure
pytest_unconfigure = theirs.pytest_unconfigure
pytest_sessionfinish = theirs.pytest_sessionfinish
passable = theirs.passable
