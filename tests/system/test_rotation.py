# SPDX-License-Identifier: Apache-2.0
"""Rotations of a real fleet from outside: what moves, what is refused, what
is undone. Devices' own logs, openssl and the broker say how it went."""
import re
import subprocess
import threading
import time

import pytest

from world import BUILD, Refused, World, wait_for


@pytest.fixture
def make(tmp_path):
    """Worlds that are closed at the end."""
    worlds = []

    def build(settings=(), split=0, period_s=None, **size):
        worlds.append(World(tmp_path, **{"devices": 3, "gateways": 2, **size}))
        return worlds[-1].everything(settings, split, period_s)

    yield build
    for world in worlds:
        world.close()


def openssl(*args, **more):
    return subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, check=True,
                          **more).stdout


def fingerprint(path):
    text = openssl("x509", "-in", path, "-noout", "-fingerprint", "-sha256")
    return text.split("=")[1].strip().replace(":", "").lower()


def refusal(call, *args):
    with pytest.raises(Refused) as caught:
        call(*args)
    return caught.value


def generation(world, device):
    home = world.dir / "fleet" / device
    return home / "generations" / (home / "current").read_text().strip()


def trust_files(world, device):
    home = world.dir / "fleet" / device / "trust"
    newest = max((p for p in home.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))
    return sorted(newest.glob("anchor-*.pem"))


def all_applied(world):
    return all(g["behind"] == 0 for g in world.op("gateway", "list")["items"])


# --- one whole rotation ---


def s_client(world, n, key, cert, trust):
    """One TLS attempt of a plain client: its exit status and words. It waits
    for the broker's first byte, so that a late refusal is seen too."""
    done = subprocess.run(
        ["timeout", "10", "openssl", "s_client", "-connect", f"127.0.0.1:{world.gateway_ports[n]}",
         "-servername", world.names[0], "-key", key, "-cert", cert, "-CAfile", trust,
         "-verify_return_error", "-quiet", "-ign_eof"],
        input=CONNECT, capture_output=True, timeout=20)
    return done.stdout[:1] == b"\x20", done.stderr.decode(errors="replace")


# MQTT 3.1.1 CONNECT with a clean session, then DISCONNECT.
CONNECT = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01s" + b"\xe0\x00"


def test_1_both_rotations_lose_nothing_and_leave_nothing_of_the_old_root(make):
    world = make(["front.keyHold=8s"], devices=5)
    world.run_rotation(world.plan("server-ca", "old-root", "root"))
    world.run_rotation(world.plan("device-ca", "old-root", "root"))
    wait_for("the edges", lambda: all_applied(world))
    left = world.query("SELECT gateway, id, slot FROM gateway_credential WHERE slot NOT IN ('gone', 'ordered')")
    assert [(r["gateway"], r["slot"]) for r in left if r["gateway"].startswith("front-")] == \
        [("front-1", "current"), ("front-2", "current")], "what a front was started with is withdrawn"
    for n in (1, 2):
        wait_for(f"front {n} to wipe its key under the old root",
                 lambda n=n: [p.name for p in (world.home / f"front/{n}").glob("*key.pem")] == ["key.pem"])
    told = [(r["name"], r["device"]) for r in world.query("SELECT name, device FROM event")]
    for device in world.device_ids():
        assert told.count(("CertRotationCompleted", device)) == 1
        assert told.count(("CertRotationStarted", device)) == 1
    root, old = world.home / "public/root.pem", world.old / "devices/dev-0001"
    ok, words = s_client(world, 0, old / "key.pem", old / "cert.pem", root)
    assert not ok and "alert" in words, words
    world.stop("fleet")
    status = world.fleet()
    assert [a for a in world.attempts() if not a["ok"]] == []
    assert all(d["connected_at_end"] for d in status["devices"])
    forbidden = fingerprint(world.old / "ca/ca.pem")
    for device in world.device_ids():
        chain = generation(world, device) / "chain.pem"
        # the issuing CAs a device was told of help, and are not trusted
        issuing = trust_files(world, device)[0].parent / "issuing.pem"
        done = subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile",
                               root, "-untrusted", issuing, chain], capture_output=True, text=True)
        assert done.returncode == 0, device + done.stdout + done.stderr
        files = list((world.dir / "fleet" / device / "trust").glob("*/anchor-*.pem"))
        assert files and forbidden not in [fingerprint(f) for f in files]
    time.sleep(0.5)
    got = {tuple(line.split("/", 1)[1].replace("/", " ").split()[::2][:2])
           for line in world.messages.read_text().splitlines() if line.startswith("dovetail/")}
    missing = [(d["device"], n) for d in status["devices"] for n in range(1, d["acked"] + 1)
               if (d["device"], str(n)) not in got]
    assert not missing, (missing[:5], world.messages.read_text()[:200])


