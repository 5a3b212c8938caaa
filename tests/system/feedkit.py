# SPDX-License-Identifier: Apache-2.0
"""A control plane of a page, to script what a gateway hears and see what it says."""
import base64
import http.server
import json
import pathlib
import ssl
import subprocess
import threading
import time
import urllib.parse

from edgekit import Ca, fingerprint, run_openssl


class Control:
    def __init__(self, folder, port, gateway="gw-1", secret="open sesame"):
        self.folder = pathlib.Path(folder)
        self.port, self.gateway, self.secret = port, gateway, secret
        self.root = Ca(self.folder / "control", "Control Root")
        self.cert, self.key = self.root.leaf("control.test", "serverAuth", ["control.test"])
        self.edges = Ca(self.folder / "control", "Edge Root")
        self.epoch, self.position = 7, 0
        self.rows = {}  # (kind, key) -> (position, body)
        self.reports, self.batches, self.handshakes = [], set(), []
        self.csrs, self.enrolled = {}, 0
        self.refuse = None  # a status to answer with instead
        self.changed = threading.Condition()
        self.server = None

    # --- what the test does ---

    def put(self, kind, key, body):
        with self.changed:
            self.position += 1
            self.rows[kind, key] = (self.position, body)
            self.changed.notify_all()
            return self.position

    def policy(self, default=None, next_=None, **more):
        return self.put("policy", self.gateway, {
            "default_root": default, "next_root": next_, "next_name": "next.example", "trial_name": "trial.example",
            "forced": False, "max_stale_s": 86400, **more})

    def anchor(self, ca):
        return self.put("anchor", fingerprint(ca.cert), {
            "pem": ca.cert.read_text(), "name": ca.name, "use": "device", "root": 1})

    def device(self, name, pair, state="active", **more):
        return self.put("device", name, {"state": state, "certificates": [fingerprint(pair[0])] if pair else [], **more})

    def applied(self, position):
        return any(r["applied"] >= position and r["epoch"] == self.epoch for r in self.reports)

    def start(self):
        handler = type("Handler", (Handler,), {"control": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.server.daemon_threads = True
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(self.cert, self.key)
        ctx.verify_mode = ssl.CERT_OPTIONAL
        ctx.load_verify_locations(self.edges.cert)
        self.server.socket = ctx.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        """Away: nothing answers, nothing listens; open calls are cut."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            server, self.server = self.server, None
            with self.changed:
                self.changed.notify_all()
            for s in list(Handler.open):
                try:
                    s.shutdown(2)
                except OSError:
                    pass
            del server

    # --- what it answers ---

    def feed(self, after, wait):
        end = time.monotonic() + wait
        with self.changed:
            while after == self.position and time.monotonic() < end and self.server:
                self.changed.wait(max(0.01, min(1, end - time.monotonic())))
            rows = sorted((p, k, b) for k, (p, b) in self.rows.items() if p > after)
            head = {"kind": "head", "position": self.position, "epoch": self.epoch, "now": int(time.time()),
                    "more": len(rows) > 500}
            lines = [head] + [{"position": p, "kind": k[0], "key": k[1], "body": b} for p, k, b in rows[:500]]
            return "".join(json.dumps(line) + "\n" for line in lines)

    def report(self, body):
        r = json.loads(body)
        self.reports.append(r)
        if r["batch"] not in self.batches:
            self.batches.add(r["batch"])
            self.handshakes += r["handshakes"]
        for c in r.get("csrs", []):
            self.csrs.setdefault(c["order"], base64.b64decode(c["csr"]))
        return json.dumps({"batch": r["batch"], "position": self.position})

    def enrol(self, csr_der, label):
        self.enrolled += 1
        out = self.folder / "control" / f"edge-{self.enrolled}.pem"
        self.edges.sign(f"edge-{self.enrolled}", None, "basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n",
                        None, out, days=("-1d", 60), csr_der=csr_der)
        der = subprocess.run(["openssl", "crl2pkcs7", "-nocrl", "-certfile", out, "-outform", "DER"],
                             capture_output=True, check=True).stdout
        return base64.b64encode(der)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    control = None
    open = set()

    def setup(self):
        super().setup()
        Handler.open.add(self.connection)

    def finish(self):
        Handler.open.discard(self.connection)
        try:
            super().finish()
        except OSError:
            pass

    def handle(self):
        try:
            super().handle()
        except (OSError, ssl.SSLError):
            pass

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def who(self):
        cert = self.connection.getpeercert()
        return dict(x[0] for x in cert["subject"])["commonName"] if cert else None

    def do_GET(self):
        c = self.control
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if c.server is None or c.refuse:
            self.answer(c.refuse or 503)
        elif url.path != "/v1/gateway/feed" or self.who() != c.gateway:
            self.answer(403)
        else:
            self.answer(200, c.feed(int(query["after"]), int(query["wait"])).encode(), "application/x-ndjson")

    def do_POST(self):
        c = self.control
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if c.server is None or c.refuse:
            self.answer(c.refuse or 503)
        elif self.path == "/.well-known/est/gateway/simpleenroll":
            want = "Basic " + base64.b64encode(f"{c.gateway}:{c.secret}".encode()).decode()
            if self.headers.get("Authorization") != want:
                self.answer(401)
            else:
                self.answer(200, c.enrol(base64.b64decode(body), "gateway"), "application/pkcs7-mime")
        elif self.who() != c.gateway:
            self.answer(403)
        elif self.path == "/.well-known/est/gateway/simplereenroll":
            self.answer(200, c.enrol(base64.b64decode(body), "gateway"), "application/pkcs7-mime")
        elif self.path == "/v1/gateway/report":
            self.answer(200, c.report(body).encode())
        else:
            self.answer(404)
