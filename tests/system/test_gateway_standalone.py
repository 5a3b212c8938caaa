# SPDX-License-Identifier: Apache-2.0
"""dovetail-gateway without a control plane, against openssl and mosquitto."""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from edgekit import BUILD, Ca, Client, Echo, Gateway, fingerprint, free_port, wait_for

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class World:
    def __init__(self, folder):
        self.folder = folder
        self.root = Ca(folder / "pki", "Server Root")
        self.sub = Ca(folder / "pki", "Server Issuing", self.root)
        self.edge = self.sub.leaf("edge", "serverAuth", ["edge.example"])
        self.devices = Ca(folder / "pki", "Device Root")
        self.dev = [self.devices.leaf(f"dev-{i}") for i in range(3)]
        self.expired = self.devices.leaf("dev-old", days=("-9d", -2))
        self.early = self.devices.leaf("dev-early", days=("1d", 9))
        self.server = self.devices.leaf("dev-server", "serverAuth")
        self.as_ca = self.devices.leaf("dev-ca", ca=True)
        self.other = Ca(folder / "pki", "Other Root")
        self.stranger = self.other.leaf("dev-0x")
        self.echo = Echo()
        self.deny = folder / "deny"
        self.deny.write_text("# none yet\n")
        self.gw = Gateway(folder / "gw", f"tcp:127.0.0.1:{self.echo.port}", certificate=self.edge[0],
                          key=self.edge[1], client_ca=self.devices.cert, deny=self.deny).start()

    def client(self, pair=None, trust=None, **more):
        cert, key = pair or (None, None)
        return Client(self.gw.port, [trust or self.root.cert], cert, key, **more)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("standalone"))
    yield w
    assert w.gw.stop() == 0
    w.echo.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_device_gets_through_and_is_recorded(world, version):
    since = len(world.gw.records())
    c = world.client(world.dev[0], version=VERSIONS[version])
    assert c.echo(b"hello")
    assert c.echo(os.urandom(1_000_000))
    c.close()
    r = world.gw.next_record(since, outcome="ok")
    assert r["device"] == "dev-0" and r["confidence"] == "certificate"
    assert r["certificate"] == fingerprint(world.dev[0][0])
    assert r["protocol"] == f"TLSv{version}" and r["name"] == "edge.example"
    assert r["credential"] == "file" and r["form"] == "pure" and r["why"] == "default"
    assert r["address"] == "127.0.0.1" and r["duration_us"] > 0


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("who,reason,x509", [
    ("stranger", "unknown-ca", 20),
    ("expired", "expired", 10),
    ("early", "not-yet-valid", 9),
    ("server", "bad-certificate", 26),
    ("as_ca", "bad-certificate", None),
    (None, "no-certificate", None),
])
def test_what_is_refused_is_named_and_the_client_hears_it(world, version, who, reason, x509):
    since = len(world.gw.records())
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)) as told:
        world.client(getattr(world, who) if who else None, version=VERSIONS[version]).echo()
    assert "alert" in str(told.value).lower()
    r = world.gw.next_record(since, outcome="edge-refused")
    assert r["reason"] == reason and r["direction"] == "out"
    if x509:
        assert r["x509_error"] == x509 and r["depth"] == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_device_that_rejects_us_is_recorded_with_its_alert(world, version):
    since = len(world.gw.records())
    flag = "-tls1_2" if version == "1.2" else "-tls1_3"
    subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{world.gw.port}", "-servername", "edge.example", flag,
         "-CAfile", world.other.cert, "-verify_return_error", "-cert", world.dev[1][0], "-key", world.dev[1][1]],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    r = world.gw.next_record(since, outcome="device-refused")
    assert r["reason"] == "unknown-ca" and r["alert"] == 48 and r["direction"] == "in"
    assert r["serial"] and len(r["print"]) == 16


def test_finished_and_closed_without_a_byte_counts_as_a_rejection(world):
    c = world.client(world.dev[0])  # this TLS stack takes our chain, here and there
    assert c.echo()
    c.close()
    since = len(world.gw.records())
    c = world.client(world.dev[1])
    c.leave()
    r = world.gw.next_record(since, outcome="device-refused")
    assert r["reason"] == "closed" and r["device"] == "dev-1" and "alert" not in r


def test_a_silent_session_counts_as_a_success_after_a_while(world):
    since = len(world.gw.records())
    c = world.client(world.dev[1])
    world.gw.next_record(since, seconds=9, outcome="ok", device="dev-1")
    assert c.echo()
    c.close()


