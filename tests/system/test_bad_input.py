# SPDX-License-Identifier: Apache-2.0
"""Bad input as a user would send it: each refused with its code, a text that
names the object and why, and nothing changed. What is not here has its own
test: CSRs in test_est.py; keys and dates of authorities, approvals and tokens
in test_rotation.py; disk, clock and versions in test_full_disk.py and
test_start.py."""
import http.client
import json
import os
import re
import shutil
import socket
import subprocess

import pytest

from test_rotation import CA, make_ca
from world import BUILD, ROOT, World, wait_for

LIMITS = {"chain": 65536, "body": 1048576}
# What happened is written down anyway; all else is to be as it was.
MOVES_BY_ITSELF = {"audit", "audit_stream", "audit_checkpoint", "handshake", "handshake_hour", "meta"}

COLUMNS = {"gateway": "name, kind, site, names, default_root, next_root, forced"}  # the rest is its reports


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


class Plane(World):
    def call(self, method, path, body=None, who="operator"):
        """(status, problem or answer); a body of text goes as it is."""
        c = Unix(self.home / "run/api.sock")
        token = self.tokens.get(who, who)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        c.request(method, path, body, {**headers, **({"Content-Type": "application/json"} if body else {})})
        answer = c.getresponse()
        text = answer.read()
        c.close()
        return answer.status, json.loads(text) if text else {}

    def everything_kept(self):
        db = self.database()
        try:
            names = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' "
                                              "AND name NOT LIKE 'sqlite%'")]
            return {n: sorted(map(repr, map(tuple, db.execute(f"SELECT {COLUMNS.get(n, '*')} FROM {n}"))))
                    for n in names if n not in MOVES_BY_ITSELF}
        finally:
            db.close()


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    w = Plane(tmp_path_factory.mktemp("bad"), devices=2, gateways=0)
    w.make_old_world()
    w.init()
    w.start_control()
    w.with_second("authority", "import", "old-root", "--certificate", w.old / "ca/ca.pem",
                  "--key", w.old / "ca/ca.key", "--server", "--device")
    w.op("device", "import", w.old / "ca", "--inventory", w.old / "inventory.csv")
    w.op("gateway", "add", "gw-1", "--name", "edge.test")
    # what the import set off by itself is over
    wait_for("its bundle", lambda: w.query("SELECT 1 FROM outbox WHERE action = 'want' AND state = 'done'")
             and not w.query("SELECT 1 FROM outbox WHERE state = 'queued'"))
    made = make_ca(w.dir, "stranger", *CA)
    w.files = {
        "stranger": made[0].read_text(),
        "leaf": (w.old / "devices/dev-0001/cert.pem").read_text(),
        "old": (w.old / "ca/ca.pem").read_text(),
        "edge": (w.old / "gateways/gw-1/chain.pem").read_text(),
        "early": make_ca(w.dir, "early", *CA, faketime=("faketime", "-f", "+2h"))[0].read_text(),
        "late": make_ca(w.dir, "late", *CA, days=("-days", "1"), faketime=("faketime", "-f", "-9d"))[0].read_text(),
    }
    yield w
    w.close()


def cut(pem):
    """The same with a few characters gone from its middle."""
    lines = pem.splitlines()
    lines[3] = lines[3][:-4]
    return "\n".join(lines) + "\n"


VALIDATE, ROTATE = "/gateway/certificates/validate", "/gateway/certificates/rotate"
TRUST, RECOVER = "/devices/truststore/update", "/devices/recovery/initiate"
IMPORT, PLAN = "/v1/authorities/import", "/v1/rotations"

