# SPDX-License-Identifier: Apache-2.0
"""dovetail-agent against a control plane and an edge of a few lines, written
from docs/device-api.md and docs/trust-bundle.md alone: openssl makes every
certificate and signature."""
import base64
import hashlib
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time

import pytest

from world import BUILD, ROOT, free_ports, wait_for

AGENT = BUILD / "dovetail-agent"
EXT = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n" \
      "extendedKeyUsage={eku}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"


def openssl(*args, data=None):
    return subprocess.run(["openssl", *map(str, args)], input=data, check=True,
                          capture_output=True).stdout


class Authority:
    def __init__(self, folder, name):
        self.key, self.pem = folder / f"{name}.key", folder / f"{name}.pem"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key)
        openssl("req", "-new", "-x509", "-key", self.key, "-subj", f"/CN={name}", "-days", 3650,
                "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", self.pem)
        self.der = openssl("x509", "-in", self.pem, "-outform", "DER")
        self.fingerprint = hashlib.sha256(self.der).hexdigest()

    def sign(self, csr, out, eku, san=""):
        ext = out.with_suffix(".ext")
        ext.write_text(EXT.format(eku=eku) + (f"subjectAltName={san}\n" if san else ""))
        openssl("x509", "-req", "-in", csr, "-CA", self.pem, "-CAkey", self.key, "-days", 30,
                "-copy_extensions", "copy", "-extfile", ext, "-out", out)
        return out

    def leaf(self, folder, name, eku, san):
        key, csr = folder / f"{name}.key", folder / f"{name}.csr"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", csr)
        return key, self.sign(csr, folder / f"{name}.crt", eku, san)


class Control(http.server.ThreadingHTTPServer):
    """What a third party would write in an afternoon."""
    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.root, self.new_root = Authority(folder, "root"), Authority(folder, "new-root")
        key, crt = self.root.leaf(folder, "control", "serverAuth", "DNS:control.test")
        self.tls = tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(crt, key)
        tls.load_verify_locations(self.root.pem)
        tls.verify_mode = ssl.CERT_OPTIONAL
        self.socket = tls.wrap_socket(self.socket, server_side=True,
                                      do_handshake_on_connect=False)
        self.reports, self.todo, self.secret, self.bundles = [], [], None, []
        self.garbage, self.issued = [], 0
        self.ahead = 0  # seconds by which its clock is wrong
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that goes away is part of the tests

    def enroll(self, body):
        if self.garbage:
            return self.garbage.pop(0)
        self.issued += 1
        csr, crt = self.folder / "new.csr", self.folder / f"issued-{self.issued}.crt"
        csr.write_bytes(openssl("req", "-inform", "DER", data=base64.b64decode(body)))
        openssl("req", "-in", csr, "-verify", "-noout")
        self.root.sign(csr, crt, "clientAuth")
        p7 = openssl("crl2pkcs7", "-nocrl", "-certfile", crt, "-outform", "DER")
        return base64.encodebytes(p7)

    def publish(self, version, authorities, keys):
        """A bundle as docs/trust-bundle.md has it, signed by openssl dgst."""
        spki = {k: openssl("pkey", "-in", k, "-pubout", "-outform", "DER") for k in keys}
        ids = {k: hashlib.sha256(s).hexdigest() for k, s in spki.items()}
        payload = json.dumps({
            "fleet": "test", "audience": "all", "version": version, "previous": version - 1,
            "keys_version": 1, "threshold": {"root": 2, "online": 1},
            "keys": [{"keyid": ids[k], "spki": base64.b64encode(spki[k]).decode(),
                      "role": "online" if i == 2 else "root"} for i, k in enumerate(keys)],
            "issued_at": int(time.time()), "expires_at": int(time.time()) + 86400,
            "anchors": [{"fingerprint": a.fingerprint, "pem": a.pem.read_text(),
                         "priority": "primary" if i == 0 else "secondary"}
                        for i, a in enumerate(authorities)],
            "issuing": [a.pem.read_text() for a in authorities], "est": [], "edge": [],
        }).encode()
        kind = b"application/vnd.dovetail.trust+json"
        pae = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        signatures = [{"keyid": ids[k], "sig": base64.b64encode(
            openssl("dgst", "-sha256", "-sign", k, data=pae)).decode()} for k in keys]
        self.bundles.append((version, json.dumps({
            "payload": base64.b64encode(payload).decode(), "signatures": signatures})))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, body, kind="application/json"):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        s = self.server
        if self.path == "/.well-known/est/cacerts":
            p7 = openssl("crl2pkcs7", "-nocrl", "-certfile", s.root.pem, "-outform", "DER")
            self.reply(200, base64.encodebytes(p7), "application/pkcs7-mime")
        elif self.path.startswith("/v1/device/bundle?after="):
            after = int(self.path.split("=")[1])
            self.reply(200, "".join(line + "\n" for v, line in s.bundles if v > after))
        else:
            self.reply(404, "{}")

    def do_POST(self):
        s, body = self.server, self.rfile.read(int(self.headers["Content-Length"]))
        who = self.connection.getpeercert(binary_form=True)
        if self.path.endswith("/simpleenroll"):
            want = b"Basic " + base64.b64encode(b"dev-1:%s" % (s.secret or "-").encode())
            if self.headers.get("Authorization", "").encode() != want:
                return self.reply(401, "{}")
            return self.reply(200, s.enroll(body), "application/pkcs7-mime")
        if who is None:
            return self.reply(401, "{}")
        if self.path.endswith("/simplereenroll"):
            return self.reply(200, s.enroll(body), "application/pkcs7-mime")
        report = json.loads(body)
        report["certificate"] = hashlib.sha256(who).hexdigest()
        s.reports.append(report)
        done = {d["id"] for d in report.get("done", [])}
        s.todo = [t for t in s.todo if t["id"] not in done]
        self.reply(200, json.dumps({
            "time": int(time.time()) + s.ahead, "device": "dev-1", "next_s": 1, "do": s.todo,
            "bundle": {"version": s.bundles[-1][0] if s.bundles else 0, "digest": ""},
            "edge": {"next": "next.edge.test", "trial": "trial.edge.test"}}))


