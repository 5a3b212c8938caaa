# SPDX-License-Identifier: Apache-2.0
"""dovetail-gateway behind a scripted control plane: feed, reports, cache."""
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

import disks
from edgekit import BUILD, Ca, Client, Echo, Gateway, fingerprint, free_port, run_openssl, wait_for
from feedkit import Control
from test_full_disk import fill as fill_disk

REFUSED = (ssl.SSLError, ConnectionError, EOFError, TimeoutError)


class World:
    """Old and new server roots, a device root; the gateway starts with the old chain in files."""

    def __init__(self, folder):
        self.folder = folder
        self.old = Ca(folder / "pki", "Old Root")
        self.old_sub = Ca(folder / "pki", "Old Issuing", self.old)
        self.new = Ca(folder / "pki", "New Root")
        self.new_sub = Ca(folder / "pki", "New Issuing", self.new)
        self.edge = self.old_sub.leaf("edge", "serverAuth", ["edge.example"])
        self.devices = Ca(folder / "pki", "Device Root")
        self.dev = [self.devices.leaf(f"dev-{i}") for i in range(4)]
        self.fp_old, self.fp_new = fingerprint(self.old.cert), fingerprint(self.new.cert)
        self.echo = Echo()
        self.control = Control(folder, free_port()).start()
        secret = folder / "secret"
        secret.write_text(self.control.secret + "\n")
        self.gw = Gateway(folder / "gw", f"tcp:127.0.0.1:{self.echo.port}", certificate=self.edge[0],
                          key=self.edge[1], client_ca=self.devices.cert, state=folder / "state",
                          control=f"https://127.0.0.1:{self.control.port}", control_name="control.test",
                          control_ca=self.control.root.cert, secret=f"file:{secret}")

    def client(self, i=0, trust=None, **more):
        trust = trust if trust is not None else [self.old.cert]
        return Client(self.gw.port, trust, *self.dev[i], **more)

    def fill(self):
        """The inventory and the policy before any rotation; all applied."""
        self.control.anchor(self.devices)
        for i, pair in enumerate(self.dev):
            self.control.device(f"dev-{i}", pair)
        self.wait_applied(self.control.policy(self.fp_old))

    def wait_applied(self, position):
        wait_for(f"applied {position}", lambda: self.control.applied(position))

    def wait_cached(self, folder=None):
        """The cache of the gateway at @folder, once it holds all that was put."""
        cache = (folder or self.folder) / "state/cache"
        wait_for("cache", lambda: cache.exists() and
                 f'"position":{self.control.position}' in cache.read_text().splitlines()[0])
        return cache

    def order_new(self):
        """A credential under the new root, its key made in the gateway."""
        c = self.control
        c.put("csr", "gw-1/o-1", {"gateway": "gw-1", "order": "o-1", "listener": "main",
                                  "names": ["edge.example", "next.example"], "authority": "new"})
        der = wait_for("csr", lambda: c.csrs.get("o-1"))
        cert = self.folder / "pki" / "edge-new.pem"
        self.new_sub.sign("edge-new", None, "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
                          "subjectAltName=DNS:edge.example,DNS:next.example\n", None, cert, csr_der=der)
        spki = subprocess.run(f"openssl x509 -in {cert} -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum",
                              shell=True, capture_output=True, text=True).stdout.split()[0]
        c.put("csr", "gw-1/o-1", None)
        c.put("credential", "gw-1/2", {
            "gateway": "gw-1", "listener": "main", "slot": "next", "generation": 2,
            "names": ["edge.example", "next.example"], "root": self.fp_new, "key_digest": spki,
            "chain_pem": cert.read_text() + self.new_sub.cert.read_text()})
        self.wait_applied(c.policy(self.fp_old, self.fp_new))

    def close(self):
        self.gw.stop()
        self.control.stop()
        self.echo.close()


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


