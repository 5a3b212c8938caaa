# SPDX-License-Identifier: Apache-2.0
"""The admin listener of a gateway: health, metrics, reload."""
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest

from edgekit import BUILD, Ca, Client, Echo, Gateway, free_port, wait_for


class World:
    def __init__(self, folder):
        self.folder = folder
        self.root = Ca(folder / "pki", "Server Root")
        self.edge = self.root.leaf("edge", "serverAuth", ["edge.example"])
        self.devices = Ca(folder / "pki", "Device Root")
        self.dev = self.devices.leaf("dev-0")
        self.other = Ca(folder / "pki", "Other Root")
        self.echo = Echo()
        self.port = free_port()
        self.gw = Gateway(folder / "gw", f"tcp:127.0.0.1:{self.echo.port}", certificate=self.edge[0], key=self.edge[1],
                          client_ca=self.devices.cert, admin=f"127.0.0.1:{self.port}").start()

    def ask(self, method, path, **headers):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        c.request(method, path, headers=headers)
        r = c.getresponse()
        return r.status, r.read().decode()

    def metrics(self):
        status, text = self.ask("GET", "/metrics")
        assert status == 200
        values = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                assert re.fullmatch(r'dovetail_gateway_[a-z_]+(\{([a-z_]+="[^"]*",?)+\})?', name), line
                assert name not in values
                values[name.removeprefix("dovetail_gateway_")] = int(value)
        return values

    def client(self, trust=None, pair=True):
        return Client(self.gw.port, [trust or self.root.cert], *(self.dev if pair else (None, None)))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("admin"))
    yield w
    assert w.gw.stop() == 0
    w.echo.close()


def test_health_says_what_is_served_and_until_when(world):
    status, text = world.ask("GET", "/healthz")
    said = json.loads(text)
    assert status == 200 and said["status"] == "ok", said
    assert said["workers"] == said["workers_ready"] == 2 and said["doubts"] == [] and "feed" not in said
    (shown,) = said["credentials"]
    out = subprocess.run(["openssl", "x509", "-in", world.edge[0], "-noout", "-serial"], capture_output=True, text=True)
    assert shown["id"] == "file" and shown["serial"] == out.stdout.strip().split("=")[1].lower()
    assert world.ask("HEAD", "/healthz") == (200, "")


def test_metrics_count_what_happened(world):
    before = world.metrics()
    c = world.client()
    assert c.echo()
    with pytest.raises(ssl.SSLError):
        world.client(trust=world.other.cert)
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        world.client(pair=False).echo()
    half = socket.create_connection(("127.0.0.1", world.gw.port))

    def grown(outcome, reason):
        name = f'handshakes_total{{outcome="{outcome}",reason="{reason}"}}'
        return world.metrics().get(name, 0) - before.get(name, 0)
    wait_for("counts", lambda: grown("ok", "ok") == 1 and grown("device-refused", "unknown-ca") == 1 and
             grown("edge-refused", "no-certificate") == 1 and world.metrics()["half_open"] >= 1)
    now = world.metrics()
    assert now["sessions"] == 1 and now["workers_ready"] == 2
    assert sum(v for n, v in now.items() if n.startswith("credential_not_after_seconds")) > 1_700_000_000
    assert all(now[f'resident_bytes{{process="{p}"}}'] > 1_000_000 for p in ("worker-1", "worker-2", "feed"))
    half.close()
    c.close()
    wait_for("none open", lambda: world.metrics()["connections"] == 0)


def test_an_upstream_that_is_away_is_told(world, tmp_path):
    port = free_port()
    admin = free_port()
    gw = Gateway(tmp_path, f"tcp:127.0.0.1:{port}", certificate=world.edge[0], key=world.edge[1],
                 client_ca=world.devices.cert, admin=f"127.0.0.1:{admin}", workers=1).start()

    def health():
        c = http.client.HTTPConnection("127.0.0.1", admin, timeout=20)
        c.request("GET", "/healthz")
        r = c.getresponse()
        return r.status, json.loads(r.read())
    try:
        assert health()[1]["upstreams"] == [{"to": f"tcp:127.0.0.1:{port}", "failing": False}]
        with pytest.raises((ssl.SSLError, ConnectionError, EOFError, TimeoutError)):
            Client(gw.port, [world.root.cert], *world.dev).echo()
        status, said = wait_for("degraded", lambda: health()[1]["status"] == "degraded" and health())
        assert status == 200 and said["upstreams"][0]["failing"] is True
        back = Echo(port)
        assert wait_for("back", lambda: Client(gw.port, [world.root.cert], *world.dev).echo())
        wait_for("ok", lambda: health()[1]["status"] == "ok")
        back.close()
    finally:
        assert gw.stop() == 0