# --- what is refused ---


def new_chain(world):
    """A chain under the new root: what front-1 shows, by its own key."""
    rows = world.query("SELECT chain_pem FROM gateway_credential WHERE root = ? AND chain_pem <> ''",
                       fingerprint(world.home / "public/root.pem"))
    path = world.dir / "candidate.pem"
    path.write_text(rows[0]["chain_pem"])
    return path


def test_4_validate_and_rotate_name_every_device_that_would_fail(make):
    world = make()
    answer = world.op("gateway", "validate", "--certificate", new_chain(world))
    assert answer["sum"] == {"accepted": 0, "refused": 3, "unknown": 0}
    assert [(i["device"], i["reason"]) for i in answer["items"]] == [
        (d, "unable to get local issuer certificate") for d in world.device_ids()]
    for mode in ("strict", "lenient"):
        why = refusal(world.op, "gateway", "rotate", "--authority", "server-ca", "--mode", mode)
        assert why.problem["code"] == "interlock"
        assert [d["device"] for d in why.problem["devices"]] == world.device_ids()
    own = world.op("gateway", "validate", "--certificate", world.old / "gateways/gw-1/chain.pem")
    assert own["sum"] == {"accepted": 3, "refused": 0, "unknown": 0}


def test_4_an_anchor_stays_while_a_device_needs_it_or_a_gateway_is_unheard(make):
    world = make()
    ca = world.old / "ca/ca.pem"
    why = refusal(world.op, "trust", "update", "remove", ca)
    assert why.problem["code"] == "interlock"
    assert sorted(d["device"] for d in why.problem["devices"]) == world.device_ids()
    why = refusal(world.op, "authority", "retire", "old-root")
    assert why.problem["code"] == "interlock" and "still needed" in why.problem["detail"]
    number = world.plan("server-ca", "old-root", "root")
    world.run_rotation(number, until="approval")
    world.stop("gw-2")
    r = world.rotation(number)
    world.second("approval", "give", r["approval"])
    time.sleep(4)
    r = world.rotation(number)
    assert r["state"] == "running" and r["phase"] == "retire", r["phase"]
    assert "gw-2" in r["waits_for"], r["waits_for"]
    why = refusal(world.op, "authority", "retire", "old-root")
    assert why.problem["code"] == "interlock", why.problem
    world.start_gateway(2)
    world.run_rotation(number)


def test_4_a_handshake_through_a_cross_certificate_is_no_proof(make):
    """Every device trusts the old root alone and is shown the new certificate
    with the cross-certificate: all get in, none has proven anything."""
    world = make()
    world.op("authority", "cross-sign", "root", "--by", "old-root")
    number = world.with_second("gateway", "rotate", "--authority", "server-ca", "--override",
                               "the cross-certificate helps")["rotation"]
    world.run_rotation(number, until="observe")
    root = fingerprint(world.home / "public/root.pem")
    seen = lambda: {r["device_id"] for r in world.query(
        "SELECT device_id FROM chain_seen WHERE root = ? AND form = 'cross' AND accepted > 0", root)}
    wait_for("handshakes through the cross-certificate", lambda: len(seen()) == 3, 40)
    time.sleep(2)
    r = world.rotation(number)
    assert r["phase"] == "observe" and "proven" in r["waits_for"], r
    world.op("rotation", "abort", number)
    for args in (("trust", "update", "remove", world.old / "ca/ca.pem"), ("authority", "retire", "old-root")):
        why = refusal(world.op, *args)
        assert why.problem["code"] == "interlock", why.problem
        assert sorted(d["device"] for d in why.problem["devices"]) == world.device_ids()
    assert [a for a in world.attempts() if not a["ok"]] == []