def test_enrols_follows_the_feed_and_confirms(world):
    gw, c = world.gw.start(), world.control
    wait_for("a report", lambda: c.reports)
    # before any policy: the files' certificate, the files' client-ca
    s = world.client(0)
    assert s.echo()
    s.close()
    told = next(r for r in c.reports if r.get("credentials"))["credentials"][0]
    assert told["id"] == "file" and told["names"] == ["edge.example"]
    world.fill()
    assert c.enrolled == 1
    s = world.client(0)
    assert s.echo() and s.shown() == "Old Issuing"
    wait_for("sessions", lambda: c.reports[-1]["sessions"] == 1)
    s.close()
    done = wait_for("record", lambda: [h for h in c.handshakes if h.get("device") == "dev-0"])
    assert done[-1]["outcome"] == "ok" and done[-1]["confidence"] == "certificate"
    # the identity survives a restart, the secret is not used twice
    assert gw.stop() == 0
    gw.start()
    since = len(c.reports)
    wait_for("a report again", lambda: len(c.reports) > since)
    assert c.enrolled == 1
    assert len({r["batch"] for r in c.reports}) == len(c.reports)
    mode = os.stat(world.folder / "state" / "identity").st_mode
    assert mode & 0o077 == 0


def test_relative_paths_begin_in_the_folder_of_the_settings_file(world, tmp_path):
    """Checked and started from another folder; a secret that is not there is told with its whole path."""
    gw, secret = world.gw, world.gw.folder / "s.txt"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    gw.settings.update(secret="file:s.txt", state="st", record="r.jsonl", admin="unix:a.sock")
    gw.write_settings()
    check = [BUILD / "dovetail-gateway", "--config", gw.config, "-n"]
    done = subprocess.run(check, capture_output=True, text=True, cwd=elsewhere)
    assert done.returncode == 69 and f"gateway.secret: {secret}: no such file" in done.stderr, done
    here = os.getcwd()
    try:
        os.chdir(elsewhere)
        gw.start()
    finally:
        os.chdir(here)
    line = wait_for("failure", lambda: [l for l in gw.log().splitlines() if "gateway.enrol.failed" in l])[0]
    assert "gateway.secret" in line and str(secret) in line, line
    assert gw.stop() == 0
    secret.write_text("\n")
    done = subprocess.run(check, capture_output=True, text=True, cwd=elsewhere)
    assert done.returncode == 65 and f"gateway.secret: {secret}: empty" in done.stderr, done
    secret.write_text(world.control.secret + "\n")
    done = subprocess.run(check, capture_output=True, text=True, cwd=elsewhere)
    assert done.returncode == 0 and not done.stderr, done
    try:
        os.chdir(elsewhere)
        gw.start()
    finally:
        os.chdir(here)
    wait_for("a report", lambda: world.control.reports)
    assert world.control.enrolled == 1 and not list(elsewhere.iterdir())
    assert (gw.folder / "st" / "identity").exists() and (gw.folder / "r.jsonl").exists()
    assert (gw.folder / "a.sock").is_socket()
    # with an identity the secret is needed no more
    secret.unlink()
    done = subprocess.run(check, capture_output=True, text=True, cwd=elsewhere)
    assert done.returncode == 0 and not done.stderr, done


def test_a_whole_server_ca_rotation_on_the_wire(world):
    gw, c = world.gw.start(), world.control
    world.fill()
    world.order_new()
    keys = list((world.folder / "state" / "keys").iterdir())
    assert len(keys) == 1 and keys[0].stat().st_mode & 0o077 == 0
    # overlap: everybody is shown the old chain, the next name the new one alone
    stay = world.client(0)
    assert stay.echo() and stay.shown() == "Old Issuing"
    probe = world.client(1, [world.new.cert], name="next.example")
    assert probe.shown() == "New Issuing"
    assert probe.leave()
    h = wait_for("proof", lambda: [h for h in c.handshakes if h.get("name") == "next.example"])[-1]
    assert (h["outcome"], h["device"], h["confidence"]) == ("ok", "dev-1", "certificate")
    assert (h["root"], h["form"], h["why"]) == (world.fp_new, "pure", "next-name")
    # a device known to hold both and one that holds the old root only
    c.device("dev-1", world.dev[1], trust=[world.fp_old, world.fp_new])
    c.device("dev-2", world.dev[2], trust=[world.fp_old])
    # switch; open sessions stay
    world.wait_applied(c.policy(world.fp_new, world.fp_new))
    fresh = world.client(3, [world.old.cert, world.new.cert])
    assert fresh.shown() == "New Issuing" and fresh.echo()
    assert stay.echo()
    # who holds only the old root gets in at its second attempt at the latest
    def old_only():
        try:
            s = world.client(2, [world.old.cert])
            assert s.echo() and s.shown() == "Old Issuing"
            s.close()
            return True
        except REFUSED:
            return False
    assert old_only() or old_only()
    # a reconnect order closes the old session and leaves the new one
    c.put("reconnect", "gw-1", {"rotation": "r1", "keep_root": world.fp_new, "rate_per_s": 100})
    assert stay.is_closed(5)
    assert fresh.echo()
    fresh.close()


