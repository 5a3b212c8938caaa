# SPDX-License-Identifier: Apache-2.0
"""One device per failure: the record names who, why and in which direction,
and the client was sent the alert that says so."""
import socket
import ssl
import struct
import subprocess
import time

from cryptography.hazmat.primitives.serialization import load_pem_private_key
import pytest

from edgekit import Ca, Client, Gateway, fingerprint, run_openssl, wait_for
from rawtls import Alerted, RawTls
from stackkit import CONNACK, Broker, Device, have
from test_gateway_feed import World as Fed
from test_gateway_files import Pki
from world import BUILD

REFUSED = (ssl.SSLError, ConnectionError, EOFError)
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class World(Pki):
    def __init__(self, folder):
        super().__init__(folder)
        self.edge = self.root.leaf("edge-1", "serverAuth", ["edge.example", "edge.test"])
        self.deny = folder / "deny"
        self.broker = Broker()
        self.good = self.devices.leaf("dev-good")
        self.expired = self.devices.leaf("dev-old", days=("-9d", -2))
        self.early = self.devices.leaf("dev-early", days=(f"{1 / 24}d", 9))
        self.stranger = Ca(folder / "pki", "Strange Root").leaf("dev-strange")
        self.revoked = self.devices.leaf("dev-revoked")
        self.denied = self.devices.leaf("dev-denied")
        self.as_ca = self.devices.leaf("dev-ca", ca=True)
        self.server = self.devices.leaf("dev-server", "serverAuth")
        self.alone = self.self_signed()
        self.write_crl(self.devices, [self.revoked[0]])
        out = run_openssl("x509", "-in", self.denied[0], "-noout", "-fingerprint", "-sha256")
        self.deny.write_text(out.strip().split("=")[1] + "\n")
        self.gw = Gateway(folder / "gw", f"tcp:127.0.0.1:{self.broker.port}", certificate=self.edge[0],
                          key=self.edge[1], root=self.root.cert, client_ca=self.devices.cert, crl=self.crl,
                          deny=self.deny).start()

    def self_signed(self):
        cert, key = self.folder / "self.pem", self.folder / "self.key"
        Ca.make_key(key)
        run_openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=dev-self", "-days", "9", "-out", cert,
                    "-addext", "extendedKeyUsage=clientAuth", "-addext", "basicConstraints=critical,CA:FALSE")
        return cert, key

    def odd_leaf(self, name, ext, *words, algorithm=None):
        """By `openssl x509 -req`, which signs whatever it is told to."""
        key, cert, csr = (self.folder / f"{name}.{x}" for x in ("key", "pem", "csr"))
        if algorithm:
            run_openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:2048", "-out",
                        self.folder / "dsa.params")
            run_openssl("genpkey", "-paramfile", self.folder / "dsa.params", "-out", key)
        else:
            Ca.make_key(key)
        run_openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", csr)
        if ext is not None:
            (self.folder / "odd.cnf").write_text(ext)
            words += ("-extfile", self.folder / "odd.cnf")
        run_openssl("x509", "-req", "-in", csr, "-CA", self.devices.cert, "-CAkey", self.devices.key, "-days", "30",
                    "-out", cert, *words)
        return cert, key

    def raw(self, pair, prove=True):
        """The alert of a TLS 1.3 attempt with this certificate; None: it got in."""
        c = RawTls(self.gw.port)
        try:
            c.read_flight()
            text = pair[0].read_text() if pair else ""
            ends = "-----END CERTIFICATE-----"
            c.certificate([ssl.PEM_cert_to_DER_cert(p + ends) for p in text.split(ends)[:-1]])
            if pair and prove:
                c.certificate_verify(load_pem_private_key(pair[1].read_bytes(), None))
            if not pair or prove:
                c.finished()
            c.echo(CONNACK)
            return None
        except Alerted as told:
            return told.number
        finally:
            c.close()

    def record(self, since, **fields):
        r = self.gw.next_record(since, **fields)
        time.sleep(0.05)
        assert len(self.gw.records()) == since + 1, self.gw.records()[since:]
        return r


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("reasons"))
    yield w
    assert w.gw.stop() == 0