def test_4_an_unheard_gateway_holds_the_removal_up(make):
    world = make(settings=["gateway.unheardAfter=12s"])
    number = world.plan("server-ca", "old-root", "root", observe_min_s=3600)
    world.run_rotation(number, until="observe")
    wait_for("proof", lambda: "proven" not in world.rotation(number)["waits_for"], 40)
    world.op("rotation", "abort", number)
    ca = world.old / "ca/ca.pem"
    assert refusal(world.op, "trust", "update", "remove", ca).problem["code"] == "needs-approval"
    world.stop("gw-2")

    def held():
        why = refusal(world.op, "trust", "update", "remove", ca).problem
        return why["code"] == "interlock" and "gw-2 is not heard" in why["detail"]

    wait_for("the refusal", held, 40, 0.5)
    world.start_gateway(2)
    wait_for("gw-2", lambda: refusal(world.op, "trust", "update", "remove", ca).problem["code"]
             == "needs-approval", 40, 0.5)


def test_an_approval_of_retire_is_for_these_devices_and_no_others(make):
    """Who is left behind changes after the question was put: the word that
    was given is for another text, and the question is put anew."""
    world = make(devices=4, split=1, period_s=5)
    state = lambda: {d["device"]: d["state"] for d in world.op("device", "list")}["dev-0004"]
    asked = lambda n: next(a["object"] for a in world.op("approval", "list")["items"] if a["id"] == n)
    world.stop("fleet-late")
    wait_for("dev-0004 to be parked", lambda: state() == "parked", 60)
    number = world.plan("server-ca", "old-root", "root")
    world.run_rotation(number, until="approval")
    first = world.rotation(number)["approval"]
    assert "; 1 parked" in asked(first), asked(first)
    world.run_fleet("fleet-late", ["dev-0004"], 300)
    wait_for("dev-0004 to be back", lambda: state() == "active", 40)
    time.sleep(2)
    world.second("approval", "give", first)
    second = wait_for("a new question", lambda: world.rotation(number)["approval"] not in (None, 0, first)
                      and world.rotation(number)["approval"], 60)
    r = world.rotation(number)
    assert r["state"] == "running" and r["phase"] == "retire", r
    assert "; 0 parked" in asked(second), asked(second)
    world.second("approval", "give", second)
    world.run_rotation(number)


def test_plans_are_judged_by_another_person_and_one_at_a_time(make):
    world = make()
    number = world.plan("server-ca", "old-root", "root")
    why = refusal(world.plan, "server-ca", "old-root", "root")
    assert why.problem["code"] == "conflict" and f"rotation {number} " in why.problem["detail"]
    why = refusal(world.op, "rotation", "plan", "device-ca", "--from", "old-root", "--to", "root",
                  "--set", "colour=1")
    assert why.problem["detail"] == 'unknown field "colour"'
    for verb, state in (("start", "running"), ("pause", "paused"), ("resume", "running"),
                        ("abort", "aborted")):
        assert world.op("rotation", verb, number)["state"] == state
        assert world.rotation(number)["state"] == state
    assert refusal(world.op, "rotation", "start", number).problem["code"] == "conflict"
    number = world.plan("server-ca", "old-root", "root")
    world.run_rotation(number, until="observe")
    assert world.op("rotation", "rollback", number)["state"] == "rolled-back"
    wait_for("the old chain everywhere", lambda: all_applied(world) and all(
        g["default_root_name"] == "old-root" for g in world.op("gateway", "list")["items"]
        if g["kind"] == "gateway"))


def test_one_person_gives_no_word_for_what_the_same_person_asked(make):
    world = make(devices=1)
    ask = ("gateway", "rotate", "--authority", "server-ca", "--override", "we know")
    number = refusal(world.op, *ask).problem["approval"]
    why = refusal(world.op, "approval", "give", number)
    assert why.problem["status"] in (403, 409), why.problem
    world.second("approval", "give", number)
    why = refusal(world.op, *ask[:-1], "we know something else")
    assert why.problem["code"] == "needs-approval" and why.problem["approval"] != number
    world.tokens["both"] = world.cli("admin" if "admin" in world.tokens else "operator", "token", "create",
                                     "both", "--role", "admin")["token"]
    number = refusal(world.cli, "both", *ask[:-1], "we know better").problem["approval"]
    why = refusal(world.cli, "both", "approval", "give", number)
    assert why.problem["status"] in (403, 409), why.problem


