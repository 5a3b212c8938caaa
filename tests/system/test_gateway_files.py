# SPDX-License-Identifier: Apache-2.0
"""Further certificates, CRLs, depth and staples of a gateway that stands alone."""
import base64
import hashlib
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import time

import pytest

from edgekit import BUILD, Ca, Client, Echo, Gateway, run_openssl, wait_for
from test_gateway_feed import World as FeedWorld
from world import World as ControlWorld

REFUSED = (ssl.SSLError, ConnectionError, EOFError)


class Pki:
    def __init__(self, folder):
        self.folder = folder
        self.root = Ca(folder / "pki", "Server Root")
        self.edge = self.root.leaf("edge", "serverAuth", ["edge.example"])
        self.other = self.root.leaf("other", "serverAuth", ["other.example"])
        self.devices = Ca(folder / "pki", "Device Root")
        self.sub = Ca(folder / "pki", "Device Issuing", self.devices)
        self.dev = [self.sub.leaf(f"dev-{i}") for i in range(2)]
        self.flat = [self.devices.leaf(f"flat-{i}") for i in range(3)]
        self.crl = folder / "devices.crl"
        self.write_crl(self.devices)

    def write_crl(self, ca, revoked=(), out=None, hours=24):
        """@ca's list by `openssl ca`, put in place by a rename."""
        out = out or self.crl
        index = ca.folder / f"{ca.name}.index"
        conf = ca.folder / f"{ca.name}.ca.cnf"
        for cert in revoked:
            run_openssl("ca", "-config", conf, "-cert", ca.cert, "-keyfile", ca.key, "-revoke", cert)
        stamp = lambda t: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(t))
        run_openssl("ca", "-config", conf, "-cert", ca.cert, "-keyfile", ca.key, "-gencrl", "-out", f"{out}.new",
                    "-crl_lastupdate", stamp(time.time() - 7 * 86400),
                    "-crl_nextupdate", stamp(time.time() + hours * 3600))
        os.rename(f"{out}.new", out)
        assert index.exists()

    def rsa_twin(self):
        """The edge's name with an RSA key, under the same root."""
        key, cert = self.folder / "pki/edge-rsa.key", self.folder / "pki/edge-rsa.pem"
        run_openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key)
        csr = self.folder / "pki/edge-rsa.csr"
        run_openssl("req", "-new", "-key", key, "-subj", "/CN=edge-rsa", "-out", csr)
        ext = self.folder / "pki/edge-rsa.cnf"
        ext.write_text("basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n"
                       "subjectAltName=DNS:edge.example\n")
        run_openssl("x509", "-req", "-in", csr, "-CA", self.root.cert, "-CAkey", self.root.key, "-days", "30",
                    "-extfile", ext, "-out", cert)
        return cert, key

    def staple(self, leaf, out, days=2, signer=None):
        """An OCSP response by `openssl ocsp` as its own responder."""
        chain, _ = leaf
        req = self.folder / "staple.req"
        ca = signer or self.root
        run_openssl("ocsp", "-issuer", ca.cert, "-cert", chain, "-reqout", req)
        run_openssl("ocsp", "-index", ca.folder / f"{ca.name}.index", "-CA", ca.cert, "-rsigner", ca.cert,
                    "-rkey", ca.key, "-reqin", req, "-respout", f"{out}.new", "-ndays", str(days))
        os.rename(f"{out}.new", out)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def echo():
    e = Echo()
    yield e
    e.close()


def make(pki, echo, folder, sections="", **more):
    gw = Gateway(folder, f"tcp:127.0.0.1:{echo.port}", certificate=pki.edge[0], key=pki.edge[1],
                 client_ca=pki.devices.cert, root=pki.root.cert, **more)
    gw.config.write_text(gw.config.read_text() + sections)
    return gw


def come_in(gw, pki, pair, **more):
    c = Client(gw.port, [pki.root.cert], *pair, **more)
    assert c.echo()
    return c


def check(gw):
    return subprocess.run([BUILD / "dovetail-gateway", "--config", gw.config, "-n"], capture_output=True, text=True)


