# SPDX-License-Identifier: Apache-2.0
"""Bytes through the gateway when one side is slow, ends early or writes in crumbs: all of them, in order."""
import hashlib
import os
import socket
import ssl
import threading
import time

import pytest

from cryptography.hazmat.primitives import serialization
from edgekit import Ca, Client, Gateway, first_certificate, wait_for
from rawtls import HANDSHAKE, DATA, Keys, RawTls, expand_label

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
BACKLOG = 65536  # bytes that the upstream's kernel holds for it


class Upstream:
    """Takes one connection at a time and does with it what the test says."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BACKLOG)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(16)
        self.port = self.socket.getsockname()[1]

    def serve(self, what):
        """@what in a thread, with the next connection; its result is in .result"""
        def run():
            s, _ = self.socket.accept()
            s.settimeout(20)
            with s:
                thread.result = what(s)
        thread = threading.Thread(target=run, daemon=True)
        thread.result = None
        thread.start()
        return thread


class World:
    def __init__(self, folder):
        self.root = Ca(folder / "pki", "Server Root")
        self.edge = self.root.leaf("edge", "serverAuth", ["edge.example"])
        self.devices = Ca(folder / "pki", "Device Root")
        self.dev = self.devices.leaf("dev-0")
        self.up = Upstream()
        self.gw = Gateway(folder / "gw", f"tcp:127.0.0.1:{self.up.port}", certificate=self.edge[0],
                          key=self.edge[1], client_ca=self.devices.cert, workers=1).start()

    def client(self, version):
        return Client(self.gw.port, [self.root.cert], *self.dev, version=VERSIONS[version], timeout=20)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("relay"))
    yield w
    assert w.gw.stop() == 0


def digest_of_all(pause_s=0.0, every=1 << 18):
    """Read to the end, resting for a while after so many bytes."""
    def read(s):
        whole, since = hashlib.sha256(), 0
        while part := s.recv(16384):
            whole.update(part)
            since += len(part)
            if pause_s and since >= every:
                since = 0
                time.sleep(pause_s)
        return whole.hexdigest()
    return read


@pytest.mark.parametrize("version", VERSIONS)
def test_a_slow_upstream_gets_every_byte_in_order(world, version):
    data = os.urandom(3_000_000)
    done = world.up.serve(digest_of_all(pause_s=0.05))
    c = world.client(version)
    c.tls.sendall(data)
    assert c.leave()
    done.join(20)
    assert done.result == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_slow_client_gets_every_byte_in_order(world, version):
    """Records that the kernel took, took in part and did not take at all."""
    data = os.urandom(6_000_000)  # more than the kernel holds for it
    done = world.up.serve(lambda s: s.sendall(data))
    c = world.client(version)
    got, pauses = b"", 0
    while len(got) < len(data):
        part = c.tls.recv(16384)
        assert part, len(got)
        got += part
        if len(got) >> 20 > pauses:
            pauses = len(got) >> 20
            time.sleep(0.1)
    assert got == data
    done.join(20)
    c.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_last_words_of_a_client_come_before_its_end(world, version):
    """Four full records, some more and close_notify in one read."""
    data = os.urandom(4 * 16384 + 777)
    done = world.up.serve(digest_of_all())
    c = world.client(version)
    c.tls.sendall(data)
    assert c.leave()
    done.join(20)
    assert done.result == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("version", VERSIONS)
def test_crumbs_that_arrive_together_are_all_passed_on(world, version):
    """Many records in one read: none stays in the TLS library while the socket is silent."""
    crumbs = [os.urandom(1 + n % 40) for n in range(2000)]
    whole = b"".join(crumbs)

    def read(s):
        got = b""
        while len(got) < len(whole):
            got += s.recv(65536)
        s.sendall(b"all")
        return got

    done = world.up.serve(read)
    c = world.client(version)
    for crumb in crumbs:
        c.tls.send(crumb)
    assert c.tls.recv(3) == b"all"
    done.join(20)
    assert done.result == whole
    c.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_client_said_before_it_left_arrives_at_an_upstream_that_was_blocked(world, version):
    data = os.urandom(600_000)

    def read(s):
        time.sleep(1)  # everything is stuck meanwhile
        return digest_of_all()(s)

    done = world.up.serve(read)
    c = world.client(version)
    c.tls.sendall(data)
    c.tls.settimeout(10)
    assert c.leave()
    done.join(20)
    assert done.result == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_upstream_that_speaks_first_is_heard_at_once(world, version):
    """Nothing is held back behind the last flight of the handshake."""
    done = world.up.serve(lambda s: (s.sendall(b"220 ready"), s.recv(1)))
    begun = time.monotonic()
    c = world.client(version)
    assert c.tls.recv(100) == b"220 ready"
    assert time.monotonic() - begun < 2
    waits = []
    c.tls.sendall(b"x")
    done.join(20)
    c.close()
    # and many small answers are not slowed down either
    done = world.up.serve(lambda s: [s.sendall(s.recv(1)) for _ in range(50)])
    c = world.client(version)
    for _ in range(50):
        begun = time.monotonic()
        c.tls.sendall(b"y")
        assert c.tls.recv(1) == b"y"
        waits.append(time.monotonic() - begun)
    assert sorted(waits)[25] < 0.02
    done.join(20)
    c.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_upstream_that_is_not_there_ends_the_session_and_is_told(world, version, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    gw = Gateway(tmp_path / "gw", f"tcp:127.0.0.1:{port}", certificate=world.edge[0], key=world.edge[1],
                 client_ca=world.devices.cert, workers=1).start()
    c = Client(gw.port, [world.root.cert], *world.dev, version=VERSIONS[version])
    assert c.end() in ("close-notify", "eof")
    assert "gateway.upstream.failed" in gw.log()
    c.close()
    assert gw.stop() == 0


def echo(s):
    while part := s.recv(65536):
        s.sendall(part)


def raw_device(world, dev):
    t = RawTls(world.gw.port)
    t.read_flight()
    t.certificate([ssl.PEM_cert_to_DER_cert(first_certificate(dev[0].read_text()))])
    t.certificate_verify(serialization.load_pem_private_key(dev[1].read_bytes(), None))
    t.finished()
    return t


def key_update(t):
    """RFC 8446 section 4.6.3: the record, and our keys after it."""
    record = t.out.seal(HANDSHAKE, b"\x18\0\0\1\0")
    t.out = Keys(expand_label(t.out.secret, b"traffic upd", b"", 32))
    return record


def read_data(t):
    while True:
        kind, body = t.read_record()
        if kind == DATA:
            return body


def test_a_client_that_only_changes_keys_is_ended_and_holds_up_nobody(world):
    done = world.up.serve(echo)
    other = world.client("1.3")
    other.echo()
    ended = world.up.serve(echo)
    t = raw_device(world, world.devices.leaf("dev-1"))
    flood = b"".join(key_update(t) for _ in range(3000))
    with pytest.raises(OSError):
        for _ in range(50):
            t.socket.sendall(flood[:4096])  # what follows is not looked at any more
            flood = flood[4096:] or flood
            time.sleep(0.01)
    wait_for("its end", lambda: "gateway.session.idle-talk" in world.gw.log())
    assert "device=dev-1" in [x for x in world.gw.log().splitlines() if "idle-talk" in x][0]
    other.echo()
    other.leave()
    done.join(20)
    ended.join(20)
    assert not done.is_alive() and not ended.is_alive()


def test_a_client_that_changes_keys_and_talks_stays(world):
    done = world.up.serve(echo)
    t = raw_device(world, world.dev)
    for n in range(200):
        word = f"{n:08}".encode()
        t.socket.sendall(key_update(t) + t.out.seal(DATA, word))
        assert read_data(t) == word
    t.socket.close()
    done.join(20)


def test_the_beginning_of_a_record_costs_no_time_to_wait_for(world):
    done = world.up.serve(echo)
    t = raw_device(world, world.dev)
    assert t.echo(b"before")
    for at in (1, 5, 7, 40):
        record = t.out.seal(DATA, os.urandom(100))
        t.socket.sendall(record[:at])
        time.sleep(0.2)
        before = world.gw.cpu_s()
        time.sleep(0.6)
        assert world.gw.cpu_s() - before < 0.2, at
        t.socket.sendall(record[at:])
        assert len(read_data(t)) == 100
    t.socket.close()
    done.join(20)
