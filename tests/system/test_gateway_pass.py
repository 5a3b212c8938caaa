# SPDX-License-Identifier: Apache-2.0
"""Connections for the control plane's names go through the gateway untouched."""
import base64
import os
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.request

import pytest

from edgekit import BUILD, Ca, Client, Echo, Gateway, free_port, wait_for
from test_est import EST, Control

NAME = "control.test"


def hello_message(name, *more):
    """A ClientHello by Python's ssl, with extensions (type, body) added."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    out = ssl.MemoryBIO()
    tls = ctx.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    msg = out.read()[5:]
    at = 4 + 34
    at += 1 + msg[at]
    at += 2 + int.from_bytes(msg[at:at + 2], "big")
    at += 1 + msg[at]
    exts = b"".join(struct.pack(">HH", t, len(b)) + b for t, b in more) + msg[at + 2:]
    body = msg[4:at] + struct.pack(">H", len(exts)) + exts
    return b"\1" + len(body).to_bytes(3, "big") + body


def records(msg, piece=16384):
    parts = [msg[i:i + piece] for i in range(0, len(msg), piece)]
    return b"".join(b"\x16\x03\x01" + struct.pack(">H", len(p)) + p for p in parts)


def cut_short(msg):
    """Its last extension ends beyond the message."""
    return b"\1" + (len(msg) - 13).to_bytes(3, "big") + msg[4:-9]


ECH = (0xfe0d, b"\0\0\1\0\1\x2a\0\x20" + os.urandom(32) + b"\0\xb0" + os.urandom(176))
GREASE = (0x3a3a, b"")
# What is sent, and in pieces of how many bytes; True: it is passed through.
HELLOS = {
    "in one piece": (records(hello_message(NAME)), 65536, True),
    "in capitals": (records(hello_message(NAME.upper())), 65536, True),
    "byte by byte": (records(hello_message(NAME)), 1, True),
    "in many records": (records(hello_message(NAME), 40), 65536, True),
    "in many records, in crumbs": (records(hello_message(NAME), 40), 17, True),
    "with an encrypted hello inside": (records(hello_message(NAME, GREASE, ECH)), 65536, True),
    "of 12 kB": (records(hello_message(NAME, (0x4321, bytes(12000)))), 65536, True),
    "of 12 kB in records": (records(hello_message(NAME, (0x4321, bytes(12000))), 1000), 1400, True),
    "of 20 kB": (records(hello_message(NAME, (0x4321, bytes(20000)))), 65536, False),
    "for another name": (records(hello_message("edge.example")), 65536, False),
    "for a name that ends so": (records(hello_message("x." + NAME)), 65536, False),
    "for a name that begins so": (records(hello_message(NAME + ".x")), 65536, False),
    "without a name": (records(hello_message(None)), 65536, False),
    "with a broken extension": (records(cut_short(hello_message(NAME))), 65536, False),
}


class World:
    def __init__(self, folder):
        self.folder = folder
        self.root = Ca(folder / "pki", "Server Root")
        self.edge = self.root.leaf("edge", "serverAuth", ["edge.example"])
        self.devices = Ca(folder / "pki", "Device Root")
        self.dev = self.devices.leaf("dev-0")
        self.echo, self.plane = Echo(), Echo()

    def gateway(self, name, **more):
        settings = {"pass_through": f"other.test, {NAME}", "pass_to": f"tcp:127.0.0.1:{self.plane.port}", **more}
        return Gateway(self.folder / name, f"tcp:127.0.0.1:{self.echo.port}", certificate=self.edge[0],
                       key=self.edge[1], client_ca=self.devices.cert, **settings).start()

    def client(self, gw):
        return Client(gw.port, [self.root.cert], *self.dev)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("pass"))
    yield w
    w.echo.close()
    w.plane.close()


@pytest.fixture(scope="module")
def gw(world):
    g = world.gateway("gw", admin=f"127.0.0.1:{free_port()}")
    yield g
    assert g.stop() == 0


def say(gw, data, piece=65536):
    s = socket.create_connection(("127.0.0.1", gw.port), 5)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(0, len(data), piece):
        s.sendall(data[i:i + piece])
    return s


def read(s, n):
    got = b""
    while len(got) < n:
        part = s.recv(n - len(got))
        if not part:
            break
        got += part
    return got


def test_a_device_renews_through_the_gateways_port(world, tmp_path):
    control = Control(tmp_path, devices=0, gateways=0)
    control.init("--front-name", "localhost")
    control.start_control()
    gw = world.gateway("est", pass_to=f"tcp:127.0.0.1:{control.device_port}")
    try:
        key, cert = control.enroll("pump-1")
        control.let_renew("pump-1")
        direct, control.device_port = control.device_port, gw.port
        body = base64.b64encode(control.csr(control.key("pump-1b"), "/CN=pump-1"))
        # without its certificate: the control plane itself says no
        assert control.post("simplereenroll", body)[0] == 401
        status, _, answer = control.post("simplereenroll", body, "--cert", cert, "--key", key)
        assert status == 200, answer
        control.verify(control.save("pump-1b", answer))
        assert control.curl(f"{EST}/cacerts")[0] == 200
        control.device_port = direct
        r = gw.next_record(0, outcome="passed")
        assert r["name"] == NAME and r["reason"] == "ok" and r["address"] == "127.0.0.1"
        assert {r["outcome"] for r in gw.records()} == {"passed"}
        # the chain that was shown is the control plane's, by openssl
        shown = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{gw.port}", "-servername", NAME, "-CAfile",
             control.home / "public/root.pem", "-verify_return_error"], input=b"", capture_output=True)
        assert b"Verify return code: 0" in shown.stdout, shown
        c = world.client(gw)  # beside it, a device as before
        assert c.echo() and c.shown() == "Server Root"
        c.close()
    finally:
        gw.stop()
        control.close()


@pytest.mark.parametrize("kind", HELLOS)
def test_a_hello_is_passed_by_its_name_and_by_nothing_else(world, gw, kind):
    data, piece, passed = HELLOS[kind]
    since, total = len(gw.records()), world.plane.total
    s = say(gw, data, piece)
    s.settimeout(5)
    if passed:
        assert read(s, len(data)) == data  # just as it was sent
        s.sendall(b"more")
        assert read(s, 4) == b"more"
        gw.next_record(since, outcome="passed", name=NAME)
    else:
        assert s.recv(1) in (b"\x16", b"\x15")  # the gateway's own answer
        assert world.plane.total == total
    s.close()


def test_all_bytes_go_both_ways_and_the_end_goes_with_them(world, gw):
    first, data = records(hello_message(NAME)), os.urandom(4 << 20)
    s = say(gw, first)
    assert read(s, len(first)) == first
    sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)), daemon=True)
    sender.start()
    assert read(s, len(data)) == data
    assert s.recv(1) == b""
    s.close()
    wait_for("upstream's connection gone", lambda: world.plane.open == 0)


def counts(gw):
    with urllib.request.urlopen(f"http://{gw.settings['admin']}/metrics", timeout=5) as answer:
        lines = [line.split() for line in answer.read().decode().splitlines() if "{" not in line]
    told = {line[0].removeprefix("dovetail_gateway_"): int(line[1]) for line in lines if line[0] != "#"}
    return {name: told[name] for name in ("connections", "passed_through", "half_open")}


def test_who_says_no_more_than_a_hello_stays_half_open(world):
    gw = world.gateway("mute", half_open=20, workers=1, admin=f"127.0.0.1:{free_port()}")
    hello = records(hello_message(NAME))
    try:
        began = time.monotonic()
        talks = say(gw, hello)
        assert read(talks, len(hello)) == hello
        talks.sendall(b"x")
        assert read(talks, 1) == b"x"
        held = [say(gw, hello) for _ in range(60)]
        wait_for("the limit", lambda: "event=gateway.limit" in gw.log())
        wait_for("twenty of them", lambda: world.plane.open <= 21)
        for s in held:
            s.settimeout(15)
            try:
                while s.recv(65536):
                    pass
            except ConnectionError:
                pass
            s.close()
        assert 9 < time.monotonic() - began < 14
        wait_for("one in the counts", lambda: counts(gw) == {"connections": 1, "passed_through": 1, "half_open": 0})
        talks.sendall(b"y")  # who went on has all the time
        assert read(talks, 1) == b"y"
        talks.close()
        wait_for("none in the counts", lambda: counts(gw) == {"connections": 0, "passed_through": 0, "half_open": 0})
    finally:
        gw.stop()


def test_upstream_is_told_the_address_and_the_name_but_no_tls_of_ours(world):
    up = socket.create_server(("127.0.0.1", 0))
    gw = world.gateway("proxy", proxy_protocol="yes", pass_to=f"tcp:127.0.0.1:{up.getsockname()[1]}")
    hello = records(hello_message(NAME))
    try:
        s = say(gw, hello)
        at, _ = up.accept()
        head = read(at, 16)
        assert head[:14] == b"\r\n\r\n\0\r\nQUIT\n\x21\x11"
        body = read(at, int.from_bytes(head[14:], "big"))
        assert struct.unpack(">HH", body[8:12]) == (s.getsockname()[1], gw.port)
        kinds, rest = {}, body[12:]
        while rest:
            n = int.from_bytes(rest[1:3], "big")
            kinds[rest[0]], rest = rest[3:3 + n], rest[3 + n:]
        assert kinds[2] == NAME.encode() and 0x20 not in kinds
        assert read(at, len(hello)) == hello
        at.close()
        s.close()
    finally:
        gw.stop()
        up.close()


def test_the_control_plane_hears_where_a_device_is(world, tmp_path):
    """Its address in records is the device's, and so is what is remembered of it."""
    control = Control(tmp_path, devices=0, gateways=0)
    control.init("--front-name", "localhost")
    refused = subprocess.run([*control.control_command("device.proxyFrom=127.0.0.1, ::0001"), "-n"],
                             capture_output=True, text=True)
    assert refused.returncode == 65 and "write ::0001 as ::1" in refused.stderr, refused
    control.start_control("device.proxyFrom=127.0.0.1, ::1", "security.logging.tls.handshake=yes")
    gw = world.gateway("told", pass_to=f"tcp:127.0.0.1:{control.device_port}", pass_proxy="yes")
    direct = control.device_port
    try:
        def seen(address):
            return f" address={address} " in control.log("dovetaild")
        control.device_port = gw.port
        assert control.curl(f"{EST}/cacerts", "--interface", "127.0.0.77")[0] == 200
        wait_for("its record", lambda: seen("127.0.0.77"))
        assert not seen("127.0.0.1")
        # its port alone, without a header: as before
        control.device_port = direct
        assert control.curl(f"{EST}/cacerts")[0] == 200
        wait_for("its record", lambda: seen("127.0.0.1"))
        # from elsewhere nothing is believed
        head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([10, 9, 8, 7, 127, 0, 0, 1, 1, 2, 3, 4])
        hello = records(hello_message("localhost"))
        for source, sent, answered in (("127.0.0.1", head, True), ("127.0.0.2", head, False), ("127.0.0.2", b"", True),
                                       ("127.0.0.1", head[:12] + b"\x31" + head[13:], False),
                                       ("127.0.0.1", b"\r\n\r\n GET", False)):
            for piece in (1, 4096):
                with socket.create_connection(("127.0.0.1", direct), 5, (source, 0)) as s:
                    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    try:
                        for i in range(0, len(sent), piece):
                            s.sendall(sent[i:i + piece])
                        s.sendall(hello)
                        assert (s.recv(3)[:2] == b"\x16\x03") is answered, (source, sent)
                    except ConnectionError:
                        assert not answered, (source, sent)
        wait_for("the record of what was told", lambda: seen("10.9.8.7"))
        # a header that never ends holds nothing up, nor for long
        with socket.create_connection(("127.0.0.1", direct), 5) as s:
            s.sendall(head[:20])
            assert control.curl(f"{EST}/cacerts")[0] == 200
            s.settimeout(7)
            assert s.recv(1) == b""
    finally:
        gw.stop()
        control.close()


def test_the_rate_of_an_address_holds_for_what_is_passed(world):
    gw = world.gateway("rate", address_rate=5)
    try:
        hello, through = records(hello_message(NAME)), 0
        for _ in range(60):
            s = say(gw, hello)
            try:
                through += read(s, len(hello)) == hello
            except ConnectionError:
                pass
            s.close()
        assert 20 <= through < 50, through
        assert "what=address-rate" in gw.log()
    finally:
        gw.stop()


def test_names_that_are_down_are_closed_and_settings_that_cannot_be_are_refused(world):
    gw = world.gateway("down", pass_to=f"tcp:127.0.0.1:{free_port()}")
    try:
        s = say(gw, records(hello_message(NAME)))
        s.settimeout(5)
        assert read(s, 1) == b""
        s.close()
        for pass_to, word in {None: "go together", "mqtt:127.0.0.1:1": "mqtt", "tcp:nowhere": "gateway.pass-to"}.items():
            gw.settings["pass_to"] = pass_to
            gw.write_settings()
            done = subprocess.run([BUILD / "dovetail-gateway", "--config", gw.config, "-n"], capture_output=True, text=True)
            assert done.returncode == 65 and word in done.stderr, done
    finally:
        gw.stop()