def test_garbage_and_half_handshakes_do_no_harm(world):
    for first in (b"", b"\r\n", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x40\x01", b"\x80\x2e\x01\x03\x01",
                  b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", os.urandom(3000)):
        s = socket.create_connection(("127.0.0.1", world.gw.port))
        s.sendall(first)
        s.close()
    c = world.client(world.dev[0])
    assert c.echo()
    c.close()


def test_upstream_end_reaches_the_client_and_the_other_way(world):
    wait_for("quiet", lambda: world.echo.open == 0)
    c = world.client(world.dev[0])
    c.echo()
    wait_for("upstream open", lambda: world.echo.open == 1)
    c.close()
    wait_for("upstream closed", lambda: world.echo.open == 0)
    # half closed: all that was sent comes back before the end
    c = world.client(world.dev[0], version=ssl.TLSVersion.TLSv1_3)
    c.tls.sendall(b"x" * 300_000)
    got = 0
    c.tls.settimeout(10)
    while got < 300_000:
        got += len(c.tls.recv(65536))
    assert c.leave()


def resident(gw):
    """KiB of all its processes; what the kernel's sockets hold is not theirs."""
    return sum(int(line.split()[1]) for pid in gw.children() for line in open(f"/proc/{pid}/status")
               if line.startswith("VmRSS"))


def test_a_slow_reader_is_not_buffered_without_bound(world):
    c = world.client(world.dev[0])
    c.tls.settimeout(1)
    sent, before = 0, resident(world.gw)
    with pytest.raises((TimeoutError, ssl.SSLError)):
        while sent < 500_000_000:
            sent += c.tls.send(b"y" * 65536)
    assert resident(world.gw) - before < 2048, sent
    c.close()


def test_a_killed_worker_is_replaced_unnoticed(world):
    before = world.gw.workers()
    assert len(before) == 2, world.gw.log()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
        # sockets survive in the parent: no connection is refused meanwhile
        for _ in range(20):
            c = world.client(world.dev[0])
            assert c.echo()
            c.close()
    after = wait_for("two new workers", lambda: (w := world.gw.workers()) and
                     not set(w.values()) & set(before.values()) and w)
    assert len(after) == 2


def test_reload_denies_cuts_and_forgives(world):
    since = len(world.gw.records())
    c = world.client(world.dev[2])
    assert c.echo()
    world.deny.write_text(f"SHA256:{fingerprint(world.dev[2][0])}  # stolen\n")
    world.gw.process.send_signal(signal.SIGHUP)
    assert c.is_closed(5)
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        world.client(world.dev[2]).echo()
    r = world.gw.next_record(since, outcome="edge-refused", reason="denied-revoked")
    assert r["device"] == "dev-2" and r["alert"] == 44
    world.deny.write_text("")
    world.gw.process.send_signal(signal.SIGHUP)

    def comes_in():
        try:
            c = world.client(world.dev[2])
            ok = c.echo()
            c.close()
            return ok
        except (ssl.SSLError, ConnectionError, EOFError):
            return False
    wait_for("forgiven", comes_in)


def records_of(flight):
    """The TLS records in some bytes."""
    while flight:
        n = 5 + int.from_bytes(flight[3:5], "big")
        yield flight[:n]
        flight = flight[n:]


def test_denied_during_its_own_handshake_is_recorded_as_refused(world):
    since = len(world.gw.records())
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.minimum_version = False, ssl.TLSVersion.TLSv1_3
    ctx.load_verify_locations(world.root.cert)
    ctx.load_cert_chain(*world.dev[1])
    came, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ctx.wrap_bio(came, out, server_hostname="edge.example")
    with socket.create_connection(("127.0.0.1", world.gw.port), timeout=5) as s:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                s.sendall(out.read())
                came.write(s.recv(65536))
        *first, finished = records_of(out.read())
        s.sendall(b"".join(first))  # certificate and proof: looked at, let in
        time.sleep(0.3)
        seen = world.gw.log().count("event=gateway.reloaded")
        world.deny.write_text(f"{fingerprint(world.dev[1][0])}\n")
        world.gw.process.send_signal(signal.SIGHUP)
        wait_for("reload", lambda: world.gw.log().count("event=gateway.reloaded") > seen)
        time.sleep(0.5)
        s.sendall(finished)
        while s.recv(4096):
            pass
    world.deny.write_text("")
    world.gw.process.send_signal(signal.SIGHUP)
    r = world.gw.next_record(since, device="dev-1")
    assert (r["outcome"], r["reason"], r["confidence"]) == ("edge-refused", "denied-revoked", "certificate")
    time.sleep(0.2)
    assert [r["device"] for r in world.gw.records()[since:]].count("dev-1") == 1


def test_reload_swaps_the_certificate_under_open_sessions(world):
    open_ = world.client(world.dev[0])
    assert open_.echo()
    cert, key = world.sub.leaf("edge-2", "serverAuth", ["edge.example"])
    old = world.edge[0].read_text(), world.edge[1].read_text()

    def serial():
        c = world.client(world.dev[0])
        assert c.echo()  # leaving without a byte would count as a rejection
        c.close()
        return c.number
    before = serial()
    # a key that does not match is refused, and the old pair kept
    shutil.copy(key, world.edge[1])
    world.gw.process.send_signal(signal.SIGHUP)
    wait_for("refused", lambda: "gateway.reload.refused" in world.gw.log())
    assert serial() == before
    shutil.copy(cert, world.edge[0])
    world.gw.process.send_signal(signal.SIGHUP)
    wait_for("swapped", lambda: serial() != before)
    assert open_.echo()
    open_.close()
    world.edge[0].write_text(old[0])
    world.edge[1].write_text(old[1])
    world.gw.process.send_signal(signal.SIGHUP)
    wait_for("swapped back", lambda: serial() == before)


def test_after_a_reload_records_go_into_a_new_file_of_the_name(world):
    gw = world.gw
    old = gw.records_path.with_suffix(".1")
    gw.records_path.rename(old)
    told = gw.log().count("event=gateway.reloaded")
    gw.process.send_signal(signal.SIGHUP)
    wait_for("reloaded", lambda: gw.log().count("event=gateway.reloaded") > told)
    before = old.read_text()
    c = world.client(world.dev[0])
    assert c.echo()
    c.close()
    gw.next_record(0, outcome="ok", device="dev-0")
    assert old.read_text() == before


def test_bad_settings_are_refused_with_a_reason(world):
    folder = world.folder / "bad"
    cases = [
        ({"upstream": None}, "upstream"),
        ({"key": None}, "go together"),
        ({"key": world.dev[0][1]}, "key"),
        ({"client_ca": None}, "client-ca"),
        ({"certificate": world.expired[0], "key": world.expired[1]}, "dev-old"),
        ({"upstream": "mqtt:127.0.0.1:1 tcp:127.0.0.1:1"}, "all are mqtt"),
        ({"upstream": "mqtt:127.0.0.1"}, "mqtt"),
        ({"control": "https://127.0.0.1:1"}, "state"),
        ({"colour": "blue"}, "colour"),
        ({"listen": "127.0.0.1"}, "gateway.listen"),
        ({"listen": "*:8883"}, "0.0.0.0:8883"),
        ({"listen": "/run/gw.sock"}, "no TCP address"),
    ]
    for change, word in cases:
        gw = Gateway(folder, **{"upstream": "tcp:127.0.0.1:1", "certificate": world.edge[0],
                                "key": world.edge[1], "client_ca": world.devices.cert, **change})
        done = subprocess.run([BUILD / "dovetail-gateway", "--config", gw.config, "-n"], capture_output=True, text=True)
        assert done.returncode not in (0, 1) and word in done.stderr, (change, done.stderr)
    gw = Gateway(folder, "tcp:127.0.0.1:1", certificate=world.edge[0], key=world.edge[1], client_ca=world.devices.cert)
    done = subprocess.run([BUILD / "dovetail-gateway", "--config", gw.config, "-n"], capture_output=True, text=True)
    assert done.returncode == 0 and "gateway.listen" in done.stdout, done.stderr


def test_an_address_that_another_gateway_has_is_not_shared(world, tmp_path):
    """One account may share it by SO_REUSEPORT: half of the devices would meet the other one."""
    settings = {**world.gw.settings, "listen": f"127.0.0.1:{world.gw.port}"}
    (tmp_path / "gw.ini").write_text("[gateway]\n" + "".join(f"{k.replace('_', '-')} = {v}\n" for k, v in settings.items()))
    done = subprocess.run([BUILD / "dovetail-gateway", "--config", tmp_path / "gw.ini"], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 71 and "Address already in use" in done.stderr, done.stderr


def test_mosquitto_clients_work_through_it(world, tmp_path):
    port = free_port()
    conf = tmp_path / "mosquitto.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    broker = subprocess.Popen([shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", conf],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    gw = Gateway(tmp_path / "gw", f"tcp:127.0.0.1:{port}", certificate=world.edge[0], key=world.edge[1],
                 client_ca=world.devices.cert).start()
    try:
        wait_for("broker", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        for tls in ("tlsv1.2", "tlsv1.3"):
            for mqtt in ("mqttv311", "mqttv5"):
                common = ["-h", "127.0.0.1", "-p", str(gw.port), "--insecure", "--cafile", world.root.cert,
                          "--cert", world.dev[0][0], "--key", world.dev[0][1], "--tls-version", tls, "-V", mqtt,
                          "-q", "1", "-t", f"t/{tls}/{mqtt}"]
                sub = subprocess.Popen(["mosquitto_sub", *common, "-C", "1", "-W", "10", "-i", "sub"],
                                       stdout=subprocess.PIPE, text=True)
                seen = len(gw.records())
                for _ in range(20):
                    pub = subprocess.run(["mosquitto_pub", *common, "-m", "hi", "-i", "pub"], capture_output=True, text=True)
                    assert pub.returncode == 0, pub.stderr
                    if sub.poll() is not None:
                        break
                    time.sleep(0.1)
                assert sub.communicate(timeout=15)[0] == "hi\n"
                assert gw.next_record(seen, outcome="ok")["device"] == "dev-0"
        # a client with another root rejects us
        seen = len(gw.records())
        bad = subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(gw.port), "--insecure", "--cafile",
                              world.other.cert, "--cert", world.dev[0][0], "--key", world.dev[0][1], "-t", "x", "-m", "y"],
                             capture_output=True, text=True)
        assert bad.returncode != 0
        r = gw.next_record(seen, outcome="device-refused")
        assert r["reason"] == "unknown-ca" and r["alert"] == 48
    finally:
        gw.stop()
        broker.terminate()
        broker.wait(10)
