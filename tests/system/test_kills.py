# SPDX-License-Identifier: Apache-2.0
"""Promise 4: what was acknowledged survives kill -9.

Twenty clients enrol while core, the signer, a front or all processes are
killed, with requests in every stage of their way. Afterwards everything that
clients hold is looked for from outside, by SQL and openssl.
"""
import collections
import os
import random
import time

import pytest

import clients
import kills
import world

ROUNDS = 100 if world.LONG else 12
LEAST = 15 if world.LONG else 2  # kills with a request at each stage
READY_S = 3
CLIENTS = 20
SINGLE = ["core", "signer", "front"]
SEED = int(os.environ.get("DOVETAIL_SEED", "4"))


@pytest.fixture
def w(tmp_path):
    os.environ["OLD_DAYS"] = "20"  # inside the renewal window
    made = world.World(tmp_path, devices=CLIENTS + 1)
    try:
        made.make_old_world()
        made.init()
        made.start_control("log.level=debug", "audit.checkpointPeriod=1")
        made.adopt_old_world()
        yield made
    finally:
        made.close()


def rounds():
    """(stage, victim): every pair equally often, single processes first, so
    that one parent sees most of the deaths."""
    stages = list(kills.STAGES)
    single = ROUNDS * 3 // 4
    for i in range(ROUNDS):
        victim = SINGLE[(i + i // 4) % 3] if i < single else "all"
        yield stages[i % 4], f"front-{1 + i % 8 // 4}" if victim == "front" else victim


def test_4_kill_9_under_enrolling_clients(w):
    dice = random.Random(SEED)
    plane = clients.Plane(w)
    watch = kills.Watch(w.dir / "log/dovetaild.log")
    at_stage, of_victim, ready = collections.Counter(), collections.Counter(), []
    points = w.dir / "checkpoints.jsonl"
    *devices, prober = w.device_ids()
    with clients.Crowd(plane, devices) as crowd:
        for number, (event, victim) in enumerate(rounds()):
            time.sleep(dice.uniform(0.2, 0.5))
            since, standing = kills.kill_at(w, watch, event, victim, crowd.have)
            for stage, n in standing.items():
                at_stage[stage] += n > 0
            of_victim[victim] += 1
            if victim == "all":
                w.start("dovetaild", *w.control_command("log.level=debug", "audit.checkpointPeriod=1"))
            ready.append((clients.until_ready(plane, prober, since), victim))
            if number % 5 == 4:
                w.op("audit", "export", points)
        crowd.finish()
    received = crowd.received()
    print(f"{ROUNDS} kills under {CLIENTS} clients, seed {SEED}: {dict(of_victim)}")
    print(f"  kills with a request {', '.join(f'{s}: {n}' for s, n in sorted(at_stage.items()))}")
    print(f"  {len(received)} certificates received, {crowd.sums()}")
    print(f"  ready again after at most {max(ready)[0]:.2f} s ({max(ready)[1]}), "
          f"median {sorted(ready)[len(ready) // 2][0]:.2f} s")
    clients.check_inventory(w, received, [key for c in crowd.all for key in c.keys])
    clients.check_chains(plane, received, w.dir / "verify")
    clients.check_database(w.home)
    w.op("audit", "verify", "--checkpoints", points)
    assert all(at_stage[stage] >= LEAST for stage in kills.STAGES.values()), at_stage
    assert max(ready)[0] < READY_S, sorted(ready)[-5:]
