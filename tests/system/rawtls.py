# SPDX-License-Identifier: Apache-2.0
"""A TLS 1.3 client of plain parts (RFC 8446), for what no library would send:
any bytes as a certificate, no CertificateVerify, an alert at a chosen moment.
One cipher (TLS_AES_128_GCM_SHA256) and one group (X25519); it verifies
nothing but the records' integrity.
"""
import hashlib
import hmac
import os
import socket
import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ALERT, HANDSHAKE, DATA = 21, 22, 23
SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0807, 0x0401)


class Alerted(Exception):
    """The server ended it with an alert."""

    def __init__(self, number):
        super().__init__(f"alert {number}")
        self.number = number


def vector(width, data):
    return len(data).to_bytes(width, "big") + data


def extract(salt, secret):
    return hmac.new(salt, secret, hashlib.sha256).digest()


def expand_label(secret, label, context, n):
    info = struct.pack(">H", n) + vector(1, b"tls13 " + label) + vector(1, context)
    return hmac.new(secret, info + b"\x01", hashlib.sha256).digest()[:n]


def derive(secret, label, transcript):
    return expand_label(secret, label, hashlib.sha256(transcript).digest(), 32)


class Keys:
    """One direction under one secret."""

    def __init__(self, secret):
        self.secret = secret
        self.aead = AESGCM(expand_label(secret, b"key", b"", 16))
        self.iv = int.from_bytes(expand_label(secret, b"iv", b"", 12), "big")
        self.count = 0

    def nonce(self):
        n = (self.iv ^ self.count).to_bytes(12, "big")
        self.count += 1
        return n

    def seal(self, kind, data):
        inner = data + bytes([kind])
        head = struct.pack(">BHH", DATA, 0x0303, len(inner) + 16)
        return head + self.aead.encrypt(self.nonce(), inner, head)

    def open(self, head, body):
        inner = self.aead.decrypt(self.nonce(), body, head).rstrip(b"\0")
        return inner[-1], inner[:-1]


class RawTls:
    """Connects and sends its ClientHello; the caller goes on step by step."""

    def __init__(self, port, name="edge.example", timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.share = x25519.X25519PrivateKey.generate()
        self.out = self.into = None  # keys by direction
        self.pending = b""
        self.transcript = b""
        public = self.share.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        extensions = [
            (0, vector(2, b"\0" + vector(2, name.encode()))),
            (10, vector(2, b"\0\x1d")),
            (13, vector(2, struct.pack(f">{len(SIGNATURES)}H", *SIGNATURES))),
            (43, b"\x02\x03\x04"),
            (51, vector(2, b"\0\x1d" + vector(2, public))),
        ]
        block = b"".join(struct.pack(">H", kind) + vector(2, body) for kind, body in extensions)
        hello = b"\x03\x03" + os.urandom(32) + b"\0" + vector(2, b"\x13\x01") + b"\x01\0" + vector(2, block)
        self.send(1, hello)

    # --- records ---

    def send_record(self, kind, data):
        while True:
            part, data = data[:16000], data[16000:]
            try:
                self.socket.sendall(self.out.seal(kind, part) if self.out else
                                    struct.pack(">BHH", kind, 0x0301, len(part)) + part)
            except BrokenPipeError:  # it has ended; why, it said before
                while True:
                    self.read_record()
            if not data:
                return

    def send(self, kind, body):
        message = bytes([kind]) + vector(3, body)
        self.transcript += message
        self.send_record(HANDSHAKE, message)

    def alert(self, number):
        self.send_record(ALERT, bytes([2, number]))

    def read_exactly(self, n):
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part:
                raise EOFError(f"{len(data)} of {n} bytes")
            data += part
        return data

    def read_record(self):
        while True:
            head = self.read_exactly(5)
            kind, _, n = struct.unpack(">BHH", head)
            body = self.read_exactly(n)
            if kind == 20:  # for middleboxes
                continue
            if kind == DATA and self.into:
                kind, body = self.into.open(head, body)
            if kind == ALERT and body[1] != 0:
                raise Alerted(body[1])
            return kind, body

    def read_message(self):
        while len(self.pending) < 4 or len(self.pending) < 4 + int.from_bytes(self.pending[1:4], "big"):
            kind, body = self.read_record()
            assert kind == HANDSHAKE, kind
            self.pending += body
        n = 4 + int.from_bytes(self.pending[1:4], "big")
        message, self.pending = self.pending[:n], self.pending[n:]
        self.transcript += message
        return message[0], message[4:]

    # --- the handshake ---

    def read_flight(self):
        """ServerHello to Finished; the certificates of the server as DER."""
        kind, body = self.read_message()
        assert kind == 2
        at = 35 + body[34] + 3  # version, random, session id, cipher, compression
        extensions = body[at + 2:]
        peer = None
        while extensions:
            which, n = struct.unpack(">HH", extensions[:4])
            if which == 51:
                peer = extensions[8:4 + n]
            extensions = extensions[4 + n:]
        secret = self.share.exchange(x25519.X25519PublicKey.from_public_bytes(peer))
        empty = hashlib.sha256(b"").digest()
        early = extract(bytes(32), bytes(32))
        handshake = extract(expand_label(early, b"derived", empty, 32), secret)
        self.master = extract(expand_label(handshake, b"derived", empty, 32), bytes(32))
        self.out = Keys(derive(handshake, b"c hs traffic", self.transcript))
        self.into = Keys(derive(handshake, b"s hs traffic", self.transcript))
        shown = []
        while True:
            kind, body = self.read_message()
            if kind == 11:
                shown = read_certificates(body)
            if kind == 20:
                break
        self.after = self.transcript  # ClientHello to server's Finished
        self.into = Keys(derive(self.master, b"s ap traffic", self.after))
        return shown

    def certificate(self, ders):
        self.send(11, b"\0" + vector(3, b"".join(vector(3, d) + b"\0\0" for d in ders)))

    def certificate_verify(self, key):
        text = b" " * 64 + b"TLS 1.3, client CertificateVerify\0" + hashlib.sha256(self.transcript).digest()
        scheme, signature = sign(key, text)
        self.send(15, struct.pack(">H", scheme) + vector(2, signature))

    def finished(self):
        key = expand_label(self.out.secret, b"finished", b"", 32)
        self.send(20, hmac.new(key, hashlib.sha256(self.transcript).digest(), hashlib.sha256).digest())
        self.out = Keys(derive(self.master, b"c ap traffic", self.after))

    def echo(self, data=b"ping"):
        self.send_record(DATA, data)
        got = b""
        while len(got) < len(data):
            kind, body = self.read_record()
            if kind == DATA:  # not a ticket
                got += body
        return got == data

    def close(self):
        self.socket.close()


def read_certificates(body):
    body = body[1 + body[0] + 3:]
    ders = []
    while body:
        n = int.from_bytes(body[:3], "big")
        ders.append(body[3:3 + n])
        body = body[3 + n:]
        body = body[2 + int.from_bytes(body[:2], "big"):]
    return ders


def sign(key, text):
    """(scheme, signature); ValueError: TLS 1.3 has none for such a key."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        scheme, digest = {"secp256r1": (0x0403, hashes.SHA256()), "secp384r1": (0x0503, hashes.SHA384()),
                          "secp521r1": (0x0603, hashes.SHA512())}.get(key.curve.name, (None, None))
        if scheme:
            return scheme, key.sign(text, ec.ECDSA(digest))
    if isinstance(key, rsa.RSAPrivateKey):
        return 0x0804, key.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return 0x0807, key.sign(text)
    raise ValueError(type(key))
