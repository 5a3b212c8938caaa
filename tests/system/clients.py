# SPDX-License-Identifier: Apache-2.0
"""Plain clients of the control plane, in threads: EST over TLS with the ssl
module, REST over the Unix socket. They share no code with dovetail, retry
until they have what they asked for, and keep everything they were given.
"""
import base64
import hashlib
import http.client
import json
import os
import random
import socket
import ssl
import subprocess
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7

TIMEOUT = 5  # seconds a client waits for any one thing


class Api:
    """REST over DIR/run/api.sock with a token."""

    def __init__(self, home, token):
        self.path, self.token = str(home / "run/api.sock"), token

    def call(self, method, path, body=None):
        """(status, headers, JSON); OSError or HTTPException without an answer."""
        plug = socket.socket(socket.AF_UNIX)
        plug.settimeout(TIMEOUT)
        connection = http.client.HTTPConnection("localhost")
        connection.sock = plug
        try:
            plug.connect(self.path)
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text.strip() else {}
        finally:
            connection.close()


class Plane:
    """Where a control plane is, and how to ask it for a certificate."""

    def __init__(self, world, port=None, home=None):
        self.world, self.port = world, port or world.device_port
        self.home = home or world.home
        self.operator = Api(self.home, world.tokens["operator"])
        self.roots = world.dir / "roots.pem"
        self.roots.write_text((world.home / "public/root.pem").read_text() + (world.old / "ca/ca.pem").read_text())

    def subject(self, device):
        """The name in the device's own certificate."""
        return x509.load_pem_x509_certificate((self.world.old / "devices" / device / "cert.pem").read_bytes()).subject

    def context(self, device=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.roots)
        if device is not None:
            folder = self.world.old / "devices" / device
            context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        return context

    def post(self, context, path, body, headers=(), dawdle=0.0):
        """(status, headers, body) of one request on a connection of its own."""
        lines = [f"POST {path} HTTP/1.1", "Host: control.test", "Connection: close",
                 f"Content-Length: {len(body)}", *headers, "", ""]
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(plain, server_hostname="control.test") as tls:
                tls.sendall("\r\n".join(lines).encode() + body)
                time.sleep(dawdle)  # so that answers lie on the way when a kill comes
                answer = http.client.HTTPResponse(tls, method="POST")
                answer.begin()
                return answer.status, answer.headers, answer.read()

    def enrol(self, context, csr, device=None, secret=None, dawdle=0.0):
        """Ask once: the certificate's DER, or (status, headers, body)."""
        headers = ["Content-Type: application/pkcs10", "Content-Transfer-Encoding: base64"]
        path = "/.well-known/est/simplereenroll"
        if secret is not None:
            word = base64.b64encode(f"{device}:{secret}".encode()).decode()
            headers.append(f"Authorization: Basic {word}")
            path = "/.well-known/est/simpleenroll"
        status, fields, body = self.post(context, path, base64.encodebytes(csr), headers, dawdle)
        if status != 200:
            return status, fields, body
        certificate, = pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))
        return certificate.public_bytes(serialization.Encoding.DER)


def fresh_key(subject):
    """(CSR as DER, SHA-256 of its public key) for a new P-256 key."""
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    spki = key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)
    return csr.public_bytes(serialization.Encoding.DER), hashlib.sha256(spki).hexdigest()


def until_ready(plane, device, since):
    """Seconds from then until four new enrolments in a row went well."""
    context, subject, good = plane.context(device), plane.subject(device), 0
    while good < 4:
        assert time.monotonic() - since < 30, "not ready again within 30 s"
        try:
            good = good + 1 if isinstance(plane.enrol(context, fresh_key(subject)[0]), bytes) else 0
        except (OSError, http.client.HTTPException):
            good = 0
        if good == 1:
            first = time.monotonic() - since
    return first


class Client(threading.Thread):
    """One device that gets one certificate after the other until stop()."""

    def __init__(self, plane, device, by_secret=False, pause=0.01, stop=None, have=None):
        super().__init__(name=device, daemon=True)
        self.plane, self.device, self.by_secret, self.pause = plane, device, by_secret, pause
        self.have = set() if have is None else have  # fingerprints, of all clients
        self.context = plane.context(None if by_secret else device)
        self.subject = plane.subject(device)
        self.over = stop or threading.Event()
        self.keys = []  # asked for, by digest
        self.got = []  # (fingerprint, key digest, DER)
        self.wrong = []  # answers that are no "try later"
        self.tries = self.later = self.cut = 0

    def run(self):
        while not self.over.is_set() and not self.wrong:
            csr, key = fresh_key(self.subject)
            secret = self.fetch_secret() if self.by_secret else None
            if self.wrong:
                return
            self.keys.append(key)
            der = self.retry(lambda: self.plane.enrol(self.context, csr, self.device, secret,
                                                      random.uniform(0, 0.03)))
            if der is not None:
                self.got.append((hashlib.sha256(der).hexdigest(), key, der))
                self.have.add(self.got[-1][0])
            time.sleep(random.uniform(0, self.pause))

    def fetch_secret(self):
        def ask():
            status, headers, body = self.plane.operator.call(
                "POST", f"/v1/devices/{self.device}/secret", {"create": True})
            return body["secret"] if status in (200, 201) else (status, headers, json.dumps(body).encode())
        return self.retry(ask)

    def retry(self, ask):
        """ask() until it gives something; None after an answer that is final."""
        while True:
            self.tries += 1
            try:
                answer = ask()
            except (OSError, http.client.HTTPException, ValueError):
                self.cut += 1  # no answer, or half of one
                time.sleep(0.03)
                continue
            if not isinstance(answer, tuple):
                return answer
            status, headers, body = answer
            if status not in (429, 503) or int(headers.get("Retry-After", 0)) < 1:
                self.wrong.append((self.device, status, body))
                return None
            self.later += 1
            time.sleep(0.1)