# who, its common name, reason, alert, text of that alert in OpenSSL, X509 error, in words
REFUSALS = [
    ("expired", "dev-old", "expired", 45, "certificate expired", 10, "certificate has expired"),
    ("early", "dev-early", "not-yet-valid", 42, "bad certificate", 9, "certificate is not yet valid"),
    ("stranger", "dev-strange", "unknown-ca", 48, "unknown ca", 20, "unable to get local issuer certificate"),
    ("alone", "dev-self", "unknown-ca", 48, "unknown ca", 18, "self-signed certificate"),
    ("revoked", "dev-revoked", "denied-revoked", 44, "certificate revoked", 23, "certificate revoked"),
    ("denied", "dev-denied", "denied-revoked", 44, "certificate revoked", 23, None),
    ("as_ca", "dev-ca", "bad-certificate", 43, "unsupported certificate", 26, "leaf is a CA"),
    ("server", "dev-server", "bad-certificate", 43, "unsupported certificate", 26, "leaf is not for client authentication"),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("who,name,reason,alert,text,x509,detail", REFUSALS)
def test_who_is_refused_is_named_with_the_reason(world, version, who, name, reason, alert, text, x509, detail):
    since = len(world.gw.records())
    pair = getattr(world, who)
    if version == "1.3":
        assert world.raw(pair) == alert
    else:
        with pytest.raises(REFUSED) as told:
            Client(world.gw.port, [world.root.cert], *pair, version=VERSIONS[version]).echo(CONNACK)
        assert text in str(told.value).lower()
    r = world.record(since, outcome="edge-refused")
    assert (r["reason"], r["alert"], r["direction"]) == (reason, alert, "out"), r
    assert (r["device"], r["confidence"]) == (name, "name"), r
    assert r["x509_error"] == x509 and r["depth"] == 0 and r.get("detail") == detail, r
    assert "certificate" not in r and r["claimed"] == fingerprint(pair[0])
    if reason == "expired":
        assert abs(r["date_s"] - 2 * 86400) < 120
    elif reason == "not-yet-valid":
        assert abs(r["date_s"] + 3600) < 120
    else:
        assert "date_s" not in r


def test_a_device_at_the_address_does_not_name_who_shows_a_certificate(tmp_path):
    """dev-0 alone was seen here; others come with certificates that ended."""
    w = Fed(tmp_path)
    try:
        gw = w.gw.start()
        w.fill()
        s = w.client(0)
        assert s.echo()
        s.close()
        wait_for("dev-0's record", lambda: [h for h in w.control.handshakes if h.get("device") == "dev-0"])
        ended = {"days": ("-9d", -2)}
        listed = w.devices.leaf("pump-6", **ended)
        w.control.device("imported-6", listed, state="parked")
        for name in ("dev-3", "nobody"):
            w.devices.leaf(name, **ended)
        w.wait_applied(w.control.device("dev-9", w.dev[2]))
        for name, device, confidence in (("pump-6", "imported-6", "name"), ("dev-3", "dev-3", "name"),
                                         ("nobody", None, "none")):
            since = len(w.control.handshakes)
            for version in VERSIONS.values():
                with pytest.raises(REFUSED):
                    Client(gw.port, [w.old.cert], w.devices.folder / f"{name}.pem", w.devices.folder / f"{name}.key",
                           version=version).echo()
            told = wait_for(f"records of {name}", lambda: len(w.control.handshakes) >= since + 2 and
                            w.control.handshakes[since:])
            for h in told:
                assert (h["outcome"], h["reason"]) == ("edge-refused", "expired"), h
                assert (h.get("device"), h["confidence"]) == (device, confidence), h
    finally:
        w.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_no_certificate_is_a_reason_of_its_own(world, version):
    since = len(world.gw.records())
    if version == "1.3":
        assert world.raw(None) == 116  # certificate_required, RFC 8446 section 6.2
    else:
        with pytest.raises(REFUSED) as told:
            Client(world.gw.port, [world.root.cert], version=VERSIONS[version])
        assert "handshake failure" in str(told.value).lower()
    r = world.record(since, outcome="edge-refused", reason="no-certificate")
    assert r["direction"] == "out" and r["alert"] == (116 if version == "1.3" else 40)


# what OpenSSL's strict path validation lets through and an edge refuses
FINE = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n" \
       "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
ODD = {
    "fine": (FINE, (), None),
    "may-sign": (FINE.replace("digitalSignature", "digitalSignature,keyCertSign"), (), None),
    "no-usage": (FINE.replace("extendedKeyUsage=clientAuth\n", ""), (), None),
    "constrained": (FINE + "nameConstraints=critical,permitted;DNS:x.example\n", (), None),
    "serial-zero": (FINE, ("-set_serial", "0"), None),
    "serial-negative": (FINE, ("-set_serial", "-7"), None),
    "serial-long": (FINE, ("-set_serial", "0x" + "7f" * 21), None),
    "version-1": (None, (), None),
    "dsa": (FINE, (), "DSA"),
}


@pytest.mark.parametrize("odd", ODD)
def test_own_checks_after_those_of_openssl(world, odd):
    ext, words, algorithm = ODD[odd]
    pair = world.odd_leaf(f"dev-{odd}", ext, *(words or ("-CAcreateserial",)), algorithm=algorithm)
    since = len(world.gw.records())
    alert = world.raw(pair, prove=odd == "fine")
    if odd == "fine":
        assert alert is None
        assert world.record(since, outcome="ok")["confidence"] == "certificate"
        return
    # DSA is refused by OpenSSL itself, which says so in its own way
    assert alert in (42, 43, 46), alert
    r = world.record(since, outcome="edge-refused", reason="bad-certificate")
    assert r["device"] == f"dev-{odd}" and r["alert"] == alert


# --- who rejects us ---

# what stacks send (field notes), and what it tells
ALERTS = {48: "unknown-ca", 45: "expired", 42: "bad-certificate", 46: "bad-certificate", 80: "bad-certificate"}


@pytest.mark.parametrize("number", ALERTS)
def test_each_alert_of_a_device_is_recorded(world, number):
    since = len(world.gw.records())
    c = RawTls(world.gw.port)
    assert len(c.read_flight()) == 1
    c.alert(number)
    r = world.record(since, outcome="device-refused")
    assert (r["reason"], r["alert"], r["direction"]) == (ALERTS[number], number, "in")
    assert r["serial"] and r["root"] and r["credential"] == "file"
    # no certificate was shown: what is known of it is the address
    assert r["confidence"] in ("address", "candidates", "none") and "certificate" not in r
    c.close()


def test_a_reset_and_an_end_are_rejections_too(world):
    since = len(world.gw.records())
    c = RawTls(world.gw.port)
    c.read_flight()
    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
    r = world.record(since, outcome="device-refused")
    assert r["reason"] == "reset" and "alert" not in r
    c = RawTls(world.gw.port)
    c.read_flight()
    c.close()
    r = world.record(since + 1, outcome="device-refused", reason="closed")
    assert "alert" not in r
    # finished, then gone without a byte: named by its certificate
    c = RawTls(world.gw.port)
    c.read_flight()
    c.certificate([ssl.PEM_cert_to_DER_cert(world.good[0].read_text())])
    c.certificate_verify(load_pem_private_key(world.good[1].read_bytes(), None))
    c.finished()
    c.socket.shutdown(socket.SHUT_WR)  # what the edge still sends is taken: no reset
    while c.socket.recv(65536):
        continue
    c.close()
    r = world.record(since + 2, outcome="device-refused", reason="closed")
    assert (r["device"], r["confidence"]) == ("dev-good", "certificate")


@pytest.mark.parametrize("flag", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("offset,trust,alert,reason", [
    (None, "other", 48, "unknown-ca"), ("+500d", "root", 45, "expired"), ("-500d", "root", 42, "bad-certificate")])
def test_openssl_tells_us_why(world, flag, offset, trust, alert, reason):
    since = len(world.gw.records())
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{world.gw.port}", flag, "-verify_return_error", "-CAfile",
               world.root.cert if trust == "root" else world.devices.cert, "-cert", world.good[0],
               "-key", world.good[1]]
    if offset:
        command = ["faketime", "-f", offset, *command]
    subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    r = world.record(since, outcome="device-refused")
    assert (r["reason"], r["alert"], r["direction"]) == (reason, alert, "in")
    assert r["stack"] == "OpenSSL 3.0"


@pytest.mark.skipif("mbedtls" not in have(), reason="no mbedTLS here")
@pytest.mark.parametrize("offset,reason", [("+0d", None), ("+500d", "expired"), ("-500d", "bad-certificate")])
def test_the_clock_of_mbedtls_is_read_from_its_hello(world, offset, reason):
    since = len(world.gw.records())
    subprocess.run(["faketime", "-f", offset, BUILD / "tests/clients/client-mbedtls", str(world.gw.port),
                    world.root.cert, *world.good, "1.2"], capture_output=True, timeout=20)
    r = world.record(since)
    assert r["stack"] == "mbedTLS 2.28" and abs(r["clock_s"] - 86400 * int(offset[:-1])) < 60, r
    assert (r["outcome"], r["reason"]) == (("device-refused", reason) if reason else ("ok", "ok")), r


# Python without lists of its own is OpenSSL to the edge
NAMES = {"openssl": "OpenSSL 3.0", "python": ("Python 3.11", "OpenSSL 3.0"), "gnutls": "GnuTLS 3.7", "mbedtls": "mbedTLS 2.28",
         "wolfssl": "wolfSSL 5.5", "mosquitto": "libmosquitto 2.0"}


@pytest.mark.parametrize("stack", NAMES)
def test_the_print_names_the_stack(world, stack):
    if stack not in have():
        pytest.skip(f"no {stack} here")
    since = len(world.gw.records())
    for version in ("1.3", "1.2"):
        assert Device(world.gw.port, "dev-good", stack, world.root.cert, *world.good, version=version).attempt() or \
            stack == "mosquitto"  # it wants more than a CONNACK
    records = wait_for("both", lambda: len(world.gw.records()) >= since + 2 and world.gw.records()[since:])
    for r in records:
        assert r["stack"] in NAMES[stack], (r, "other versions of the packages? measure again: src/proto/stack.def")
        assert ("clock_s" in r) == (stack == "mbedtls")


def test_an_unknown_print_has_no_stack(world):
    since = len(world.gw.records())
    assert world.raw(world.good) is None
    assert "stack" not in world.record(since, outcome="ok")