class Edge:
    """Mutual TLS by server name; keeps who came under which one."""

    def __init__(self, control):
        folder, names = control.folder, "DNS:edge.test,DNS:next.edge.test,DNS:trial.edge.test"
        self.contexts, self.seen, self.failed = {}, [], []
        for name, ca in (("old", control.root), ("new", control.new_root)):
            key, crt = ca.leaf(folder, f"edge-{name}", "serverAuth", names)
            self.contexts[name] = self.context(crt, key, control.root.pem)
        self.strict = self.context(folder / "edge-old.crt", folder / "edge-old.key",
                                   control.new_root.pem)
        self.refuse_trial = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def context(self, crt, key, ca):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(crt, key)
        tls.load_verify_locations(ca)
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.sni_callback = self.choose
        return tls

    def choose(self, sock, name, context):
        sock.asked = name
        if name == "next.edge.test":
            sock.context = self.contexts["new"]
        elif name == "trial.edge.test" and self.refuse_trial:
            sock.context = self.strict

    def one(self, raw):
        sock = None
        try:
            sock = self.contexts["old"].wrap_socket(raw, server_side=True,
                                                    do_handshake_on_connect=False)
            sock.asked = None
            sock.settimeout(10)
            sock.do_handshake()
            who = hashlib.sha256(sock.getpeercert(binary_form=True)).hexdigest()
            self.seen.append((sock.asked, who))
            while sock.recv(4096):
                pass
            sock.unwrap()
        except OSError as why:
            self.failed.append((getattr(sock, "asked", None), str(why)))
        finally:
            raw.close()

    def serve(self):
        while True:
            raw, _ = self.listener.accept()
            threading.Thread(target=self.one, args=(raw,), daemon=True).start()