def test_reconnects_keep_to_their_pace(world):
    world.gw.start()
    world.fill()
    world.order_new()
    open_ = [world.client(0) for _ in range(12)]
    assert all(s.echo() for s in open_)
    began = time.monotonic()
    world.control.put("reconnect", "gw-1", {"rotation": "r1", "keep_root": world.fp_new, "rate_per_s": 6})
    assert all(s.is_closed(10) for s in open_)
    took = time.monotonic() - began
    assert took > 12 / 6 * 0.5, took
    # a session opened after the order is not meant
    s = world.client(0)
    assert s.echo()
    time.sleep(0.5)
    assert s.echo()
    s.close()


def test_denials_and_blocked_devices_are_cut_and_refused(world):
    gw, c = world.gw.start(), world.control
    world.fill()
    open_ = [world.client(i) for i in range(3)]
    assert all(s.echo() for s in open_)
    c.put("deny", fingerprint(world.dev[0][0]), {"reason": "revoked", "device": "dev-0", "not_after": 4102444800})
    c.put("deny", fingerprint(world.dev[1][0]), {"reason": "superseded", "device": "dev-1", "not_after": 4102444800})
    c.device("dev-2", world.dev[2], state="blocked")
    assert all(s.is_closed(5) for s in open_)
    for i, reason in enumerate(("denied-revoked", "denied-superseded", "denied-blocked")):
        since = len(gw.records())
        with pytest.raises(REFUSED):
            world.client(i).echo()
        r = gw.next_record(since, outcome="edge-refused")
        assert r["reason"] == reason and r["device"] == f"dev-{i}"


def test_a_line_that_cannot_be_read_holds_up_no_denial(world):
    gw, c = world.gw.start(), world.control
    world.fill()
    open_ = [world.client(i) for i in range(4)]
    assert all(s.echo() for s in open_)
    bad = c.put("memory", "gw-1/1", {"gateway": "gw-1", "address": "x" * 5000, "print": "", "device": "", "root": "",
                                     "form": "pure", "accepted": True, "at": 1})
    wait_for("refusal", lambda: "event=gateway.feed.refused" in gw.log())
    c.put("deny", fingerprint(world.dev[0][0]), {"reason": "revoked", "device": "dev-0", "not_after": 4102444800})
    assert open_[0].is_closed(5)
    time.sleep(4)  # the pauses between two tries grow
    last = c.device("dev-1", world.dev[1], state="blocked")
    assert open_[1].is_closed(5)
    for i in range(2):
        with pytest.raises(REFUSED):
            world.client(i).echo()
    assert open_[2].echo() and world.client(2).echo()
    wait_for("the doubt", lambda: any("answer is refused" in d for r in c.reports for d in r.get("doubts", [])))
    assert not c.applied(bad)
    with c.changed:
        del c.rows["memory", "gw-1/1"]
    wait_for("the rest", lambda: c.applied(last), 20)
    assert open_[3].echo()
    with pytest.raises(REFUSED):
        world.client(0).echo()


def test_a_certificate_issued_a_moment_ago_waits_for_its_listing(world):
    gw, c = world.gw.start(), world.control
    world.fill()
    fresh = world.devices.leaf("dev-9")
    # never listed: let in nowhere, and not answered as if it were
    since = len(gw.records())
    s = Client(gw.port, [world.old.cert], *fresh)
    assert s.end() == "eof"  # no close_notify: nobody may take it for a yes
    r = gw.next_record(since, outcome="edge-refused")
    assert r["reason"] == "unknown-device"
    # listed while it waits
    since = len(gw.records())
    threading.Timer(0.5, lambda: c.device("dev-9", fresh)).start()
    s = Client(gw.port, [world.old.cert], *fresh)
    assert s.echo()
    s.close()
    assert gw.next_record(since, outcome="ok")["device"] == "dev-9"


