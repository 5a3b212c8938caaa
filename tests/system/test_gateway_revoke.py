# SPDX-License-Identifier: Apache-2.0
"""Revocation while devices are connected: by the operator's CLI, through the
control plane, in every worker of every gateway, for good."""
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import time

import pytest

from edgekit import Client, Echo, fingerprint, wait_for
from world import BUILD, Refused, World


class Fleet:
    """A control plane with two gateways and a few devices of an old world."""

    def __init__(self, folder, *settings):
        self.world = w = World(folder, devices=4, gateways=2)
        self.echo = Echo()
        w.mqtt_port = self.echo.port
        w.make_old_world()
        w.init()
        w.start_control(*settings)
        w.adopt_old_world()
        w.start_gateways()
        self.open = []

    def pair(self, i):
        folder = self.world.old / "devices" / f"dev-{i:04d}"
        return folder / "cert.pem", folder / "key.pem"

    def client(self, i, gateway=1, **more):
        cert, key = self.pair(i)
        c = Client(self.world.gateway_ports[gateway - 1], [self.world.old / "ca/ca.pem"], cert, key,
                   name="edge.test", **more)
        self.open.append(c)
        return c

    def context(self, cert, key):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname = False
        ctx.load_verify_locations(self.world.old / "ca/ca.pem")
        ctx.load_cert_chain(cert, key)
        return ctx

    def refused(self, i, gateway=1):
        """True when the gateway lets the device in no more."""
        return gone_with(self.context(*self.pair(i)), self.world.gateway_ports[gateway - 1])

    def records(self, gateway=1):
        path = self.world.dir / f"gw-{gateway}" / "handshakes.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]

    def holders(self, gateway=1):
        """How many connections of devices each worker holds."""
        port = self.world.gateway_ports[gateway - 1]
        inodes = set()
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            words = line.split()
            if int(words[1].split(":")[1], 16) == port and words[3] == "01":
                inodes.add(f"socket:[{words[9]}]")
        counts = []
        for name, pid in self.world.children(f"gw-{gateway}").items():
            links = set()
            for fd in os.listdir(f"/proc/{pid}/fd"):
                try:
                    links.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
                except OSError:
                    pass
            if links & inodes:
                counts.append(len(links & inodes))
        return counts

    def close(self):
        for c in self.open:
            c.close()
        self.world.close()
        self.echo.close()