class Device:
    def __init__(self, folder, control, edge):
        self.control, self.state, self.folder = control, folder / "state", folder
        self.config = folder / "agent.ini"
        self.hook_log = folder / "hook.log"
        self.settings = {
            "server": f"127.0.0.1:{control.server_address[1]}", "server-name": "control.test",
            "edge": f"127.0.0.1:{edge.port}", "edge-name": "edge.test", "retry-first": "1s",
            "trial-wait": "10ms", "once-limit": "30s"}
        self.write()

    def write(self, **more):
        self.settings.update({k.replace("_", "-"): v for k, v in more.items()})
        self.config.write_text("[agent]\n" + "".join(
            f"{k} = {v}\n" for k, v in self.settings.items()))

    def command(self, *args):
        return [AGENT, "--state", self.state, "--config", self.config, *map(str, args)]

    def run(self, *args, status=0, data=None):
        done = subprocess.run(self.command(*args), input=data, capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def adopt(self):
        key, crt = self.control.root.leaf(self.folder, "dev-1", "clientAuth", "DNS:dev-1.test")
        self.run("enroll", "--import", key, crt, "--anchor", self.control.root.pem)

    def status(self):
        return json.loads(self.run("status", "--json"))

    def fingerprint(self):
        return self.status()["credential"]["fingerprint"]

    def steps(self):
        return [(s["step"], s["outcome"]) for r in self.control.reports
                for s in r.get("steps", [])]

    def check_pair(self):
        """openssl's own word that key and certificate belong together."""
        at = self.state / "generations" / (self.state / "current").read_text().strip()
        public = openssl("pkey", "-in", at / "key.pem", "-pubout")
        assert openssl("x509", "-in", at / "chain.pem", "-noout", "-pubkey") == public
        assert stat.S_IMODE((at / "key.pem").stat().st_mode) == 0o600


@pytest.fixture()
def control(tmp_path):
    server = Control(tmp_path)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture()
def edge(control):
    return Edge(control)


@pytest.fixture()
def device(tmp_path, control, edge):
    return Device(tmp_path, control, edge)


WHOLE = ["CertRotationStarted", "Generate new certificate", "Try new credential", "Switch",
         "Restart consumers", "CertRotationCompleted"]


def test_an_adopted_device_checks_in(device, control):
    assert not device.state.exists()
    for words in ("status", "status --json", "checkin", "renew", "run --once", "recover", "cancel", "selftest"):
        said = device.run(*words.split(), status=69)
        assert f"{device.state} is not there: no credential yet, enroll first" in said, (words, said)
    assert not device.state.exists()
    device.state.mkdir(mode=0o700)
    assert "none: enroll first" in device.run("status")
    device.run("checkin", status=69)
    device.adopt()
    device.run("checkin")
    report = control.reports[-1]
    assert report["certificate"] == device.fingerprint()
    digest = hashlib.sha256(control.root.fingerprint.encode()).hexdigest()
    assert report["bundle"] == {"version": 0, "digest": digest}
    assert "generation 1, adopted" in device.run("status")
    assert "anchor     CN=root" in device.run("status")


def test_a_renewal_by_instruction(device, control, edge):
    device.adopt()
    control.todo = [{"id": "r2-renew", "action": "renew", "label": "device"}]
    before = device.fingerprint()
    device.run("run", "--once")
    after = device.fingerprint()
    assert after != before and control.reports[-1]["certificate"] == after
    assert control.reports[-1]["done"] == [{"id": "r2-renew", "outcome": "ok", "detail": ""}]
    assert [s for s, o in device.steps() if o == "Succeed" and s in WHOLE] == WHOLE
    wait_for("the trial", lambda: ("trial.edge.test", after) in edge.seen)
    san = openssl("x509", "-in", device.state / "generations/2/chain.pem", "-noout", "-ext",
                  "subjectAltName")
    assert b"dev-1.test" in san
    assert (device.state / "generations/1/key.pem").exists()  # held
    device.check_pair()


def test_an_own_renewal_when_asked_on_the_spot(device, control):
    device.adopt()
    device.run("renew")
    assert device.status()["credential"]["generation"] == 2
    device.check_pair()


def test_a_refused_trial_stays_on_the_old_certificate(device, control, edge):
    device.adopt()
    edge.refuse_trial = True
    before = device.fingerprint()
    said = device.run("renew", status=75)
    assert "Try new credential failed" in said and "alert" in said
    assert device.fingerprint() == before
    assert ("Try new credential", "Fail") in device.steps()
    assert any(name == "trial.edge.test" for name, _ in edge.failed)
    edge.refuse_trial = False
    device.run("renew")
    assert device.fingerprint() != before
    device.check_pair()


@pytest.mark.parametrize("body,why", [
    (b"<html>It works!</html>", "base64"),
    (base64.b64encode(b"\x30\x03\x02\x01\x00"), "Generate new certificate failed"),
    (b"A" * 100000, "Generate new certificate failed"),
], ids=["html", "other DER", "too large"])
def test_garbage_is_told_and_survived(device, control, body, why):
    device.adopt()
    control.garbage = [body]
    before = device.fingerprint()
    assert why in device.run("renew", status=75)
    assert device.fingerprint() == before
    device.run("renew")
    device.check_pair()


def test_a_first_enrolment_by_secret_and_fingerprint(device, control):
    control.secret = "only-once"
    secret = device.folder / "secret"
    secret.write_text("only-once\n")
    device.run("enroll", "--secret-file", secret, "--device", "dev-1", status=65)
    device.run("enroll", "--secret-file", secret, "--device", "dev-1", "--fingerprint",
               control.root.fingerprint)
    assert device.status()["credential"]["subject"] == "CN=dev-1"
    assert control.reports[-1]["certificate"] == device.fingerprint()
    device.check_pair()
    device.run("enroll", "--secret-file", secret, "--device", "dev-1", "--anchor",
               control.root.pem, status=73)


def test_a_wrong_fingerprint_or_secret_enrols_nothing(device, control):
    control.secret = "only-once"
    device.write(once_limit="2s")
    device.run("enroll", "--secret-file", "-", "--device", "dev-1", "--fingerprint",
               control.new_root.fingerprint, data="only-once", status=75)
    assert control.issued == 0
    device.run("enroll", "--secret-file", "-", "--device", "dev-1", "--anchor",
               control.root.pem, data="guessed", status=75)
    assert control.issued == 0
    assert "error" in device.status()["credential"]
    device.run("enroll", "--secret-file", "-", "--device", "dev-1", "--anchor",
               control.root.pem, data="only-once")
    device.check_pair()


def test_bundles_are_pinned_probed_and_confirmed(device, control, edge, tmp_path):
    keys = [tmp_path / f"sign-{i}.key" for i in range(3)]
    for key in keys:
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    device.adopt()
    control.publish(1, [control.root], keys)
    control.publish(2, [control.root, control.new_root], keys)
    device.run("run", "--once")
    wanted = hashlib.sha256("\n".join(sorted(
        [control.root.fingerprint, control.new_root.fingerprint])).encode()).hexdigest()
    assert control.reports[-1]["bundle"] == {"version": 2, "digest": wanted}
    wait_for("the probe", lambda: ("next.edge.test", device.fingerprint()) in edge.seen)
    assert device.status()["trust"]["pinned"] is True
    control.publish(3, [control.new_root], [device.folder / "dev-1.key"] * 3)  # a forger
    said = device.run("run", "--once", status=75)
    assert "Load trust bundle" in said
    assert device.status()["trust"]["version"] == 2


def test_hooks_see_the_switch_and_can_undo_it(device, control):
    hook = device.folder / "hook"
    hook.write_text(f"#!/bin/sh\n[ $1 != on-event ] || exit 0\necho \"$1 $DOVETAIL_HOOK $DOVETAIL_GENERATION\" >>"
                    f"{device.hook_log}\n[ ! -e {device.folder}/bad ]\n")
    hook.chmod(0o755)
    device.write(hook=hook)
    device.adopt()
    device.run("renew")
    assert device.hook_log.read_text() == "post-switch post-switch 2\n"
    (device.folder / "bad").touch()
    assert "Restart consumers failed" in device.run("renew", status=75)
    assert device.hook_log.read_text().splitlines()[1:] == [
        "post-switch post-switch 3", "post-switch post-switch 2"]
    assert device.status()["credential"]["generation"] == 2
    device.check_pair()


def test_a_hook_is_told_where_the_state_is_and_which_generation_it_was(device, control):
    """The state directory is given as a path that holds from anywhere; of an
    event the generation in use when it was told, however late the hook is."""
    hook = device.folder / "hook"
    hook.write_text("#!/bin/sh\nsleep 0.02\ncd /\n[ -e $DOVETAIL_STATE/journal ] || exit 1\n"
                    f"echo \"$1 $DOVETAIL_STATE $DOVETAIL_GENERATION $DOVETAIL_EVENT_STEP $DOVETAIL_EVENT_OUTCOME\" >>"
                    f" {device.hook_log}\n")
    hook.chmod(0o755)
    device.adopt()
    device.write(hook=hook)
    here = [str(a) for a in (AGENT, "--state", device.state.name, "--config", device.config, "renew")]
    subprocess.run(here, cwd=device.folder, check=True, capture_output=True, timeout=60)
    told = device.hook_log.read_text().splitlines()
    for line in (f"post-switch {device.state} 2  ", f"on-event {device.state} 1 Switch Start",
                 f"on-event {device.state} 2 Switch Succeed",
                 f"on-event {device.state} 2 CertRotationCompleted Succeed"):
        assert line in told, told


NGINX = """pid nginx.pid;
error_log error.log;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate         {out}/chain.pem;
        ssl_certificate_key     {out}/key.pem;
        ssl_client_certificate  {out}/anchors.pem;
        ssl_verify_client       optional;
    }}
}}
"""


def test_the_example_hook_brings_nginx_up_at_the_first_boot_and_along(device, control):
    """No post-trust comes before the first post-switch, and no nginx runs."""
    home, out = device.folder / "nginx", device.folder / "nginx/dovetail"
    out.mkdir(parents=True)
    port, told = free_ports(1)[0], home / "nginx.pid"
    (home / "nginx.conf").write_text(NGINX.format(port=port, out=out))
    nginx = f"/usr/sbin/nginx -p {home} -c {home}/nginx.conf"
    reload, hook = device.folder / "reload", device.folder / "hook"
    reload.write_text(f"#!/bin/sh\n[ -s {told} ] && exec {nginx} -s reload\nexec {nginx}\n")
    hook.write_text(f"#!/bin/sh\nexport DOVETAIL_OUT='{out}' DOVETAIL_CHECK='{nginx} -t -q' "
                    f"DOVETAIL_RESTART='{reload}'\nexec {ROOT}/examples/hooks/nginx \"$1\"\n")
    reload.chmod(0o755)
    hook.chmod(0o755)
    device.write(hook=hook)

    def shown():
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port), timeout=5) as s, tls.wrap_socket(s) as c:
            return hashlib.sha256(c.getpeercert(True)).hexdigest()

    control.secret = "only-once"
    try:
        said = device.run("enroll", "--secret-file", "-", "--device", "dev-1", "--anchor",
                          control.root.pem, data="only-once")
        assert "enrolled: generation 1, trust bundle 0" in said
        first = device.fingerprint()
        assert ("CertRotationCompleted", "Succeed") in device.steps() and shown() == first
        device.run("renew")
        assert device.fingerprint() != first
        wait_for("nginx to show the new one", lambda: shown() == device.fingerprint())
    finally:
        if told.exists() and told.read_text():
            os.kill(int(told.read_text()), signal.SIGTERM)


