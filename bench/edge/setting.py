# SPDX-License-Identifier: Apache-2.0
"""What bench/edge/run measures: certificates, our edge, its peers, the load."""
import datetime
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DOVETAIL_BUILD", ROOT / "build"))
LOAD = BUILD / "bench/bench-edge-load"
CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, LOAD_CPU = CPUS[-1], CPUS[0]


def pinned(cpu, *words):
    return ["taskset", "-c", str(cpu), *map(str, words)]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


# --- certificates ---

def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def certificate(name, key, issuer, issuer_key, ca=False, eku=None, dns=None):
    now = datetime.datetime.utcnow()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer_key or key
    b = (x509.CertificateBuilder().subject_name(subject)
         .issuer_name(issuer.subject if issuer else subject).public_key(key.public_key())
         .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
         .not_valid_after(now + datetime.timedelta(days=90))
         .add_extension(x509.BasicConstraints(ca, None), True)
         .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False), True)
         .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
         .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False))
    if eku:
        b = b.add_extension(x509.ExtendedKeyUsage([eku]), False)
    if dns:
        b = b.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), False)
    return b.sign(signer, hashes.SHA256())


class World:
    """A root, two server credentials and some devices, all P-256.

    With @issuing, servers and devices have an issuing CA between themselves
    and the root, and both sides send it.
    """

    def __init__(self, folder, devices, issuing=False):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.ca, self.devices = self.folder / "ca.pem", self.folder / "devices.pem"
        root_key = ec.generate_private_key(ec.SECP256R1())
        root = certificate("bench root", root_key, None, None, ca=True)
        top, top_key, chain = root, root_key, ""
        if issuing:
            top_key = ec.generate_private_key(ec.SECP256R1())
            top = certificate("bench issuing", top_key, root, root_key, ca=True)
            chain = pem(top)
        self.ca.write_text(pem(root))
        self.chain = "-"
        if issuing:
            self.chain = self.folder / "issuing.pem"
            self.chain.write_text(chain)
        self.servers = [self.server(n, top, top_key, chain) for n in range(2)]
        with open(self.devices, "w") as out:
            for n in range(devices):
                key = ec.generate_private_key(ec.SECP256R1())
                out.write(pem(certificate(f"dev-{n:05}", key, top, top_key,
                                          eku=ExtendedKeyUsageOID.CLIENT_AUTH)) + key_pem(key))

    def server(self, n, top, top_key, chain):
        """(certificate with chain, key, both in one file)"""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = pem(certificate("edge.example", key, top, top_key, eku=ExtendedKeyUsageOID.SERVER_AUTH,
                               dns="edge.example")) + chain
        paths = [self.folder / f"server-{n}.{part}" for part in ("pem", "key", "both")]
        for path, text in zip(paths, (cert, key_pem(key), cert + key_pem(key))):
            path.write_text(text)
            path.chmod(0o600)
        return paths


def shown_by(port):
    """The certificate a server shows, as DER."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    ctx.minimum_version = ssl.TLSVersion.TLSv1_3  # there it comes before ours is asked for
    with socket.create_connection(("127.0.0.1", port), 5) as raw, ctx.wrap_socket(raw) as tls:
        return tls.getpeercert(True)


# --- servers ---

def family(pid):
    """The process and all beneath it."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