def test_swaps_lose_no_handshake_and_no_session(world):
    world.gw.start()
    world.fill()
    world.order_new()
    both = [world.old.cert, world.new.cert]
    open_ = [world.client(i % 4, both) for i in range(20)]
    failed, done, stop = [], [0], threading.Event()

    def load():
        while not stop.is_set():
            try:
                s = world.client(0, both)
                assert s.echo()
                s.close()
                done[0] += 1
            except Exception as e:  # noqa: BLE001  every failure counts
                failed.append(repr(e))
    threads = [threading.Thread(target=load) for _ in range(3)]
    [t.start() for t in threads]
    for i in range(20):
        world.wait_applied(world.control.policy(world.fp_new if i % 2 else world.fp_old, world.fp_new))
    stop.set()
    [t.join() for t in threads]
    assert failed == [] and done[0] > 20
    assert all(s.echo() for s in open_)


def test_promise_10_serves_on_from_its_cache_and_reports_later(world):
    gw, c = world.gw.start(), world.control
    world.fill()
    world.order_new()
    world.wait_applied(c.policy(world.fp_new, world.fp_new))
    world.wait_cached()
    c.stop()
    gw.kill()
    reports, before = len(c.reports), len(c.handshakes)
    gw.start()
    for i in range(30):
        s = world.client(i % 4, [world.new.cert])
        assert s.echo() and s.shown() == "New Issuing"
        s.close()
    # a kill in between loses no record that was made
    wait_for("records", lambda: sum(r["outcome"] == "ok" for r in gw.records()) >= 30)
    time.sleep(0.4)
    gw.kill()
    gw.start()
    assert len(c.reports) == reports
    c.start()
    wait_for("all records", lambda: len(c.handshakes) >= before + 30, 40)
    time.sleep(0.5)
    assert len([h for h in c.handshakes[before:] if h["outcome"] == "ok"]) == 30


def test_promise_10_serves_on_though_its_disk_is_full(world):
    disks.need_root()
    gw, c = world.gw, world.control
    with disks.tmpfs(world.folder / "small", "2M") as small:
        gw.settings["state"] = small / "state"
        gw.write_settings()
        try:
            gw.start()
            world.fill()
            world.wait_cached(small)
            assert gw.stop() == 0
            fill_disk(small)
            c.stop()
            gw.start()  # from its cache
            s = world.client(1)
            assert s.echo()
            c.start()
            c.put("deny", fingerprint(world.dev[1][0]), {"reason": "revoked", "device": "dev-1", "not_after": 2000000000})
            assert s.is_closed(10), "what it hears is in force"
            s = world.client(2)
            # nothing is sent under a number that may be used again
            reports = len(c.reports)
            time.sleep(1.5)
            assert len(c.reports) == reports and "event=gateway.spool.failed" in gw.log()
            (small / "filler").unlink()
            wait_for("reports", lambda: len(c.reports) > reports, 10)
            assert len({r["batch"] for r in c.reports}) == len({(r["batch"], str(r["handshakes"])) for r in c.reports})
            assert s.echo()
        finally:
            gw.stop()


def test_it_starts_again_though_the_certificate_of_its_settings_has_ended(world):
    """As a rotation leaves it: what is shown comes by the feed, and the old
    chain is still named in the settings when a machine is restarted."""
    world.edge = world.old_sub.leaf("edge", "serverAuth", ["edge.example"], days=("-1d", 2))
    gw, c = world.gw.start(), world.control
    world.fill()
    world.order_new()
    world.wait_applied(c.policy(world.fp_new, world.fp_new))
    world.wait_cached()
    assert gw.stop() == 0
    c.stop()
    gw.start(later_s=3 * 86400)
    s = world.client(0, [world.new.cert])
    assert s.echo() and s.shown() == "New Issuing"
    assert "event=gateway.certificate.ended" in gw.log()
    # lists and settings are taken up as ever
    gw.process.send_signal(signal.SIGHUP)
    wait_for("reloaded", lambda: "event=gateway.reloaded" in gw.log())
    # another one that has ended is not
    world.old_sub.leaf("edge", "serverAuth", ["edge.example"], days=("-1d", 2))
    gw.process.send_signal(signal.SIGHUP)
    wait_for("refused", lambda: "event=gateway.reload.refused" in gw.log())
    assert s.echo()
    # a clock that is set after the start is as harmless
    gw.stop()
    gw.start(at=time.time() - 400 * 86400)
    assert "event=gateway.certificate.early" in gw.log()
    # but no edge starts that has no other
    gw.stop()
    gw.settings = {k: v for k, v in gw.settings.items() if not k.startswith("control")}
    gw.write_settings()
    with pytest.raises(AssertionError, match="edge.chain.pem: .* ended"):
        gw.start(later_s=3 * 86400)


