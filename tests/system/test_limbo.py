# SPDX-License-Identifier: Apache-2.0
"""x509-limbo from outside: `dovetail cert verify`, and live handshakes."""
import http.client
import json
import pathlib
import socket
import ssl
import subprocess
import time

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
import pytest

import limbo
from edgekit import BUILD, Ca, Echo, Gateway, free_port
from rawtls import Alerted, RawTls


def verify(case, folder):
    files = case.write(folder)
    words = ["--roots", files["roots"]]
    if "rest" in files:
        words += ["--intermediates", files["rest"]]
    if "crls" in files:
        words += ["--crls", files["crls"]]
    if case.at is not None:
        words += ["--at", str(case.at)]
    if case.depth is not None:
        words += ["--max-depth", str(case.depth)]
    return subprocess.run([BUILD / "dovetail", "cert", "verify", *words, files["leaf"]], capture_output=True, text=True)


def test_cert_verify_is_right_in_every_must_and_strict_case(tmp_path):
    wrong, known, right = [], [], 0
    for i, case in enumerate(limbo.cases()):
        done = verify(case, tmp_path / str(i))
        assert done.returncode in (0, 1), (case.id, done)
        assert done.stdout.startswith("accepted\n") == (done.returncode == 0), (case.id, done)
        if (done.returncode == 0) == case.good:
            right += 1
        else:
            (known if case.tier == "info" else wrong).append(f"{case.id}: {done.stdout.strip()}")
    print(f"{right} right, {len(known)} known differences:", *known, sep="\n")
    assert wrong == []
    assert right >= 133 and right + len(known) == 156


def test_cert_verify_tells_mistakes_from_refusals(tmp_path):
    case = next(c for c in limbo.cases() if c.id == "rfc5280::validity::expired-leaf")
    files = case.write(tmp_path)

    def run(*words):
        return subprocess.run([BUILD / "dovetail", *words], capture_output=True, text=True)
    done = run("cert", "verify", "--roots", files["roots"], "--intermediates", files["rest"], files["leaf"])
    assert done.returncode == 1 and "expired" in done.stdout
    done = run("--json", "cert", "verify", "--roots", files["roots"], "--intermediates", files["rest"], files["leaf"])
    said = json.loads(done.stdout)
    assert done.returncode == 1 and said["accepted"] is False and said["error"] == 10 and "expired" in said["reason"]
    for words in (["--roots", tmp_path / "none", files["leaf"]], ["--roots", files["roots"], tmp_path / "none"],
                  [files["leaf"]], ["--roots", files["roots"], "--max-depth", "-1", files["leaf"]],
                  ["--roots", files["roots"], "--at", "noon", files["leaf"]],
                  ["--roots", files["roots"], "--crls", files["roots"], files["leaf"]]):
        assert run("cert", "verify", *words).returncode > 2, words


# --- live handshakes ---

