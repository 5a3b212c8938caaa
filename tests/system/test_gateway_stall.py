# SPDX-License-Identifier: Apache-2.0
"""Sessions that stand still because one side takes nothing: they end; slow and silent ones stay."""
import socket
import ssl
import threading
import time
import urllib.request

import pytest

from edgekit import Ca, Gateway, free_port, wait_for
from test_gateway_pass import NAME, hello_message, records

STALL = 2
SMALL = 8192  # bytes of a receive buffer: what a slow reader takes shows soon


class World:
    def __init__(self, folder):
        self.folder = folder
        self.root = Ca(folder / "pki", "Server Root")
        self.edge = self.root.leaf("edge", "serverAuth", ["edge.example"])
        self.devices = Ca(folder / "pki", "Device Root")
        self.dev = self.devices.leaf("dev-0")
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.load_verify_locations(self.root.cert)
        self.tls.load_cert_chain(*self.dev)
        self.tcp = socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        self.tcp.bind(("127.0.0.1", 0))
        self.tcp.listen(16)
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(str(folder / "up"))
        (folder / "up").chmod(0o666)  # workers are another account under root
        self.unix.listen(16)
        self.tcp.settimeout(10)
        self.unix.settimeout(10)
        to = f"tcp:127.0.0.1:{self.tcp.getsockname()[1]}"
        more = {"certificate": self.edge[0], "key": self.edge[1], "client_ca": self.devices.cert, "workers": 1,
                "stall_timeout": STALL, "pass_through": NAME, "pass_to": to}
        self.gw = Gateway(folder / "gw", to, admin=f"127.0.0.1:{free_port()}", **more).start()
        self.gw_unix = Gateway(folder / "gw-unix", f"unix:{folder}/up", **more).start()

    def session(self, kind):
        """(gateway, client's socket, upstream's socket)"""
        gw = self.gw_unix if kind == "unix" else self.gw
        c = socket.socket()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)  # a window of its size from the start
        c.connect(("127.0.0.1", gw.port))
        if kind == "passed":
            c.sendall(records(hello_message(NAME)))
        else:
            c = self.tls.wrap_socket(c, server_hostname="edge.example")
        up, _ = (self.unix if kind == "unix" else self.tcp).accept()
        if kind == "passed":  # as both sides of a handshake
            up.recv(65536)
            up.sendall(b"x")
            assert c.recv(1) == b"x"
            c.sendall(b"y")
            assert up.recv(1) == b"y"
        c.settimeout(15)
        up.settimeout(15)
        return gw, c, up

    def close(self):
        assert self.gw.stop() == 0
        assert self.gw_unix.stop() == 0


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("stall"))
    yield w
    w.close()


def flood(s):
    """Send until the other side ends it; .took: seconds to that."""
    def run():
        began = time.monotonic()
        try:
            while True:
                s.sendall(bytes(65536))
        except (OSError, ssl.SSLError) as e:
            thread.result = not isinstance(e, TimeoutError)
        thread.took = time.monotonic() - began
    thread = threading.Thread(target=run, daemon=True)
    thread.result = None
    thread.start()
    return thread


def told(gw, side):
    return sum(f"side={side}" in line for line in gw.log().splitlines() if "event=gateway.session.stalled" in line)


@pytest.mark.parametrize("kind", ["tcp", "unix", "passed"])
@pytest.mark.parametrize("deaf", ["client", "upstream"])
def test_a_side_that_takes_nothing_ends_the_session(world, kind, deaf):
    gw, c, up = world.session(kind)
    before = told(gw, deaf)
    sender = flood(up if deaf == "client" else c)
    sender.join(15)
    assert sender.result, "it is open still"
    assert STALL <= sender.took < STALL + 4, sender.took
    assert told(gw, deaf) == before + 1
    c.close()
    up.close()


def test_it_is_counted(world):
    def count():
        with urllib.request.urlopen(f"http://{world.gw.settings['admin']}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return next(int(x.split()[1]) for x in lines if x.startswith("dovetail_gateway_sessions_stalled_total "))
    wait_for("the count", lambda: count() == told(world.gw, "client") + told(world.gw, "upstream"))


def test_slow_readers_and_silent_sessions_stay(world):
    sessions = [world.session(kind) for kind in ("tcp", "passed", "unix")]
    silent = [world.session(kind) for kind in ("tcp", "passed")]
    senders = [flood(up) for _, _, up in sessions]
    end = time.monotonic() + 4 * STALL
    while time.monotonic() < end:  # a record of TLS in 0.8 s, into the library
        for _, c, _ in sessions:
            assert c.recv(3000)
        time.sleep(0.15)
    assert [s.result for s in senders] == [None] * 3
    for gw, c, up in silent:
        c.sendall(b"still here")
        assert up.recv(100) == b"still here"
    for _, c, up in sessions + silent:
        c.close()
        up.close()
