# SPDX-License-Identifier: Apache-2.0
"""Limits of dovetail-gateway: half-open handshakes, floods from one address,
first bytes that are no TLS."""
import os
import signal
import socket
import ssl
import struct
import time
import urllib.request

import pytest

from edgekit import Ca, Client, Echo, Gateway, free_port, wait_for
from world import LONG


class World:
    def __init__(self, folder):
        self.folder = folder
        self.root = Ca(folder / "pki", "Server Root")
        self.edge = self.root.leaf("edge", "serverAuth", ["edge.example"])
        self.devices = Ca(folder / "pki", "Device Root")
        self.dev = [self.devices.leaf(f"dev-{i}") for i in range(3)]
        self.echo = Echo()

    def gateway(self, name, **more):
        return Gateway(self.folder / name, f"tcp:127.0.0.1:{self.echo.port}", certificate=self.edge[0],
                       key=self.edge[1], client_ca=self.devices.cert, **more).start()

    def client(self, gw, n=0, **more):
        return Client(gw.port, [self.root.cert], *self.dev[n], **more)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("limits"))
    yield w
    w.echo.close()


def resident(gw):
    return sum(int(line.split()[1]) for pid in gw.children() for line in open(f"/proc/{pid}/status")
               if line.startswith("VmRSS"))


def test_a_device_gets_through_beside_half_open_handshakes(world):
    gw = world.gateway("half", half_open=100, address_rate=0)
    held = []
    try:
        for _ in range(5000 if LONG else 600):
            s = socket.create_connection(("127.0.0.1", gw.port), 5)
            s.send(b"\x16\x03\x01\x02\x00\x01")  # a hello that never ends
            held.append(s)
        took = []
        for n in range(60):
            held += half_open(gw, 4)  # what made room is full again, at both workers
            began = time.monotonic()
            c = world.client(gw, n % 3)
            assert c.echo()
            took.append(time.monotonic() - began)
            c.close()
        assert max(took) < 1, took
        gone = 0
        for s in held:
            s.setblocking(False)
            try:
                gone += s.recv(1) == b""
            except BlockingIOError:
                pass
            except ConnectionError:
                gone += 1
        assert gone >= len(held) - 100 - 40, gone  # a hundred at two workers
        assert 'event=gateway.limit' in gw.log()
    finally:
        for s in held:
            s.close()
        gw.stop()


def half_open(gw, n):
    held = []
    for _ in range(n):
        s = socket.create_connection(("127.0.0.1", gw.port), 5)
        s.send(b"\x16\x03\x01\x02\x00\x01")
        s.setblocking(False)
        held.append(s)
    return held


def still_open(held):
    n = 0
    for s in held:
        try:
            assert s.recv(1) == b""
        except BlockingIOError:
            n += 1
        except ConnectionError:
            pass
    return n


def test_who_has_said_hello_stays_before_those_who_have_not(world):
    """A device on a slow link, beside more newcomers than there is room."""
    gw = world.gateway("slow", half_open=100, address_rate=0)
    held = half_open(gw, 300)
    try:
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname = False
        ctx.load_verify_locations(world.root.cert)
        ctx.load_cert_chain(*world.dev[0])
        slow = []
        for _ in range(10):
            held += half_open(gw, 4)
            into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = ctx.wrap_bio(into, out, server_hostname="edge.example")
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            s = socket.create_connection(("127.0.0.1", gw.port), 5)
            s.sendall(out.read())
            into.write(s.recv(16384))
            slow.append((s, tls, into, out))
        held += half_open(gw, 600)
        for s, tls, into, out in slow:
            tls.do_handshake()
            tls.write(b"ping")
            s.sendall(out.read())
            answer = b""
            while answer != b"ping":
                got = s.recv(16384)
                assert got, "dropped"
                into.write(got)
                try:
                    answer += tls.read(4)
                except ssl.SSLWantReadError:
                    pass
            s.close()
    finally:
        for s in held:
            s.close()
        gw.stop()


def test_a_killed_worker_leaves_no_half_open_handshakes_behind(world):
    gw = world.gateway("killed", half_open=100, address_rate=0)
    held = []
    try:
        held += half_open(gw, 90)
        time.sleep(0.3)
        assert still_open(held) == 90
        workers = gw.workers()
        for pid in workers.values():
            os.kill(pid, signal.SIGKILL)
        wait_for("new workers", lambda: len(gw.workers()) == 2 and not set(workers.values()) & set(gw.workers().values()))
        wait_for("the old ones' connections gone", lambda: still_open(held) == 0)
        wait_for("an answer", lambda: world.client(gw).echo())
        held += half_open(gw, 90)
        time.sleep(1.5)  # they have looked at each other's counts by then
        assert still_open(held) == 90
        assert "event=gateway.limit" not in gw.log()
    finally:
        for s in held:
            s.close()
        gw.stop()


def test_the_rate_of_an_address_holds_over_all_workers(world):
    gw = world.gateway("rates", workers=2, address_rate=5)
    try:
        began, let_in, tries = time.monotonic(), 0, 0
        while tries < 80:
            tries += 1
            try:
                c = world.client(gw, 1)
                let_in += c.echo()
                c.close()
            except (OSError, EOFError, ssl.SSLError):
                pass
        took = time.monotonic() - began
        assert 20 <= let_in <= 20 + 5 * took + 1, (let_in, took)
        assert tries - let_in > 20
        told = {line.split("proc=")[1].split()[0] for line in gw.log().splitlines() if "what=address-rate" in line}
        assert len(told) == 2, told  # each of the workers turned some away
    finally:
        gw.stop()


