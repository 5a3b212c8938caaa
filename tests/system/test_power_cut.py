# SPDX-License-Identifier: Apache-2.0
"""Promise 4, with the power gone: the control plane's disk is cut while
clients enrol, and a control plane started on what was left has all that was
acknowledged before."""
import copy
import os
import random
import time

import clients
import disks
import world

CUTS = 20 if world.LONG else 3
READY_S = 3
DEVICES = 9
PROBER = f"dev-{DEVICES:04d}"
SEED = int(os.environ.get("DOVETAIL_SEED", "5"))


def world_on(w, home):
    """The same world with another disk; nothing runs there yet."""
    other = copy.copy(w)
    other.dir, other.home, other.running = w.dir / "copy", home, {}
    (other.dir / "log").mkdir(parents=True, exist_ok=True)
    return other


def look_at(other, known, port):
    """(seconds until it enrols, certificates recorded but not received)."""
    since = time.monotonic()
    other.start("dovetaild", *other.control_command(f"device.listen=127.0.0.1:{port}"))
    ready = clients.until_ready(clients.Plane(other, port), PROBER, since)
    clients.check_inventory(other, known)
    clients.check_database(other.home)
    other.op("audit", "verify")
    return ready, other.query("SELECT count(*) FROM credential WHERE source = 'est' AND owner <> ?",
                              PROBER)[0][0] - len(known)


def test_4_acknowledged_certificates_survive_power_cuts(tmp_path):
    disks.need_root()
    dice, port = random.Random(SEED), world.free_ports(1)[0]
    ready = at_risk = 0
    with disks.Disk(tmp_path) as disk:
        w = world.World(tmp_path, devices=DEVICES)
        w.home = disk.at / "dovetail"
        try:
            w.make_old_world(days=20)
            w.init()
            w.start_control("audit.checkpointPeriod=1")
            w.adopt_old_world()
            plane = clients.Plane(w)
            with clients.Crowd(plane, w.device_ids()[:-1]) as crowd:
                for number in range(CUTS):
                    time.sleep(dice.uniform(0.5, 1.0))
                    # acknowledged before the cut: what clients hold already
                    with disk.power_cut(f"cut-{number + 1}", crowd.received) as (at, known):
                        other = world_on(w, at / "dovetail")
                        try:
                            took, ahead = look_at(other, known, port)
                        finally:
                            other.close()
                        ready, at_risk = max(ready, took), at_risk + ahead
                crowd.finish()
            print(f"{CUTS} power cuts, seed {SEED}: {len(crowd.received())} certificates, 0 lost, "
                  f"{at_risk} recorded ahead of their answer; ready after at most {ready:.2f} s")
            clients.check_inventory(w, crowd.received())
            assert ready < READY_S
        finally:
            w.close()


def test_the_disk_forgets_what_was_not_synced(tmp_path):
    """The cut is one: else the test above would show nothing."""
    disks.need_root()
    with disks.Disk(tmp_path) as disk:
        folder = os.open(disk.at, os.O_RDONLY)
        for name, synced in (("kept", True), ("lost", False)):
            with (disk.at / name).open("wb") as f:
                f.write(name.encode())
                f.flush()
                if synced:
                    os.fsync(f.fileno())
                    os.fsync(folder)
        os.close(folder)
        with disk.power_cut("cut") as (at, _):
            assert (at / "kept").read_bytes() == b"kept"
            assert not (at / "lost").exists() or (at / "lost").read_bytes() == b""