def test_a_changed_cache_is_refused(world):
    gw, c = world.gw.start(), world.control
    world.fill()
    cache = world.wait_cached()
    assert gw.stop() == 0
    text = cache.read_text()
    cache.write_text(text.replace('"state":"active"', '"state":"parked"', 1))
    c.stop()
    gw.start()
    wait_for("refused", lambda: "gateway.cache.refused" in gw.log())
    s = world.client(0)  # by its files
    assert s.echo()
    s.close()


def test_with_a_broken_identity_it_serves_its_files_and_enrols_again(world):
    gw, c = world.gw.start(), world.control
    world.fill()
    assert gw.stop() == 0
    (world.folder / "state" / "identity").write_text("")
    c.stop()
    gw.start()
    s = world.client(0)
    assert s.echo()
    s.close()
    assert "event=gateway.key.broken" in gw.log() and "file=identity" in gw.log()
    c.start()
    wait_for("another identity", lambda: c.enrolled == 2, 30)
    reports = len(c.reports)
    wait_for("reports", lambda: len(c.reports) > reports and c.applied(c.position))


def test_cut_off_it_takes_younger_certificates_of_known_devices_until_max_stale(world):
    gw, c = world.gw.start(), world.control
    world.fill()
    world.wait_applied(c.policy(world.fp_old, max_stale_s=3600))
    renewed = world.devices.leaf("dev-0")  # the name of a device we know
    nobody = world.devices.leaf("nobody")
    world.wait_cached()
    assert gw.stop() == 0
    c.stop()

    def comes_in(pair):
        try:
            s = Client(gw.port, [world.old.cert], *pair)
            ok = s.echo()
            s.close()
            return ok
        except REFUSED:
            return False
    gw.start(later_s=600)  # away for ten minutes
    assert comes_in(renewed) and not comes_in(nobody)
    gw.stop()
    gw.start(later_s=7200)  # away for two hours
    assert not comes_in(renewed) and comes_in(world.dev[1])


def test_what_a_sister_gateway_saw_saves_a_client_an_attempt(world):
    gw, c = world.gw.start(), world.control
    world.fill()
    world.order_new()
    # a client of the old root, whom nothing tells from others before it refuses
    world.wait_applied(c.policy(world.fp_new, world.fp_new))

    def attempt(address, anchors):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname = False
        for a in anchors:
            ctx.load_verify_locations(a)
        raw = socket.create_connection(("127.0.0.1", gw.port), timeout=5, source_address=(address, 0))
        try:
            with ctx.wrap_socket(raw, server_hostname="edge.example"):
                return True  # what it was shown, it trusts
        except ssl.SSLError as e:
            return "CERTIFICATE_VERIFY_FAILED" not in str(e)
        finally:
            raw.close()
    since = len(gw.records())
    assert not attempt("127.0.0.2", [world.old.cert]), "the new chain is shown first"
    r = gw.next_record(since, outcome="device-refused")
    world.wait_applied(c.put("memory", "gw-1/7", {
        "gateway": "gw-1", "address": "127.0.0.3", "print": r["print"], "device": "", "root": r["root"],
        "form": r["form"], "accepted": False, "at": int(time.time()) - 60}))
    world.wait_applied(c.put("memory", "gw-1/8", {  # not for us, too old, from a later day
        "gateway": "gw-9", "address": "127.0.0.4", "print": r["print"], "device": "", "root": r["root"],
        "form": r["form"], "accepted": False, "at": int(time.time())}))
    world.wait_applied(c.put("memory", "gw-1/9", {
        "gateway": "gw-1", "address": "127.0.0.4", "print": r["print"], "device": "", "root": r["root"],
        "form": r["form"], "accepted": False, "at": int(time.time()) - 7 * 3600}))
    assert attempt("127.0.0.3", [world.old.cert])
    assert not attempt("127.0.0.4", [world.old.cert])