def test_further_certificates_by_name_and_by_key(pki, echo, tmp_path):
    cert, key = pki.rsa_twin()
    gw = make(pki, echo, tmp_path, f"""
[credential second]
certificate = {pki.other[0]}
key = {pki.other[1]}
[credential rsa]
certificate = {cert}
key = {key}
""").start()
    try:
        def shown(*words):
            out = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{gw.port}", "-cert", pki.flat[0][0],
                                  "-key", pki.flat[0][1], *words], input="x\n", capture_output=True, text=True,
                                 timeout=20).stdout
            return re.search(r"s:CN = (\S+)", out).group(1)
        assert shown("-servername", "edge.example") == "edge"
        assert shown("-servername", "other.example") == "other"
        assert shown("-servername", "edge.example", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256") == "edge-rsa"
        assert shown("-servername", "edge.example", "-tls1_3", "-sigalgs", "RSA-PSS+SHA256") == "edge-rsa"
        assert gw.next_record(0, credential="file:second")["name"] == "other.example"
        # a section that comes and goes by reload
        gw.write_settings()
        gw.process.send_signal(signal.SIGHUP)
        wait_for("one certificate", lambda: shown("-servername", "other.example") == "edge")
    finally:
        assert gw.stop() == 0


def test_a_new_crl_refuses_and_cuts_by_itself(pki, echo, tmp_path):
    gw = make(pki, echo, tmp_path, crl=pki.crl).start()
    try:
        open_, stays = come_in(gw, pki, pki.flat[1]), come_in(gw, pki, pki.flat[0])
        since = len(gw.records())
        pki.write_crl(pki.devices, [pki.flat[1][0]])  # nobody tells the gateway
        begun = time.monotonic()
        assert open_.is_closed(5), gw.log()
        assert time.monotonic() - begun < 5
        said = ""
        while "revoked" not in said:  # in whichever worker
            assert time.monotonic() - begun < 5, said
            with pytest.raises(REFUSED) as told:
                come_in(gw, pki, pki.flat[1]).is_closed()
                raise EOFError("let in, and cut")
            said = str(told.value).lower()
        r = gw.next_record(since, outcome="edge-refused", reason="denied-revoked", alert=44)
        assert r["device"] == "flat-1" and r["x509_error"] == 23
        assert stays.echo()
        stays.close()
        # garbage in its place is refused, what was known stays in force
        good = pki.crl.read_text()
        pki.crl.write_text("no list")
        wait_for("refusal", lambda: "gateway.reload.refused" in gw.log())
        with pytest.raises(REFUSED):
            come_in(gw, pki, pki.flat[1])
        pki.crl.write_text(good)
    finally:
        assert gw.stop() == 0


def test_a_late_crl_is_loud_and_locks_nobody_out(pki, echo, tmp_path):
    late = tmp_path / "late.crl"
    pki.write_crl(pki.devices, [pki.flat[2][0]], out=late, hours=-1)
    gw = make(pki, echo, tmp_path, crl=late)
    done = check(gw)
    assert done.returncode == 0 and "out of date" in done.stderr, done.stderr
    gw.start()
    try:
        come_in(gw, pki, pki.flat[0]).close()
        assert "gateway.crl.stale" in gw.log()
        with pytest.raises(REFUSED):
            come_in(gw, pki, pki.flat[2])
    finally:
        assert gw.stop() == 0


def spki_digest(cert):
    pub = tuple(run_openssl("x509", "-in", cert, "-pubkey", "-noout").splitlines())
    return hashlib.sha256(base64.b64decode("".join(pub[1:-1]))).hexdigest()


@pytest.mark.parametrize("how", ["key", "list"])
def test_a_revoked_intermediate_takes_its_leaves_along(pki, echo, tmp_path, how):
    """New handshakes, and sessions that are open: also one that showed its leaf alone."""
    roots, deny = tmp_path / "roots.crl", tmp_path / "deny"
    pki.write_crl(pki.devices, out=roots)
    deny.write_text("")
    gw = make(pki, echo, tmp_path, crl=roots, deny=deny, workers=1).start()
    try:
        whole = come_in(gw, pki, pki.dev[0])
        leaf = come_in(gw, pki, (pki.sub.folder / "dev-0.pem", pki.dev[0][1]))
        stays = come_in(gw, pki, pki.flat[0])
        since = len(gw.records())
        if how == "list":
            pki.write_crl(pki.devices, [pki.sub.cert], out=roots)
        else:
            (tmp_path / "deny.new").write_text(f"key:{spki_digest(pki.sub.cert)}\n")
            os.rename(tmp_path / "deny.new", deny)
        begun = time.monotonic()
        assert whole.is_closed(5) and leaf.is_closed(5), gw.log()
        assert time.monotonic() - begun < 5
        with pytest.raises(REFUSED):
            come_in(gw, pki, pki.dev[0])
        assert gw.next_record(since, outcome="edge-refused", reason="denied-revoked")["depth"] == (how == "list")
        assert stays.echo()
        stays.close()
    finally:
        assert gw.stop() == 0


def test_the_depth_is_a_setting(pki, echo, tmp_path):
    gw = make(pki, echo, tmp_path, verify_depth=0).start()
    try:
        come_in(gw, pki, pki.flat[0]).close()
        with pytest.raises(REFUSED):
            come_in(gw, pki, pki.dev[1])
        gw.settings["verify_depth"] = 1
        gw.write_settings()
        gw.process.send_signal(signal.SIGHUP)
        wait_for("reload", lambda: "gateway.reloaded" in gw.log())
        come_in(gw, pki, pki.dev[1]).close()
    finally:
        assert gw.stop() == 0


def test_a_staple_is_shown_while_it_is_good(pki, echo, tmp_path):
    staple = tmp_path / "staple.der"
    pki.staple(pki.edge, staple)
    gw = make(pki, echo, tmp_path, staple=staple)
    assert check(gw).returncode == 0
    gw.start()

    def status(*words):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{gw.port}", "-status", "-cert",
                               pki.flat[0][0], "-key", pki.flat[0][1], "-CAfile", pki.root.cert, *words],
                              input="x\n", capture_output=True, text=True, timeout=20)
        return done.stdout
    try:
        for version in ("-tls1_2", "-tls1_3"):
            out = status(version)
            assert "Cert Status: good" in out and "Verify return code: 0" in out, out
        # one for another certificate in its place: said, and left out
        pki.staple(pki.other, staple)
        wait_for("doubt", lambda: "gateway.staple.refused" in gw.log())
        wait_for("no staple", lambda: "OCSP response: no response sent" in status())
        come_in(gw, pki, pki.flat[0]).close()
        done = check(gw)
        assert done.returncode == 65 and "another certificate" in done.stderr, done.stderr
    finally:
        assert gw.stop() == 0
    # its end comes while it runs
    pki.staple(pki.edge, staple, days=1)
    gw.start(later_s=2 * 86400)
    try:
        assert "OCSP response: no response sent" in status()
        assert "gateway.staple.refused" in gw.log()
    finally:
        assert gw.stop() == 0


