# SPDX-License-Identifier: Apache-2.0
"""Devices of other makers: one attempt of a real TLS stack through an edge to
an MQTT broker, with the trust its owner gave it. No server name, one address.
"""
import os
import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading
import time

from world import BUILD

# MQTT 3.1.1 CONNECT with a clean session and client id "s"; DISCONNECT.
CONNECT = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01s"
DISCONNECT = b"\xe0\x00"
CONNACK = b"\x20\x02\x00\x00"

STACKS = ("openssl", "python", "gnutls", "mbedtls", "wolfssl", "mosquitto")


def have():
    """Stacks that are installed here."""
    tool = {"mbedtls": BUILD / "tests/clients/client-mbedtls", "wolfssl": BUILD / "tests/clients/client-wolfssl",
            "gnutls": "/usr/bin/gnutls-cli", "mosquitto": "/usr/bin/mosquitto_pub"}
    return [s for s in STACKS if s not in tool or os.path.exists(tool[s])]


class Broker:
    """Answers with a CONNACK, and ends at a DISCONNECT."""

    def __init__(self):
        class Answer(socketserver.BaseRequestHandler):
            def handle(self):
                while (got := self.request.recv(65536)) and got != DISCONNECT:
                    self.request.sendall(CONNACK)
                    if got.endswith(DISCONNECT):
                        break
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Device:
    """One device: its identity, its stack, what it trusts (a PEM file)."""

    def __init__(self, port, device, stack, trust, cert, key, pins=False, ticket=False, version="1.3"):
        self.port, self.device, self.stack, self.trust = port, device, stack, str(trust)
        self.cert, self.key, self.pins, self.version = str(cert), str(key), pins, version
        self.ticket = ticket  # keeps the ticket of TLS 1.3
        self.saved = tempfile.mktemp(prefix="ticket-") if ticket else None
        self.session = None
        self.failures = []  # last words of attempts that failed
        self.tries = []  # of each time it came: attempts until it was in; 0: never

    def __repr__(self):
        return f"{self.device} {self.stack}{' ticket' if self.ticket else ''} {self.trust.rsplit('/', 1)[-1]}"

    def trusts(self):
        """What it should be classified as."""
        name = self.trust.rsplit("/", 1)[-1]
        return {"trust-new.pem": "unknown", "trust-pin-intermediate.pem": "intermediate",
                "trust-pin-leaf.pem": "leaf"}.get(name, "root")

    def attempt(self):
        return getattr(self, self.stack)()

    def come(self, most=8):
        """Try until it is in, as a device would; how many attempts it took."""
        for n in range(1, most + 1):
            if self.attempt():
                self.tries.append(n)
                return n
            self.failures.append(getattr(self, "said", b"")[-200:])
        self.tries.append(0)
        return 0

    # --- the stacks ---

    def run(self, *command, data=CONNECT + DISCONNECT, seconds=20):
        done = subprocess.run([str(c) for c in command], input=data, capture_output=True, timeout=seconds)
        self.said = done.stdout + done.stderr
        return done

    def openssl(self):
        pin = ["-partial_chain"] if self.pins else []
        keep = []
        if self.ticket:
            keep = ["-sess_out", self.saved] + (["-sess_in", self.saved] if os.path.exists(self.saved) else [])
        done = self.run("openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-noservername",
                        "-tls1_3" if self.version == "1.3" else "-tls1_2", "-key", self.key, "-cert", self.cert,
                        "-CAfile", self.trust, "-verify_return_error", "-quiet", "-ign_eof", *pin, *keep)
        return CONNACK in done.stdout

    def context(self):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname = False
        ctx.load_verify_locations(self.trust)
        ctx.load_cert_chain(self.cert, self.key)
        if self.pins:
            ctx.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        if self.version == "1.2":
            ctx.maximum_version = ssl.TLSVersion.TLSv1_2
        return ctx

    def python(self):
        ctx = self.context()
        # a session belongs to its context: that is kept as well
        if self.ticket and self.session:
            ctx = self.session[0]
        raw = socket.create_connection(("127.0.0.1", self.port), 10)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with ctx.wrap_socket(raw, session=self.session[1] if self.ticket and self.session else None) as s:
                s.sendall(CONNECT)
                answer = s.recv(4)
                if self.ticket:
                    self.session = (ctx, s.session)
                s.sendall(DISCONNECT)
                return answer == CONNACK
        except (ssl.SSLError, ConnectionError) as why:
            self.said = str(why).encode()
            return False
        finally:
            raw.close()

    def gnutls(self):
        # it leaves at the end of its input: that must stay open for the answer
        child = subprocess.Popen(
            ["gnutls-cli", "--port", str(self.port), "127.0.0.1", "--disable-sni", "--verify-hostname", "edge.test",
             "--x509cafile", self.trust, "--x509certfile", self.cert, "--x509keyfile", self.key,
             "--no-ocsp", "--logfile", "/dev/null"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            child.stdin.write(CONNECT)
            child.stdin.flush()
            self.said = b""
            end = time.monotonic() + 10
            while CONNACK not in self.said and time.monotonic() < end:
                more = child.stdout.read1(65536)
                if not more:
                    return False
                self.said += more
            child.stdin.write(DISCONNECT)
            child.stdin.flush()
            return CONNACK in self.said
        except BrokenPipeError:
            return False
        finally:
            try:
                child.stdin.close()
            except BrokenPipeError:
                pass
            child.stdout.close()
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def mbedtls(self):
        return self.run(BUILD / "tests/clients/client-mbedtls", self.port, self.trust, self.cert,
                        self.key, "1.2").returncode == 0

    def wolfssl(self):
        return self.run(BUILD / "tests/clients/client-wolfssl", self.port, self.trust, self.cert,
                        self.key, "1.2").returncode == 0

    def mosquitto(self):
        # by address, so without a server name
        return self.run("mosquitto_pub", "-h", "127.0.0.1", "-p", self.port, "--cafile", self.trust,
                        "--cert", self.cert, "--key", self.key, "--insecure", "-t", "stacks", "-m", "1",
                        "-i", self.device).returncode == 0
