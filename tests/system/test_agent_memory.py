# SPDX-License-Identifier: Apache-2.0
"""Memory that ends inside OpenSSL, at any allocation of an update: the agent
does not crash, and the old credential works or the new one does."""
import os
import random
import subprocess

import pytest

from test_agent import control, device, edge  # noqa: F401 (fixtures)
from world import LONG, ROOT

SEED = int(os.environ.get("DOVETAIL_MEMORY_SEED", "1"))
POINTS = int(os.environ.get("DOVETAIL_MEMORY_POINTS", "600" if LONG else "8"))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("lib") / "memory.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", path,
                    ROOT / "tests/system/openssl_memory.c", "-lcrypto"], check=True)
    return path


def test_1_no_allocation_of_openssl_is_fatal(device, library, tmp_path):
    device.write(once_limit="8s")
    device.adopt()
    count = tmp_path / "count"

    def renew(at, n):
        """The exit status; below 0: ended by a signal."""
        env = dict(os.environ, LD_PRELOAD=str(library), OPENSSL_COUNT=str(count),
                   OPENSSL_FAIL_AT=str(at), OPENSSL_FAIL_N=str(n))
        return subprocess.run(device.command("renew"), capture_output=True, timeout=60, env=env)

    # the library's own beginning, where OpenSSL 3.0 does not check what it gets
    subprocess.run(["openssl", "dgst", "-sha256", os.devnull], check=True, capture_output=True,
                   env=dict(os.environ, LD_PRELOAD=str(library), OPENSSL_COUNT=str(count)))
    first = int(count.read_text())
    assert renew(0, 0).returncode == 0
    total, dice, failed = int(count.read_text()), random.Random(SEED), 0
    assert total > 10 * first > 1000, "OpenSSL's memory is ours to refuse"
    for _ in range(POINTS):
        at, n = dice.randrange(first, total), dice.choice((1, 1, 3, 100))
        before = device.fingerprint()
        done = renew(at, n)
        assert done.returncode >= 0, (at, n, done.stderr)
        failed += done.returncode != 0
        device.check_pair()
        assert not list(device.state.rglob("*.bad")), (at, n, "want of memory is no damage")
        device.run("checkin")
        assert device.control.reports[-1]["certificate"] == device.fingerprint()
        assert done.returncode != 0 or device.fingerprint() != before
    print(f"{POINTS} of {total - first} allocations refused, {failed} updates failed of it; no crash")
    assert failed > 0, "some refusal must have hurt"
    device.run("renew")
    device.check_pair()


def test_1_no_allocation_while_it_starts_sets_anything_aside(device, library, tmp_path):
    """One refusal may leave OpenSSL in a state in which the same keys are different ones."""
    device.adopt()
    device.write(server="127.0.0.1:1")
    before, count = device.fingerprint(), tmp_path / "count"

    def start(at, n):
        env = dict(os.environ, LD_PRELOAD=str(library), OPENSSL_COUNT=str(count), OPENSSL_FAIL_AT=str(at),
                   OPENSSL_FAIL_N=str(n))
        return subprocess.run(device.command("checkin"), capture_output=True, timeout=60, env=env).returncode

    subprocess.run(["openssl", "dgst", "-sha256", os.devnull], check=True, capture_output=True,
                   env=dict(os.environ, LD_PRELOAD=str(library), OPENSSL_COUNT=str(count)))
    first = int(count.read_text())
    start(0, 0)
    total = int(count.read_text())
    assert total > first
    for n, step in ((100, 40 if LONG else 110), (1, 3 if LONG else 331)):
        for at in range(first, total, step):
            assert start(at, n) >= 0, (at, n)
            assert not list(device.state.rglob("*.bad")), (at, n, "want of memory is no damage")
    assert device.fingerprint() == before
