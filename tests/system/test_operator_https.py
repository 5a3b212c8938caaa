# SPDX-License-Identifier: Apache-2.0
"""Which certificate operators are shown, while edges hold several."""
import subprocess

import pytest

import world
from edgekit import free_port, wait_for


@pytest.fixture
def plane(tmp_path):
    w = world.World(tmp_path, devices=1, gateways=0)
    w.operator_port = free_port()
    try:
        w.make_old_world()
        w.init()
        w.start_control(f"operator.listen=127.0.0.1:{w.operator_port}")
        yield w
    finally:
        w.close()


def shown(port):
    """Issuers of the chain at a port, as openssl sees them."""
    out = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-showcerts"], input="",
                         capture_output=True, text=True, timeout=10).stdout
    return [line.split("CN = ")[1] for line in out.splitlines() if line.strip().startswith("i:")]


def test_operators_are_shown_the_default_root_also_when_all_edges_are_recovered(plane):
    new = ["test Server CA 1", "test Root CA"]
    assert shown(plane.operator_port) == new
    plane.adopt_old_world()  # both fronts get one under the old root, for devices
    wait_for("the fronts", lambda: len(plane.query(
        "SELECT 1 FROM gateway_credential WHERE slot = 'recovery' AND chain_pem <> ''")) == 2)
    wait_for("both to hold it", lambda: all(g["behind"] == 0 for g in plane.op("gateway", "list")["items"]))
    assert [shown(plane.operator_port) for _ in range(8)] == [new] * 8  # both fronts
