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
SEED = int(os.environ.get("DOVETAIL_SEED", "5"))


def world_on(w, home, port):
    """The same world with another disk; only the control plane is started."""
    other = copy.copy(w)
    other.dir, other.home, other.running = w.dir / "copy", home, {}
    (other.dir / "log").mkdir(parents=True, exist_ok=True)
    since = time.monotonic()
    other.start_control(f"device.listen=127.0.0.1:{port}")
    return other, time.monotonic() - since


def test_4_acknowledged_certificates_survive_power_cuts(tmp_path):
    disks.need_root()
    os.environ["OLD_DAYS"] = "20"  # inside the renewal window
    dice, port = random.Random(SEED), world.free_ports(1)[0]
    ready = at_risk = 0
    with disks.Disk(tmp_path) as disk:
        w = world.World(tmp_path, devices=8)
        w.home = disk.at / "dovetail"
        try:
            w.make_old_world()
            w.init()
            w.start_control("audit.checkpointPeriod=1")
            w.adopt_old_world()
            plane = clients.Plane(w)
            with clients.Crowd(plane, w.device_ids()) as crowd:
                for number in range(CUTS):
                    time.sleep(dice.uniform(0.5, 1.0))
                    # acknowledged before the cut: what clients hold already
                    with disk.power_cut(f"cut-{number + 1}", crowd.received) as (at, known):
                        other, took = world_on(w, at / "dovetail", port)
                        try:
                            ready = max(ready, took)
                            at_risk += clients.check_inventory(other, known) - len(known)
                            clients.check_database(other.home)
                            other.op("audit", "verify")
                        finally:
                            other.close()
                crowd.finish()
            print(f"{CUTS} power cuts, seed {SEED}: {len(crowd.received())} certificates, 0 lost, "
                  f"{at_risk} recorded ahead of their answer; ready after at most {ready:.2f} s")
            clients.check_inventory(w, crowd.received())
            assert ready < READY_S
        finally:
            w.close()
