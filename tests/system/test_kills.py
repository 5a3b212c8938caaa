# SPDX-License-Identifier: Apache-2.0
"""Promise 4: what was acknowledged survives kill -9.

Twenty clients enrol while core, the signer, a front or all processes are
killed, with requests in every stage of their way. Afterwards everything that
clients hold is looked for from outside, by SQL and openssl.
"""
import collections
import json
import os
import random
import signal
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
    made = world.World(tmp_path, devices=CLIENTS + 1)
    try:
        made.make_old_world(days=20)
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


# --- a fleet behind gateways ---

EDGE_ROUNDS = 20 if world.LONG else 4
TURNS = 7 if world.LONG else 1  # each moves the victims on by one phase
PHASES = ["preflight", "overlap", "pilot", "waves", "observe", "retire"]
VICTIMS = ["core", "signer", "front-1", "gw-1", "all", "front-2", "gw-2"]
DEVICES = 8 if world.LONG else 4


@pytest.fixture
def fleet(tmp_path):
    made = world.World(tmp_path, devices=DEVICES, gateways=2)
    try:
        yield made.everything()
    finally:
        made.close()


def messages_missing(w):
    """By a plain subscriber: numbers that each device sent and nobody got."""
    got = collections.defaultdict(set)
    for line in w.messages.read_text().splitlines():
        topic, _, number = line.rpartition(" ")
        if topic.startswith("dovetail/dev-"):
            got[topic.split("/")[1]].add(int(number))
    return {d["device"]: sorted(set(range(1, d["acked"] + 1)) - got[d["device"]])
            for d in w.fleet()["devices"] if set(range(1, d["acked"] + 1)) - got[d["device"]]}


def refusals(w):
    """Attempts that a certificate spoiled, by the devices' own logs; a
    connection that a kill cut is none."""
    return [a for a in w.attempts() if not a["ok"] and ("certificate" in a["text"] or "alert" in a["text"])]


def test_10_kill_9_of_gateway_workers_while_devices_publish(fleet):
    dice = random.Random(SEED)
    ready, slowest, counts = 0.0, (0.0, ""), collections.Counter()
    for _ in range(EDGE_ROUNDS):
        name = f"gw-{dice.randrange(2) + 1}"
        victims = fleet.children(name)
        victim = dice.choice(sorted(victims))
        made = {d["device"]: d["made"] for d in fleet.fleet()["devices"]}
        os.kill(victims[victim], signal.SIGKILL)
        since = time.monotonic()
        counts[victim] += 1
        world.wait_for(f"{victim} of {name} to be back", lambda: fleet.children(name).get(victim)
                       not in (None, victims[victim]), 10, 0.01)
        back = time.monotonic() - since
        world.wait_for("news of all devices", lambda: all(
            d["connected"] and d["acked"] > made[d["device"]] + 1 for d in fleet.fleet()["devices"]), 30, 0.05)
        slowest = max(slowest, (time.monotonic() - since, victim))
        ready = max(ready, back)
    devices = fleet.fleet()["devices"]
    print(f"{EDGE_ROUNDS} kills at two gateways {dict(counts)}: process back after at most {ready:.2f} s, news of all "
          f"devices after {slowest[0]:.1f} s ({slowest[1]}); {sum(d['reconnects'] for d in devices)} reconnects, "
          f"{sum(d['acked'] for d in devices)} messages, {messages_missing(fleet) or 0} missing")
    assert ready < READY_S
    assert not refusals(fleet)
    world.wait_for("every acknowledged message", lambda: not messages_missing(fleet), 5)


def strike(w, victim):
    """kill -9; what nobody starts again by itself is started here."""
    if victim.startswith("gw-"):
        workers = [pid for name, pid in w.children(victim).items() if name.startswith("worker")]
        os.kill(workers[0], signal.SIGKILL)
    elif victim == "all":
        family = [w.running["dovetaild"].pid, *w.children("dovetaild").values()]
        kills.send(family, signal.SIGKILL)
        w.running.pop("dovetaild").wait()
        world.wait_for("the end of all", lambda: all(kills.gone(pid) for pid in family[1:]))
        w.start_control()
    else:
        os.kill(w.children("dovetaild")[victim], signal.SIGKILL)


def twice(w, text, *args):
    """Rows of a statement that come more than once."""
    counts = collections.Counter(tuple(row) for row in w.query(text, *args))
    return [row for row, n in counts.items() if n > 1]


def check_once(w, number, kind):
    """Each step of a rotation was taken, and its effects are there once."""
    world.wait_for("the last actions", lambda: not w.query(
        "SELECT 1 FROM outbox WHERE rotation_id = ? AND state <> 'done'", number), 10)
    phases = [row["name"] for row in w.query("SELECT name FROM phase WHERE rotation_id = ? ORDER BY seq", number)]
    assert phases == PHASES + ["done"], phases
    # what a bundle is for is the key of the action that made it
    assert not twice(w, "SELECT reason FROM bundle")
    made = w.query("SELECT count(*) FROM bundle WHERE reason LIKE 'r' || ? || '/%'", number)[0][0]
    assert made == (3 if kind == "server-ca" else 1), made
    assert not twice(w, "SELECT gateway, authority_id FROM gateway_credential WHERE rotation_id = ?", number)
    assert not twice(w, "SELECT action, object, detail FROM audit WHERE action NOT LIKE 'core.%'")
    assert not twice(w, "SELECT name, device, correlation, body FROM event WHERE name <> 'AUTHORITY_CHANGE'")
    issued = w.query("SELECT owner, count(*) AS n FROM credential"
                     " WHERE source = 'est' AND owner_kind = 'device' GROUP BY owner")
    assert {row["owner"]: row["n"] for row in issued} == (
        {d: 1 for d in w.device_ids()} if kind == "device-ca" else {})
    left = w.query("SELECT device_id, state FROM assignment WHERE rotation_id = ? AND state <> 'confirmed'", number)
    assert not left, [tuple(row) for row in left]


@pytest.mark.parametrize("kind, turn", [(kind, turn) for turn in range(TURNS) for kind in ("server-ca", "device-ca")])
def test_6_a_kill_in_every_phase_of_a_rotation(fleet, kind, turn):
    dice = random.Random(SEED + turn)
    offset = turn + (2 if kind == "device-ca" else 0)
    struck = {}

    def at(rotation):
        phase = rotation["phase"]
        if "retire" in struck and not rotation["approval"]:
            phase += " (agreed)"
        if rotation["state"] == "running" and phase not in struck:
            struck[phase] = VICTIMS[(offset + len(struck)) % len(VICTIMS)]
            if turn > 0:
                time.sleep(dice.uniform(0, 1.5))
            strike(fleet, struck[phase])

    number = fleet.plan(kind, "old-root", "root", overlap_min_s=2, wave_min_s=2, observe_min_s=2)
    at(fleet.op("rotation", "start", number))
    rotation = fleet.run_rotation(number, 180, at=at)
    assert rotation["state"] == "done", json.dumps(rotation, indent=1)
    print(f"{kind}: " + ", ".join(f"{phase}: {victim}" for phase, victim in struck.items()))
    assert set(struck) >= set(PHASES), struck
    check_once(fleet, number, kind)
    world.wait_for("all devices", lambda: fleet.fleet()["connected"] == DEVICES, 30)
    assert not refusals(fleet)
    world.wait_for("every acknowledged message", lambda: not messages_missing(fleet), 5)
    clients.check_database(fleet.home)
    fleet.op("audit", "verify")