def test_an_enrolment_is_one_though_the_next_chain_is_not_there_yet(device, control, edge, tmp_path):
    """Said so, with a warning; the step is made good later, and told."""
    keys = [tmp_path / f"sign-{i}.key" for i in range(3)]
    for key in keys:
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    control.publish(1, [control.root], keys)  # the edge's next chain is under another root
    control.secret = "only-once"
    said = device.run("enroll", "--secret-file", "-", "--device", "dev-1", "--anchor",
                      control.root.pem, data="only-once")
    assert "enrolled: generation 1, trust bundle 1\n" in said
    assert "warning: trust-" in said and "Probe next chain failed: next.edge.test: peer-not-trusted" in said
    device.run("run", "--once")  # no better yet, and no news
    probes = [e for e in device.status()["events"] if e["step"] == "Probe next chain"]
    assert [e["outcome"] for e in probes] == ["Fail"]
    edge.contexts["new"] = edge.contexts["old"]  # now it can be verified
    device.run("run", "--once")
    probes = [e for e in device.status()["events"] if e["step"] == "Probe next chain"]
    assert [(e["id"], e["outcome"]) for e in probes] == [
        (probes[0]["id"], "Fail"), (probes[0]["id"], "Succeed")]
    assert ("Probe next chain", "Succeed") in device.steps()