def test_a_token_does_what_its_role_may_until_it_is_revoked(make):
    world = make(devices=1)
    world.tokens["wrong"] = "dvt_" + "0" * 43
    assert refusal(world.cli, "wrong", "status").problem["status"] == 401
    assert refusal(world.second, "rotation", "plan", "server-ca", "--from", "old-root", "--to",
                   "root").problem["status"] == 403
    name = "admin" if "admin" in world.tokens else "operator"
    world.tokens["guest"] = world.cli(name, "token", "create", "guest", "--role", "viewer")["token"]
    assert world.cli("guest", "device", "list")
    assert refusal(world.cli, "guest", "device", "block", "dev-0001", "--reason", "x").problem["status"] == 403
    subprocess.run([BUILD / "dovetail", "--dir", world.home, "token", "revoke", "guest"], check=True,
                   env={"DOVETAIL_TOKEN": world.tokens[name]}, capture_output=True)
    assert refusal(world.cli, "guest", "device", "list").problem["status"] == 401


# --- bad input ---


def make_ca(folder, name, *ext, days=("-days", "365"), faketime=()):
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    conf = folder / f"{name}.cnf"
    conf.write_text("[req]\ndistinguished_name = dn\nx509_extensions = ext\n[dn]\n[ext]\n"
                    "subjectKeyIdentifier = hash\n" + "".join(e + "\n" for e in ext))
    subprocess.run([*faketime, "openssl", "req", "-new", "-x509", "-config", conf, "-key", key,
                    "-subj", f"/CN={name}", "-out", cert, *days], check=True, capture_output=True)
    return cert, key


CA = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")


def test_an_authority_that_cannot_serve_is_refused_with_the_reason(make, tmp_path):
    world = make(devices=1)
    good, key = make_ca(tmp_path, "good", *CA)
    leaf, leaf_key = make_ca(tmp_path, "leaf", "basicConstraints=critical,CA:FALSE")
    early, early_key = make_ca(tmp_path, "early", *CA, faketime=("faketime", "-f", "+2h"))
    late, late_key = make_ca(tmp_path, "late", *CA, days=("-days", "1"), faketime=("faketime", "-f", "-9d"))
    short, short_key = make_ca(tmp_path, "short", "basicConstraints=critical,CA:TRUE,pathlen:0", CA[1])
    for cert, its_key, words in ((leaf, leaf_key, r"no CA|not a CA"),
                                 (early, early_key, r"7[12]\d\d s|2 h|1 h 59"), (late, late_key, r"expired|ended")):
        why = refusal(world.op, "authority", "import", "x", "--certificate", cert, "--key", its_key,
                      "--server")
        text = why.problem.get("detail", "") + why.err
        assert re.search(words, text) and why.problem.get("code") != "needs-approval", (cert.name, text)
    # the key is sealed to the signer, which looks before a second person is asked
    why = refusal(world.op, "authority", "import", "x", "--certificate", good, "--key", leaf_key,
                  "--server")
    text = why.problem.get("detail", "") + why.err
    assert re.search(r"is for key [0-9a-f]{16}\.\.\., not for key", text), text
    assert not any(a["name"] == "x" for a in world.op("authority", "list"))
    world.with_second("authority", "import", "short", "--certificate", short, "--key", short_key, "--server")
    why = refusal(world.op, "authority", "cross-sign", "root", "--by", "short")
    assert "pathlen" in why.problem["detail"], why.problem


# --- an overridden rotation, and back ---


