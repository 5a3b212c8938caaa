# SPDX-License-Identifier: Apache-2.0
"""A gateway under test: certificates by openssl, upstreams, clients, records."""
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import threading
import time

BUILD = pathlib.Path(os.environ.get("DOVETAIL_BUILD", pathlib.Path(__file__).parents[2] / "build"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.03)
    raise AssertionError(f"not within {seconds} s: {what}")


def fingerprint(pem_path):
    der = ssl.PEM_cert_to_DER_cert(first_certificate(pathlib.Path(pem_path).read_text()))
    import hashlib
    return hashlib.sha256(der).hexdigest()


def first_certificate(text):
    begin = text.index("-----BEGIN CERTIFICATE-----")
    end = text.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")
    return text[begin:end] + "\n"


class Ca:
    """Certificates by plain openssl commands, P-256 throughout."""

    def __init__(self, folder, name, under=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.under = under
        self.cert = self.folder / f"{name}.pem"
        self.key = self.folder / f"{name}.key"
        subject = f"/CN={name}"
        ext = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n" \
              "subjectKeyIdentifier=hash\n"
        if under:
            under.sign(name, subject, ext, self.key, self.cert, days=("-30d", 3000))
        else:
            self.make_key(self.key)
            run_openssl("req", "-x509", "-new", "-key", self.key, "-subj", subject, "-days", "3650",
                        "-out", self.cert, "-addext", "basicConstraints=critical,CA:TRUE",
                        "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    @staticmethod
    def make_key(path):
        run_openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
        os.chmod(path, 0o600)

    def sign(self, name, subject, ext, key, cert, days=("-1d", 365), csr_der=None):
        if csr_der is None:
            self.make_key(key)
            csr = self.folder / f"{name}.csr"
            run_openssl("req", "-new", "-key", key, "-subj", subject, "-out", csr)
        else:
            csr = self.folder / f"{name}.csr"
            csr.write_text(ssl.DER_cert_to_PEM_cert(csr_der).replace("CERTIFICATE", "CERTIFICATE REQUEST"))
        conf = self.folder / f"{name}.cnf"
        conf.write_text(f"[x]\n{ext}authorityKeyIdentifier=keyid\n")
        begin = time.time() + float(days[0][:-1]) * 86400
        end = time.time() + days[1] * 86400
        stamp = lambda t: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(t))
        database = self.folder / f"{self.name}.index"
        database.touch()
        (self.folder / f"{self.name}.index.attr").write_text("unique_subject = no\n")
        ca_conf = self.folder / f"{self.name}.ca.cnf"
        ca_conf.write_text(
            f"[ca]\ndefault_ca=c\n[c]\ndatabase={database}\nnew_certs_dir={self.folder}\n"
            "default_md=sha256\npolicy=p\nrand_serial=yes\n[p]\ncommonName=supplied\n")
        run_openssl("ca", "-batch", "-notext", "-config", ca_conf, "-cert", self.cert, "-keyfile", self.key,
                    "-in", csr, "-out", cert, "-extfile", conf, "-extensions", "x",
                    "-startdate", stamp(begin), "-enddate", stamp(end))

    def leaf(self, name, eku="clientAuth", names=(), days=("-1d", 365), ca=False):
        """A certificate with its key: (cert, key); the chain is beside it."""
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        ext = f"basicConstraints=critical,CA:{'TRUE' if ca else 'FALSE'}\n"
        ext += "keyUsage=critical," + ("keyCertSign" if ca else "digitalSignature") + "\n"
        ext += f"extendedKeyUsage={eku}\nsubjectKeyIdentifier=hash\n"
        if names:
            ext += "subjectAltName=" + ",".join(f"DNS:{n}" for n in names) + "\n"
        self.sign(name, f"/CN={name}", ext, key, cert, days)
        chain = self.folder / f"{name}.chain.pem"
        text, ca_ = cert.read_text(), self
        while ca_ is not None and ca_.under is not None:
            text += ca_.cert.read_text()
            ca_ = ca_.under
        chain.write_text(text)
        return chain, key


def run_openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"openssl {words}: {done.stderr}"
    return done.stdout


class Echo:
    """A TCP upstream that sends back what it gets, and counts."""

    def __init__(self, port=0):
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.open = 0
        self.total = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            self.open += 1
            self.total += 1
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        try:
            while data := s.recv(65536):
                s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        finally:
            self.open -= 1
            s.close()

    def close(self):
        self.socket.close()


class Gateway:
    """One dovetail-gateway process tree with its settings and records."""

    def __init__(self, folder, upstream, **settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.records_path = self.folder / "handshakes.jsonl"
        self.log_path = self.folder / "log"
        self.settings = {"name": "gw-1", "listen": f"127.0.0.1:{self.port}", "upstream": upstream,
                         "workers": 2, "record": self.records_path, **settings}
        self.process = None
        self.prefix = []  # of its command: a program that runs it
        self.write_settings()

    @property
    def config(self):
        return self.folder / "gateway.ini"

    def write_settings(self):
        lines = ["[gateway]"]
        lines += [f"{k.replace('_', '-')} = {v}" for k, v in self.settings.items() if v is not None]
        self.config.write_text("\n".join(lines) + "\n")

    def start(self, later_s=0, at=None):
        """@later_s: seconds that its clock is ahead; @at: Unix seconds at
        which its clock stands still."""
        env = dict(os.environ)
        if later_s or at is not None:
            library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
            env.update(LD_PRELOAD=str(library), DONT_FAKE_MONOTONIC="1", TZ="UTC",
                       FAKETIME=f"+{later_s}s" if at is None else time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at)))
        seen = self.log().count("event=gateway.ready")
        self.process = subprocess.Popen([*self.prefix, BUILD / "dovetail-gateway", "--config", self.config], env=env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=open(self.log_path, "a"))
        wait_for("gateway ready", lambda: self.process.poll() is not None or
                 self.log().count("event=gateway.ready") > seen)
        assert self.process.poll() is None, self.log()
        return self

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(15)
        return self.process.returncode if self.process else None

    def kill(self):
        """Everything at once, as a power cut would."""
        for pid in self.children() + [self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(10)

    def children(self):
        """Pids of the child processes."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [int(p) for p in open(path).read().split()]

    def cpu_s(self):
        """Seconds of processor time that its processes have used."""
        pids, ticks = self.children(), 0
        assert pids, "it has no processes"
        for pid in pids:
            ticks += sum(int(n) for n in open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")

    def workers(self):
        """Pids of workers: those that hold a connection or listen and accept."""
        found = {}
        for line in self.log().splitlines():
            if "proc=parent" in line and "worker-" in line and "pid=" in line:
                words = dict(w.split("=", 1) for w in line.split() if "=" in w)
                name = words.get("child") or words.get("name") or ""
                if name.startswith("worker-"):
                    found[name] = int(words["pid"])
        return found

    def records(self):
        if not self.records_path.exists():
            return []
        return [json.loads(line) for line in self.records_path.read_text().splitlines() if line.endswith("}")]

    def next_record(self, since, seconds=8, **fields):
        """The first record after place @since that has these fields."""
        def find():
            for r in self.records()[since:]:
                if all(r.get(k) == v for k, v in fields.items()):
                    return r
            return None
        try:
            return wait_for(f"record {fields}", find, seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}; got {self.records()[since:]}\n{self.log()[-2000:]}") from None


class Client:
    """One TLS client by Python's ssl; the handshake is done when made."""

    def __init__(self, port, anchors, cert=None, key=None, name="edge.example", version=None, timeout=5):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname = False
        ctx.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        if version:
            ctx.minimum_version = ctx.maximum_version = version
        for a in anchors:
            ctx.load_verify_locations(a)
        if cert:
            ctx.load_cert_chain(cert, key)
        raw = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        try:
            self.tls = ctx.wrap_socket(raw, server_hostname=name, suppress_ragged_eofs=False)
        except BaseException:
            raw.close()
            raise
        self.number = self.tls.getpeercert()["serialNumber"]

    def echo(self, data=b"ping"):
        self.tls.sendall(data)
        got = b""
        while len(got) < len(data):
            part = self.tls.recv(65536)
            if not part:
                raise EOFError(f"{len(got)} of {len(data)} bytes")
            got += part
        return got == data

    def shown(self):
        """Issuer's common name of the leaf the server showed."""
        cert = self.tls.getpeercert()
        return dict(x[0] for x in cert["issuer"])["commonName"]

    def is_closed(self, seconds=5):
        self.tls.settimeout(seconds)
        try:
            return self.tls.recv(1) == b""
        except (ssl.SSLError, ConnectionError):
            return True
        except TimeoutError:
            return False

    def end(self, seconds=8):
        """How the server ends it: "close-notify", or "eof" without one."""
        self.tls.settimeout(seconds)
        try:
            assert self.tls.recv(1) == b""
            return "close-notify"
        except ssl.SSLError as e:
            assert "EOF" in str(e)
            return "eof"

    def leave(self):
        """Say close_notify; true when the end then came in order."""
        try:
            self.tls.unwrap()
            return True
        except (ssl.SSLError, OSError):
            return False

    def close(self):
        self.tls.close()