def with_ticket(world, gw, pair):
    """A session whose ticket names the device; a new context for each use."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.minimum_version = ssl.TLSVersion.TLSv1_3
    ctx.load_verify_locations(world.root.cert)
    ctx.load_cert_chain(*pair)

    def connect(session=None):
        raw = socket.create_connection(("127.0.0.1", gw.port), timeout=5)
        tls = ctx.wrap_socket(raw, server_hostname="edge.example", session=session)
        tls.sendall(b"ping")
        assert tls.recv(4) == b"ping"
        session = tls.session
        tls.close()
        return session

    return connect


@pytest.mark.parametrize("name", ["dev-0", "pump-station-17.line-4.factory-two.customer.example.net-000001"])
def test_a_flood_from_one_address_spares_devices_with_a_ticket(world, name):
    gw = world.gateway(f"rate-{len(name)}", address_rate=5)
    try:
        connect = with_ticket(world, gw, world.devices.leaf(name))
        session = connect()
        refused = 0
        for _ in range(60):
            try:
                world.client(gw, 1).close()
            except (OSError, ssl.SSLError):
                refused += 1
        assert refused > 20, refused
        assert any('what=address-rate' in line for line in gw.log().splitlines())
        for _ in range(10):  # from the same address, in the midst of it
            session = connect(session)
        # one ticket again and again: a copy of its hello
        kept, copies = session, 0
        for _ in range(12):
            try:
                connect(kept)
            except (OSError, ssl.SSLError):
                copies += 1
        assert copies >= 5, copies
        # without its own ticket: the same device, closed before any TLS
        with pytest.raises((OSError, ssl.SSLError)):
            for _ in range(20):
                connect()
        time.sleep(2)  # a while later it is let in again
        connect()
        # turned away before the hello: no handshake, no record
        assert len(gw.records()) <= 1 + (60 - refused) + 10 + 12 + 20 + 1
        assert {r["outcome"] for r in gw.records()} <= {"ok", "device-refused"}  # who left without a byte
    finally:
        gw.stop()


def hello_in_pieces():
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    out = ssl.MemoryBIO()
    tls = ctx.wrap_bio(ssl.MemoryBIO(), out, server_hostname="edge.example")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


@pytest.mark.parametrize("end", ["waits", "FIN", "RST"])
def test_the_half_of_a_hello_costs_no_time_to_wait_for(world, end):
    """From an address over its rate, whose hellos are looked at first."""
    gw = world.gateway(f"half-{end}", address_rate=1, admin=f"127.0.0.1:{free_port()}")
    first, held = hello_in_pieces()[:100], []
    try:
        for _ in range(10):
            s = socket.create_connection(("127.0.0.1", gw.port), 5)
            s.sendall(first)
            held.append(s)
        time.sleep(0.3)
        for s in held:
            if end == "FIN":
                s.shutdown(socket.SHUT_WR)
            elif end == "RST":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.close()
        before = gw.cpu_s()
        time.sleep(2)
        assert gw.cpu_s() - before < 0.2
        if end == "waits":
            assert still_there(gw) == 10
        else:
            assert still_there(gw) == 0
    finally:
        for s in held:
            s.close()
        gw.stop()


def still_there(gw):
    """Connections that its workers hold, as they told a second ago."""
    with urllib.request.urlopen(f"http://{gw.settings['admin']}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("dovetail_gateway_connections "))


HOSTILE = {
    "nothing": b"",
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "MQTT without TLS": b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02d7",
    "SSLv2 hello": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\1" * 37,
    "zeros": b"\0" * 4096,
    "random": os.urandom(4096),
    "a record of no length": b"\x16\x03\x01\x00\x00",
    "an alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "a record too long": b"\x16\x03\x01\xff\xff" + b"\1" * 70000,
    "a hello too long": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"\1" * 16380,
    "TLS 1.0 alone": b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x01" + b"\1" * 32 + b"\0\0\2\0\x2f\1\0",
    "the half of a hello": hello_in_pieces()[:100],
    "extensions beyond the end": b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03" + b"\1" * 32 + b"\0\0\2\x13\1\1\0\xff\xff",
}


def test_hostile_first_bytes_leave_it_up_and_its_memory_flat(world):
    gw = world.gateway("bytes", address_rate=0)

    def storm(rounds):
        for _ in range(rounds):
            for first in HOSTILE.values():
                s = socket.create_connection(("127.0.0.1", gw.port), 5)
                try:
                    s.sendall(first)
                    s.shutdown(socket.SHUT_WR)
                    s.settimeout(12)
                    while s.recv(4096):
                        pass
                except OSError as ended:  # reset, or reset already
                    assert not isinstance(ended, TimeoutError), first[:40]
                s.close()

    try:
        storm(5)
        before, children = resident(gw), gw.children()
        storm(200 if LONG else 20)
        assert gw.children() == children  # none died
        assert resident(gw) - before < 2048
        s = socket.create_connection(("127.0.0.1", gw.port), 5)
        for b in hello_in_pieces():
            s.sendall(bytes([b]))
        assert s.recv(1) == b"\x16"  # its answer is a handshake record
        s.close()
        c = world.client(gw)
        assert c.echo()
        c.close()
    finally:
        gw.stop()