def gone_with(ctx, port, session=None):
    """True when a client of @ctx (with what it saved) gets no byte back."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=5)
    try:
        tls = ctx.wrap_socket(raw, server_hostname="edge.test", session=session)
        tls.sendall(b"let me in")
        return tls.recv(10) == b""
    except (ssl.SSLError, ConnectionError):
        return True
    finally:
        raw.close()


@pytest.fixture
def fleet(tmp_path):
    f = Fleet(tmp_path)
    yield f
    f.close()


def test_a_revoked_device_is_cut_in_every_worker_and_stays_out(fleet):
    w = fleet.world
    mine = [fleet.client(1) for _ in range(12)] + [fleet.client(1, gateway=2) for _ in range(3)]
    others = [fleet.client(2), fleet.client(3, gateway=2)]
    assert all(c.echo() for c in mine + others)
    assert len(fleet.holders(1)) == 2, "both workers hold sessions of the device"
    # one that keeps its session comes back with it
    session = mine[0].tls.session
    assert session is not None and session.has_ticket
    assert not gone_with(mine[0].tls.context, w.gateway_ports[0], session)

    at = time.monotonic()
    answer = w.op("cert", "revoke", fingerprint(fleet.pair(1)[0]), "--reason", "theft")
    for c in mine:
        assert c.is_closed(max(0.01, at + 5 - time.monotonic())), "still open after five seconds"
    assert time.monotonic() - at < 5
    assert (answer["in_force"], answer["gateways"], answer["not_in_force"]) == (2, 2, [])
    assert all(c.echo() for c in others)

    for gateway in (1, 2):
        since = len(fleet.records(gateway))
        assert fleet.refused(1, gateway)
        assert gone_with(mine[0].tls.context, w.gateway_ports[gateway - 1], session)
        wait_for("both refusals", lambda: [
            (r["outcome"], r["reason"], r["device"]) for r in fleet.records(gateway)[since:]
            if r["outcome"] == "edge-refused"] == [("edge-refused", "denied-revoked", "dev-0001")] * 2)
    wait_for("a case", lambda: w.op("device", "show", "dev-0001")["state"] == "blocked")


def test_the_answer_says_where_it_is_not_in_force(fleet):
    w = fleet.world
    w.stop("gw-2")
    answer = w.op("cert", "revoke", fingerprint(fleet.pair(2)[0]), "--reason", "keyCompromise", "--wait", "1")
    assert (answer["in_force"], answer["gateways"]) == (1, 2)
    assert [g["name"] for g in answer["not_in_force"]] == ["gw-2"]
    assert time.time() - answer["not_in_force"][0]["heard_at"] < 60
    # what it was told last it still serves; back again, it hears at once
    assert fleet.refused(2)
    w.start_gateway(2)
    wait_for("gw-2 back", lambda: all(g["behind"] == 0 for g in w.op("gateway", "list")["items"]), 20)
    assert fleet.refused(2, gateway=2)
    assert fleet.client(3, gateway=2).echo()


def test_a_blocked_device_is_cut_and_comes_back_when_its_case_is_closed(fleet):
    w = fleet.world
    c = fleet.client(4)
    assert c.echo()
    w.op("device", "block", "dev-0004", "--reason", "lost")
    assert c.is_closed(5)
    assert fleet.refused(4)
    w.with_second("device", "unblock", "dev-0004", "--case", "found again")
    wait_for("let in again", lambda: not fleet.refused(4), 5)
    with pytest.raises(Refused):
        w.op("cert", "revoke", "0" * 64, "--reason", "theft")


def test_a_revoked_authority_takes_all_with_it_that_it_issued(fleet, tmp_path):
    w = fleet.world
    mine = [fleet.client(i, gateway=1 + i % 2) for i in (1, 2, 3)]
    assert all(c.echo() for c in mine)
    with pytest.raises(Refused) as asked:
        w.op("authority", "revoke", "old-root", "--reason", "cACompromise")
    assert asked.value.problem["code"] == "needs-approval"
    assert all(c.echo() for c in mine)
    names = [d for d in w.device_ids() if w.op("device", "show", d)["state"] in ("active", "parked")]
    cut = w.op("authority", "dependents", "old-root")
    assert [i["name"] for i in cut["items"]] == names and cut["total"] == len(names) == 4, cut
    at = time.monotonic()
    answer = w.with_second("authority", "revoke", "old-root", "--reason", "cACompromise")
    assert all(c.is_closed(max(0.01, at + 6 - time.monotonic())) for c in mine)
    assert (answer["in_force"], answer["gateways"]) == (2, 2)
    assert answer["dependents"] == cut
    since = len(fleet.records())
    assert fleet.refused(4)
    wait_for("the refusal", lambda: [r["reason"] for r in fleet.records()[since:]
                                     if r["outcome"] == "edge-refused"] == ["denied-revoked"])
    # people are told whom, before and after, and what to do
    said = subprocess.run([BUILD / "dovetail", "--dir", w.home, "authority", "revoke", "old-root", "--reason",
                           "cACompromise"], capture_output=True, text=True, check=True, timeout=30,
                          env=dict(os.environ, DOVETAIL_TOKEN=w.tokens["operator"])).stderr
    assert f"{len(names)} cannot come in any more: device {names[0]}," in said and "device secret" in said, said
    # no file brings them back; a secret and a new key do
    with pytest.raises(Refused) as no:
        w.op("device", "recover", names[0])
    assert "beneath old-root, which is revoked" in no.value.problem["detail"]
    secret, config = tmp_path / "secret", tmp_path / "agent.ini"
    secret.write_text(w.op("device", "secret", names[0])["secret"])
    config.write_text(f"[agent]\nserver = 127.0.0.1:{w.device_port}\nserver-name = control.test\n"
                      f"edge = 127.0.0.1:{w.gateway_ports[0]}\nedge-name = edge.test\n")
    agent = [BUILD / "dovetail-agent", "--state", tmp_path / "state", "--config", config]
    enroll = [*agent, "enroll", "--secret-file", secret, "--device", names[0], "--anchor", w.home / "public/root.pem"]
    done = subprocess.run(enroll, capture_output=True, text=True, timeout=30)
    subject = re.search(r"""subject is "CN=dev-0001", the inventory's "(O=Old Works,CN=dev-0001)\"""", done.stderr)
    assert done.returncode != 0 and subject, done.stderr
    subprocess.run([*enroll, "--subject", subject.group(1)], check=True, timeout=30)
    at = tmp_path / "state/generations" / (tmp_path / "state/current").read_text().strip()
    ctx = fleet.context(at / "chain.pem", at / "key.pem")
    wait_for("the way in", lambda: not gone_with(ctx, w.gateway_ports[0]))
    assert names[0] not in [i["name"] for i in w.op("authority", "dependents", "old-root")["items"]]


def test_handshakes_of_one_device_are_logged_for_a_time(fleet):
    w = fleet.world

    def logged():
        return [line for line in w.log("gw-1").splitlines() if "event=gateway.handshake" in line]

    assert fleet.client(1).echo() and logged() == []
    answer = w.op("gateway", "log", "gw-1", "--level", "VERBOSE", "--device", "dev-0001", "--for", "3s")
    assert time.time() < answer["until"] < time.time() + 5
    wait_for("in force", lambda: all(g["behind"] == 0 for g in w.op("gateway", "list")["items"]))
    assert fleet.client(2).echo() and fleet.client(1).echo() and fleet.client(1, gateway=2).echo()
    wait_for("a line of the device", lambda: len(logged()) == 1)
    assert "dev-0001" in logged()[0] and "TLSv1.3" in logged()[0]
    wait_for("its end", lambda: time.time() > answer["until"], 6)
    assert fleet.client(1).echo()
    # for all, and nothing any more
    w.op("gateway", "log", "gw-1", "--level", "INFO")
    wait_for("in force", lambda: all(g["behind"] == 0 for g in w.op("gateway", "list")["items"]))
    assert fleet.client(2).echo()
    wait_for("a line of the other", lambda: len(logged()) == 2)
    assert "dev-0002" in logged()[1]
    w.op("gateway", "log", "gw-1", "--level", "OFF")
    wait_for("in force", lambda: all(g["behind"] == 0 for g in w.op("gateway", "list")["items"]))
    assert fleet.client(2).echo()
    time.sleep(0.5)
    assert len(logged()) == 2
    for bad in (["--level", "LOUD"], ["--level", "INFO", "--device", "x", "--address", "y"]):
        with pytest.raises(Refused):
            w.op("gateway", "log", "gw-1", *bad)
    with pytest.raises(Refused):
        w.op("gateway", "log", "nobody", "--level", "INFO")
