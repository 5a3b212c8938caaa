# SPDX-License-Identifier: Apache-2.0
"""Nobody who reads what a gateway writes holds it up: neither a reader that
hangs nor a full disk. What could not be written is counted, lines are whole."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import urllib.request

import pytest

import disks
from edgekit import BUILD, Ca, Client, Echo, Gateway, fingerprint, free_port, wait_for


class World:
    def __init__(self, folder):
        self.folder = folder
        self.root = Ca(folder / "pki", "Server Root")
        self.devices = Ca(folder / "pki", "Device Root")
        self.dev = [self.devices.leaf(f"dev-{i}") for i in range(2)]
        self.deny = folder / "deny"
        self.deny.write_text("")
        self.echo = Echo()
        self.gw = Gateway(folder / "gw", f"tcp:127.0.0.1:{self.echo.port}", client_ca=self.devices.cert,
                          admin=f"127.0.0.1:{free_port()}", address_rate=0, deny=self.deny, record_max=1000000,
                          **dict(zip(("certificate", "key"), self.root.leaf("edge", "serverAuth", ["edge.example"]))))
        self.hello = self.first_bytes()

    def client(self, i):
        return Client(self.gw.port, [self.root.cert], *self.dev[i])

    @staticmethod
    def first_bytes():
        ctx, out = ssl.create_default_context(), ssl.MemoryBIO()
        with pytest.raises(ssl.SSLWantReadError):
            ctx.wrap_bio(ssl.MemoryBIO(), out, server_hostname=f"{'a' * 60}.{'b' * 60}.example").do_handshake()
        return out.read()

    def strangers(self, n, threads=4):
        """So many that refuse the gateway's certificate."""
        def some():
            for _ in range(n // threads):
                with socket.create_connection(("127.0.0.1", self.gw.port), 10) as s:
                    s.sendall(self.hello + b"\x15\x03\x03\x00\x02\x02\x30")
                    try:
                        while s.recv(65536):
                            pass
                    except ConnectionError:
                        pass
        running = [threading.Thread(target=some) for _ in range(threads)]
        [t.start() for t in running]
        [t.join() for t in running]

    def start(self, **streams):
        """With other streams than the harness gives it."""
        self.gw.write_settings()
        log = open(self.gw.log_path, "a")
        self.gw.process = subprocess.Popen([BUILD / "dovetail-gateway", "--config", self.gw.config],
                                           stdin=subprocess.DEVNULL, **{"stdout": log, "stderr": log, **streams})
        wait_for("gateway", lambda: self.health().get("workers_ready") == self.gw.settings["workers"])

    def ask(self, path):
        with urllib.request.urlopen(f"http://{self.gw.settings['admin']}{path}", timeout=5) as answer:
            return answer.read().decode()

    def health(self):
        try:
            return json.loads(self.ask("/healthz"))
        except OSError:
            return {}

    def metric(self, name):
        return sum(float(v) for v in re.findall(rf"^dovetail_gateway_{name}(?:{{.*}})? (\S+)$", self.ask("/metrics"), re.M))

    def deny_takes_effect(self):
        session = self.client(0)
        assert session.echo()
        fresh = self.folder / "deny.new"
        fresh.write_text(fingerprint(self.dev[0][0]) + "\n")
        fresh.rename(self.deny)
        assert session.is_closed(5)
        with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
            self.client(0).echo()
        assert self.client(1).echo()


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    if w.gw.process and w.gw.process.poll() is None:
        w.gw.kill()
    w.echo.close()


def lines_of(fd):
    """All that comes, until it ends."""
    with os.fdopen(fd, "rb") as f:
        return f.read().splitlines(keepends=True)


def test_a_reader_of_records_that_hangs_holds_no_denial_up(world):
    r, w = os.pipe()
    world.gw.settings["record"] = "-"
    world.start(stdout=w)
    os.close(w)
    world.strangers(400)
    world.deny_takes_effect()
    health = wait_for("a doubt", lambda: (h := world.health())["doubts"] and h)
    assert health["status"] == "degraded" and "its reader takes nothing" in health["doubts"][0]
    wait_for("the log", lambda: world.gw.log().count("event=gateway.record.failed") == 1)
    assert world.metric("record_waiting_bytes") > 50000 and world.metric("record_lost_total") == 0
    got = []
    reader = threading.Thread(target=lambda: got.extend(lines_of(r)))
    reader.start()
    wait_for("nothing waits", lambda: world.metric("record_waiting_bytes") == 0)
    wait_for("the log", lambda: "event=gateway.record.restored" in world.gw.log())
    assert world.health()["status"] == "ok"
    assert world.gw.stop() == 0
    reader.join(10)
    assert sum(json.loads(line).get("n", 1) for line in got) == 400 + 3


def test_a_reader_of_the_log_that_hangs_holds_no_denial_up(world):
    r, w = os.pipe()
    world.gw.settings.update({"tls.logHandshakes": "yes", "tls.debugLevel": "VERBOSE"})
    world.start(stderr=w)
    os.close(w)
    world.strangers(400)
    world.deny_takes_effect()
    got = []
    reader = threading.Thread(target=lambda: got.extend(lines_of(r)))
    reader.start()
    assert world.client(1).echo()
    assert world.gw.stop() == 0
    reader.join(10)
    ours = [line for line in got if b"event=" in line]  # a sanitizer has lines of its own
    assert [line for line in ours if not re.fullmatch(rb"time=\S+ event=(?:(?!event=).)*\n", line)] == []
    assert any(b"event=log.lost severity=error proc=feed lines=" in line for line in got)


def test_on_a_full_disk_lines_are_whole_and_the_lost_ones_counted(world):
    disks.need_root()
    with disks.tmpfs(world.folder / "small", "64k") as small:
        path = world.gw.settings["record"] = world.gw.records_path = small / "lines"
        world.start()
        world.strangers(300)
        wait_for("the failure", lambda: "No space left" in world.gw.log())
        assert "No space left" in world.health()["doubts"][0]
        raw = path.read_bytes()
        assert raw.endswith(b"}\n") and len(world.gw.records()) < 250

        disks.run("mount", "-o", "remount,size=256k", small)
        wait_for("nothing waits", lambda: world.metric("record_waiting_bytes") == 0)
        assert world.health()["status"] == "ok" and len(world.gw.records()) == 300

        world.strangers(600)
        wait_for("full again", lambda: world.metric("record_waiting_bytes") > 0)
        world.deny_takes_effect()
        assert world.gw.stop() == 0
        lines = path.read_bytes().splitlines(keepends=True)
        written = sum(json.loads(line).get("n", 1) for line in lines if line.endswith(b"}\n"))
        assert len(lines) == len(world.gw.records())
        lost = re.findall(r"event=gateway.record.lost .*records=(\d+)", world.gw.log())
        assert len(lost) == 1 and written + int(lost[0]) == 900 + 3
        assert world.gw.log().count("event=gateway.record.failed") == 1


def test_what_a_stopped_feed_process_does_not_take_is_counted_and_comes_afterwards(world):
    world.gw.settings.update(workers=1, watchdog="60s")
    world.start()
    feed = int(re.search(r"child=feed pid=(\d+)", world.gw.log())[1])
    os.kill(feed, signal.SIGSTOP)
    try:
        world.strangers(9600)
        for i in range(20):
            assert world.client(i % 2).echo()
    finally:
        os.kill(feed, signal.SIGCONT)
    assert world.gw.stop() == 0
    records = world.gw.records()
    assert sum(r.get("n", 1) for r in records) == 9620
    assert any(r.get("n", 1) > 1 for r in records)
    for i in range(2):
        assert sum(r.get("n", 1) for r in records if r.get("device") == f"dev-{i}") == 10
    assert "event=gateway.record.lost" not in world.gw.log()
