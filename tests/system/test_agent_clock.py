# SPDX-License-Identifier: Apache-2.0
"""A device whose clock is wrong: the real program under faketime."""
import glob
import os
import subprocess
import time

from test_agent import WHOLE, control, device, edge  # noqa: F401 (fixtures)
from world import wait_for

EPOCH = "@1970-01-01 00:00:30"
FAR = "@2099-06-01 12:00:00"
NOW = time.gmtime().tm_year
LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), "")


def under(clock, command):
    return ["faketime", "--exclude-monotonic", "-f", clock, *map(str, command)]


def run(device, clock, *args):
    done = subprocess.run(under(clock, device.command(*args)), capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_6_a_device_of_1970_renews(device, control):
    device.adopt()
    before = device.fingerprint()
    control.todo = [{"id": "r1-renew", "action": "renew", "label": "device"}]
    run(device, EPOCH, "run", "--once")
    assert device.fingerprint() != before
    device.check_pair()
    assert [s for s, o in device.steps() if o == "Succeed" and s in WHOLE] == WHOLE
    run(device, EPOCH, "checkin")
    assert control.reports[-1]["certificate"] == device.fingerprint()


def test_6_a_clock_that_jumps_to_2099_and_back_costs_nothing(device, control, tmp_path):
    device.adopt()
    before = device.fingerprint()
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    child = subprocess.Popen(
        device.command("run"), stderr=subprocess.DEVNULL,
        env=dict(os.environ, LD_PRELOAD=LIBRARY, FAKETIME_TIMESTAMP_FILE=str(clock),
                 FAKETIME_NO_CACHE="1", DONT_FAKE_MONOTONIC="1"))
    try:
        for moment, year in (("+0", NOW), (FAR, 2099), (EPOCH, 1970), ("+0", NOW)):
            clock.write_text(moment + "\n")
            wait_for(f"a check-in in {year}", lambda: control.reports and time.gmtime(
                control.reports[-1]["time"]).tm_year == year, 15)
            heard = len(control.reports)
            wait_for(f"check-ins in {year}", lambda: len(control.reports) > heard, 15)
            assert control.reports[-1]["certificate"] == before
    finally:
        child.terminate()
        child.wait(10)
    for clock in (FAR, EPOCH):  # and a start at that time
        run(device, clock, "checkin")
        assert control.reports[-1]["certificate"] == before
        assert time.gmtime(control.reports[-1]["time"]).tm_year != NOW, "it was another clock"
    device.run("checkin")
    assert device.fingerprint() == before
    assert device.status()["credential"]["generation"] == 1, "nothing was renewed by a wrong clock"
    control.todo = [{"id": "r1-renew", "action": "renew", "label": "device"}]
    device.run("run", "--once")
    assert device.fingerprint() != before
    device.check_pair()