class Clients:
    """Plain clients that trust the old root only, and their own log."""

    def __init__(self, world, threads=2):
        self.world, self.log, self.on = world, [], True
        self.begin(threads)

    def begin(self, threads):
        self.threads = [threading.Thread(target=self.loop, args=(n,)) for n in range(threads)]
        for t in self.threads:
            t.start()

    def attempt(self, n):
        old = self.world.old / "devices/dev-0001"
        began = time.time()
        ok, words = s_client(self.world, n, old / "key.pem", old / "cert.pem", self.world.old / "ca/ca.pem")
        self.log.append((began, ok, words))
        return ok

    def loop(self, n):
        while self.on:
            self.attempt(n)
            time.sleep(0.1)

    def end(self):
        self.on = False
        for t in self.threads:
            t.join()


def shown(world):
    return {g["default_root_name"] for g in world.op("gateway", "list")["items"] if g["kind"] == "gateway"}


def back(world):
    return all_applied(world) and shown(world) == {"old-root"}


def no_failure_after(world, clients, moment):
    time.sleep(4)
    clients.end()
    later = [(ok, words) for began, ok, words in clients.log if began > moment]
    assert len(later) > 10 and all(ok for ok, _ in later), [w for ok, w in later if not ok][:2]
    assert [a for a in world.attempts() if a["at"] > moment and not a["ok"]] == []


def test_4_after_a_rollback_by_itself_no_client_fails(make):
    world = make()
    clients = Clients(world)
    try:
        time.sleep(1)
        assert clients.log and all(ok for _, ok, _ in clients.log), clients.log[-1]
        number = world.with_second("gateway", "rotate", "--authority", "server-ca", "--override",
                                   "to see what happens")["rotation"]
        wait_for("a client to fail", lambda: any(not ok for _, ok, _ in clients.log), 40)
        wait_for("the rollback", lambda: world.rotation(number)["state"] == "rolled-back", 40)
        wait_for("the old chain everywhere", lambda: back(world), 30)
        no_failure_after(world, clients, time.time())
    finally:
        clients.end()


def test_4_after_a_rollback_by_call_no_client_fails(make):
    """One refusal is under every limit: only the operator's call undoes it."""
    world = make()
    clients = Clients(world, threads=0)
    assert clients.attempt(0), clients.log
    world.stop("fleet")
    try:
        number = world.with_second("gateway", "rotate", "--authority", "server-ca", "--override",
                                   "to see what happens")["rotation"]
        wait_for("the client to be refused", lambda: not clients.attempt(0), 40, 0.3)
        time.sleep(3)
        assert world.rotation(number)["state"] == "running"
        world.op("gateway", "rollback")
        wait_for("the old chain everywhere", lambda: back(world), 30)
        assert world.rotation(number)["state"] == "rolled-back"
        for _ in range(2):  # again is no way forward
            assert "nothing older" in refusal(world.op, "gateway", "rollback").problem["detail"]
        assert back(world)
        clients.begin(2)
        moment = time.time()
        world.start_fleet()
        no_failure_after(world, clients, moment)
    finally:
        clients.end()


def test_a_gateway_that_is_removed_holds_no_gate_and_is_refused(make):
    """One that never came goes at once, one that was heard with a second person's word."""
    world = make(devices=2, gateways=2)
    world.op("gateway", "add", "gw-9", "--name", world.names[0])
    r = world.plan("server-ca", "old-root", "root")
    world.op("rotation", "start", r)
    wait_for("a gate to wait for it", lambda: "gw-9" in world.rotation(r)["waits_for"])
    world.op("gateway", "remove", "gw-9")
    world.run_rotation(r)
    assert refusal(world.op, "gateway", "remove", "front-1").status == 73
    assert refusal(world.op, "gateway", "remove", "gw-9").status == 69
    assert refusal(world.op, "gateway", "remove", "gw-2").problem["code"] == "needs-approval"
    world.with_second("gateway", "remove", "gw-2")
    assert [g["name"] for g in world.op("gateway", "list")["items"]] == ["front-1", "front-2", "gw-1"]
    log = world.dir / "log/gw-2.log"
    wait_for("its report to be refused", lambda: "gateway.control.failed" in log.read_text(), 30)
    # the same name may be used again, from the beginning
    secret = world.op("gateway", "add", "gw-2", "--name", world.names[0])["secret"]
    assert secret
    assert world.query("SELECT 1 FROM gateway_credential WHERE gateway = 'gw-2'") == []
