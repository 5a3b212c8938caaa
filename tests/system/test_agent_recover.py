# SPDX-License-Identifier: Apache-2.0
"""A locked-out device returns: by a plain URL, a medium, its own folder; with
a valid and with an ended certificate. What is forged, foreign, older, too
large or escapes its folder is refused, and nothing outside is touched.

First against a control plane of a few lines (test_agent.py), whose bundles
openssl signs; then against the real one, which makes the grants."""
import base64
import hashlib
import http.client
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from test_agent import AGENT, Control, Device, Edge, openssl
from world import BUILD, Refused, World, wait_for

KIND = b"application/vnd.dovetail.trust+json"
HTTP_LATE, REFUSED, ABSENT, NOT_NEWER = 75, 77, 69, 73


def new_key(path):
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
    return path


class Keys:
    """Two offline keys and an online one; spki and ids as bundles name them."""

    def __init__(self, folder, name):
        self.files = [new_key(folder / f"{name}-{i}.key") for i in range(3)]
        self.spki = [openssl("pkey", "-in", k, "-pubout", "-outform", "DER") for k in self.files]
        self.ids = [hashlib.sha256(s).hexdigest() for s in self.spki]

    def listed(self):
        return [{"keyid": i, "spki": base64.b64encode(s).decode(),
                 "role": "online" if n == 2 else "root"}
                for n, (i, s) in enumerate(zip(self.ids, self.spki))]

    def signature(self, n, pae):
        return {"keyid": self.ids[n], "sig": base64.b64encode(
            openssl("dgst", "-sha256", "-sign", self.files[n], data=pae)).decode()}


def payload_of(keys, version, authorities, keys_version=1, **more):
    body = {"fleet": "test", "audience": "all", "version": version, "previous": version - 1,
            "keys_version": keys_version, "threshold": {"root": 2, "online": 1},
            "keys": keys.listed(), "issued_at": int(time.time()),
            "expires_at": int(time.time()) + 86400,
            "anchors": [{"fingerprint": a.fingerprint, "pem": a.pem.read_text(),
                         "priority": "primary" if i == 0 else "secondary"}
                        for i, a in enumerate(authorities)],
            "issuing": [a.pem.read_text() for a in authorities], "est": [], "edge": []}
    body.update(more)
    return body