def test_by_policy_nobody_comes_in_on_what_is_a_week_old(world):
    gw, c = world.gw.start(), world.control
    world.fill()
    world.wait_applied(c.policy(world.fp_old, refuse_after_s=7 * 86400))
    world.wait_cached()
    assert gw.stop() == 0
    c.stop()
    gw.start(later_s=6 * 86400)
    s = world.client(0)
    assert s.echo()
    gw.stop()
    gw.start(later_s=7 * 86400 + 60)
    since = len(gw.records())
    with pytest.raises(REFUSED):
        world.client(0).echo()
    gw.next_record(since, outcome="edge-refused", reason="unknown-device")
    assert "event=gateway.stale.refusing" in gw.log()


def test_who_came_in_by_name_is_cut_by_name(world):
    """Let in while the control plane was away, or listed only when it was
    there already: a block or a retirement finds these sessions too."""
    gw, c = world.gw.start(), world.control
    world.fill()
    late = world.devices.leaf("dev-late")
    waiting = Client(gw.port, [world.old.cert], *late)  # complete, and held
    waiting.tls.sendall(b"early")
    c.device("dev-late", late)
    assert waiting.tls.recv(5) == b"early"
    c.put("device", "dev-late", None)  # retired
    assert waiting.is_closed(5)

    renewed = world.devices.leaf("dev-1")
    world.wait_cached()
    assert gw.stop() == 0
    c.stop()
    gw.start(later_s=600)
    s = Client(gw.port, [world.old.cert], *renewed)
    assert s.echo()
    c.start()
    wait_for("heard again", lambda: "event=gateway.control.back" in gw.log(), 40)
    assert s.echo()
    c.device("dev-1", world.dev[1], state="blocked")
    assert s.is_closed(5)


def test_it_renews_its_own_certificate_and_keeps_its_cache(world):
    gw, c = world.gw.start(), world.control
    world.fill()
    identity = world.folder / "state" / "identity"
    before = identity.read_text()
    assert gw.stop() == 0 and c.enrolled == 1
    gw.start(later_s=45 * 86400)  # 15 of 60 days left
    wait_for("renewed", lambda: c.enrolled == 2 and identity.read_text() != before)
    since = len(c.reports)
    wait_for("a report under the new one", lambda: len(c.reports) > since + 1, 15)
    assert gw.stop() == 0
    c.stop()
    gw.start(later_s=45 * 86400)
    assert gw.log().count("gateway.cache.loaded") == 2 and "gateway.cache.refused" not in gw.log()


def test_another_epoch_is_taken_whole(world):
    gw, c = world.gw.start(), world.control
    world.fill()
    with c.changed:
        c.epoch, c.position = 8, 0
        del c.rows["device", "dev-3"]
        rows, c.rows = dict(c.rows), {}
        for (kind, key), (_, body) in rows.items():
            c.position += 1
            c.rows[kind, key] = (c.position, body)
        c.changed.notify_all()
    c.refuse = 503  # ends the long poll soon
    time.sleep(0.2)
    c.refuse = None
    world.wait_applied(c.put("deny", "f" * 64, {"reason": "revoked"}))
    s = world.client(0)
    assert s.echo()
    s.close()
    with pytest.raises(REFUSED):
        world.client(3).echo()


@pytest.mark.parametrize("victim", ["feed", "worker-1"])
def test_a_killed_process_comes_back_with_all_it_knew(world, victim):
    gw, c = world.gw.start(), world.control
    world.fill()
    world.order_new()
    pids = {w.split("child=")[1].split()[0]: int(w.split("pid=")[1].split()[0])
            for w in gw.log().splitlines() if "event=proc.started" in w}
    os.kill(pids[victim], signal.SIGKILL)
    world.wait_applied(c.policy(world.fp_new, world.fp_new))
    s = world.client(0, [world.old.cert, world.new.cert])
    assert s.echo() and s.shown() == "New Issuing"
    with pytest.raises(REFUSED):
        Client(gw.port, [world.new.cert], *world.devices.leaf("unknown-one")).echo()