# name: (path, body made of the files, status, code, words of the text)
REFUSED = {
    "a chain that does not build": (
        VALIDATE, lambda f: {"certificateChain": f["edge"] + f["stranger"]}, 400, "bad-input",
        ["stranger", "is not issued by"]),
    "a chain in the wrong order": (
        VALIDATE, lambda f: {"certificateChain": f["old"] + f["edge"]}, 400, "bad-input",
        ["leaf comes first"]),
    "no PEM": (VALIDATE, lambda f: {"certificateChain": "hello"}, 400, "bad-input", ["BEGIN CERTIFICATE"]),
    "broken base64 in PEM": (VALIDATE, lambda f: {"certificateChain": cut(f["edge"])}, 400, "bad-input", []),
    "a key in place of a chain": (
        VALIDATE, lambda f: {"certificateChain": f["edge"].replace("CERTIFICATE", "PRIVATE KEY")}, 400, "bad-input",
        ["private key"]),
    "a chain over the limit": (
        VALIDATE, lambda f: {"certificateChain": f["edge"] * (LIMITS["chain"] // len(f["edge"]) + 1)}, 413,
        "over-limit", ["certificateChain", "65536"]),
    "a device nobody knows": (
        VALIDATE, lambda f: {"certificateChain": f["edge"], "deviceId": "no-such"}, 404, "absent", ["no-such"]),
    "a chain over a key no edge holds": (
        ROTATE, lambda f: {"newCertificate": f["edge"], "validationMode": "strict"}, 409, "conflict", ["key"]),
    "a rotation to a chain that does not build": (
        ROTATE, lambda f: {"newCertificate": f["edge"] + f["stranger"]}, 400, "bad-input", ["stranger"]),
    "a mode that is none": (
        ROTATE, lambda f: {"validationMode": "careless"}, 400, "bad-input",
        ["validationMode", "careless", "strict", "lenient"]),
    "an edge nobody knows": (ROTATE, lambda f: {"gateway": "gw-9"}, 404, "absent", ["gw-9"]),
    "an anchor that is no CA": (
        TRUST, lambda f: {"operation": "ADD", "certificate": f["leaf"]}, 400, "bad-input", ["CA"]),
    "an anchor that is no authority here": (
        TRUST, lambda f: {"operation": "ADD", "certificate": f["stranger"]}, 404, "absent", ["import"]),
    "an operation that is none": (
        TRUST, lambda f: {"operation": "SWAP", "certificate": f["old"]}, 400, "bad-input",
        ["operation", "SWAP", "ADD", "REMOVE"]),
    "recovery of nobody": (
        RECOVER, lambda f: {"deviceIds": [], "method": "BUNDLE", "action": "RENEW"}, 400, "bad-input", ["deviceIds"]),
    "recovery of a device nobody knows": (
        RECOVER, lambda f: {"deviceIds": ["dev-0001", "no-such"], "method": "BUNDLE", "action": "RENEW"}, 404,
        "absent", ["no-such"]),
    "an authority that is no CA": (
        IMPORT, lambda f: {"name": "x", "certificate": f["leaf"], "use_server": True}, 400, "bad-input",
        ["dev-0001", "no CA", "5280"]),
    "an authority ahead of the clock": (
        IMPORT, lambda f: {"name": "x", "certificate": f["early"], "use_server": True}, 400, "bad-input",
        [r"7[12]\d\d s|1 h|2 h", "clock"]),
    "an authority that has ended": (
        IMPORT, lambda f: {"name": "x", "certificate": f["late"], "use_server": True}, 400, "bad-input",
        ["ended|expired"]),
    "an authority for nothing": (
        IMPORT, lambda f: {"name": "x", "certificate": f["stranger"]}, 400, "bad-input", ["use_server", "use_device"]),
    "an authority's name that is taken": (
        IMPORT, lambda f: {"name": "old-root", "certificate": f["stranger"], "use_server": True}, 409, "conflict",
        ["old-root"]),
    "an authority that is here": (
        IMPORT, lambda f: {"name": "again", "certificate": f["old"], "use_server": True}, 409, "conflict",
        ["old-root"]),
    "a name with a path in it": (
        IMPORT, lambda f: {"name": "../x", "certificate": f["stranger"], "use_server": True}, 400, "bad-input",
        [r"\.\./x"]),
    "a key that is no base64": (
        IMPORT, lambda f: {"name": "x", "certificate": f["stranger"], "use_server": True, "sealed_key": "%%%"}, 400,
        "bad-input", ["sealed_key", "base64"]),
    "a key sealed to nobody": (
        IMPORT, lambda f: {"name": "x", "certificate": f["stranger"], "use_server": True, "sealed_key": "AAAA"}, 400,
        "bad-input", ["sealed"]),
    "an authority under nobody": (
        "/v1/authorities", lambda f: {"name": "x", "under": "no-such", "use_device": True}, 404, "absent",
        ["no-such"]),
    "a cross-certificate by nobody": (
        "/v1/authorities/root/cross-sign", lambda f: {"by": "no-such"}, 404, "absent", ["no-such"]),
    "a cross-certificate for no root": (
        "/v1/authorities/device-ca/cross-sign", lambda f: {"by": "old-root"}, 400, "bad-input",
        ["device-ca", "no root"]),
    "retiring what devices need": (
        "/v1/authorities/old-root/retire", lambda f: None, 409, "interlock", ["old-root", "2 "]),
    "an edge with a front's name": (
        "/v1/gateways", lambda f: {"name": "front-1", "names": ["edge.test"]}, 409, "conflict", ["front-1"]),
    "a rotation that is none": (PLAN, lambda f: {"kind": "spin"}, 400, "bad-input", ["kind", "spin"]),
    "a rotation from nobody": (
        PLAN, lambda f: {"kind": "server-ca", "from": "no-such", "to": "root"}, 404, "absent", ["no-such"]),
    "a rotation to itself": (
        PLAN, lambda f: {"kind": "server-ca", "from": "root", "to": "root"}, "4xx", None, ["root"]),
    "a rotation with a number that cannot be": (
        PLAN, lambda f: {"kind": "device-ca", "from": "old-root", "to": "root", "success_ppm": 2000000}, 400,
        "bad-input", ["success_ppm"]),
    "a rotation that leaves out nobody": (
        PLAN, lambda f: {"kind": "device-ca", "from": "old-root", "to": "root",
                         "except": [{"device": "no-such", "reason": "x"}]}, "4xx", None, ["no-such"]),
    "starting a rotation that is not there": ("/v1/rotations/99/start", lambda f: {}, 404, "absent", ["99"]),
    "a number that is none": ("/v1/rotations/abc/start", lambda f: {}, 400, "bad-input", ["abc"]),
    "an approval that is not there": (
        "/v1/approvals/99/give", lambda f: {}, 404, "absent", ["99"]),
    "a secret for a device nobody knows": ("/v1/devices/no-such/secret", lambda f: {}, 404, "absent", ["no-such"]),
    "a device's name over the limit": (
        f"/v1/devices/{'x' * 300}/secret", lambda f: {"create": True}, "4xx", None, []),
    "revoking what is not there": (
        "/v1/certificates/" + "0" * 64 + "/revoke", lambda f: {"reason": "theft"}, 404, "absent", ["0000"]),
    "revoking for no reason there is": (
        "/v1/certificates/" + "0" * 64 + "/revoke", lambda f: {"reason": "boredom"}, 400, "bad-input",
        ["reason", "boredom"]),
    "a token with a role there is not": (
        "/v1/tokens", lambda f: {"name": "x", "role": "emperor"}, 400, "bad-input", ["role", "emperor"]),
    "a token that is there": (
        "/v1/tokens", lambda f: {"name": "operator", "role": "viewer"}, 409, "conflict", ["operator"]),
    "a token wider than one's own": (
        "/v1/tokens", lambda f: {"name": "x", "role": "admin"}, 403, "denied", ["admin"]),
    "a list where an object is asked": (VALIDATE, lambda f: [], 400, "bad-input", ["object"]),
    "a number where a text is asked": (
        VALIDATE, lambda f: {"certificateChain": 7}, 400, "bad-input", ["certificateChain"]),
    "JSON that breaks off": (VALIDATE, lambda f: '{"certificateChain": "', 400, "bad-input", ["JSON", "line 1"]),
    "JSON and more": (VALIDATE, lambda f: '{} {}', 400, "bad-input", ["JSON"]),
    "a field twice": (
        VALIDATE, lambda f: '{"certificateChain": "a", "certificateChain": "b"}', 400, "bad-input",
        ["certificateChain"]),
    "no UTF-8": (VALIDATE, lambda f: b'{"certificateChain": "\xff\xfe"}', 400, "bad-input", ["0xff"]),
    "JSON too deep": (VALIDATE, lambda f: "[" * 5000 + "]" * 5000, 413, "over-limit", ["deep"]),
    "no body at all": (VALIDATE, lambda f: None, 400, "bad-input", []),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_in_words_and_nothing_is_changed(plane, case):
    path, body, want, code, words = REFUSED[case]
    before = plane.everything_kept()
    status, problem = plane.call("POST", path, body(plane.files), "approver" if "approvals" in path else "operator")
    text = problem.get("detail", "")
    assert (400 <= status < 500 if want == "4xx" else status == want), (status, problem)
    assert problem["status"] == status and (code is None or problem["code"] == code), problem
    assert len(text) > 8, problem
    for word in words:
        assert re.search(word, text), (word, text)
    assert plane.everything_kept() == before


def test_what_is_needed_is_named_device_by_device(plane):
    status, problem = plane.call("POST", "/v1/authorities/old-root/retire")
    assert status == 409 and problem["total"] == 2
    assert sorted(d["device"] for d in problem["devices"]) == ["dev-0001", "dev-0002"]


def operations(plane):
    status, document = plane.call("GET", "/v1/openapi.json")
    assert status == 200
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), re.sub(r"\{\w+\}", "1", path), operation


def test_every_call_names_the_field_it_does_not_know(plane):
    before = plane.everything_kept()
    seen = 0
    for method, path, operation in operations(plane):
        if method == "POST" and path != "/v1/devices/import":
            status, problem = plane.call(method, path, {"colour": 1}, "admin")
            assert (status, problem["code"]) == (400, "bad-input") and "colour" in problem["detail"], (path, problem)
            seen += 1
        if method == "GET" and path != "/v1/openapi.json":
            status, problem = plane.call(method, path + "?colour=1", who="admin")
            assert status == 400 and "colour" in problem["detail"], (path, problem)
            seen += 1
    assert seen > 40
    assert plane.everything_kept() == before


def test_every_call_wants_a_token_that_is_one(plane):
    for method, path, operation in operations(plane):
        if path == "/v1/openapi.json":
            continue
        for token in ("", "wrong", plane.tokens["operator"][:-1], "x" * 4000):
            status, problem = plane.call(method, path, {} if method == "POST" else None, token)
            assert status in (401, 413), (method, path, problem)
            assert problem["code"] in ("who-are-you", "over-limit") and "token" in problem["detail"], problem


def test_a_viewer_changes_nothing_and_hears_which_role_may(plane):
    token = plane.cli("admin", "token", "create", "looker", "--role", "viewer")["token"]
    before = plane.everything_kept()
    tried = 0
    for method, path, operation in operations(plane):
        if method == "GET" or path in (VALIDATE, "/v1/audit/verify", "/v1/tokens", "/v1/tokens/1"):
            continue
        status, problem = plane.call(method, path, {} if path != "/v1/devices/import" else "{}", token)
        assert status == 403 and problem["code"] == "denied", (method, path, problem)
        assert re.search("operator|approver|admin", problem["detail"]) and "viewer" in problem["detail"], problem
        tried += 1
    assert tried > 20 and plane.everything_kept() == before


@pytest.mark.parametrize("method,path,want,words", [
    ("GET", "/v1/nothing", 404, ["/v1/nothing"]),
    ("DELETE", "/v1/status", 405, ["GET"]),
    ("GET", "/v1/devices/%zz", 400, ["percent"]),
    ("GET", "/v1/devices/no-such", 404, ["no-such"]),
    ("GET", "/v1/devices?limit=0", 400, ["limit"]),
    ("GET", "/v1/devices?limit=501", 400, ["limit", "500"]),
    ("GET", "/v1/devices?limit=ten", 400, ["limit", "ten"]),
    ("GET", "/v1/devices?limit=1&limit=2", 400, ["limit"]),
    ("GET", "/v1/events?wait=31", 400, ["wait", "30"]),
    ("GET", "/v1/events?after=-1", 400, ["after"]),
    ("GET", "/v1/machines/no-such", 404, ["no-such"]),
    ("GET", "/v1/rotations/18446744073709551616", 400, ["18446744073709551616"]),
])
def test_questions_that_cannot_be_answered(plane, method, path, want, words):
    status, problem = plane.call(method, path)
    if want == 405:
        assert status in (404, 405)
    else:
        assert status == want, problem
    for word in words:
        assert word in problem["detail"], problem


def test_a_body_over_the_limit(plane):
    before = plane.everything_kept()
    status, problem = plane.call("POST", VALIDATE, json.dumps({"certificateChain": "x" * LIMITS["body"]}))
    assert status == 413, problem
    assert plane.everything_kept() == before
    assert plane.op("status")


# --- by the command line ---


def cli(w, *args):
    return subprocess.run([BUILD / "dovetail", "--dir", w.home, *map(str, args)], capture_output=True, text=True,
                          timeout=60, env={"DOVETAIL_TOKEN": w.tokens["operator"], "PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize("args,status,words", [
    (("devise", "list"), 64, ["devise"]),
    (("device", "show"), 64, ["DEVICE"]),
    (("device", "show", "no-such"), 69, ["absent", "no-such"]),
    (("device", "list", "--colour", "red"), 64, ["colour"]),
    (("authority", "import", "x", "--certificate", "/nonexistent"), 71, ["/nonexistent"]),
    (("authority", "import", "x", "--certificate", "/etc/passwd", "--server"), 65, ["/etc/passwd|PEM"]),
    (("authority", "retire", "no-such"), 69, ["no-such"]),
    (("rotation", "plan", "server-ca", "--from", "old-root", "--to", "root", "--set", "colour=1"), 65, ["colour"]),
    (("rotation", "start", "99"), 69, ["99"]),
    (("gateway", "csr", "gw-9", "--authority", "root"), 69, ["gw-9"]),
    (("gateway", "csr", "gw-1", "--authority", "no-such"), 69, ["no-such"]),
    (("cert", "revoke", "0" * 64, "--reason", "theft"), 69, ["0000"]),
    (("device", "import", "/nonexistent"), 69, ["/nonexistent", "openssl ca"]),
    (("explain", "no-such-code"), 69, ["no-such-code"]),
])
def test_the_command_line_says_what_is_wrong(plane, args, status, words):
    before = plane.everything_kept()
    done = cli(plane, *args)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    for word in words:
        assert re.search(word, done.stderr + done.stdout), done.stderr
    assert plane.everything_kept() == before


def test_an_import_tells_each_row_it_refuses_and_takes_the_others(plane, tmp_path):
    folder, inventory = tmp_path / "ca", tmp_path / "inventory.csv"
    shutil.copytree(plane.old / "ca", folder)
    names = sorted((folder / "newcerts").iterdir())
    broken = names[-1]
    broken.write_text("no certificate\n")
    rows = (plane.old / "inventory.csv").read_text().splitlines()
    inventory.write_text("\n".join([*rows, rows[1]]) + "\n")  # a device twice
    before = plane.everything_kept()
    done = cli(plane, "device", "import", folder, "--inventory", inventory)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert re.search(rf"line {len(rows) + 1}: device dev-0001 is in a line before", said), said
    assert plane.everything_kept() == before
    inventory.write_text("device_id,period_s\ndev-0001,soon\n")
    done = cli(plane, "device", "import", folder, "--inventory", inventory)
    assert done.returncode == 65 and re.search(r'line 2: period_s: "soon"', done.stderr), done.stderr
    inventory.write_text("\n".join(rows) + "\n")
    with open(folder / "index.txt", "a", encoding="utf-8") as index:
        index.write("V\t261231000000Z\t\x1b[2J, " + "and so on, " * 9 + "\n")
    inventory.write_text("\n".join([*rows, rows[1].replace("dev-0001", "dev-0099")]) + "\n")
    done = cli(plane, "device", "import", folder, "--inventory", inventory)
    said = done.stdout + done.stderr
    assert re.search(rf"serial {broken.stem}: chain: no \"BEGIN CERTIFICATE\"", said), said
    assert re.search(r"row \d+: 3 fields between tabs, .* has 6: \"V\?2612310000.{40,60}\.\.\.\"", said), said
    assert re.search(rf"  inventory line {len(rows) + 1}, device dev-0099: no certificate", said), said
    assert plane.everything_kept() == before, "the rows that are here already count once"


def test_an_inventory_is_judged_at_its_header_and_told_by_its_lines(plane, tmp_path):
    inventory = tmp_path / "inventory.csv"
    rows = (plane.old / "inventory.csv").read_text().splitlines()
    before = plane.everything_kept()

    def bring_in():
        return cli(plane, "device", "import", plane.old / "ca", "--inventory", inventory)

    inventory.write_text("device_id,serial_no\ndev-0001,7\ndev-0002,8\n")
    done = bring_in()
    assert done.returncode == 65 and done.stderr.count("\n") == 1, done.stderr
    told = re.search(r'line 1: column "serial_no" is not known; columns are (.*)', done.stderr)
    assert told, done.stderr
    columns = told[1].strip().split(", ")
    status, shapes = plane.call("GET", "/v1/openapi.json")
    assert status == 200
    known = set(shapes["components"]["schemas"]["import_line"]["properties"])
    assert set(columns) == known - {"certificate_pem", "chain_pem", "status", "id_from", "labels"}
    for page, form in (("docs/operators-guide.md", "`{}`"), ("man/dovetail.1", ".It Cm {}\n")):
        text = (ROOT / page).read_text()
        assert [c for c in columns if form.format(c) not in text] == [], page
    inventory.write_text("device_id,environment\ndev-0002,\n\ndev-0001,moon\n")
    done = bring_in()
    assert re.search(r"  row \d+, serial [0-9A-F]+, inventory line 4, device dev-0001: .*environment",
                     done.stdout), done.stdout + done.stderr
    assert "inventory line 2" not in done.stdout, "an empty cell says nothing"
    assert plane.everything_kept() == before
    inventory.write_text("\n".join(rows) + "\n")
    done = bring_in()
    assert done.returncode == 0 and "inventory line" not in done.stdout, done.stdout + done.stderr


def test_a_certificate_is_told_in_words(plane):
    done = cli(plane, "cert", "inspect", plane.old / "devices/dev-0001/cert.pem")
    assert re.search(r"^is a CA +no$", done.stdout, re.M), done.stdout
    done = cli(plane, "cert", "inspect", plane.old / "ca/ca.pem")
    assert re.search(r"^names +none$", done.stdout, re.M), done.stdout
    assert re.search(r"^is a CA +yes$", done.stdout, re.M), done.stdout


def test_a_folder_that_holds_no_plain_files_is_refused_at_once(plane, tmp_path):
    """A FIFO, a device, a certificate that asks for a pass phrase: nothing waits."""
    folder = tmp_path / "ca"
    (folder / "newcerts").mkdir(parents=True)
    os.mkfifo(folder / "index.txt")
    assert "not a regular file" in cli(plane, "device", "import", folder).stderr
    (folder / "index.txt").unlink()
    row = "V\t301231235959Z\t\t{}\tunknown\t/CN=x{}\n"
    (folder / "index.txt").write_text("".join(row.format(f"{n:02X}", n) for n in (1, 2, 3)))
    os.mkfifo(folder / "newcerts/01.pem")
    (folder / "newcerts/02.pem").symlink_to("/dev/zero")
    (folder / "newcerts/03.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
        "00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END CERTIFICATE-----\n")
    done = cli(plane, "device", "import", folder)
    assert done.returncode == 65 and "3 rows refused" in done.stdout, done
    assert "pass phrase" not in done.stderr + done.stdout
