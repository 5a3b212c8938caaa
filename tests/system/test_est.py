# SPDX-License-Identifier: Apache-2.0
"""EST from outside: curl and openssl, strongSwan's pki, and what must be refused."""
import base64
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from world import Refused, World, wait_for

EST = "/.well-known/est"


def run(*args, data=None):
    return subprocess.run([str(a) for a in args], input=data, capture_output=True, check=True).stdout


class Control(World):
    """A control plane of its own, spoken to with curl."""

    def curl(self, path, *more, name="control.test"):
        """(status, headers, body)"""
        head = self.dir / "head"
        done = subprocess.run(
            ["curl", "-s", "--cacert", self.home / "public/root.pem", "--resolve",
             f"{name}:{self.device_port}:127.0.0.1", "-D", head, *map(str, more),
             f"https://{name}:{self.device_port}{path}"], capture_output=True)
        assert done.returncode == 0, f"curl ended with {done.returncode}"
        lines = head.read_text().splitlines()
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        return int(lines[0].split()[1]), headers, done.stdout

    def key(self, name, kind="ec"):
        path = self.dir / f"{name}.key"
        if kind == "ec":
            run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        else:
            run("openssl", "genrsa", "-out", path, kind)
        return path

    def csr(self, key, subject, *more):
        return run("openssl", "req", "-new", "-key", key, "-subj", subject, "-outform", "DER", *more)

    def secret(self, device):
        return self.op("device", "secret", device, "--create")["secret"]

    def post(self, op, body, *more, label=""):
        path = f"{EST}/{label + '/' if label else ''}{op}"
        sent = self.dir / "sent"
        sent.write_bytes(body)
        return self.curl(path, "-H", "Content-Type: application/pkcs10", "--data-binary", f"@{sent}", *more)

    def enroll(self, device, key=None):
        """Enrol by secret; (key, certificate) files."""
        key = key or self.key(device)
        body = base64.b64encode(self.csr(key, f"/CN={device}"))
        status, _, answer = self.post("simpleenroll", body, "-u", f"{device}:{self.secret(device)}")
        assert status == 200, answer
        return key, self.save(device, answer)

    def save(self, name, answer):
        der = base64.b64decode(answer)
        path = self.dir / f"{name}.pem"
        path.write_bytes(run("openssl", "pkcs7", "-inform", "DER", "-print_certs", data=der))
        return path

    def verify(self, cert):
        """By openssl, with the root alone as anchor and what cacerts gave."""
        _, _, answer = self.curl(f"{EST}/cacerts")
        cas = self.dir / "cacerts.pem"
        cas.write_bytes(run("openssl", "pkcs7", "-inform", "DER", "-print_certs",
                            data=base64.b64decode(answer)))
        return run("openssl", "verify", "-purpose", "sslclient", "-x509_strict",
                   "-CAfile", self.home / "public/root.pem", "-untrusted", cas, cert)

    def let_renew(self, device):
        """Open the window: what an operator's instruction would do."""
        self.stop("dovetaild")
        import sqlite3
        db = sqlite3.connect(self.home / "db/dovetail.db")
        db.execute("INSERT INTO mailbox (device_id, id, action, body, rotation_id, created_at,"
                   " told_at) VALUES (?, 'test-renew', 'renew', '{}', 0, 1, 0)", (device,))
        db.commit()
        db.close()
        self.start_control()


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    c = Control(tmp_path_factory.mktemp("est"), devices=0, gateways=0)
    c.init("--front-name", "localhost")
    c.start_control()
    yield c
    c.close()


def test_curl_enrols_by_secret_and_openssl_verifies(control):
    key, cert = control.enroll("pump-1")
    control.verify(cert)
    text = run("openssl", "x509", "-in", cert, "-noout", "-subject", "-serial").decode()
    assert "CN = pump-1" in text
    assert len(re.search(r"serial=(\w+)", text).group(1)) >= 38  # 159 random bits


def test_the_same_key_gets_the_same_certificate_again(control):
    key = control.key("pump-2")
    secret = control.secret("pump-2")
    body = base64.b64encode(control.csr(key, "/CN=pump-2"))
    answers = [control.post("simpleenroll", body, "-u", f"pump-2:{secret}") for _ in range(3)]
    assert [a[0] for a in answers] == [200] * 3
    assert len({a[2] for a in answers}) == 1
    other = base64.b64encode(control.csr(control.key("pump-2b"), "/CN=pump-2"))
    assert control.post("simpleenroll", other, "-u", f"pump-2:{secret}")[0] == 403


def test_renewal_outside_the_window_says_when_to_come_back(control):
    key, cert = control.enroll("pump-3")
    body = base64.b64encode(control.csr(control.key("pump-3b"), "/CN=pump-3"))
    status, headers, answer = control.post("simplereenroll", body, "--cert", cert, "--key", key)
    assert status == 503
    assert int(headers["retry-after"]) > 3600
    assert b"too early" in answer


