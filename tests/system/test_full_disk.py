# SPDX-License-Identifier: Apache-2.0
"""A full disk, a database of a newer version, a clock that runs backwards:
each told clearly, and nothing lost."""
import json
import os
import sqlite3
import subprocess
import time

import pytest

import clients
import disks
import world


@pytest.fixture
def w(tmp_path):
    made = world.World(tmp_path, devices=7)
    try:
        made.make_old_world(days=20)
        yield made
    finally:
        made.close()


def fill(folder):
    """Take what is left, to the last page."""
    with (folder / "filler").open("wb", buffering=0) as f:
        for size in (1 << 20, 4096):
            try:
                while True:
                    f.write(b"\0" * size)
            except OSError:
                pass


def good(answer):
    return isinstance(answer, bytes) or answer[0] in (200, 201)


def try_later(answer):
    status, headers, body = answer
    return status == 503 and int(headers["Retry-After"]) >= 1 and json.loads(body)["code"] == "try-later"


def test_a_full_disk_is_try_later_and_heals_without_a_restart(w, tmp_path):
    disks.need_root()
    with disks.tmpfs(tmp_path / "small", "24M") as small:
        w.home = small / "dovetail"
        try:
            w.init()
            w.start_control()
            w.adopt_old_world()
            full_disk(w, small)
        finally:
            w.close()


def full_disk(w, small):
    plane = clients.Plane(w)
    *devices, prober = w.device_ids()
    context, subject = plane.context(prober), plane.subject(prober)

    def ask():
        return plane.enrol(context, clients.fresh_key(subject)[0])

    def change():
        status, headers, body = plane.operator.call("POST", f"/v1/devices/{prober}/secret", {"create": True})
        return status, headers, json.dumps(body).encode()

    with clients.Crowd(plane, devices) as crowd:
        time.sleep(1)
        before = w.children("dovetaild")
        assert good(ask()) and good(change())
        fill(small)
        # blocks that the database's log holds already still take something
        for round in range(100):
            answers = [ask() for _ in range(5)] + [change() for _ in range(5)]
            assert all(good(a) or try_later(a) for a in answers), answers
            if not any(good(a) for a in answers):
                break
        assert not any(good(a) for a in answers), "the disk is not full"
        assert plane.operator.call("GET", "/v1/status")[0] == 200  # reading goes on
        clients.check_inventory(w, crowd.received())
        (small / "filler").unlink()
        freed = time.monotonic()
        world.wait_for("room again", lambda: good(ask()), 10, 0.01)
        healed = time.monotonic() - freed
        assert good(change())
        time.sleep(0.5)
        crowd.finish()
    assert w.children("dovetaild") == before, "a process was started again"
    assert crowd.sums()["later"] > 0
    print(f"{len(crowd.received())} certificates; "
          f"{crowd.sums()['later']} times try-later; well {healed:.2f} s after there was room")
    clients.check_inventory(w, crowd.received(), [key for c in crowd.all for key in c.keys])
    clients.check_database(w.home)
    w.op("audit", "verify")


def test_a_database_of_a_newer_version_is_refused(w):
    w.init()
    w.start_control()
    w.stop("dovetaild")
    db = sqlite3.connect(w.home / "db/dovetail.db")
    with db:
        known, = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        db.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(int(known) + 1),))
    before = db.execute("SELECT count(*) FROM audit_stream").fetchone()
    db.close()
    done = subprocess.run(w.control_command(), capture_output=True, text=True, timeout=15)
    assert done.returncode == 73, done.stdout + done.stderr
    assert f"schema {int(known) + 1}" in done.stderr and "newer" in done.stderr, done.stderr
    assert w.query("SELECT count(*) FROM audit_stream")[0][0] == before[0]  # nothing was written
    db = sqlite3.connect(w.home / "db/dovetail.db")
    with db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (known,))
    db.close()
    w.start_control()  # and with its own version it goes on


def libfaketime():
    """What the program faketime preloads; itself it would fork."""
    shown = subprocess.run(["faketime", "-f", "-2h", "printenv", "LD_PRELOAD"], capture_output=True, text=True)
    return shown.stdout.strip()


def test_a_clock_that_runs_backwards_issues_nothing(w):
    w.init()
    w.start_control()
    w.adopt_old_world()
    plane = clients.Plane(w)
    device = w.device_ids()[0]
    context, subject = plane.context(), plane.subject(device)

    def ask():
        secret = plane.operator.call("POST", f"/v1/devices/{device}/secret", {"create": True})[2]["secret"]
        return plane.enrol(context, clients.fresh_key(subject)[0], device, secret)

    assert good(ask())
    w.stop("dovetaild")
    w.start("dovetaild", *w.control_command(), env=dict(
        os.environ, FAKETIME="-2h", FAKETIME_DONT_FAKE_MONOTONIC="1", LD_PRELOAD=libfaketime()))
    world.wait_for("the control plane two hours ago", lambda: w.op("status"))
    count = "SELECT count(*) FROM credential"
    before = w.query(count)[0][0]
    answer = ask()
    assert not good(answer) and try_later(answer), answer
    assert b"clock runs backwards" in answer[2], answer[2]
    assert w.query(count)[0][0] == before
    w.stop("dovetaild")
    w.start_control()
    assert good(ask())