class Crowd:
    """Clients over one plane, half by certificate and half by secret."""

    def __init__(self, plane, devices, pause=0.01):
        self.plane, self.stop, self.have = plane, threading.Event(), set()
        self.all = [Client(plane, d, by_secret=i % 2 == 1, pause=pause, stop=self.stop, have=self.have)
                    for i, d in enumerate(devices)]

    def __enter__(self):
        for client in self.all:
            client.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for client in self.all:
            client.join(30)

    def received(self):
        """{fingerprint: (key digest, DER)} of what clients hold now."""
        return {f: (key, der) for client in self.all for f, key, der in list(client.got)}

    def finish(self):
        """Everybody ends with a certificate for every key they made."""
        self.stop.set()
        for client in self.all:
            client.join(30)
        late = [c.device for c in self.all if c.is_alive()]
        assert not late, f"still without their certificate after 30 s: {late}"
        wrong = [w for c in self.all for w in c.wrong]
        assert not wrong, wrong[:5]
        for client in self.all:
            assert [key for _, key, _ in client.got] == client.keys, client.device

    def sums(self):
        return {word: sum(getattr(c, word) for c in self.all) for word in ("tries", "later", "cut")}


def check_inventory(world, received, keys=None):
    """What clients hold against what is recorded; from outside, by SQL and
    openssl alone. Returns the number of certificates."""
    rows = world.query("SELECT c.fingerprint, c.key_digest, c.owner, c.serial, d.der FROM credential c"
                       " LEFT JOIN certificate_der d ON d.owner = c.owner AND d.fingerprint = c.fingerprint"
                       " WHERE c.source = 'est'")
    recorded = {row["fingerprint"]: row for row in rows}
    assert len(recorded) == len(rows)
    missing = [f for f in received if f not in recorded]
    assert not missing, f"{len(missing)} of {len(received)} handed out, but not recorded"
    for fingerprint, (key, der) in received.items():
        assert recorded[fingerprint]["der"] == der
        assert recorded[fingerprint]["key_digest"] == key
    serials = world.query("SELECT issuer, serial FROM credential GROUP BY issuer, serial HAVING count(*) > 1")
    assert not serials, f"serials given twice: {[tuple(s) for s in serials]}"
    twice = world.query("SELECT key_digest FROM credential GROUP BY key_digest HAVING count(*) > 1")
    assert not twice, f"{len(twice)} keys were certified twice"
    if keys is not None:
        alone = [k for k in keys if k not in {row["key_digest"] for row in rows}]
        assert not alone, f"{len(alone)} keys without a certificate"
    # each step once: one audit entry and one event for each certificate
    for table, column in (("audit", "detail"), ("event", "body")):
        name = "action = 'certificate.issue'" if table == "audit" else "name = 'CERTIFICATE_ISSUED'"
        told = [json.loads(row[0])["fingerprint"] for row in
                world.query(f"SELECT {column} FROM {table} WHERE {name}")]
        told = [f for f in told if f in recorded]
        assert sorted(told) == sorted(recorded), f"{table}: {len(told)} entries for {len(recorded)} certificates"
    return len(recorded)


def check_database(home):
    """SQLite's own opinion, by its own program."""
    done = subprocess.run(["sqlite3", "-readonly", str(home / "db/dovetail.db"), "PRAGMA integrity_check"],
                          capture_output=True, text=True)
    assert done.stdout.strip() == "ok", done.stdout + done.stderr


def issuing_certificates(plane):
    """PEM of every authority that is no root."""
    listed = plane.operator.call("GET", "/v1/authorities")[2]["items"]
    return "".join(plane.operator.call("GET", f"/v1/authorities/{a['name']}")[2]["certificate"]
                   for a in listed if not a["is_root"])


def check_chains(plane, received, folder):
    """openssl verify on all of them, as an edge would."""
    folder.mkdir(parents=True, exist_ok=True)
    issuers = folder / "issuers.pem"
    issuers.write_text(issuing_certificates(plane))
    names = []
    for fingerprint, (_, der) in received.items():
        path = folder / f"{fingerprint}.pem"
        path.write_text(ssl.DER_cert_to_PEM_cert(der))
        names.append(str(path))
    for at in range(0, len(names), 1000):
        done = subprocess.run(["openssl", "verify", "-CAfile", str(plane.roots), "-untrusted", str(issuers),
                               "-purpose", "sslclient", "-x509_strict", *names[at:at + 1000]],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[:500] + done.stderr[:2000]
    for name in names:
        os.unlink(name)