def line_of(body, signers):
    """signers: [(Keys, number)]; the bytes signed are the bytes sent."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    pae = b"DSSEv1 %d %s %d %s" % (len(KIND), KIND, len(payload), payload)
    return json.dumps({"payload": base64.b64encode(payload).decode(),
                       "signatures": [k.signature(n, pae) for k, n in signers]})


def tree_hash(*folders, plain=()):
    """Every name, kind, mode, link target and byte below; and of plain files."""
    h = hashlib.sha256()
    for path in sorted(plain):
        h.update(f"{path} {path.stat().st_mode}".encode() + path.read_bytes())
    for folder in sorted(folders):
        for path in sorted(folder.rglob("*")):
            st = path.lstat()
            h.update(f"{path} {st.st_mode} {st.st_nlink}".encode())
            if path.is_symlink():
                h.update(os.readlink(path).encode())
            elif path.is_file():
                h.update(path.read_bytes())
    return h.hexdigest()


class Web(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files):
        outer = self
        self.files, self.asked = files, []

        class Answer(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                outer.asked.append(self.path)
                body = outer.files.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

        super().__init__(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class LockedOut:
    """A device under bundle 1 whose control plane then moved to a new root."""

    def __init__(self, folder):
        self.folder = folder
        self.control = Control(folder)
        self.edge = Edge(self.control)
        self.device = Device(folder, self.control, self.edge)
        self.keys = Keys(folder, "trust")
        self.device.adopt()
        self.old, self.new = self.control.root, self.control.new_root
        self.publish(1, [self.old])
        self.device.run("run", "--once", status=HTTP_LATE)  # the probe of "next" fails yet
        self.device.run("run", "--once")
        assert self.device.status()["trust"]["version"] == 1
        self.lock()

    def lock(self):
        """The listener shows a chain of the new root, which nobody was told."""
        key, crt = self.new.leaf(self.folder, "control-new", "serverAuth", "DNS:control.test")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(crt, key)
        tls.load_verify_locations(self.old.pem)
        tls.verify_mode = ssl.CERT_OPTIONAL
        self.control.socket._context = tls  # for connections from now on

    def publish(self, version, anchors):
        self.control.bundles.append((version, self.line(version, anchors)))

    def line(self, version, anchors, **more):
        return line_of(payload_of(self.keys, version, anchors, **more), [(self.keys, 2)])

    def good(self):
        return (self.line(2, [self.new, self.old]) + "\n").encode()


@pytest.fixture(scope="module")
def locked_once(tmp_path_factory):
    """Refusals leave everything as it was, so they share one device."""
    out = LockedOut(tmp_path_factory.mktemp("locked"))
    yield out
    out.control.shutdown()
    out.control.server_close()


@pytest.fixture()
def locked(tmp_path):
    out = LockedOut(tmp_path)
    yield out
    out.control.shutdown()
    out.control.server_close()


@pytest.mark.parametrize("way", ["file", "medium", "folder", "url", "set-medium", "set-url"])
def test_3_a_locked_out_device_returns_by(locked, way):
    device, stick = locked.device, locked.folder / "stick"
    with pytest.raises(AssertionError):
        device.run("checkin")  # locked out indeed
    stick.mkdir()
    web = Web({"/b/dev-1.jsonl": locked.good(), "/one.jsonl": locked.good()})
    if way == "file":
        (stick / "any name").write_bytes(locked.good())
        device.run("recover", "--from", stick / "any name")
    elif way == "medium":
        (stick / "dev-1.jsonl").write_bytes(locked.good())
        device.run("recover", "--from", stick)
    elif way == "folder":
        (device.state / "recovery").mkdir()
        (device.state / "recovery" / "dev-1.jsonl").write_bytes(locked.good())
        device.run("recover")
    elif way == "url":
        device.run("recover", "--from", web.url("/one.jsonl"))
    elif way == "set-medium":
        (stick / "all.jsonl").write_bytes(locked.good())
        device.write(recovery_media=str(stick))
        device.run("recover")
    else:
        device.write(recovery_url=web.url("/b/"))
        device.run("recover")
        assert web.asked == ["/b/dev-1.jsonl"]
    assert device.status()["trust"]["version"] == 2
    device.run("checkin")
    assert locked.control.reports[-1]["bundle"]["version"] == 2
    web.shutdown()
    web.server_close()


def with_library(state, device, server, recovery):
    """The example device, on the same state; it has no edge."""
    return subprocess.Popen(
        [BUILD / "examples/mqtt-device", "--state", state, "--device", device, "--server", server,
         "--server-name", "control.test", "--edge", "127.0.0.1:1", "--edge-name", "edge.test",
         "--recovery", recovery], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_3_a_locked_out_program_with_the_library_returns(locked):
    file = locked.folder / "stick.jsonl"
    child = with_library(locked.device.state, "dev-1", locked.device.settings["server"], file)
    try:
        time.sleep(0.5)
        file.write_bytes(locked.good())
        wait_for("a check-in under bundle 2",
                 lambda: locked.control.reports[-1]["bundle"]["version"] == 2, 30)
    finally:
        child.terminate()
        assert child.wait(10) == 0


def test_a_hook_that_is_owed_holds_no_recovery_up(locked):
    """It was set after bundle 1 came; what came by file is newer, and told."""
    device, hook, told = locked.device, locked.folder / "hook", locked.folder / "told"
    hook.write_text(f"#!/bin/sh\necho \"$1 $DOVETAIL_TRUST\" >>'{told}'\n")
    hook.chmod(0o755)
    device.write(hook=hook)
    (locked.folder / "file").write_bytes(locked.good())
    device.run("recover", "--from", locked.folder / "file")
    assert device.status()["trust"]["version"] == 2
    assert [line for line in told.read_text().splitlines() if "post-trust" in line] == ["post-trust 2"]


def test_a_running_agent_looks_for_other_ways_by_itself(locked):
    device = locked.device
    child = subprocess.Popen(device.command("run"), stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        (device.state / "recovery").mkdir()
        (device.state / "recovery" / "dev-1.jsonl").write_bytes(locked.good())
        wait_for("a check-in under bundle 2",
                 lambda: locked.control.reports[-1]["bundle"]["version"] == 2, 30)
    finally:
        child.terminate()
        child.wait()


def test_3_a_device_that_slept_through_two_key_changes_walks(locked):
    second, third = Keys(locked.folder, "second"), Keys(locked.folder, "third")
    both = [locked.new, locked.old]
    chain = [
        line_of(payload_of(second, 2, both, 2), [(locked.keys, 0), (locked.keys, 1),
                                                 (second, 0), (second, 1)]),
        line_of(payload_of(third, 3, both, 3), [(second, 0), (second, 1), (third, 0), (third, 1)]),
        line_of(payload_of(third, 4, [locked.new], 3), [(third, 2)])]
    path = locked.folder / "walk.jsonl"
    path.write_text("\n".join([chain[0], chain[2]]) + "\n")  # a bridge is missing
    locked.device.run("recover", "--from", path)
    assert locked.device.status()["trust"]["version"] == 2  # as far as the chain goes
    path.write_text("\n".join(chain) + "\n")
    locked.device.run("recover", "--from", path)
    assert locked.device.status()["trust"]["version"] == 4
    held = json.loads((locked.device.state / "trust/4/held.json").read_text())
    assert held["keys_version"] == 3


def hostile(name):
    """What it writes into the medium; (expected words, exit status)."""
    def other(w):
        return Keys(w.folder, f"foreign-{name}")

    def signed(w, body, signers=None):
        return line_of(body, [(w.keys, 2)] if signers is None else signers)

    def body(w, version=2, **more):
        return payload_of(w.keys, version, [w.new, w.old], **more)

    def flipped(w):
        line = json.loads(w.line(2, [w.new]))
        raw = bytearray(base64.b64decode(line["payload"]))
        raw[raw.index(b'"version": 2') + 11] = ord("9")
        line["payload"] = base64.b64encode(bytes(raw)).decode()
        return json.dumps(line)

    def twice(w):
        k = Keys(w.folder, "twice")
        line = json.loads(line_of(payload_of(k, 2, [w.new], 2), [(w.keys, 0), (k, 0), (k, 1)]))
        line["signatures"].append(line["signatures"][0])
        return json.dumps(line)

    def unproven(w):
        k = Keys(w.folder, "unproven")
        return line_of(payload_of(k, 2, [w.new], 2), [(w.keys, 0), (w.keys, 1), (k, 0)])

    def other_type(w):
        payload = json.dumps(body(w)).encode()
        pae = b"DSSEv1 4 text %d %s" % (len(payload), payload)
        return json.dumps({"payload": base64.b64encode(payload).decode(),
                           "signatures": [w.keys.signature(2, pae)]})

    def many(w):
        return "\n".join("{}" for _ in range(300))

    return {
        "unsigned": (lambda w: signed(w, body(w), []), "too-few-signatures"),
        "foreign-key": (lambda w: signed(w, body(w), [(other(w), 2)]), "too-few-signatures"),
        "flipped": (flipped, "too-few-signatures"),
        "other-type": (other_type, "too-few-signatures"),
        "other-fleet": (lambda w: signed(w, body(w, fleet="other")), "other-fleet"),
        "other-device": (lambda w: signed(w, body(w, audience="dev-2")), "other-audience"),
        "same-version": (lambda w: signed(w, body(w, 1)), "no bundle newer"),
        "older": (lambda w: signed(w, body(w, 1, previous=0)), "no bundle newer"),
        "expired": (lambda w: signed(w, body(w, expires_at=1000000000)), "expired"),
        "keys-by-online": (lambda w: line_of(payload_of(other(w), 2, [w.new], 2), [(w.keys, 2)]),
                           "key-change"),
        "one-root-twice": (twice, "too-few-signatures"),
        "new-keys-unproven": (unproven, "key-change"),
        "no-anchors": (lambda w: signed(w, payload_of(w.keys, 2, [])), "no-anchors"),
        "leaf-as-anchor": (lambda w: signed(w, body(w, anchors=[{
            "fingerprint": hashlib.sha256(openssl(
                "x509", "-in", w.folder / "control.crt", "-outform", "DER")).hexdigest(),
            "pem": (w.folder / "control.crt").read_text(), "priority": "primary"}])), "broken"),
        "17-anchors": (lambda w: signed(w, body(w, anchors=body(w)["anchors"][:1] * 17)), "anchor"),
        "escaping-id": (lambda w: signed(w, body(w, audience="../../../etc/passwd")),
                        "other-audience"),
        "not-json": (lambda w: "<html>no</html>", "broken"),
        "payload-not-base64": (lambda w: '{"payload": "***", "signatures": []}', "broken"),
        "grant-for-all": (lambda w: signed(w, body(w, grant={
            "id": "a" * 32, "certificate": "b" * 64, "expires_at": 9999999999})), "grant"),
        "oversized-line": (lambda w: signed(w, body(w, note="x" * 70000)), "over-limit"),
        "oversized-file": (lambda w: "x" * (1 << 20) + "x", "over-limit"),
        "too-many-lines": (many, "over-limit"),
    }[name]


HOSTILE = ["unsigned", "foreign-key", "flipped", "other-type", "other-fleet", "other-device",
           "same-version", "older", "expired", "keys-by-online", "one-root-twice",
           "new-keys-unproven", "no-anchors", "leaf-as-anchor", "17-anchors", "escaping-id",
           "not-json", "payload-not-base64", "grant-for-all", "oversized-line", "oversized-file",
           "too-many-lines"]


def generations(state):
    return {p: tree_hash(state / p) for p in ("generations", "trust")}


def outside_of(w):
    """All that lies around the state directory: media, keys, settings."""
    return tree_hash(*(p for p in w.folder.iterdir() if p.is_dir() and p != w.device.state),
                     plain=[p for p in w.folder.iterdir() if p.is_file()])


@pytest.mark.parametrize("name", HOSTILE)
def test_3_refused(locked_once, name):
    w, make = locked_once, hostile(name)
    medium = w.folder / f"medium-{name}"
    medium.mkdir()
    (medium / "dev-1.jsonl").write_text(make[0](w) + "\n")
    outside, before = outside_of(w), generations(w.device.state)
    done = subprocess.run(w.device.command("recover", "--from", medium), capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == (NOT_NEWER if make[1] == "no bundle newer" else REFUSED), done.stderr
    assert make[1] in done.stderr
    assert outside_of(w) == outside
    assert generations(w.device.state) == before
    assert w.device.status()["trust"]["version"] == 1


@pytest.mark.parametrize("name", ["link-to-file", "link-to-folder", "folder-as-file", "fifo",
                                  "hidden", "climbing-name", "other-ending"])
def test_3_a_medium_is_read_flat(locked_once, name):
    """A good bundle that is reached only by leaving the folder is not."""
    w = locked_once
    medium, outside = w.folder / f"flat-{name}", w.folder / f"outside-{name}"
    medium.mkdir()
    outside.mkdir()
    (outside / "dev-1.jsonl").write_bytes(w.good())
    source = medium
    if name == "link-to-file":
        (medium / "dev-1.jsonl").symlink_to(outside / "dev-1.jsonl")
    elif name == "link-to-folder":
        source = w.folder / "flat-link"
        source.symlink_to(outside)
    elif name == "folder-as-file":
        (medium / "dev-1.jsonl").mkdir()
        (medium / "dev-1.jsonl" / "dev-1.jsonl").write_bytes(w.good())
    elif name == "fifo":
        os.mkfifo(medium / "dev-1.jsonl")
    elif name == "hidden":
        (medium / ".dev-1.jsonl").write_bytes(w.good())
    elif name == "climbing-name":
        (medium / "..%2foutside.jsonl").write_bytes(w.good())
    else:
        (medium / "dev-1.json").write_bytes(w.good())
    before = tree_hash(medium, outside)
    w.device.run("recover", "--from", source,
                 status=REFUSED if name in ("link-to-file", "link-to-folder", "folder-as-file",
                                            "fifo") else ABSENT)
    assert tree_hash(medium, outside) == before
    assert w.device.status()["trust"]["version"] == 1


def test_3_media_that_are_set_are_looked_at_in_turn_and_none_is_trusted(locked):
    """One that is not mounted, one of a stranger, one for the whole fleet with
    more names than are read: the device's own file is found by its name."""
    w, sticks = locked, [locked.folder / n for n in ("absent", "hostile", "forged", "fleet")]
    hostile, forged, fleet = sticks[1:]
    outside = w.folder / "outside"
    for folder in (hostile, forged, fleet, outside):
        folder.mkdir()
    (outside / "dev-1.jsonl").write_bytes(w.good())
    os.mkfifo(hostile / "dev-1.jsonl")
    (hostile / "link.jsonl").symlink_to(outside / "dev-1.jsonl")
    (hostile / "up.jsonl").symlink_to("..")
    (hostile / "huge.jsonl").touch()
    os.truncate(hostile / "huge.jsonl", 1 << 34)
    (forged / "dev-1.jsonl").write_bytes(w.good()[:-40] + w.good()[-39:])
    stranger = Keys(w.folder, "stranger")
    (forged / "other.jsonl").write_text(line_of(payload_of(stranger, 9, [w.new]), [(stranger, 2)]) + "\n")
    w.device.write(recovery_media=", ".join(map(str, sticks[:3])))
    before = tree_hash(outside), tree_hash(forged), generations(w.device.state)
    w.device.run("recover", status=REFUSED)
    assert generations(w.device.state) == before[2] and w.device.status()["trust"]["version"] == 1
    for n in range(20000):
        (fleet / f"dev-{n + 2}.jsonl").touch()
    (fleet / "dev-1.jsonl").write_bytes(w.good())
    w.device.write(recovery_media=", ".join(map(str, sticks)))
    w.device.run("recover")
    assert w.device.status()["trust"]["version"] == 2
    assert (tree_hash(outside), tree_hash(forged)) == before[:2]
    w.device.run("checkin")
    assert w.control.reports[-1]["bundle"]["version"] == 2


