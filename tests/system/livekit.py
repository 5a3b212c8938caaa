# SPDX-License-Identifier: Apache-2.0
"""dovetail-agent, cut at its n-th call that changes the disk, against a live
control plane and edge. Each cut has a device of its own, adopted from the old
world, so that all of them are cut in the same life; whatever is superseded is
denied at once, so that one on the wrong credential is shut out.

A life is one command of a device that was prepared for it: the enrolment with a
one-time secret, the first check-in (trust bundle, first configuration value),
the change of trust when a rotation of the server CA starts, or a renewal under
a lease that gives the value back under the new key."""
import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import time

from world import BUILD, World, wait_for

AGENT = BUILD / "dovetail-agent"
CALLS = ("openat", "write", "fsync", "renameat", "renameat2", "mkdirat", "unlinkat")
LIVES = {"enrolment": ("enroll",), "first check-in": ("run", "--once"), "renewal": ("renew",),
         "change of trust": ("run", "--once")}  # the last, as it is one of all devices
VALUE = "correct horse"
CONNECT = bytes.fromhex("100d00044d5154540402003c000163")  # MQTT 3.1.1, client "c"


class Site:
    """A control plane, an edge and so many devices that nobody uses yet."""

    def __init__(self, folder, devices):
        w = self.world = World(folder, devices=devices, gateways=1)
        self.folder, self.unused = folder, w.device_ids()
        w.make_old_world(days=20)  # inside every renewal window
        w.start_broker()
        w.init()
        w.start_control("certificate.hold=0s")
        w.adopt_old_world()
        w.start_gateways()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.world.close()

    def device(self, life, at, hook=None):
        """A device prepared for @life, its state in the folder @at."""
        return Device(self, self.unused.pop(0), life, at, hook)

    def devices(self, life, at, n):
        """So many, prepared for @life alike, and at the same time where it is
        one of the whole fleet."""
        if life != "change of trust":
            for _ in range(n):
                yield self.device(life, at)
            return
        ready = [self.device(life, at) for _ in range(n)]
        known = ready[0].status()["trust"]["version"]
        self.world.op("rotation", "start", self.world.plan("server-ca", "old-root", "root"))
        wait_for("the new bundle", lambda: self.world.query(
            "SELECT max(version) AS v FROM bundle")[0]["v"] > known, 30)
        for device in ready:
            device.known = known
            yield device

    def edge_is_up_to_date(self):
        """The deny set of the edge is the server's."""
        wait_for("the edge", lambda: all(
            g["behind"] == 0 for g in self.world.op("gateway", "list")["items"]), 10, 0.02)

    def anchors(self):
        return [self.world.old / "ca/ca.pem", self.world.home / "public/root.pem"]

    def lets_in(self, cert, key):
        """A session through the edge to the broker stands."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for anchor in self.anchors():
            tls.load_verify_locations(anchor)
        tls.load_cert_chain(cert, key)
        raw = socket.create_connection(("127.0.0.1", self.world.gateway_ports[0]), timeout=10)
        try:
            with tls.wrap_socket(raw, server_hostname="edge.test") as sock:
                sock.sendall(CONNECT)
                return sock.recv(4) == b"\x20\x02\x00\x00"
        except (ssl.SSLError, ConnectionError):
            return False
        finally:
            raw.close()


class Device:
    def __init__(self, site, name, life, at, hook):
        w, self.site, self.name, self.life = site.world, site, name, life
        self.state, self.config = at / name, site.folder / f"{name}.ini"
        self.old = w.old / "devices" / name
        self.config.write_text(f"""[agent]