def test_counts_survive_a_worker_and_health_tells_of_it(world):
    total = lambda: sum(v for n, v in world.metrics().items() if n.startswith("handshakes_total"))
    c = world.client()
    assert c.echo()
    c.close()
    was = wait_for("a count", total)
    time.sleep(1.2)  # what it counted since is told once a second
    was = total()
    for pid in world.gw.workers().values():
        os.kill(pid, signal.SIGKILL)
    wait_for("both again", lambda: json.loads(world.ask("GET", "/healthz")[1])["workers_ready"] == 2)
    assert total() == was


def test_reload_answers_when_it_is_in_force_everywhere(world):
    new = world.root.leaf("edge-2", "serverAuth", ["edge.example"])
    for n in range(4):
        world.gw.settings.update(certificate=(new, world.edge)[n % 2][0], key=(new, world.edge)[n % 2][1])
        world.gw.write_settings()
        done = subprocess.run([BUILD / "dovetail", "gateway", "reload", "--admin", f"127.0.0.1:{world.port}"],
                              capture_output=True, text=True)
        assert done.returncode == 0 and "every worker" in done.stdout, done
        want = subprocess.run(["openssl", "x509", "-in", world.gw.settings["certificate"], "-noout", "-serial"],
                              capture_output=True, text=True).stdout.strip().split("=")[1]
        for _ in range(6):  # at once, in whichever worker
            c = world.client()
            assert c.echo() and c.number == want
            c.close()


def test_a_bad_set_is_refused_with_its_reason(world):
    good = world.gw.settings["key"]
    world.gw.settings["key"] = world.dev[1]
    world.gw.write_settings()
    done = subprocess.run([BUILD / "dovetail", "gateway", "reload", "--admin", f"127.0.0.1:{world.port}"],
                          capture_output=True, text=True)
    assert done.returncode == 73 and "old set is kept" in done.stderr and "key" in done.stderr, done
    assert "gateway.reload.refused" in world.gw.log()
    c = world.client()
    assert c.echo()
    c.close()
    assert world.metrics()['reloads_total{result="refused"}'] == 1
    health = json.loads(world.ask("GET", "/healthz")[1])
    assert health["status"] == "degraded" and len(health["doubts"]) == 1, health
    assert "not in force" in health["doubts"][0] and "key" in health["doubts"][0], health
    world.gw.settings["key"] = good
    world.gw.write_settings()
    assert world.ask("POST", "/reload")[0] == 200
    health = json.loads(world.ask("GET", "/healthz")[1])
    assert health["status"] == "ok" and health["doubts"] == [], health


def test_nothing_else_is_answered(world):
    assert world.ask("GET", "/")[0] == 404
    assert world.ask("GET", "/reload")[0] == 405
    assert world.ask("POST", "/healthz")[0] == 405
    assert world.ask("POST", "/reload", Origin="http://evil.example")[0] == 403
    done = subprocess.run([BUILD / "dovetail", "gateway", "reload", "--admin", f"127.0.0.1:{free_port()}"],
                          capture_output=True, text=True)
    assert done.returncode == 75, done


def test_others_cannot_reach_it_unless_they_shall(world, tmp_path):
    def check(**more):
        gw = Gateway(tmp_path, "tcp:127.0.0.1:1", certificate=world.edge[0], key=world.edge[1],
                     client_ca=world.devices.cert, **more)
        return subprocess.run([BUILD / "dovetail-gateway", "--config", gw.config, "-n"], capture_output=True, text=True)
    done = check(admin="0.0.0.0:9000")
    assert done.returncode == 65 and "admin-open" in done.stderr
    assert check(admin="0.0.0.0:9000", admin_open="yes").returncode == 0
    assert check(admin="[::1]:9000").returncode == 0
    assert check(admin="somewhere").returncode == 65


def test_a_unix_socket_serves_as_well(world, tmp_path):
    path = tmp_path / "admin.sock"
    gw = Gateway(tmp_path, f"tcp:127.0.0.1:{world.echo.port}", certificate=world.edge[0], key=world.edge[1],
                 client_ca=world.devices.cert, admin=f"unix:{path}").start()
    try:
        assert path.stat().st_mode & 0o777 == 0o660
        done = subprocess.run([BUILD / "dovetail", "--json", "gateway", "reload", "--admin", path],
                              capture_output=True, text=True)
        assert json.loads(done.stdout)["reloaded"] is True, done
    finally:
        assert gw.stop() == 0


def test_requests_that_are_never_finished_keep_nobody_out(world):
    half = [socket.create_connection(("127.0.0.1", world.port), 5) for _ in range(100)]
    try:
        for s in half:
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        for _ in range(20):
            began = time.monotonic()
            status, text = world.ask("GET", "/healthz")
            assert status == 200 and json.loads(text)["workers_ready"] == 2
            assert time.monotonic() - began < 2
            half.append(socket.create_connection(("127.0.0.1", world.port), 5))
    finally:
        for s in half:
            s.close()