def test_without_signing_keys_nothing_is_pinned_from_a_stick(tmp_path):
    control = Control(tmp_path)
    device = Device(tmp_path, control, Edge(control))
    device.adopt()
    keys, path = Keys(tmp_path, "k"), tmp_path / "b.jsonl"
    path.write_text(line_of(payload_of(keys, 1, [control.new_root]), [(keys, 2), (keys, 0)]) + "\n")
    assert "no-keys-held" in device.run("recover", "--from", path, status=REFUSED)
    control.shutdown()
    control.server_close()


def test_recover_renews_nothing_that_is_well(locked):
    """Trust is what it lacked; reached again, it has what it needs."""
    device, before = locked.device, locked.device.fingerprint()
    (locked.folder / "file").write_bytes(locked.good())
    device.run("recover", "--from", locked.folder / "file")
    assert device.status()["trust"]["version"] == 2
    device.run("recover", "--from", locked.folder / "file", status=73)  # reachable, and nothing is newer
    assert device.fingerprint() == before and locked.control.issued == 0
    assert ("CertRotationStarted", "Succeed") not in device.steps()


def test_cancel_and_selftest(locked):
    device = locked.device
    said = device.run("selftest")
    assert said.count(" ok\n") == 6
    device.run("cancel", status=73)  # no update runs
    device.write(once_limit="2s")
    device.run("renew", status=HTTP_LATE)
    assert device.status()["update"] != ""
    device.run("cancel")
    assert device.status()["update"] == ""
    assert any(e["detail"] == "cancelled" for e in device.status()["events"])