class Server:
    """One server under test: its processes are pinned on one core."""
    def __init__(self, name, folder, world, upstream, workers=1):
        self.name, self.world, self.upstream, self.workers = name, world, upstream, workers
        self.folder = pathlib.Path(folder) / f"{name.replace(' ', '-')}-{free_port()}"
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.shown = self.folder / "shown.pem", self.folder / "shown.key", self.folder / "shown.both"
        self.show(0)
        self.process = None

    def show(self, n):
        """Put the server's credential number @n into its files."""
        for source, to in zip(self.world.servers[n], self.shown):
            part = to.with_suffix(to.suffix + ".new")
            shutil.copy(source, part)
            part.chmod(0o600)
            part.rename(to)

    def start(self):
        cpus = SERVER_CPU if self.workers == 1 else f"{LOAD_CPU},{SERVER_CPU}"
        self.process = subprocess.Popen(pinned(cpus, *self.command()), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=open(self.folder / "log", "a"))
        wait_port(self.port)
        time.sleep(0.2)
        return self

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                for pid in family(self.process.pid):
                    os.kill(pid, signal.SIGKILL)
                self.process.wait()
            self.process = None

    def processes(self):
        return family(self.process.pid)

    def cpu_s(self):
        """User and system time of its tasks; stat tells it in hundredths, schedstat in nanoseconds."""
        total = 0
        for p in self.processes():
            for task in pathlib.Path(f"/proc/{p}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def memory_kib(self):
        """What its processes hold, shared pages counted once."""
        total = 0
        for p in self.processes():
            for line in pathlib.Path(f"/proc/{p}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total


class Edge(Server):
    def __init__(self, *args, record=False, **kwargs):
        self.record = record
        super().__init__(*args, **kwargs)

    def command(self):
        lines = {"name": "bench", "address-rate": 0, "listen": f"127.0.0.1:{self.port}", "upstream": f"tcp:127.0.0.1:{self.upstream}",
                 "certificate": self.shown[0], "key": self.shown[1], "client-ca": self.world.ca,
                 "workers": self.workers}
        if self.record:
            lines["record"] = self.folder / "records"
        config = self.folder / "gateway.ini"
        config.write_text("[gateway]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items()))
        return BUILD / "dovetail-gateway", "--config", config

    def swap(self, n):
        self.show(n)
        self.process.send_signal(signal.SIGHUP)


class Haproxy(Server):
    tickets = True

    def command(self):
        more = "" if self.tickets else " no-tls-tickets"
        config = self.folder / "haproxy.cfg"
        config.write_text(f"""global
  nbthread {self.workers}
  maxconn 9600
  stats socket {self.folder}/admin level admin
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend edge
  bind 127.0.0.1:{self.port} ssl crt {self.shown[2]} ca-file {self.world.ca} verify required{more}
  default_backend broker
backend broker
  server one 127.0.0.1:{self.upstream}
""")
        return "haproxy", "-db", "-f", config

    def admin(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.folder / "admin"))
            s.sendall(command.encode())
            s.shutdown(socket.SHUT_WR)
            answer = b""
            while part := s.recv(4096):
                answer += part
            return answer.decode()

    def swap(self, n):
        self.show(n)
        self.admin(f"set ssl cert {self.shown[2]} <<\n{self.shown[2].read_text()}\n")
        answer = self.admin(f"commit ssl cert {self.shown[2]}\n")
        assert "Success" in answer, answer


class HaproxyNoTickets(Haproxy):
    tickets = False


class Nginx(Server):
    tickets = "on"

    def command(self):
        config = self.folder / "nginx.conf"
        config.write_text(f"""load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
user root;
worker_processes {self.workers};
worker_rlimit_nofile 20000;
pid {self.folder}/pid;
error_log {self.folder}/error.log crit;
events {{ worker_connections 20000; }}
stream {{
  server {{
    listen 127.0.0.1:{self.port} ssl backlog=4096{' reuseport' if self.workers > 1 else ''};
    ssl_certificate {self.shown[0]};
    ssl_certificate_key {self.shown[1]};
    ssl_client_certificate {self.world.ca};
    ssl_verify_client on;
    ssl_verify_depth 4;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_tickets {self.tickets};
    proxy_timeout 1h;
    proxy_pass 127.0.0.1:{self.upstream};
  }}
}}
""")
        return "nginx", "-p", self.folder, "-c", config

    def swap(self, n):
        self.show(n)
        self.process.send_signal(signal.SIGHUP)


class NginxNoTickets(Nginx):
    tickets = "off"


# --- load ---

class Upstream:
    """The echo behind every server."""
    def __init__(self):
        self.port = free_port()
        self.process = subprocess.Popen(pinned(LOAD_CPU, LOAD, "echo", f"127.0.0.1:{self.port}"))
        wait_port(self.port)

    def close(self):
        self.process.kill()
        self.process.wait()


def load_command(mode, server, version, *words):
    w = server.world
    return pinned(LOAD_CPU, LOAD, mode, f"127.0.0.1:{server.port}", w.ca, w.devices, w.chain, version, *words)


def words_of(text):
    """ "ok 3 failed 0" as a dict """
    parts = text.split()
    return {k: float(v) for k, v in zip(parts[::2], parts[1::2])}


def shake(server, version, count, at_once=16, rate=0):
    done = subprocess.run(load_command("shake", server, version, count, at_once, rate),
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"load: {done.stdout}{done.stderr}")
    return words_of(done.stdout)


class Held:
    """Open connections through a server."""
    def __init__(self, server, version, count, at_once=32):
        self.process = subprocess.Popen(load_command("hold", server, version, count, at_once),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.open = int(words_of(self.process.stdout.readline())["open"])

    def check(self):
        """Echo through each: how many are lost."""
        self.process.stdin.write("check\n")
        self.process.stdin.flush()
        return int(words_of(self.process.stdout.readline())["lost"])

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)