def test_renewal_when_told_to(control):
    key, cert = control.enroll("pump-4")
    control.let_renew("pump-4")
    fresh = control.key("pump-4b")
    body = base64.b64encode(control.csr(fresh, "/CN=pump-4"))
    status, _, answer = control.post("simplereenroll", body, "--cert", cert, "--key", key)
    assert status == 200, answer
    control.verify(control.save("pump-4b", answer))
    states = control.query("SELECT state FROM credential WHERE owner = 'pump-4' ORDER BY generation")
    assert [s["state"] for s in states] == ["issued", "issued"]


def wrapped(der, width, end=b"\n"):
    text = base64.b64encode(der)
    return end.join(text[i:i + width] for i in range(0, len(text), width)) + end


@pytest.mark.parametrize("form", ["one line", "64 LF", "76 CRLF", "blanks around"])
def test_every_form_of_base64_is_read_and_mirrored(control, form):
    device = "form-" + form.replace(" ", "-")
    der = control.csr(control.key(device), f"/CN={device}")
    body = {"one line": base64.b64encode(der), "64 LF": wrapped(der, 64), "76 CRLF": wrapped(der, 76, b"\r\n"),
            "blanks around": b"\n  " + base64.b64encode(der) + b" \r\n"}[form]
    status, headers, answer = control.post("simpleenroll", body, "-u", f"{device}:{control.secret(device)}")
    assert status == 200, answer
    assert headers["content-type"].startswith("application/pkcs7-mime")
    if form != "blanks around":
        assert (b"\n" in answer.strip()) == (form != "one line")


def hostile(c):
    """name -> (body, status, word in the answer)"""
    key = c.key("hostile")
    good = c.csr(key, "/CN=hostile")
    flipped = bytearray(good)
    flipped[-5] ^= 1
    conf = c.dir / "ca.cnf"
    conf.write_text("[req]\ndistinguished_name=dn\nreq_extensions=x\n[dn]\n[x]\nbasicConstraints=CA:TRUE\n")
    san = c.dir / "san.cnf"
    san.write_text("[req]\ndistinguished_name=dn\nreq_extensions=x\n[dn]\n[x]\nsubjectAltName=DNS:other.example\n")
    b64 = base64.b64encode
    return {
        "another subject": (b64(c.csr(key, "/CN=somebody")), 400, "subject"),
        "another alternative name": (b64(c.csr(key, "/CN=hostile", "-config", san)), 400, "alternative name"),
        "CA:TRUE": (b64(c.csr(key, "/CN=hostile", "-config", conf)), 400, "CA:TRUE"),
        "a key that is not proven": (b64(bytes(flipped)), 400, "not signed"),
        "RSA of 1024 bits": (b64(c.csr(c.key("weak", 1024), "/CN=hostile")), 400, "1024"),
        "broken base64": (b"%%%" + b64(good), 400, "base64"),
        "broken DER": (b64(good[:-7]), 400, ""),
        "nothing": (b"\n", 400, ""),
        "not a request": (b64(b"\x30\x03\x02\x01\x05"), 400, ""),
        "more than a request": (b64(good + good), 400, ""),
        "over the limit": (b64(good) * 400, 413, ""),
    }


@pytest.mark.parametrize("case", [
    "another subject", "another alternative name", "CA:TRUE", "a key that is not proven",
    "RSA of 1024 bits", "broken base64", "broken DER", "nothing", "not a request",
    "more than a request", "over the limit"])
def test_hostile_requests_are_refused_with_a_reason(control, case):
    body, want, word = hostile(control)[case]
    secret = control.secret("hostile")
    status, headers, answer = control.post("simpleenroll", body, "-u", f"hostile:{secret}")
    assert status == want, answer
    assert headers["content-type"] == "application/problem+json"
    assert word.encode() in answer
    assert control.query("SELECT 1 FROM credential WHERE owner = 'hostile'") == []


def test_who_is_nobody_gets_401_and_a_challenge(control):
    body = base64.b64encode(control.csr(control.key("nobody"), "/CN=nobody"))
    for more in ([], ["-u", "nobody:guess"]):
        status, headers, _ = control.post("simpleenroll", body, *more)
        assert status == 401
        assert headers["www-authenticate"].startswith("basic")


def test_a_key_of_another_device_is_refused(control):
    key, _ = control.enroll("twin-1")
    body = base64.b64encode(control.csr(key, "/CN=twin-2"))
    status, _, answer = control.post("simpleenroll", body, "-u", f"twin-2:{control.secret('twin-2')}")
    assert status == 409, answer
    assert b"another" in answer


