# SPDX-License-Identifier: Apache-2.0
"""Temporary folders that the daemons' account can pass when tests run as root.

pytest's own are for their owner alone (0700), and shared below one folder that
each run closes again: so a run as root gets a folder of its own, and every
test folder in it lets others pass, not look.
"""
import os
import pathlib
import shutil
import tempfile

import pytest

OWN = []


def pytest_configure(config):
    if os.geteuid() == 0 and config.option.basetemp is None:
        OWN.append(tempfile.mkdtemp(prefix="dovetail-tests-"))
        config.option.basetemp = pathlib.Path(OWN[0]) / "t"


def pytest_unconfigure(config):
    session = getattr(config, "dovetail_exit", 1)
    for folder in OWN:
        if session == 0:
            shutil.rmtree(folder, ignore_errors=True)


def pytest_sessionfinish(session, exitstatus):
    session.config.dovetail_exit = int(exitstatus)


@pytest.fixture(scope="session", autouse=True)
def passable(tmp_path_factory):
    """Every folder that a fixture or a test asks for can be passed."""
    if os.geteuid() != 0:
        yield
        return
    make = tmp_path_factory.mktemp

    def mktemp(*args, **more):
        made = make(*args, **more)
        made.chmod(0o711)
        return made

    for folder in (tmp_path_factory.getbasetemp(), *OWN):
        os.chmod(folder, 0o711)
    tmp_path_factory.mktemp = mktemp
    yield