def test_a_state_that_is_no_folder_is_a_wrong_argument(device):
    for words in ("status", "run --once", "recover", "enroll --secret-file - --device d --fingerprint " + "0" * 64):
        done = subprocess.run([AGENT, "--state", device.config, *words.split()], capture_output=True, text=True,
                              input="x", timeout=30)
        assert (done.returncode, "not a directory" in done.stderr) == (65, True), (words, done.stderr)


def test_a_hook_that_runs_too_long_is_ended_with_all_it_started(device, control):
    device.adopt()
    hook, child = device.folder / "hook", device.folder / "child"
    hook.write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {child}\nwait\n")
    hook.chmod(0o755)
    device.write(hook=hook, hook_limit="1s")
    before = device.fingerprint()
    device.run("renew", status=75)
    assert device.fingerprint() == before, "consumers did not come up"
    pid = int(child.read_text())
    wait_for("the end of what it started", lambda: not pathlib.Path(f"/proc/{pid}").exists() or
             "\nState:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text(), 5)


def test_what_is_not_its_own_in_the_state_directory_stops_nothing(device, control):
    """A person's copies, links and folders where files should be."""
    device.adopt()
    device.run("renew")
    state, before = device.state, device.fingerprint()
    for copy in ("generations.old", "trust.new", "generations/9.old/sub", "trust/8.new/sub"):
        (state / copy).mkdir(parents=True)
        (state / copy / "file").write_text("mine")
    (state / "generations/9.old/link").symlink_to(state / "generations/1")
    (state / "agent.ini.old").write_text("mine")
    device.run("checkin")
    assert device.fingerprint() == before
    assert (state / "generations.old/file").exists() and (state / "trust.new/file").exists()
    assert (state / "agent.ini.old").exists() and (state / "generations/1/key.pem").exists()
    for name in ("current", "journal", "config"):
        for kind in ("folder", "link"):
            if (state / name).is_file():
                (state / name).unlink()
            elif (state / name).exists():
                (state / name).rename(state / f"{name}.of-before")
            if kind == "folder":
                (state / name / "in").mkdir(parents=True)
            else:
                (state / name).symlink_to("/etc/hostname")
            device.run("checkin")
            assert device.fingerprint() == before, (name, kind)
    (state / "generations/2/meta.json").unlink()
    device.run("checkin")
    assert device.fingerprint() == before
    device.run("renew")
    assert device.fingerprint() != before
    device.check_pair()


@pytest.mark.parametrize("name", ["generations/2/key.pem", "current", "journal"])
def test_a_file_that_does_not_come_off_the_disk_costs_nothing(device, control, name):
    """Its reads fail for one run of the program, which goes on with what is there."""
    device.adopt()
    former = device.fingerprint()
    device.run("renew")
    newest = device.fingerprint()
    failing = ["strace", "-f", "-qq", "-o", os.devnull, "-P", device.state / name, "-e", "trace=read",
               "-e", "inject=read:error=EIO", *device.command("checkin")]
    done = subprocess.run([str(a) for a in failing], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = control.reports[-1]["certificate"]
    assert seen == (former if name.startswith("generations") else newest)
    assert ("Set damaged state aside", "Succeed") in device.steps()
    device.run("checkin")
    assert control.reports[-1]["certificate"] == newest == device.fingerprint()
    assert not list(device.state.rglob("generations/*.bad"))
    device.check_pair()


def test_a_directory_that_is_read_in_part_is_no_word_of_what_is_gone(device, control):
    device.adopt()
    device.run("renew")
    newest, failed = device.fingerprint(), 0
    for n in (4, 6, 11, 12, 14, 16):
        failing = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=getdents64", "-e",
                   f"inject=getdents64:error=EIO:when={n}", *device.command("checkin")]
        done = subprocess.run([str(a) for a in failing], capture_output=True, text=True, timeout=60)
        failed += "Input/output error" in done.stderr
        assert {p.name for p in (device.state / "generations").iterdir()} == {"1", "2"}, done.stderr
    assert failed >= 3, "of the folders that are listed at a start some say what is there"
    device.run("checkin")
    assert control.reports[-1]["certificate"] == newest


def test_the_edge_address_that_worked_is_tried_first(device, control, edge):
    """Nobody is at the first of two addresses. Once a trial has found the
    second, somebody comes to the first, and is not asked."""
    port, = free_ports(1)
    device.write(edge=f"127.0.0.1:{port}, 127.0.0.1:{edge.port}")
    device.adopt()
    child = subprocess.Popen(device.command("run"), stderr=subprocess.DEVNULL)
    try:
        control.todo = [{"id": "p1", "action": "renew"}]
        wait_for("an update", lambda: not control.todo, 30)
        with socket.create_server(("127.0.0.1", port)) as first:
            first.settimeout(0.1)
            control.todo = [{"id": "p2", "action": "renew"}]
            wait_for("another update", lambda: not control.todo, 30)
            with pytest.raises(TimeoutError):
                first.accept()
    finally:
        child.terminate()
        child.wait()
    assert device.status()["credential"]["generation"] == 3
    wait_for("two trials", lambda: [name for name, _ in edge.seen].count("trial.edge.test") == 2)


def test_the_page_names_every_field_of_the_status(device, control):
    def fields(value):
        if isinstance(value, dict):
            return set(value).union(*map(fields, value.values()))
        return set().union(*map(fields, value)) if isinstance(value, list) else set()

    device.adopt()
    page = (ROOT / "man/dovetail-agent.8").read_text()
    page = page[page.index(".Sh STATUS"):page.index(".Sh SETTINGS")]
    known = set(re.findall(r"[a-z_]+", " ".join(
        line for line in page.splitlines() if line.startswith((".Li", ".It Li", ".Pq Li")))))
    have = fields(device.status())
    assert len(have) > 25 and have <= known, have - known


def test_a_file_that_is_not_there_is_told_as_that(device, control):
    at = device.folder / "nowhere"
    for words in (("--secret-file", at, "--device", "dev-1", "--anchor", control.root.pem),
                  ("--secret-file", "-", "--device", "dev-1", "--anchor", at),
                  ("--import", at, control.root.pem, "--anchor", control.root.pem)):
        assert f"{at}: no such file" in device.run("enroll", *words, status=69, data="x")
    device.adopt()
    assert f"{at}: no such file" in device.run("recover", "--from", at, status=69)


def test_a_daemon_holds_its_directory_and_ends_when_told(device, control):
    device.adopt()
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(device.folder / "notify"))
    manager.settimeout(10)
    child = subprocess.Popen(device.command("run"), stderr=subprocess.DEVNULL,
                             env=dict(os.environ, NOTIFY_SOCKET=str(device.folder / "notify")))
    try:
        said = manager.recv(4096).decode()
        assert "READY=1" in said and f"MAINPID={child.pid}" in said
        wait_for("two check-ins", lambda: len(control.reports) >= 2)
        device.run("checkin", status=75)  # in use
        assert device.status()["credential"]["generation"] == 1
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
    assert manager.recv(4096) == b"STOPPING=1"
    manager.close()


def test_promise_5_kills_at_any_moment_leave_one_working_credential(device, control):
    device.adopt()
    rounds = 60 if os.environ.get("DOVETAIL_LONG") == "1" else 12
    for i in range(rounds):
        control.todo = [{"id": f"r{i}-renew", "action": "renew"}]
        child = subprocess.Popen(device.command("run"), stderr=subprocess.DEVNULL)
        time.sleep(0.02 + 0.013 * i)
        child.kill()
        child.wait()
        device.check_pair()
        control.todo = []
        device.run("run", "--once")
        assert control.reports[-1]["certificate"] == device.fingerprint()
    assert device.status()["credential"]["generation"] > 1
    pathlib.Path(device.state / "journal").stat()
