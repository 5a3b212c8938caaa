# SPDX-License-Identifier: Apache-2.0
"""A device whose clock is wrong: the real program under faketime."""
import glob
import os
import signal
import subprocess
import time

import pytest

from test_agent import WHOLE, control, device, edge  # noqa: F401 (fixtures)
from world import BUILD, wait_for

EPOCH = "@1970-01-01 00:00:30"
FAR = "@2099-06-01 12:00:00"
NOW = time.gmtime().tm_year
LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), "")


def under(clock, command):
    return ["faketime", "--exclude-monotonic", "-f", clock, *map(str, command)]


def run(device, clock, *args, status=0):
    done = subprocess.run(under(clock, device.command(*args)), capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def show(control, from_days, days):
    """A chain of the control plane that begins so many days from now."""
    csr, crt = control.folder / "control.csr", control.folder / "shown.crt"
    ext = control.folder / "control.ext"
    subprocess.run(under(f"{from_days:+d}d", [
        "openssl", "x509", "-req", "-in", csr, "-CA", control.root.pem, "-CAkey", control.root.key,
        "-days", days, "-extfile", ext, "-out", crt]), check=True, capture_output=True)
    control.tls.load_cert_chain(crt, control.folder / "control.key")


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


@pytest.mark.parametrize("clock", ["+0", EPOCH, FAR], ids=["right", "1970", "2099"])
def test_6_a_server_whose_clock_was_wrong_loses_no_device(device, control, clock):
    """From cron, so that every run starts with nothing but what is on the disk."""
    device.adopt()
    control.ahead = 20 * 86400
    run(device, clock, "checkin")
    control.ahead = 0
    show(control, -1, 8)  # its next one ends before the time it told
    run(device, clock, "checkin")
    run(device, clock, "checkin")
    assert device.status()["credential"]["generation"] <= 2, "renewed once at the most"
    assert abs(device.status()["checkin_at"] - time.time()) < 100, "the floor is right again"
    control.ahead = 40 * 86400  # a time at which its own chain has ended
    run(device, clock, "checkin")
    assert abs(device.status()["checkin_at"] - time.time()) < 100


def test_6_a_device_of_1970_that_slept_for_two_years_comes_back(device, control):
    device.adopt()
    run(device, EPOCH, "checkin")
    control.ahead = 710 * 86400
    show(control, 700, 30)
    run(device, EPOCH, "checkin")
    at = device.status()["checkin_at"]
    assert abs(at - time.time() - control.ahead) < 100


def test_6_a_chain_that_has_ended_is_refused_with_any_clock(device, control):
    device.adopt()
    device.run("checkin")
    show(control, -40, 30)
    for clock in ("+0", EPOCH, FAR):
        said = run(device, clock, "checkin", status=75)
        assert "certificate has expired" in said, said
    assert len(control.reports) == 1
    show(control, -1, 8)
    run(device, FAR, "checkin")


def test_6_a_first_enrolment_needs_no_clock(device, control):
    control.secret = "one-time"
    (device.folder / "secret").write_text("one-time")
    show(control, 0, 30)
    run(device, EPOCH, "enroll", "--device", "dev-1", "--anchor", control.root.pem,
        "--secret-file", device.folder / "secret")
    assert device.status()["credential"]["generation"] == 1
    device.check_pair()


def test_6_a_program_with_the_library_needs_no_clock_either(device, control, edge, tmp_path):
    control.secret = "one-time"
    (tmp_path / "secret").write_text("one-time")
    (tmp_path / "lib").mkdir()
    show(control, 3, 30)
    control.ahead = 10 * 86400
    child = subprocess.Popen(under(EPOCH, [
        BUILD / "examples/mqtt-device", "--state", tmp_path / "lib", "--device", "dev-1",
        "--server", device.settings["server"], "--server-name", "control.test",
        "--edge", device.settings["edge"], "--edge-name", "edge.test",
        "--anchor", control.root.pem, "--secret-file", tmp_path / "secret",
        "--topic", "t", "--interval", "200"]), stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for("its check-in", lambda: control.reports, 20)
    finally:
        os.killpg(child.pid, signal.SIGKILL)  # faketime runs it as a child of its own
        child.wait(10)
