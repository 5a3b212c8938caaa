# SPDX-License-Identifier: Apache-2.0
"""Upstreams that are told by name: their addresses are looked up again while the gateway runs."""
import os
import signal
import socket
import subprocess
import time

import pytest

from edgekit import Ca, Client, Gateway, run_openssl, wait_for

NAME = "broker.test"


def can_mount():
    done = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    return os.geteuid() == 0 and done.returncode == 0


class World:
    """The gateway sees an /etc/hosts of ours; two upstreams on one port, at 127.0.0.2 and 127.0.0.3."""

    def __init__(self, folder):
        self.folder = folder
        self.root = Ca(folder / "pki", "Server Root")
        self.edge = self.root.leaf("edge", "serverAuth", ["edge.example"])
        self.devices = Ca(folder / "pki", "Device Root")
        self.dev = self.devices.leaf("dev-0")
        self.hosts = folder / "hosts"
        self.up = {}
        self.up["127.0.0.2"] = socket.create_server(("127.0.0.2", 0))
        self.port = self.up["127.0.0.2"].getsockname()[1]
        self.up["127.0.0.3"] = socket.create_server(("127.0.0.3", self.port))
        for s in self.up.values():
            s.settimeout(5)
        self.name_is("127.0.0.2")

    def name_is(self, address):
        """In place: a mount follows the file, not its name."""
        self.hosts.write_text("127.0.0.1 localhost\n" + (f"{address} {NAME}\n" if address else ""))

    def gateway(self, name, upstream=None, **more):
        gw = Gateway(self.folder / name, upstream or f"tcp:{NAME}:{self.port}", certificate=self.edge[0],
                     key=self.edge[1], client_ca=self.devices.cert, **more)
        gw.prefix = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', self.hosts]
        return gw.start()

    def goes_to(self, gw, address):
        """A new session arrives there."""
        c = Client(gw.port, [self.root.cert], *self.dev)
        s, _ = self.up[address].accept()
        c.tls.sendall(b"x")
        assert s.recv(1) == b"x"
        return c, s


def write_crl(world, out, *revoked):
    index = world.folder / "crl.index"
    index.write_text("")
    conf = world.folder / "crl.cnf"
    conf.write_text(f"[ca]\ndefault_ca=c\n[c]\ndatabase={index}\ndefault_md=sha256\ndefault_crl_days=30\n")
    common = ("ca", "-config", conf, "-cert", world.devices.cert, "-keyfile", world.devices.key)
    for cert in revoked:
        run_openssl(*common, "-revoke", cert)
    run_openssl(*common, "-gencrl", "-out", out)


@pytest.fixture
def world(tmp_path):
    if not can_mount():
        pytest.skip("needs root and mount namespaces")
    w = World(tmp_path)
    yield w
    for s in w.up.values():
        s.close()


def looked_up(gw):
    return gw.log().count("event=gateway.upstream.resolved")


def test_new_addresses_are_taken_and_sessions_stay(world):
    gw = world.gateway("gw", upstream_resolve="1s")
    try:
        old, at = world.goes_to(gw, "127.0.0.2")
        world.name_is("127.0.0.3")
        wait_for("the new address", lambda: looked_up(gw) == 1)
        assert "first=127.0.0.3:" in gw.log()
        time.sleep(0.2)
        for _ in range(4):  # of whichever worker
            c, s = world.goes_to(gw, "127.0.0.3")
            c.close()
            s.close()
        old.tls.sendall(b"y")
        assert at.recv(1) == b"y"
        # without an answer the last one holds, and is told once
        world.name_is(None)
        wait_for("the failure", lambda: "event=gateway.upstream.unresolved" in gw.log())
        time.sleep(2.2)
        assert gw.log().count("event=gateway.upstream.unresolved") == 1
        world.goes_to(gw, "127.0.0.3")
        # a worker, or the resolver itself, that is started again knows it too
        workers = gw.workers()
        for pid in workers.values():
            os.kill(pid, signal.SIGKILL)
        wait_for("new workers", lambda: len(gw.workers()) == 2 and not set(workers.values()) & set(gw.workers().values()))
        wait_for("it serves again", lambda: serves(world, gw, "127.0.0.3"))
        world.name_is("127.0.0.2")
        wait_for("the old address again", lambda: looked_up(gw) == 2)
        time.sleep(0.2)
        world.goes_to(gw, "127.0.0.2")
    finally:
        assert gw.stop() == 0


def serves(world, gw, address):
    try:
        world.goes_to(gw, address)
        return True
    except OSError:
        return False


def test_a_signal_looks_at_once_and_addresses_need_no_process(world):
    gw = world.gateway("signal", upstream_resolve="0")
    try:
        world.name_is("127.0.0.3")
        time.sleep(1.5)
        world.goes_to(gw, "127.0.0.2")
        gw.process.send_signal(signal.SIGHUP)
        wait_for("the new address", lambda: looked_up(gw) == 1)
        time.sleep(0.2)
        world.goes_to(gw, "127.0.0.3")
        assert len(gw.children()) == 4  # feed, two workers, resolver
    finally:
        assert gw.stop() == 0
    gw = world.gateway("plain", f"tcp:127.0.0.2:{world.port}")
    try:
        world.goes_to(gw, "127.0.0.2")
        assert len(gw.children()) == 3
    finally:
        assert gw.stop() == 0


def test_a_list_is_taken_up_while_no_name_is_found(world):
    """A revocation waits for no resolver: the addresses in force are kept."""
    crl = world.folder / "crl.pem"
    write_crl(world, crl)
    gw = world.gateway("lists", upstream_resolve="0", crl=crl)
    try:
        c, _ = world.goes_to(gw, "127.0.0.2")
        world.name_is(None)
        begun = time.monotonic()
        write_crl(world, crl, world.dev[0])
        assert c.is_closed(5), gw.log()
        assert time.monotonic() - begun < 5
        assert "event=gateway.reload.refused" not in gw.log()
    finally:
        assert gw.stop() == 0
