# SPDX-License-Identifier: Apache-2.0
"""A control plane that misbehaves: whatever it answers to a request for a
certificate, the credential in use goes on working at the edge, the event says
what really went wrong, and the next attempt succeeds. All over real TLS."""
import base64
import subprocess
import time

import pytest

from test_agent import Authority, Control, Device, Edge, Handler, openssl
from world import LONG, wait_for

DAY = 86400


class Misbehaving(Control):
    """One fault, once: it answers the next request for a certificate badly."""

    def __init__(self, folder):
        super().__init__(folder)
        self.RequestHandlerClass = BadHandler
        self.stranger = Authority(folder, "stranger")
        self.fault = None

    def certificate(self, body, ca=None, subject=None, key=None, at=None):
        """A certificate for the request, but for what is said."""
        csr, crt = self.folder / "bad.csr", self.folder / "bad.crt"
        csr.write_bytes(openssl("req", "-inform", "DER", data=base64.b64decode(body)))
        if key or subject:
            mine = self.folder / "bad.key"
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", mine)
            openssl("req", "-new", "-key", mine, "-subj", subject or "/CN=dev-1", "-out", csr)
        ext = self.folder / "bad.ext"
        ext.write_text("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                       "extendedKeyUsage=clientAuth\nsubjectAltName=DNS:dev-1.test\n"
                       "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        ca = ca or self.root
        command = ["openssl", "x509", "-req", "-in", csr, "-CA", ca.pem, "-CAkey", ca.key,
                   "-days", "5", "-extfile", ext, "-out", crt]
        if at is not None:
            moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + at))
            command = ["faketime", moment, *command]
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
        return base64.encodebytes(openssl("crl2pkcs7", "-nocrl", "-certfile", crt, "-outform", "DER"))

    def other_subject(self, body):
        """The key asked for, under another name."""
        csr, crt = self.folder / "name.csr", self.folder / "name.crt"
        csr.write_bytes(openssl("req", "-inform", "DER", data=base64.b64decode(body)))
        key = self.folder / "name.pub"
        key.write_bytes(openssl("req", "-in", csr, "-noout", "-pubkey"))
        ext = self.folder / "name.ext"
        ext.write_text("keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
                       "subjectAltName=DNS:dev-1.test\n")
        openssl("x509", "-new", "-force_pubkey", key, "-subj", "/CN=dev-2", "-days", "5",
                "-CA", self.root.pem, "-CAkey", self.root.key, "-extfile", ext, "-out", crt)
        return base64.encodebytes(openssl("crl2pkcs7", "-nocrl", "-certfile", crt, "-outform", "DER"))


class BadHandler(Handler):
    def do_POST(self):
        s = self.server
        if s.fault is None or not self.path.endswith("/simplereenroll"):
            return super().do_POST()
        fault, s.fault = s.fault, None
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = fault(s, body)
        if answer is None:  # it forgot
            self.close_connection = True
            return None
        if answer == "hang":
            time.sleep(60)
            self.close_connection = True
            return None
        if answer == "drip":
            return self.drip(base64.encodebytes(b"\x30" * 600))
        return self.reply(200, answer, "application/pkcs7-mime")

    def drip(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/pkcs7-mime")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            for i in range(60):
                self.wfile.write(body[i:i + 1])
                time.sleep(1)
        except OSError:
            pass
        self.close_connection = True


CASES = {
    "another key": (lambda s, b: s.certificate(b, key=True), "key"),
    "another subject": (lambda s, b: s.other_subject(b), "subject"),
    "not yet valid": (lambda s, b: s.certificate(b, at=3 * DAY), "starts in "),
    "expired": (lambda s, b: s.certificate(b, at=-30 * DAY), "ended "),
    "a CA outside the list": (lambda s, b: s.certificate(b, ca=s.stranger), "a CA that the trust bundle does not list"),
    "HTML": (lambda s, b: b"<html>It works!</html>", "base64"),
    "10 MB": (lambda s, b: b"A" * 10_000_000, "not-understood"),
    "garbage": (lambda s, b: base64.encodebytes(b"\xff" * 3000), "certs-only: DER"),
}
# it was not told no: the same update asks again, and the word is in the status
LOST = {"forgotten": (lambda s, b: None, 1)}
if LONG:
    LOST["never answered"] = (lambda s, b: "hang", 30)
    LOST["1 byte per second"] = (lambda s, b: "drip", 30)


@pytest.fixture
def control(tmp_path):
    server = Misbehaving(tmp_path)
    keys = []
    for name in ("sign-1", "sign-2", "sign-online"):
        keys.append(tmp_path / f"{name}.key")
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", keys[-1])
    server.publish(1, [server.root, server.new_root], keys)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def device(tmp_path, control):
    edge = Edge(control)
    device = Device(tmp_path, control, edge)
    device.edge = edge
    device.adopt()
    device.run("run", "--once")
    assert device.status()["trust"]["version"] == 1, "the bundle lists who may issue"
    return device


def check_works(device):
    """The credential on the disk is whole, and edge and control plane take it."""
    device.check_pair()
    at = device.state / "generations" / (device.state / "current").read_text().strip()
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{device.edge.port}",
                           "-servername", "edge.test", "-key", at / "key.pem", "-cert", at / "chain.pem",
                           "-CAfile", device.control.root.pem, "-verify_return_error"],
                          input=b"", capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    wait_for("the edge to have seen it", lambda: device.edge.seen[-1][1] == device.fingerprint(), 5)
    device.run("checkin")
    assert device.control.reports[-1]["certificate"] == device.fingerprint()


@pytest.mark.parametrize("case", CASES)
def test_2_a_bad_answer_is_told_and_costs_nothing(device, control, case):
    fault, why = CASES[case]
    before = device.fingerprint()
    control.fault = fault
    words = device.run("renew", status=75)
    assert control.fault is None, "it was asked"
    assert device.fingerprint() == before
    check_works(device)
    told = [s for r in control.reports for s in r.get("steps", [])
            if s["step"] == "Generate new certificate" and s["outcome"] == "Fail"]
    assert len(told) == 1 and why in told[0]["detail"], (told, words)
    assert ("Switch", "Start") not in device.steps()
    device.run("renew")
    assert device.fingerprint() != before
    check_works(device)


@pytest.mark.parametrize("case", LOST)
def test_2_an_answer_that_does_not_come_is_asked_for_again(device, control, case):
    fault, seconds = LOST[case]
    device.write(once_limit="90s")
    before, start = device.fingerprint(), time.monotonic()
    control.fault = fault
    with subprocess.Popen(device.command("renew"), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as child:
        wait_for("the request", lambda: control.fault is None)
        at = device.state / "generations" / (device.state / "current").read_text().strip()
        assert at.name == "1", "the old one is in use while it waits"
        assert child.wait(90) == 0
    assert time.monotonic() - start < seconds + 20
    assert device.fingerprint() != before
    check_works(device)
