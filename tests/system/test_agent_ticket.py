# SPDX-License-Identifier: Apache-2.0
"""Who refuses an edge before it has shown a certificate is named all the same,
by the identity ticket of its last visit: the agent, and a device that uses the
library under libmosquitto. A gateway behind scripted control planes, whose
certificate is replaced by one that nobody knows."""
import json
import shutil
import stat
import subprocess
import threading

import pytest

import edgekit
import feedkit
from test_agent import Authority, Control, Device, openssl
from world import BUILD, wait_for

NAMES = "DNS:edge.test,DNS:next.edge.test,DNS:trial.edge.test"


class Site:
    """A control plane, a gateway, and what it shows."""

    def __init__(self, folder):
        self.folder, self.closed = folder, threading.Event()
        self.control = Control(folder)
        self.stranger = Authority(folder, "stranger")
        self.shown = folder / "shown.crt", folder / "shown.key"
        self.show(self.control.root)
        self.echo = edgekit.Echo()
        self.feed = feedkit.Control(folder, edgekit.free_port()).start()
        (folder / "gw-secret").write_text(self.feed.secret + "\n")
        self.gateway = edgekit.Gateway(
            folder / "gw", f"tcp:127.0.0.1:{self.echo.port}", certificate=self.shown[0],
            key=self.shown[1], client_ca=self.control.root.pem, state=folder / "gw-state",
            control=f"https://127.0.0.1:{self.feed.port}", control_name="control.test",
            control_ca=self.feed.root.cert, secret=f"file:{folder / 'gw-secret'}").start()
        self.port = self.gateway.port
        root = self.control.root
        self.feed.put("anchor", root.fingerprint, {
            "pem": root.pem.read_text(), "name": "root", "use": "device", "root": 1})
        self.feed.policy()  # its probe names are others: these are names like any

    def know(self, *certificates):
        """The inventory has these as of dev-1."""
        at = self.feed.put("device", "dev-1", {
            "state": "active", "certificates": [edgekit.fingerprint(c) for c in certificates]})
        wait_for("the gateway to know", lambda: self.feed.applied(at))

    def follow(self):
        """The inventory hears of what the control plane issues."""
        def look():
            seen = 0
            while not self.closed.wait(0.05):
                issued = list(self.folder.glob("issued-*.crt"))
                if len(issued) != seen and all(c.stat().st_size for c in issued):
                    seen = len(issued)
                    self.know(self.folder / "dev-1.crt", *issued)
        threading.Thread(target=look, daemon=True).start()

    def show(self, authority):
        key, crt = authority.leaf(self.folder, "edge-now", "serverAuth", NAMES)
        shutil.copy(crt, self.shown[0])
        shutil.copy(key, self.shown[1])

    def show_another(self, authority):
        self.show(authority)
        self.gateway.process.send_signal(1)  # SIGHUP
        serial = openssl("x509", "-in", self.shown[0], "-noout", "-serial").decode().split("=")[1]
        wait_for("the new certificate", lambda: serial.strip().lower() in subprocess.run(
            f"openssl s_client -connect 127.0.0.1:{self.port} -servername edge.test </dev/null"
            " 2>/dev/null | openssl x509 -noout -serial", shell=True, capture_output=True,
            text=True).stdout.lower(), 10)

    def refused_by(self, name, device, since=0):
        return wait_for("a record", lambda: next(
            (r for r in self.gateway.records()[since:] if r.get("device") == device
             and r["outcome"] != "ok" and r.get("confidence") == "ticket"
             and r.get("name") == name), None), 15)

    def close(self):
        self.closed.set()
        self.gateway.stop()
        self.feed.stop()
        self.control.shutdown()
        self.control.server_close()


@pytest.fixture
def site(tmp_path):
    out = Site(tmp_path)
    yield out
    out.close()


@pytest.fixture
def device(tmp_path, site):
    out = Device(tmp_path, site.control, site)
    out.adopt()
    site.know(tmp_path / "dev-1.crt")
    return out