def test_the_key_of_an_authority_is_refused(control):
    key, cert = control.key("works"), control.dir / "works.pem"
    run("openssl", "req", "-x509", "-key", key, "-subj", "/CN=Works Root", "-days", "900", "-out", cert,
        "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    control.with_second("authority", "import", "works", "--certificate", cert, "--device")
    body = base64.b64encode(control.csr(key, "/CN=pump-ca"))
    status, _, answer = control.post("simpleenroll", body, "-u", f"pump-ca:{control.secret('pump-ca')}")
    assert status == 409 and b"another" in answer, answer


def test_another_label_is_refused(control):
    body = base64.b64encode(control.csr(control.key("label-1"), "/CN=label-1"))
    secret = control.secret("label-1")
    assert control.post("simpleenroll", body, "-u", f"label-1:{secret}", label="gateway")[0] == 401
    assert control.post("simpleenroll", body, "-u", f"label-1:{secret}", label="front")[0] == 400
    assert control.post("simpleenroll", body, "-u", f"label-1:{secret}", label="device")[0] == 200


def strongswan(control, *args):
    done = subprocess.run([shutil.which("pki") or "/usr/bin/pki", *map(str, args)], capture_output=True)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def test_strongswan_enrols_and_renews(control):
    url = f"https://localhost:{control.device_port}"
    root = control.home / "public/root.pem"
    code, _, said = strongswan(control, "--estca", "--url", url, "--cacert", root, "--caout", control.dir / "sw")
    assert code == 0, said
    cas = [w for ca in sorted(control.dir.glob("sw*")) for w in ("--cacert", ca)]
    assert len(cas) >= 4  # the root and at least one issuing CA

    def request(name):
        key = control.dir / f"{name}.key"
        key.write_bytes(strongswan(control, "--gen", "--type", "ecdsa", "--size", "256", "--outform", "pem")[1])
        csr = control.dir / f"{name}.csr"
        csr.write_bytes(strongswan(control, "--req", "--in", key, "--type", "ecdsa", "--dn", "CN=swan-1")[1])
        return key, csr

    key, csr = request("swan-1")
    code, cert, said = strongswan(control, "--est", "--url", url, "--in", csr, *cas,
                                  "--userpass", f"swan-1:{control.secret('swan-1')}", "--outform", "pem")
    assert code == 0, said
    (control.dir / "swan-1.crt").write_bytes(cert)
    control.verify(control.dir / "swan-1.crt")

    fresh, csr = request("swan-1b")
    renew = ["--est", "--url", url, "--in", csr, *cas, "--cert", control.dir / "swan-1.crt", "--key", key,
             "--outform", "pem"]
    code, _, said = strongswan(control, *renew)
    assert code != 0 and "503" in said
    control.let_renew("swan-1")
    code, cert, said = strongswan(control, *renew)
    assert code == 0, said
    (control.dir / "swan-1b.crt").write_bytes(cert)
    control.verify(control.dir / "swan-1b.crt")


def test_bundles_and_cacerts_need_no_identity(control):
    status, _, body = control.curl("/trust/bundles?after=0")
    assert status == 200
    assert body.count(b"\n") == 1 and b'"payload"' in body
    assert control.curl(f"{EST}/cacerts")[0] == 200


def test_what_devices_may_not_call(control):
    key, cert = control.enroll("pump-9")
    me = ["--cert", cert, "--key", key]
    assert control.curl("/v1/status", *me)[0] == 404
    assert control.curl("/v1/gateway/feed?after=0", *me)[0] == 403
    assert control.curl("/v1/gateway/feed?after=0")[0] == 401
    assert control.curl("/v1/device/checkin", "-d", "{}")[0] == 401


def test_check_in_names_the_unknown_field(control):
    key, cert = control.enroll("pump-10")
    status, _, answer = control.curl("/v1/device/checkin", "--cert", cert, "--key", key, "-d",
                                     '{"time": 1, "bundle": {"version": 0, "digest": ""}, "colour": 1}')
    assert status == 400 and b"colour" in answer
    status, _, answer = control.curl("/v1/device/checkin", "--cert", cert, "--key", key, "-d", '{"time": ')
    assert status == 400
    status, _, answer = control.curl("/v1/device/checkin", "--cert", cert, "--key", key, "-d",
                                     '{"agent": "' + "x" * 20000 + '"}')
    assert status == 413, answer


def test_a_killed_signer_comes_back_without_asking(control):
    for process in ("signer", "core", "front-1", "front-2"):
        os.kill(control.children("dovetaild")[process], signal.SIGKILL)
        began = time.monotonic()
        device = f"after-{process}"
        wait_for(f"an enrolment after {process}", lambda: enrols(control, device), 10)
        assert time.monotonic() - began < 5


def enrols(control, device):
    try:
        control.enroll(device)
    except (AssertionError, Refused, subprocess.CalledProcessError):
        return False
    return True