class Edge:
    """One gateway alone, at one time; another set by each reload."""

    def __init__(self, folder, pair, upstream, at):
        self.folder = folder
        self.admin = free_port()
        self.none = pathlib.Path(folder.parent / "none.pem")
        self.gw = Gateway(folder, upstream, certificate=pair[0], key=pair[1], workers=1, client_ca=self.none,
                          admin=f"127.0.0.1:{self.admin}")
        self.gw.start(at=at)

    def use(self, case, files):
        """None, or why the gateway does not take this set."""
        s = self.gw.settings
        s.update(client_ca=files["roots"], crl=files.get("crls"),
                 verify_depth=None if case.depth is None else min(case.depth, 12))
        self.gw.write_settings()
        c = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=20)
        c.request("POST", "/reload")
        answer = c.getresponse()
        said = json.loads(answer.read())
        c.close()
        if answer.status != 200:
            # nobody can be accepted under what cannot be loaded
            s.update(client_ca=self.none, crl=None, verify_depth=None)
            self.gw.write_settings()
        return None if answer.status == 200 else said["detail"]

    def come_in(self, case):
        """True, or the number of the alert that the client was sent."""
        ders = [ssl.PEM_cert_to_DER_cert(pem) for pem in (case.leaf, *case.rest)]
        c = RawTls(self.gw.port)
        try:
            c.read_flight()
            c.certificate(ders)
            if case.key is None and not case.good:
                c.read_record()  # without its key: the refusal comes before the proof
            try:
                c.certificate_verify(load_pem_private_key(case.key.encode(), None))
            except (ValueError, UnsupportedAlgorithm):
                c.read_record()  # a key that TLS 1.3 has no signature for
            c.finished()
            return c.echo()
        except Alerted as told:
            return told.number
        finally:
            c.close()


    def come_in_by_12(self, case, files):
        """The same by OpenSSL and TLS 1.2; None: it cannot load them."""
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        ctx.maximum_version = ssl.TLSVersion.TLSv1_2
        ctx.set_ciphers("ALL:@SECLEVEL=0")
        chain, key = files["leaf"].with_name("chain.pem"), files["leaf"].with_name("key.pem")
        chain.write_text("\n".join((case.leaf, *case.rest)))
        key.write_text(case.key or "")
        try:
            ctx.load_cert_chain(chain, key)
        except ssl.SSLError:
            return None
        raw = socket.create_connection(("127.0.0.1", self.gw.port), timeout=10)
        try:
            with ctx.wrap_socket(raw, server_hostname="edge.example") as tls:
                tls.sendall(b"ping")
                return tls.recv(4) == b"ping"
        except ssl.SSLError as told:
            if "alert" not in str(told).lower():
                return None  # it gave up itself
            return False
        except OSError:
            return False
        finally:
            raw.close()


# What the edge says to a certificate it does not take (RFC 8446 section 6.2).
OF_CERTIFICATES = {42, 43, 44, 45, 46, 48}
FLIGHT_MAX = 32768  # bytes, src/base/limits.h
TOO_MANY_BYTES = 47  # of them, before one is looked at


@pytest.mark.filterwarnings("ignore")
def test_live_handshakes_with_an_edge_alone_are_right(tmp_path):
    root = Ca(tmp_path / "pki", "Server Root")
    pair = root.leaf("edge", "serverAuth", ["edge.example"], days=(f"{-time.time() / 86400}d", 9000))
    (tmp_path / "none.pem").write_text(Ca(tmp_path / "pki", "Nobody").cert.read_text())
    echo = Echo()
    edges, wrong, known, unloaded, right, twice = {}, [], [], [], 0, 0
    try:
        for i, case in enumerate(limbo.cases()):
            if case.at not in edges:
                edges[case.at] = Edge(tmp_path / f"edge-{len(edges)}", pair, f"tcp:127.0.0.1:{echo.port}", case.at)
            edge = edges[case.at]
            files = case.write(tmp_path / f"case-{i}")
            why = edge.use(case, files)
            if why:
                unloaded.append(f"{case.id}: {why}")
                assert not case.good, unloaded[-1]
            got = edge.come_in(case)
            again = edge.come_in_by_12(case, files)
            if again is not None:
                assert again == (got is True), (case.id, got, again)
                twice += 1
            if (got is True) == case.good:
                right += 1
                assert (got is True or got in OF_CERTIFICATES or why or
                        (got == TOO_MANY_BYTES and case.flight_bytes() > FLIGHT_MAX)), (case.id, got, edge.gw.log()[-1000:])
            else:
                (known if case.tier == "info" else wrong).append(f"{case.id} ({case.tier}): {got}")
        print(f"{right} right at {len(edges)} times, {twice} by TLS 1.2 as well, {len(known)} known differences:",
              *known, sep="\n")
        print("anchors that the edge does not take:", *unloaded, sep="\n")
        assert wrong == []
        assert right >= 133 and right + len(known) == 156
        assert twice > 140
        # lists that nobody can go by refuse all of their issuer: never silently
        log = "".join(e.gw.log() for e in edges.values())
        assert "a critical extension that is not known" in log and "its issuer may not sign CRLs" in log
        records = [r for e in edges.values() for r in e.gw.records()]
        assert {r["outcome"] for r in records} == {"ok", "edge-refused"}
        assert all(r["reason"] not in ("protocol", "timeout") for r in records)
    finally:
        for edge in edges.values():
            edge.gw.stop()
        echo.close()
