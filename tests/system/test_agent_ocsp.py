# SPDX-License-Identifier: Apache-2.0
"""The OCSP response beside the device's chain, from a real `openssl ocsp`:
kept when it is good, and what is revoked, foreign or no answer at all never
takes its place."""
import subprocess

import pytest

from test_agent import Authority, Control, Device, Edge, EXT, openssl
from world import free_ports, wait_for


class Responder:
    def __init__(self, folder, authority, leaf):
        self.folder, self.authority = folder, authority
        self.port, self.child = free_ports(1)[0], None
        self.leaf = leaf

    def start(self, state="V", authority=None):
        self.stop()
        signer = authority or self.authority
        serial = openssl("x509", "-in", self.leaf, "-noout", "-serial").decode().strip().split("=")[1]
        index = self.folder / "index.txt"
        index.write_text(f"{state}\t491231235959Z\t{'250101000000Z' if state == 'R' else ''}\t{serial}"
                         "\tunknown\t/CN=dev-1\n")
        self.child = subprocess.Popen(
            ["openssl", "ocsp", "-index", index, "-port", str(self.port), "-rsigner", signer.pem,
             "-rkey", signer.key, "-CA", self.authority.pem, "-ndays", "1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_for("the responder", lambda: subprocess.run(
            ["openssl", "ocsp", "-url", f"http://127.0.0.1:{self.port}", "-issuer",
             self.authority.pem, "-cert", self.leaf, "-noverify"],
            capture_output=True).returncode == 0, 10)

    def stop(self):
        if self.child is not None:
            self.child.terminate()
            self.child.wait()
            self.child.stderr.close()
            self.child = None


@pytest.fixture()
def world(tmp_path):
    control = Control(tmp_path)
    device = Device(tmp_path, control, Edge(control))
    key, csr, crt = (tmp_path / f"dev-1.{e}" for e in ("key", "csr", "crt"))
    responder = Responder(tmp_path, control.root, crt)
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    openssl("req", "-new", "-key", key, "-subj", "/CN=dev-1", "-out", csr)
    ext = tmp_path / "dev-1.ext"
    ext.write_text(EXT.format(eku="clientAuth") + "authorityInfoAccess=OCSP;URI:http://127.0.0.1:"
                   f"{responder.port}/ocsp\n")
    openssl("x509", "-req", "-in", csr, "-CA", control.root.pem, "-CAkey", control.root.key,
            "-days", 30, "-extfile", ext, "-out", crt)
    device.run("enroll", "--import", key, crt, "--anchor", control.root.pem)
    yield device, control, responder
    responder.stop()
    control.shutdown()
    control.server_close()


def test_the_response_is_kept_beside_the_chain(world, tmp_path):
    device, control, responder = world
    at = device.state / "generations/1/ocsp.der"
    device.run("run", "--once")  # no responder: that harms nothing
    assert not at.exists()
    responder.start()
    device.run("run", "--once")
    said = openssl("ocsp", "-respin", at, "-issuer", control.root.pem, "-cert", responder.leaf,
                   "-CAfile", control.root.pem, "-no_nonce").decode()
    assert ": good" in said
    kept = at.read_bytes()
    stranger = Authority(tmp_path, "stranger")
    for state, signer, why in (("R", None, "revoked"), ("V", stranger, "not signed for")):
        responder.start(state, signer)
        said = device.run("run", "--once")
        assert "agent.ocsp.failed" in said and why in said.lower()
        assert at.read_bytes() == kept
    device.write(ocsp="no")
    at.unlink()
    responder.start()
    device.run("run", "--once")
    assert not at.exists()
    device.run("status")