def test_the_example_of_the_documentation_is_one(pki, echo, tmp_path):
    shutil.copy(pathlib.Path(__file__).parents[2] / "docs/gw.ini", tmp_path)
    for folder in ("tls", "devices"):
        (tmp_path / folder).mkdir()
    for name, pair in (("edge", pki.edge), ("customer-a", pki.other), ("edge-rsa", pki.rsa_twin())):
        shutil.copy(pair[0], tmp_path / f"tls/{name}.pem")
        shutil.copy(pair[1], tmp_path / f"tls/{name}.key")
    shutil.copy(pki.root.cert, tmp_path / "tls/root.pem")
    shutil.copy(pki.devices.cert, tmp_path / "devices/ca.pem")
    shutil.copy(pki.crl, tmp_path / "devices/ca.crl")
    (tmp_path / "devices/deny.txt").write_text("")
    done = subprocess.run([BUILD / "dovetail-gateway", "--config", tmp_path / "gw.ini", "-n"], capture_output=True,
                          text=True, cwd="/")
    assert done.returncode == 0 and done.stderr == "", done
    (tmp_path / "tls/customer-a.key").unlink()
    done = subprocess.run([BUILD / "dovetail-gateway", "--config", tmp_path / "gw.ini", "-n"], capture_output=True,
                          text=True, cwd="/")
    assert done.returncode == 69 and "customer-a.key" in done.stderr, done