server = 127.0.0.1:{w.device_port}
server-name = control.test
edge = 127.0.0.1:{w.gateway_ports[0]}
edge-name = edge.test
retry-first = 1s
trial-wait = 10ms
once-limit = 30s
""" + (f"hook = {hook}\n" if hook else ""))
        self.asked, self.known = LIVES[life], 0  # known: version of its trust
        if life == "enrolment":
            self.name = f"new-{name}"
            self.secret = site.folder / f"{name}.secret"
            self.secret.write_text(w.op("device", "secret", self.name, "--create")["secret"])
            self.asked += ("--secret-file", self.secret, "--device", self.name, "--anchor", w.old / "ca/ca.pem")
        else:
            self.run("enroll", "--import", self.old / "key.pem", self.old / "cert.pem",
                     "--anchor", w.old / "ca/ca.pem")
            self.set_value()
        if life in ("renewal", "change of trust"):
            self.run("run", "--once")
        subprocess.run(["sync", "-f", str(at)], check=True)

    def set_value(self):
        value = self.site.folder / "value"
        value.write_text(VALUE)
        self.site.world.op("device", "config", "set", self.name, f"wifi.psk={value}")

    def command(self, *args):
        return [str(a) for a in (AGENT, "--state", self.state, "--config", self.config, *args)]

    def run(self, *args, status=0):
        done = subprocess.run(self.command(*args), capture_output=True, text=True, timeout=60)
        assert done.returncode == status, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def status(self):
        return json.loads(self.run("status", "--json"))

    def in_use(self):
        """(chain, key, fingerprint) by the files alone."""
        at = self.state / "generations" / (self.state / "current").read_text().strip()
        pem = (at / "chain.pem").read_text()
        leaf = pem[:pem.index("-----END CERTIFICATE-----") + 26]
        der = ssl.PEM_cert_to_DER_cert(leaf)
        return at / "chain.pem", at / "key.pem", hashlib.sha256(der).hexdigest()

    # --- calls and cuts ---

    def points(self):
        """(call, n) of those that change the state directory in this life;
        which of all writes and opens those are, the trace of a run tells."""
        trace, found, nth = self.site.folder / "trace", [], {}
        subprocess.run(["strace", "-f", "-y", "-e", f"trace={','.join(CALLS)}", "-o", trace,
                        *self.command(*self.asked)], check=True, capture_output=True, timeout=60)
        for line in trace.read_text().splitlines():
            rest = line.split(None, 1)[-1]
            call = rest.split("(", 1)[0]
            if call not in CALLS:
                continue
            nth[call] = nth.get(call, 0) + 1
            if (call == "openat" and "O_CREAT" not in rest) or \
                    (call == "write" and f"{self.state}/" not in rest):
                continue
            found.append((call, nth[call]))
        return found

    def die_at(self, call, n):
        """This life, killed at that call; was it?"""
        done = subprocess.run(
            ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
             f"inject={call}:signal=KILL:when={n}", *self.command(*self.asked)],
            capture_output=True, timeout=60)
        return done.returncode != 0

    def works_and_finishes(self, at):
        """What is there lets it in at once; the life comes to its end; what
        was superseded is out. @return: s until it had checked in."""
        self.site.edge_is_up_to_date()
        if self.life == "enrolment" and not (self.state / "current").exists():
            self.run(*self.asked)  # a person asks again
        self.must_be_let_in(at)
        since = time.monotonic()
        self.run("checkin")
        took = time.monotonic() - since
        self.run("run", "--once")
        if self.life == "renewal" and self.status()["credential"]["generation"] == 1:
            self.run("renew")  # cut before it had begun
        if self.life == "enrolment":
            self.set_value()
        self.run("run", "--once")
        self.site.edge_is_up_to_date()
        self.must_be_let_in(at)
        assert self.status()["trust"]["version"] > self.known, at
        assert (self.state / "generations/1/key.pem").exists(), at
        assert (self.state / "config/wifi.psk").read_text() == VALUE, at
        listed = self.site.world.op("device", "config", "list", self.name)["items"]
        assert [v["certificate"] for v in listed] == [self.in_use()[2]], at
        if self.life == "renewal":
            assert self.status()["credential"]["generation"] > 1, at
            wait_for("the old one to be denied", lambda: self.denied(self.old / "cert.pem"), 10, 0.05)
            self.site.edge_is_up_to_date()
            assert not self.site.lets_in(self.old / "cert.pem", self.old / "key.pem"), at
        return took

    def must_be_let_in(self, at):
        chain, key, fingerprint = self.in_use()
        assert not self.denied(chain), at
        assert self.site.lets_in(chain, key), (at, fingerprint)

    def denied(self, pem):
        """By the server's own record."""
        text = pem.read_text()
        leaf = text[text.index("-----BEGIN"):text.index("-----END CERTIFICATE-----") + 26]
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf)).hexdigest()
        rows = self.site.world.query("SELECT denied_at FROM credential WHERE fingerprint = ?", fingerprint)
        assert len(rows) == 1, fingerprint
        return rows[0]["denied_at"] > 0

    def forget(self):
        shutil.rmtree(self.state)