# --- the real control plane ---


class Fleet:
    """Devices of the old world with their agents, and a control plane."""

    def __init__(self, folder, ends_in, devices=1):
        self.world = World(folder / "w", devices=devices, gateways=0)
        self.world.make_old_world()
        self.end = int(time.time()) + ends_in
        self.names = [f"dev-{n + 1:04}" for n in range(devices)]
        for name in self.names:
            self.shorten(name)
        self.world.init()
        self.world.start_control()
        self.world.adopt_old_world()
        self.folder = folder
        self.write()
        for name in self.names:
            self.adopt(name)

    def write(self, **more):
        self.config = self.folder / "agent.ini"
        self.config.write_text(f"""[agent]
server = 127.0.0.1:{self.world.device_port}
server-name = control.test
retry-first = 1s
once-limit = 5s
""" + "".join(f"{k.replace('_', '-')} = {v}\n" for k, v in more.items()))

    def shorten(self, name):
        """The old CA issues the device's certificate anew, for a short time:
        the inventory has both, and the device the newer one."""
        home = self.world.old
        at = home / "devices" / name
        request = openssl("req", "-new", "-key", at / "key.pem", "-subj", f"/O=Old Works/CN={name}")
        (at / "csr").write_bytes(request)
        subprocess.run(
            ["openssl", "ca", "-batch", "-notext", "-config", "ca/openssl.cnf", "-extensions",
             "device", "-in", at / "csr", "-out", at / "cert.pem", "-enddate",
             time.strftime("%Y%m%d%H%M%SZ", time.gmtime(self.end))],
            cwd=home, check=True, capture_output=True, env=dict(os.environ, DEVICE=name))

    def state(self, name):
        return self.folder / f"agent-{name}"

    def command(self, state, *args):
        return [str(a) for a in (AGENT, "--state", state, "--config", self.config, *args)]

    def run(self, name, *args, status=0, state=None):
        done = subprocess.run(self.command(state or self.state(name), *args), capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def adopt(self, name):
        at = self.world.old / "devices" / name
        self.run(name, "enroll", "--import", at / "key.pem", at / "cert.pem", "--anchor",
                 self.world.old / "ca/ca.pem")

    def pin(self, name):
        """Bundle and keys, over TLS; there is no edge to probe. A renewal of
        its own, in the last third of so short a time, finds no edge either."""
        for _ in range(4):
            subprocess.run(self.command(self.state(name), "run", "--once"), capture_output=True,
                           timeout=60)
            if json.loads(self.run(name, "status", "--json"))["trust"]["version"] > 0:
                return
        raise AssertionError("no bundle was loaded")

    def wait_for_the_end(self):
        """The certificates have ended, and the control plane has noted it."""
        time.sleep(max(0, self.end + 1.2 - time.time()))
        wait_for("the control plane to note the end", lambda: len(self.world.query(
            "SELECT fingerprint FROM credential WHERE state = 'expired' AND owner_kind = 'device'"))
            >= len(self.names), 25)

    def generation(self, name):
        return json.loads(self.run(name, "status", "--json"))["credential"]["generation"]

    def file(self, name, path):
        said = self.world.op("device", "recover", name, "--out", path)
        assert said["state"] == "ready" and len(said["grant_id"]) == 32
        return path


    def reenroll(self, name, grant):
        """As any EST client might, with a grant of its choice."""
        at, key = self.world.old / "devices" / name, new_key(self.folder / "asked.key")
        request = openssl("req", "-new", "-key", key, "-subj", f"/O=Old Works/CN={name}",
                          "-outform", "DER")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for anchor in (self.world.old / "ca/ca.pem", self.world.home / "public/root.pem"):
            tls.load_verify_locations(anchor)
        tls.load_cert_chain(at / "cert.pem", at / "key.pem")
        to = http.client.HTTPSConnection("127.0.0.1", self.world.device_port, timeout=10)
        to.sock = tls.wrap_socket(socket.create_connection(("127.0.0.1", self.world.device_port)),
                                  server_hostname="control.test")
        to.request("POST", "/.well-known/est/simplereenroll", base64.b64encode(request),
                   {"Content-Type": "application/pkcs10", "Dovetail-Grant": grant})
        answer = to.getresponse()
        return answer.status, json.loads(answer.read())


ENDED = ["url", "medium", "folder", "set-medium", "ended-grant", "foreign-grant", "library"]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Seven locked-out devices whose certificates have ended, and twins of
    them as they were before any of them returned."""
    out = Fleet(tmp_path_factory.mktemp("ended"), ends_in=14, devices=len(ENDED))
    try:
        for name in out.names:
            out.pin(name)
        out.wait_for_the_end()
        for name in out.names:
            shutil.copytree(out.state(name), out.folder / f"twin-{name}")
        yield out
    finally:
        out.world.close()


@pytest.mark.parametrize("way", ["url", "medium", "folder", "set-medium"])
def test_3_an_ended_certificate_returns_once_by(ended, way):
    """Check-in and renewal are refused until an operator's file brings the
    grant, by whatever way; it is good for one key alone."""
    name = ended.names[ENDED.index(way)]
    before, w = ended.generation(name), ended.world
    assert "ended" in ended.run(name, "checkin", status=HTTP_LATE)
    stick = ended.folder / f"stick-{way}"
    stick.mkdir()
    file = ended.file(name, stick / f"{name}.jsonl")
    if way == "url":
        web = Web({f"/b/{name}.jsonl": file.read_bytes()})
        ended.write(recovery_url=web.url("/b/"))
        ended.run(name, "recover")
        assert web.asked == [f"/b/{name}.jsonl"]
        web.shutdown()
        web.server_close()
        ended.write()
    elif way == "medium":
        ended.run(name, "recover", "--from", stick)
    elif way == "set-medium":
        ended.write(recovery_media=stick)
        ended.run(name, "recover")
        ended.write()
    else:
        (ended.state(name) / "recovery").mkdir()
        shutil.copy(file, ended.state(name) / "recovery")
        ended.run(name, "recover")
    assert ended.generation(name) > before
    ended.run(name, "checkin")
    # a copy of device and file: the grant is used up
    twin = ended.folder / f"twin-{name}"
    assert "grant was used" in ended.run(name, "recover", "--from", file, state=twin,
                                         status=HTTP_LATE)
    rows = w.query("SELECT * FROM enrol_grant WHERE device_id = ?", name)
    assert len(rows) == 1 and rows[0]["used_at"] > 0 and rows[0]["key_digest"] != ""
    actions = {r["action"] for r in w.query("SELECT action FROM audit WHERE object = ?", name)}
    assert {"device.recover", "grant.use"} <= actions
    assert any(r["name"] == "DEVICE_RETURNED" for r in
               w.query("SELECT name FROM event WHERE device = ?", name))


def test_3_an_ended_certificate_returns_with_the_library(ended):
    name = ended.names[ENDED.index("library")]
    before = ended.generation(name)
    file = ended.file(name, ended.folder / "library.jsonl")
    child = with_library(ended.state(name), name, f"127.0.0.1:{ended.world.device_port}", file)
    try:
        wait_for("its renewal", lambda: ended.generation(name) > before, 30)
    finally:
        child.terminate()
        child.wait(10)
    ended.run(name, "checkin")


def test_3_an_ended_grant_is_refused_by_the_server(ended):
    """Another file takes the grant of the one before back: who still has it
    is refused, and the newer one works."""
    name = ended.names[ENDED.index("ended-grant")]
    before = ended.generation(name)
    first = ended.file(name, ended.folder / "first")
    second = ended.file(name, ended.folder / "second")
    said = ended.run(name, "recover", "--from", first, status=HTTP_LATE)
    assert "this grant has ended" in said
    assert ended.generation(name) == before
    rows = ended.world.query("SELECT used_at FROM enrol_grant WHERE device_id = ?", name)
    assert [r["used_at"] for r in rows] == [0, 0]
    ended.run(name, "recover", "--from", second)
    assert ended.generation(name) > before
    ended.run(name, "checkin")


def test_3_a_grant_of_another_device_is_refused(ended):
    """The file's audience is another: the device itself does not take it; nor
    does the server take its grant from another's certificate."""
    name = ended.names[ENDED.index("foreign-grant")]
    before, other = ended.generation(name), ended.names[ENDED.index("ended-grant")]
    foreign = ended.file(other, ended.folder / "foreign")
    trees = generations(ended.state(name))
    assert "other-audience" in ended.run(name, "recover", "--from", foreign, status=REFUSED)
    grant = ended.world.query("SELECT id FROM enrol_grant WHERE device_id = ? ORDER BY created_at "
                              "DESC, expires_at DESC", other)[0]["id"]
    for asked, word in ((grant, "not for this device"), ("0" * 32, "not for this device")):
        status, answer = ended.reenroll(name, asked)
        assert status == 403 and word in answer["detail"]
    assert generations(ended.state(name)) == trees and ended.generation(name) == before
    with pytest.raises(Refused):
        ended.world.op("device", "recover", "nobody")


def test_a_policy_lets_an_ended_certificate_renew(ended):
    """Without a grant the policy decides."""
    name = ended.names[ENDED.index("foreign-grant")]
    before, w = ended.generation(name), ended.world
    assert "a grant lets" in ended.run(name, "renew", status=HTTP_LATE)
    w.stop("dovetaild")
    w.start_control("enrol.expiredRenew=1h")
    ended.run(name, "renew")
    assert ended.generation(name) > before


def test_a_file_for_trust_alone_has_no_grant(ended):
    name = ended.names[0]
    said = ended.world.op("device", "recover", name, "--trust")
    assert said["grant_id"] == "" and said["state"] == "ready"
    path = ended.folder / "trust"
    path.write_text(said["file"])
    assert "no bundle newer" in ended.run(name, "recover", "--from", path, status=73)


def test_a_certificate_that_stands_needs_no_grant(tmp_path):
    """The file of a device that was not in need: nothing newer, and nothing is renewed; --renew uses the grant."""
    fleet = Fleet(tmp_path, ends_in=5 * 86400)
    name, w = fleet.names[0], fleet.world
    try:
        fleet.pin(name)
        before = fleet.generation(name)
        trees = generations(fleet.state(name))
        file = fleet.file(name, tmp_path / "file")
        said = fleet.run(name, "recover", "--from", file, status=73)
        assert "nothing newer" in said and "--renew" in said
        assert w.query("SELECT id FROM mailbox WHERE device_id = ?", name) == [], "nothing else is ordered"
        assert fleet.generation(name) == before and generations(fleet.state(name)) == trees
        assert w.query("SELECT used_at FROM enrol_grant WHERE device_id = ?", name)[0]["used_at"] == 0
        # nor is it ordered, as a check-in would show
        fleet.run(name, "checkin")
        assert fleet.generation(name) == before and w.query("SELECT * FROM mailbox") == []
        whole, text = fleet.config, fleet.config.read_text()
        fleet.config = tmp_path / "alone.ini"
        fleet.config.write_text(text.replace("server =", "#").replace("server-name =", "#"))
        assert "nothing newer" in fleet.run(name, "recover", "--from", file, status=73)
        assert "agent.server is not set" in fleet.run(name, "recover", "--from", file, "--renew", status=65)
        assert json.loads(fleet.run(name, "status", "--json"))["update"] == ""
        # there is no edge to try it at, so it stays with the old one
        fleet.config = whole
        assert "Try new credential" in fleet.run(name, "recover", "--from", file, "--renew", status=HTTP_LATE)
        assert fleet.generation(name) == before
    finally:
        w.close()
