# SPDX-License-Identifier: Apache-2.0
"""Configuration values end to end: encrypted by the CLI, kept as ciphertext,
opened by the device alone, given back under its new key after a rotation; the
lease of an update; `device updates` live. A real control plane, gateway and
broker; openssl checks the ciphertext."""
import base64
import hashlib
import http.client
import json
import re
import socket
import ssl
import subprocess

import pytest

from test_agent import AGENT, openssl
from test_openapi import UnixConnection
from world import BUILD, ROOT, Refused, World, wait_for

DEVICE = "dev-0001"
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 : [A-Za-z ]+\(\d+\) -> "
                  r"(Start|Succeed|Fail)(  .*)?$")


class Site:
    def __init__(self, folder):
        w = self.world = World(folder / "w", devices=1, gateways=1)
        w.make_old_world(days=20)  # inside every renewal window
        w.start_broker()
        w.init()
        w.start_control()
        w.adopt_old_world()
        w.start_gateways()
        self.folder, self.state = folder, folder / "agent"
        self.hook = folder / "hook"
        self.hook.write_text("#!/bin/sh\necho \"$1 $DOVETAIL_CONFIG $DOVETAIL_EVENT_STEP "
                             f"$DOVETAIL_EVENT_OUTCOME\" >> {folder}/hooks\n")
        self.hook.chmod(0o755)
        self.config = folder / "agent.ini"
        self.write(f"127.0.0.1:{w.gateway_ports[0]}")
        old = w.old / "devices" / DEVICE
        self.run("enroll", "--import", old / "key.pem", old / "cert.pem", "--anchor",
                 w.old / "ca/ca.pem")
        self.run("run", "--once")

    def write(self, edge, limit="20s"):
        self.config.write_text(f"""[agent]
server = 127.0.0.1:{self.world.device_port}
server-name = control.test
edge = {edge}
edge-name = edge.test
hook = {self.hook}
retry-first = 1s
trial-wait = 100ms
once-limit = {limit}
""")

    def command(self, *args):
        return [str(a) for a in (AGENT, "--state", self.state, "--config", self.config, *args)]

    def run(self, *args, status=0):
        done = subprocess.run(self.command(*args), capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def set(self, name, text):
        path = self.folder / f"value-{name}"
        path.write_text(text)
        return self.world.op("device", "config", "set", DEVICE, f"{name}={path}")

    def value(self, name):
        return (self.state / "config" / name).read_text()

    def listed(self):
        return {v["name"]: v for v in
                self.world.op("device", "config", "list", DEVICE)["items"]}

    def post(self, path, body):
        c = UnixConnection(self.world.home / "run/api.sock")
        c.request("POST", path, json.dumps(body),
                  {"Authorization": f"Bearer {self.world.tokens['operator']}",
                   "Content-Type": "application/json"})
        answer = c.getresponse()
        return answer.status, json.loads(answer.read())

    def as_device(self, body):
        """POST /v1/device/config by its credential."""
        at = self.state / "generations" / (self.state / "current").read_text().strip()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for anchor in (self.world.old / "ca/ca.pem", self.world.home / "public/root.pem"):
            tls.load_verify_locations(anchor)
        tls.load_cert_chain(at / "chain.pem", at / "key.pem")
        port = self.world.device_port
        to = http.client.HTTPSConnection("127.0.0.1", port, timeout=10)
        to.sock = tls.wrap_socket(socket.create_connection(("127.0.0.1", port)),
                                  server_hostname="control.test")
        to.request("POST", "/v1/device/config", json.dumps(body),
                   {"Content-Type": "application/json"})
        answer = to.getresponse()
        return answer.status, json.loads(answer.read())

    def events(self, name):
        return [json.loads(r["body"]) for r in self.world.query(
            "SELECT body FROM event WHERE name = ? ORDER BY id", name)]

    def actions(self):
        return [r["action"] for r in self.world.query("SELECT action FROM audit")]

    def certificate(self):
        return json.loads(self.run("status", "--json"))["credential"]["fingerprint"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = Site(tmp_path_factory.mktemp("config"))
    yield out
    out.world.close()


def test_a_value_reaches_its_device_alone(site):
    assert site.set("wifi.psk", "correct horse")["version"] == 1
    site.set("mqtt.conf", "keepalive 60\n")
    site.run("run", "--once")
    assert site.value("wifi.psk") == "correct horse"
    assert (site.state / "config/wifi.psk").stat().st_mode & 0o777 == 0o600
    assert (site.state / "config").stat().st_mode & 0o777 == 0o700
    listed = site.listed()
    assert [listed[n]["applied_version"] for n in ("mqtt.conf", "wifi.psk")] == [1, 1]
    assert {e["name"] for e in site.events("DEVICE_CONFIG_APPLIED")} == {"mqtt.conf", "wifi.psk"}
    hooks = (site.folder / "hooks").read_text()
    assert "on-config wifi.psk" in hooks and "on-config mqtt.conf" in hooks
    database = (site.world.home / "db/dovetail.db").read_bytes()
    wal = site.world.home / "db/dovetail.db-wal"
    assert b"correct horse" not in database + (wal.read_bytes() if wal.exists() else b"")
    assert "on-event  Update local configuration Succeed" in hooks


def test_status_shows_values_but_not_what_is_in_them(site):
    said = site.run("status", "--json")
    assert "correct horse" not in said and "correct horse" not in site.run("status")
    values = {v["name"]: v for v in json.loads(said)["config"]}
    assert values["wifi.psk"] == {
        "name": "wifi.psk", "version": 1, "state": "applied", "failed_version": 0, "reason": "",
        "digest": hashlib.sha256(b"correct horse").hexdigest()}
    assert set(values) == {"wifi.psk", "mqtt.conf"}
    assert "wifi.psk: version 1, sha256 " in site.run("status")


def test_one_bad_value_harms_no_other(site):
    other = site.world.old / "gateways/gw-1/chain.pem"
    sealed = openssl("cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER", other,
                     data=b"not for you")
    status, answer = site.post(f"/v1/devices/{DEVICE}/config/bad", {
        "sealed": base64.b64encode(sealed).decode(), "certificate": site.certificate()})
    assert status == 200, answer
    site.set("after", "still here")
    site.run("run", "--once", status=75)  # it says that one failed
    assert site.value("after") == "still here"
    bad = site.listed()["bad"]
    assert bad["applied_version"] == 0 and "another certificate" in bad["failed"]
    assert [e["outcome"] for e in site.events("DEVICE_CONFIG_APPLIED") if e["name"] == "bad"] == ["Fail"]
    shown = {v["name"]: v for v in json.loads(site.run("status", "--json"))["config"]}
    assert shown["after"]["state"] == "applied" and shown["bad"]["version"] == 0
    assert shown["bad"]["state"] == "failed" and shown["bad"]["failed_version"] == 1
    assert "another certificate" in shown["bad"]["reason"] and shown["bad"]["digest"] == ""
    site.world.op("device", "config", "remove", DEVICE, "bad")
    site.run("run", "--once")
    assert "bad" not in {v["name"] for v in json.loads(site.run("status", "--json"))["config"]}
    for body in ({"sealed": "AAAA", "certificate": site.certificate()},
                 {"sealed": base64.b64encode(sealed).decode(), "certificate": "0" * 64},
                 {"sealed": base64.b64encode(b"0" * 30000).decode(),
                  "certificate": site.certificate()}):
        assert site.post(f"/v1/devices/{DEVICE}/config/bad", body)[0] in (400, 409, 413)
    assert site.post(f"/v1/devices/{DEVICE}/config/.hidden", body)[0] == 400


def test_a_rotation_encrypts_the_values_anew(site):
    before, known = site.certificate(), len(site.events("DEVICE_PUBKEY_CHANGE"))
    assert site.listed()["wifi.psk"]["certificate"] == before
    site.run("renew")
    site.run("run", "--once")
    after = site.certificate()
    assert after != before
    at = site.state / "generations" / (site.state / "current").read_text().strip()
    public = openssl("pkey", "-in", at / "key.pem", "-pubout", "-outform", "DER")
    changes = site.events("DEVICE_PUBKEY_CHANGE")[known:]
    assert [(e["fingerprint"], e["key_digest"]) for e in changes] == [(after, hashlib.sha256(public).hexdigest())]
    wait_for("values under the new key", lambda: all(
        v["certificate"] == after for v in site.listed().values()), 5)
    sealed = site.world.op("device", "config", "get", DEVICE, "wifi.psk")["sealed"]
    at = site.state / "generations" / (site.state / "current").read_text().strip()
    path = site.folder / "sealed.der"
    path.write_bytes(base64.b64decode(sealed))
    assert openssl("cms", "-decrypt", "-binary", "-inform", "DER", "-in", path, "-inkey",
                   at / "key.pem", "-recip", at / "chain.pem") == b"correct horse"
    assert {"config.lock", "config.unlock", "config.reseal"} <= set(site.actions())
    steps = site.world.op("device", "updates", DEVICE)["items"]
    newest = [u["id"] for u in steps if u["id"].startswith("certs-")][0]
    said = subprocess.run([BUILD / "dovetail", "--dir", site.world.home, "device", "updates", DEVICE,
                           newest], capture_output=True, text=True,
                          env={"DOVETAIL_TOKEN": site.world.tokens["operator"]}).stdout
    order = ["CertRotationStarted(", "Generate new certificate(", "Lock device configuration on server(",
             "Update local configuration with new key(",
             "Update device specific configuration on server with new key(", "Try new credential(",
             " : Switch(", "Restart consumers(", "CertRotationCompleted("]
    assert all(step in said for step in order), said
    assert sorted(order, key=said.index) == order
    for line in said.splitlines():  # the design's form
        assert LINE.match(line), line
    listed = subprocess.run([BUILD / "dovetail", "--dir", site.world.home, "device", "updates", DEVICE],
                            capture_output=True, text=True,
                            env={"DOVETAIL_TOKEN": site.world.tokens["operator"]}).stdout.splitlines()
    assert listed[0].split()[:4] == ["ID", "TIME", "VERSION", "TARGET"], listed
    assert any(row.split()[0] == newest for row in listed[1:])
    given = [line for line in said.splitlines() if "with new key(" in line and "-> Succeed" in line]
    assert any("values: " in line and " of " not in line for line in given), given


def test_values_go_to_a_certificate_that_a_lease_names_or_the_one_in_use(site):
    """The device itself may not put them under any other."""
    sealed = site.world.op("device", "config", "get", DEVICE, "wifi.psk")
    own = site.certificate()
    rows = site.world.query("SELECT fingerprint, state FROM credential WHERE owner = ?", DEVICE)
    others = [r["fingerprint"] for r in rows if r["fingerprint"] != own] + ["0" * 64]
    assert len(others) >= 2
    for certificate in others:
        status, answer = site.as_device({"name": "wifi.psk", "version": sealed["version"],
                                         "sealed": sealed["sealed"], "certificate": certificate})
        assert status == 409 and "no lease" in answer["detail"], answer
    status, answer = site.as_device({"name": "wifi.psk", "version": sealed["version"],
                                     "sealed": sealed["sealed"], "certificate": own})
    assert status == 200 and answer["certificate"] == own


def test_a_removed_value_is_gone_from_the_device(site):
    site.world.op("device", "config", "remove", DEVICE, "mqtt.conf")
    site.run("run", "--once")
    assert not (site.state / "config/mqtt.conf").exists()
    assert site.value("wifi.psk") == "correct horse"


def test_the_lease_of_an_update_and_a_failed_one_live(site):
    """Its trial fails, as no edge is there: values wait; an operator breaks
    the lease; --watch shows the failing step and its reason."""
    with pytest.raises(Refused):
        site.world.op("device", "config", "unlock", DEVICE)  # there is none
    site.write("127.0.0.1:1")
    known = {u["id"] for u in site.world.op("device", "updates", DEVICE)["items"]}
    site.world.tell_to_renew(DEVICE)
    child = subprocess.Popen(site.command("run", "--once"), stderr=subprocess.DEVNULL)
    watch = None
    try:
        wait_for("the lease", lambda: site.world.query("SELECT * FROM config_lock"), 10)
        with pytest.raises(Refused) as why:
            site.set("wifi.psk", "too early")
        assert why.value.problem["code"] == "conflict" and "locked" in why.value.problem["detail"]
        lease = site.world.query("SELECT expires_at - locked_at AS s FROM config_lock")[0]["s"]
        assert lease == 72 * 3600
        assert site.world.op("device", "config", "unlock", DEVICE)["update"].startswith("certs-")
        assert site.set("wifi.psk", "battery staple")["version"] == 2
        assert "config.lock.break" in site.actions()
        update = wait_for("its steps", lambda: [
            u["id"] for u in site.world.op("device", "updates", DEVICE)["items"]
            if u["id"] not in known and u["id"].startswith("certs-")], 15)[0]
        watch = subprocess.run(
            [BUILD / "dovetail", "--dir", site.world.home, "device", "updates", DEVICE, update,
             "--watch"], capture_output=True, text=True, timeout=40,
            env={"DOVETAIL_TOKEN": site.world.tokens["operator"]})
    finally:
        child.wait(60)
    assert watch.returncode == 73
    failing = [line for line in watch.stdout.splitlines() if "-> Fail" in line]
    assert len(failing) == 1 and " : Try new credential(" in failing[0] and "trial" in failing[0]
    site.write(f"127.0.0.1:{site.world.gateway_ports[0]}")
    wait_for("the value", lambda: subprocess.run(
        site.command("run", "--once"), stderr=subprocess.DEVNULL).returncode >= 0
        and site.value("wifi.psk") == "battery staple", 20)


@pytest.mark.parametrize("way", ["recover", "renew"])
def test_a_renewal_that_was_ordered_as_well_is_one(site, way, tmp_path):
    """The order comes with a check-in, and so does what the command wants."""
    def updates():
        return {u["id"]: u["outcome"] for u in site.world.op("device", "updates", DEVICE)["items"]}

    def issued():
        return site.world.query("SELECT COUNT(*) AS n FROM credential WHERE owner = ?", DEVICE)[0]["n"]

    site.set("wifi.psk", "battery staple")  # a value keeps the update waiting for a check-in
    site.run("run", "--once")
    before, had, known = int((site.state / "current").read_text()), issued(), updates()
    site.world.op("device", "recover", DEVICE, "--renew", "--out", tmp_path / "file")
    if way == "recover":
        site.run("recover", "--from", tmp_path / "file", "--renew")
    else:
        site.run("renew")
    site.run("run", "--once")
    assert int((site.state / "current").read_text()) > before and issued() == had + 1
    new = {k: v for k, v in updates().items() if k not in known}
    assert list(new.values()).count("Succeed") == len(new)
    assert len([k for k in new if k.startswith("certs-")]) == 1


@pytest.mark.parametrize("hook", ["mosquitto-bridge", "nginx"])
def test_the_example_hooks_put_what_is_in_use(site, hook, tmp_path):
    current = (site.state / "current").read_text().strip()
    trust = max((p.name for p in (site.state / "trust").iterdir() if p.name.isdigit()), key=int)
    tools, tmp_path = tmp_path / "tools", tmp_path / "out"
    tools.mkdir()
    tmp_path.mkdir()
    for tool in ("sync", "mv"):
        (tools / tool).write_text(f"#!/bin/sh\necho {tool} \"$@\" >>'{tools}/log'\nexec /bin/{tool} \"$@\"\n")
        (tools / tool).chmod(0o755)
    env = {"PATH": f"{tools}:/usr/bin:/bin", "DOVETAIL_STATE": str(site.state), "DOVETAIL_OUT": str(tmp_path),
           "DOVETAIL_GENERATION": current, "DOVETAIL_TRUST": trust, "DOVETAIL_CHECK": "true",
           "DOVETAIL_RESTART": f"touch {tmp_path}/restarted"}
    for word in ("post-switch", "post-trust", "post-switch"):
        subprocess.run([ROOT / "examples/hooks" / hook, word], check=True, env=env)
        assert {p.name for p in tmp_path.iterdir()} == {"key.pem", "chain.pem", "anchors.pem", "restarted"}
        calls = (tools / "log").read_text().splitlines()  # each on the disk before its name, then the names
        assert calls == [call for name in ("key.pem", "chain.pem", "anchors.pem") for call in (
            f"sync {tmp_path}/{name}.new", f"mv -f {tmp_path}/{name}.new {tmp_path}/{name}")] + [f"sync {tmp_path}"]
        (tools / "log").unlink()
        if word == "post-trust":  # of an adopted device it is the first
            for name in ("key.pem", "chain.pem", "anchors.pem"):
                (tmp_path / name).unlink()
        assert (tmp_path / "restarted").exists()
        (tmp_path / "restarted").unlink()
    openssl("verify", "-partial_chain", "-CAfile", tmp_path / "chain.pem", tmp_path / "chain.pem")
    assert openssl("pkey", "-in", tmp_path / "key.pem", "-pubout") == openssl(
        "x509", "-in", tmp_path / "chain.pem", "-noout", "-pubkey")
    assert (tmp_path / "anchors.pem").read_text().count("BEGIN CERTIFICATE") >= 1
    subprocess.run([ROOT / "examples/hooks" / hook, "on-event"], check=True, env=env)
    assert not (tmp_path / "restarted").exists()
    failing = dict(env, DOVETAIL_RESTART="false")
    assert subprocess.run([ROOT / "examples/hooks" / hook, "post-switch"], env=failing).returncode