def probe(device, number):
    device.control.todo = [{"id": f"p{number}", "action": "probe"}]
    subprocess.run(device.command("run", "--once"), capture_output=True, timeout=60)


def test_the_edge_names_an_agent_that_refuses_it_by_its_ticket(site, device):
    probe(device, 1)
    kept = device.state / "tickets"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert set(json.loads(kept.read_text())) == {"certificate", "at", "edge", "control"}
    since = len(site.gateway.records())
    site.show_another(site.stranger)
    probe(device, 2)  # another process: the ticket is from the disk
    r = site.refused_by("next.edge.test", "dev-1", since)
    assert r["alert"] == 48 and r["direction"] == "in", r
    # it is a name and no more: the next handshake is a full one, and stands
    site.show_another(site.control.root)
    since = len(site.gateway.records())
    probe(device, 3)
    r = wait_for("a handshake", lambda: next(
        (r for r in site.gateway.records()[since:] if r.get("confidence") == "certificate"), None))
    assert (r["device"], r["certificate"]) == ("dev-1", device.fingerprint())


def test_a_ticket_goes_with_its_credential_and_a_lost_one_is_no_matter(site, device):
    probe(device, 1)
    site.follow()
    kept = device.state / "tickets"
    before = json.loads(kept.read_text())["certificate"]
    device.run("renew")
    assert json.loads(kept.read_text())["certificate"] == device.fingerprint() != before
    for damage in (b"", b"\0" * 100, kept.read_bytes()[:-40], b'{"certificate": 7}'):
        kept.write_bytes(damage)
        device.run("checkin")
        device.run("renew")
    kept.unlink()
    kept.mkdir()
    device.run("renew")
    device.check_pair()


def test_a_trial_that_the_edge_holds_back_is_no_success(site, device):
    """A certificate that the gateway never hears of: the handshake is done, and
    nobody is let in. The old credential stays in use, and the event says why."""
    before = device.fingerprint()
    device.run("renew", status=75)
    assert device.fingerprint() == before
    refused = [r for r in site.gateway.records() if r.get("name") == "trial.edge.test"]
    assert refused and {r["reason"] for r in refused} == {"unknown-device"}, refused
    device.run("checkin")
    failed = [s for r in device.control.reports for s in r.get("steps", [])
              if s["outcome"] == "Fail"]
    assert [s["step"] for s in failed] == ["Try new credential"] and "let it in" in failed[0]["detail"]
    site.follow()
    device.run("renew")
    assert device.fingerprint() != before


def test_the_edge_names_a_device_of_the_library_as_well(site, tmp_path):
    site.control.secret = "only-once"
    secret = tmp_path / "secret"
    secret.write_text("only-once")
    home = tmp_path / "lib"
    home.mkdir()
    log = (tmp_path / "lib.log").open("w")
    child = subprocess.Popen(
        [BUILD / "examples/mqtt-device", "--state", home, "--server",
         f"127.0.0.1:{site.control.server_address[1]}", "--server-name", "control.test", "--edge",
         f"127.0.0.1:{site.port}", "--edge-name", "edge.test", "--device", "dev-1", "--anchor",
         site.control.root.pem, "--secret-file", secret, "--topic", "t", "--interval", "100"],
        stderr=log, stdout=log)
    try:
        mine = wait_for("its certificate", lambda: next(home.glob("generations/1/meta.json"), None), 30)
        site.know(mine.parent / "chain.pem")
        wait_for("two sessions", lambda: sum(
            r["outcome"] == "ok" for r in site.gateway.records()) >= 2, 60)
        since = len(site.gateway.records())
        site.show_another(site.stranger)
        site.refused_by("127.0.0.1", "dev-1", since)  # the name libmosquitto asks for
        site.show_another(site.control.root)
        since = len(site.gateway.records())
        wait_for("it is back", lambda: any(
            r["outcome"] == "ok" and r["confidence"] == "certificate"
            for r in site.gateway.records()[since:]), 90)
    finally:
        child.terminate()
        child.wait(10)
        log.close()