def test_a_check_names_the_fault_and_its_file(pki, echo, tmp_path):
    pki.write_crl(pki.devices, out=tmp_path / "good.crl")
    forged = tmp_path / "forged.crl"
    twin = Ca(tmp_path / "twin", "Device Root")  # the same name, another key
    twin.leaf("x")
    pki.write_crl(twin, out=forged)
    junk = tmp_path / "junk"
    junk.write_text("junk")
    section = f"[credential x]\ncertificate = {pki.other[0]}\n"
    cases = [
        (dict(crl=junk), "", 65, "no CRL"),
        (dict(crl=forged), "", 73, "not signed"),
        (dict(crl=f"{tmp_path}/good.crl, {tmp_path}/missing.crl"), "", 69, "missing.crl"),
        (dict(staple=junk), "", 65, "broken DER"),
        (dict(verify_depth=13), "", 65, "verify-depth"),
        (dict(control="https://127.0.0.1:1", state=tmp_path / "s", control_ca=junk), "", 65, "junk: no certificate"),
        (dict(control="https://127.0.0.1:1", state=tmp_path / "s", control_ca=pki.root.cert), "", 0, ""),
        ({}, section, 65, "credential x.key: must be given"),
        ({}, section + f"key = {pki.edge[1]}\n", 73, "other"),
        ({}, section + f"key = {pki.other[1]}\ncross = {junk}\n", 65, "junk"),
        ({}, section + f"key = {pki.other[1]}\nnames = a b\nroot = {pki.root.cert}\n", 0, ""),
        (dict(crl=f"{tmp_path}/good.crl"), "", 0, ""),
    ]
    for more, sections, status, word in cases:
        done = check(make(pki, echo, tmp_path / "gw", sections, **more))
        assert (done.returncode, word in done.stderr) == (status, True), (more, sections, done)
        assert status == 0 or done.stdout == ""
    shutil.rmtree(tmp_path / "gw")


def test_a_staple_comes_by_the_feed_too(tmp_path):
    w = FeedWorld(tmp_path)
    try:
        w.gw.start()
        w.fill()
        w.order_new()
        _, body = w.control.rows["credential", "gw-1/2"]

        def shown():
            out = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{w.gw.port}", "-servername",
                                  "next.example", "-status", "-cert", w.dev[0][0], "-key", w.dev[0][1]], input="x\n",
                                 capture_output=True, text=True, timeout=20).stdout
            assert "i:CN = New Issuing" in out, out
            return "Cert Status: good" in out
        assert not shown()
        req, index, out = tmp_path / "req", w.new_sub.folder / "New Issuing.index", tmp_path / "staple"
        run_openssl("ocsp", "-issuer", w.new_sub.cert, "-cert", tmp_path / "pki/edge-new.pem", "-reqout", req)
        run_openssl("ocsp", "-index", index, "-CA", w.new_sub.cert, "-rsigner", w.new_sub.cert, "-rkey", w.new_sub.key,
                    "-reqin", req, "-respout", out, "-ndays", "2")
        good = base64.b64encode(out.read_bytes()).decode()
        w.wait_applied(w.control.put("credential", "gw-1/2", {**body, "staple": good}))
        assert shown()
        # what is broken, or another's, costs the staple and nothing else
        for bad in ("%", base64.b64encode(out.read_bytes()[:-9]).decode()):
            w.wait_applied(w.control.put("credential", "gw-1/2", {**body, "staple": bad}))
            assert not shown()
        w.wait_applied(w.control.put("credential", "gw-1/2", {**body, "staple": good}))
        assert shown()
    finally:
        w.close()


def test_a_late_crl_is_an_alert_at_the_control_plane(tmp_path):
    w = ControlWorld(tmp_path, devices=1)
    try:
        w.make_old_world()
        w.init()
        w.start_control()
        w.adopt_old_world()
        w.start_gateways()
        late = w.dir / "gw-1/late.crl"
        stamp = lambda t: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(t))
        (tmp_path / "index").touch()
        (tmp_path / "ca.cnf").write_text(f"[ca]\ndefault_ca=c\n[c]\ndatabase={tmp_path}/index\ndefault_md=sha256\n")
        run_openssl("ca", "-config", tmp_path / "ca.cnf", "-cert", w.old / "ca/ca.pem", "-keyfile", w.old / "ca/ca.key",
                    "-gencrl", "-out", late, "-crl_lastupdate", stamp(time.time() - 9999),
                    "-crl_nextupdate", stamp(time.time() - 99))
        ini = w.dir / "gw-1/gateway.ini"
        ini.write_text(ini.read_text() + f"crl = {late}\n")
        w.running["gw-1"].send_signal(signal.SIGHUP)
        alert = wait_for("alert", lambda: next(
            (a for a in w.op("alert", "list")["items"] if a["name"] == "gateway-doubt"), None))
        assert "out of date since" in alert["detail"] and alert["key"].startswith("gateway-doubt/gw-1/")
    finally:
        w.close()
