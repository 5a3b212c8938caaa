# SPDX-License-Identifier: Apache-2.0
"""The real program, killed by strace at its n-th call that changes the disk,
against a live control plane and edge: it is let in at once with what it has,
and finishes. DOVETAIL_LONG=1: every call; by default some of them. The same
with the power of the disk is tests/power/blocks."""
import subprocess
import time

import pytest

from livekit import LIVES, Site
from world import LONG

SAMPLE = 5  # kills of each life by default


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cuts")
    with Site(folder, devices=400 if LONG else 4 * (SAMPLE + 1) + 1) as out:
        yield out


@pytest.mark.parametrize("life", LIVES)
def test_1_a_kill_at_each_call_leaves_one_working_credential(site, life, tmp_path):
    devices = site.devices(life, tmp_path, 110 if LONG else SAMPLE + 1)
    found = next(devices).points()
    tried = found if LONG else found[len(found) // SAMPLE // 2::len(found) // SAMPLE][:SAMPLE]
    killed, longest = 0, 0
    for (call, n), device in zip(tried, devices, strict=False):
        killed += device.die_at(call, n)
        longest = max(longest, device.works_and_finishes((life, call, n)))
        device.forget()
    print(f"{life}: {len(found)} calls, {killed} kills at {len(tried)} of them, 0 shut out; "
          f"checked in at most {longest:.2f} s after it was started again")
    assert killed > 0.9 * len(tried) - 1 > 3  # a count of writes may differ by one


def test_the_old_identity_serves_again_when_consumers_do_not_come_up(site, tmp_path):
    """Seconds of the real program; they are asserted in tests/power, on the
    clock of its steps."""
    calls, hook = tmp_path / "calls", tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\n[ $1 = post-switch ] || exit 0\ndate +%s.%N >> {calls}\nexit 1\n")
    hook.chmod(0o755)
    device = site.device("renewal", tmp_path, hook)
    before = device.in_use()[2]
    done = subprocess.run(device.command("renew"), capture_output=True, text=True, timeout=60)
    ended = time.time()
    assert done.returncode != 0 and "Restart consumers" in done.stdout + done.stderr
    assert device.in_use()[2] == before
    site.edge_is_up_to_date()
    device.must_be_let_in("after it went back")
    failed, again = (float(t) for t in calls.read_text().split())
    print(f"consumers told of the old one {again - failed:.2f} s after they failed, "
          f"the update ended after {ended - failed:.2f} s")
