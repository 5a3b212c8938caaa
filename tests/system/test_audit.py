# SPDX-License-Identifier: Apache-2.0
"""Promise 8: what was done to the audit log behind our back is found.

The log of a real control plane over several starts; copies of its database
are changed at random, put back, or written anew with every hash right, and
held against check-points that were exported before. Without a change nothing
may be found; what only check-points can tell must not be found without them.
"""
import base64
import collections
import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import time

import pytest

import clients
import world

MUTATIONS = 1000 if world.LONG else 150
SEED = int(os.environ.get("DOVETAIL_SEED", "8"))
STARTS = 4
TABLES = {"audit": ("stream", "seq", "at", "actor", "action", "object", "detail", "hash"),
          "audit_stream": ("stream", "node", "start", "prior", "started_at", "seq", "head")}


class Log:
    """A log with its exported check-points, and programs that look at it."""

    def __init__(self, w):
        self.world = w
        self.now = w.dir / "now.db"
        self.yesterday = w.dir / "yesterday.db"
        self.points = w.dir / "checkpoints.jsonl"
        self.key = w.dir / "online.der"
        self.verifiers = {}

    def verify(self, database, points=True):
        """(findings, entries, check-points, the first finding)."""
        if points not in self.verifiers:
            self.verifiers[points] = subprocess.Popen(
                [world.BUILD / "tests/system/audit-verify", "test", self.points if points else "", self.key],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        program = self.verifiers[points]
        program.stdin.write(f"{database}\n")
        program.stdin.flush()
        n, entries, lines, text = program.stdout.readline().rstrip("\n").split(" ", 3)
        return int(n), int(entries), int(lines), text

    def close(self):
        for program in self.verifiers.values():
            program.stdin.close()
            assert program.wait(10) == 0

    def verify_by_command(self, database):
        """The same by `dovetail audit verify`, on a control plane started on
        that database: (exit status, faults)."""
        w = self.world
        live = w.home / "db/dovetail.db"
        for tail in ("", "-wal", "-shm"):
            live.with_name(live.name + tail).unlink(missing_ok=True)
        shutil.copy(database, live)
        os.chown(live, live.parent.stat().st_uid, live.parent.stat().st_gid)
        w.start_control("audit.checkpointPeriod=1h")
        try:
            return 0, w.op("audit", "verify", "--checkpoints", self.points)["faults"]
        except world.Refused as why:
            return why.status, json.JSONDecoder().raw_decode(why.out)[0]["faults"]
        finally:
            w.stop("dovetaild")


def backup(w, to):
    """A copy of the running database, as the guide says to make one."""
    subprocess.run(["sqlite3", str(w.home / "db/dovetail.db"), f".backup {to}"], check=True)


def all_signed(w):
    """The newest check-point covers the last entry."""
    line = w.query("SELECT line FROM audit_checkpoint ORDER BY id DESC LIMIT 1")
    last = w.query("SELECT stream, seq, head FROM audit_stream ORDER BY start DESC LIMIT 1")[0]
    if not line:
        return False
    payload = json.loads(line[0]["line"])["payload"]
    heads = json.loads(base64.b64decode(payload))["heads"]
    return {"stream": last["stream"], "seq": last["seq"], "head": last["head"]} in heads


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    w = world.World(tmp_path_factory.mktemp("audit"), devices=6)
    made = Log(w)
    try:
        w.make_old_world(days=20)
        w.init()
        for start in range(STARTS):
            w.start_control("audit.checkpointPeriod=1")
            if start == 0:
                w.adopt_old_world()
            plane = clients.Plane(w)
            with clients.Crowd(plane, w.device_ids(), pause=0.2) as crowd:
                time.sleep(1)
                crowd.finish()
            world.wait_for("a check-point of everything", lambda: all_signed(w), 10)
            if start == STARTS - 2:
                backup(w, made.yesterday)
            w.op("audit", "export", made.points)
            backup(w, made.now)
            w.stop("dovetaild")
        made.key.write_bytes(w.query("SELECT spki FROM trust_key WHERE role = 'online'")[0]["spki"])
        yield made
        made.close()
    finally:
        w.close()
        for program in made.verifiers.values():
            program.kill()


# --- mutations: each gets a connection and dice, returns what it did ---

def pick(db, dice, table="audit"):
    return dice.choice(db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall())


def key_of(table, row):
    """A WHERE clause for this row, and what to bind."""
    return ("stream = ? AND seq = ?", (row["stream"], row["seq"])) if table == "audit" \
        else ("stream = ?", (row["stream"],))


def flip(db, dice):
    """One bit in any column of any row."""
    table = dice.choice(list(TABLES))
    row = pick(db, dice, table)
    column = dice.choice([c for c in TABLES[table] if row[c] != ""])
    value = row[column]
    where, bound = key_of(table, row)
    if isinstance(value, int):
        changed = value ^ (1 << dice.randrange(34))
    else:
        changed = bytearray(value.encode())
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    put = "?" if isinstance(value, int) else "CAST(? AS TEXT)"
    db.execute(f"UPDATE {table} SET {column} = {put} WHERE {where}", (changed, *bound))
    return f"{table}.{column}"


def drop(db, dice):
    table = dice.choice(["audit"] * 4 + ["audit_stream"])
    row = pick(db, dice, table)
    where, bound = key_of(table, row)
    db.execute(f"DELETE FROM {table} WHERE {where}", bound)
    return f"{table} {row['stream']}"


def write(db, stream, rows):
    """The entries of a stream, numbered anew in this order."""
    db.execute("DELETE FROM audit WHERE stream = ?", (stream,))
    for seq, row in enumerate(rows, 1):
        values = {**dict(row), "stream": stream, "seq": seq}
        db.execute(f"INSERT INTO audit ({', '.join(TABLES['audit'])}) VALUES ({', '.join('?' * 8)})",
                   [values[c] for c in TABLES["audit"]])


def entries(db, stream):
    return db.execute("SELECT * FROM audit WHERE stream = ? ORDER BY seq", (stream,)).fetchall()


def end_at(db, stream):
    """The stream's row says what its entries say: how a careful hand does it."""
    last = db.execute("SELECT seq, hash FROM audit WHERE stream = ? ORDER BY seq DESC LIMIT 1", (stream,)).fetchone()
    if last is not None:
        db.execute("UPDATE audit_stream SET seq = ?, head = ? WHERE stream = ?", (last["seq"], last["hash"], stream))


def close_gap(db, dice):
    """One entry less, the later ones renumbered."""
    stream = pick(db, dice)["stream"]
    rows = entries(db, stream)
    del rows[dice.randrange(len(rows))]
    write(db, stream, rows)
    end_at(db, stream)
    return stream


def swap(db, dice):
    """Two entries change places; their numbers stay with the places."""
    stream = pick(db, dice)["stream"]
    rows = entries(db, stream)
    if len(rows) < 2:
        return None
    a, b = dice.sample(range(len(rows)), 2)
    rows[a], rows[b] = rows[b], rows[a]
    write(db, stream, rows)
    return f"{stream} {a + 1} {b + 1}"


def move(db, dice):
    """One entry elsewhere, those between move up; maybe in another stream."""
    stream, other = pick(db, dice)["stream"], pick(db, dice)["stream"]
    rows = entries(db, stream)
    row = rows.pop(dice.randrange(len(rows)))
    if other != stream:
        write(db, stream, rows)
        rows = entries(db, other)
    rows.insert(dice.randrange(len(rows) + 1), row)
    write(db, other, rows)
    for changed in {stream, other}:
        end_at(db, changed)
    return f"{stream} to {other}"


def repeat(db, dice):
    """A copy of an entry, somewhere in its stream or at its end."""
    stream = pick(db, dice)["stream"]
    rows = entries(db, stream)
    rows.insert(dice.choice([len(rows), dice.randrange(len(rows))]), dice.choice(rows))
    write(db, stream, rows)
    if dice.random() < 0.5:
        end_at(db, stream)
    return stream


def cut_tail(db, dice):
    """The last entries of a stream; or of the newest, with all traces."""
    stream = pick(db, dice, "audit_stream")["stream"]
    rows = entries(db, stream)
    keep = dice.randrange(len(rows))
    db.execute("DELETE FROM audit WHERE stream = ? AND seq > ?", (stream, keep))
    if keep > 0 and dice.random() < 0.7:
        end_at(db, stream)
    return f"{stream} after {keep}"


def cut_streams(db, dice):
    """The newest streams as a whole."""
    starts = [r["start"] for r in db.execute("SELECT start FROM audit_stream ORDER BY start")]
    first = dice.choice(starts[1:])
    db.execute("DELETE FROM audit WHERE stream IN (SELECT stream FROM audit_stream WHERE start >= ?)", (first,))
    db.execute("DELETE FROM audit_stream WHERE start >= ?", (first,))
    return f"from start {first}"


KINDS = [flip, flip, flip, drop, close_gap, swap, move, repeat, cut_tail, cut_streams]


def content(path):
    db = sqlite3.connect(path)
    try:
        return [db.execute(f"SELECT {', '.join(f'CAST({c} AS BLOB)' for c in columns)} FROM {table} ORDER BY 1, 2, 3, 4")
                .fetchall() for table, columns in TABLES.items()]
    finally:
        db.close()


def mutate(source, to, kind, dice):
    """What was done, or None when it changed nothing."""
    shutil.copy(source, to)
    db = sqlite3.connect(to)
    db.row_factory = sqlite3.Row
    try:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA synchronous = OFF")
        done = kind(db, dice)
        db.commit()
    except sqlite3.IntegrityError:
        return None  # the database itself did not let it happen
    finally:
        db.close()
    return done


# --- the hash, written down a second time ---

def digest(*fields):
    h = hashlib.sha256()
    for field in fields:
        text = str(field).encode()
        h.update(len(text).to_bytes(4, "big") + text)
    return h.hexdigest()


def write_anew(db):
    """Every hash of the log as it would be if its texts were true."""
    prior = ""
    for stream in db.execute("SELECT * FROM audit_stream ORDER BY start").fetchall():
        before = digest(prior, stream["stream"], stream["started_at"])
        for row in entries(db, stream["stream"]):
            before = digest(before, *(row[c] for c in TABLES["audit"][:-1]))
            db.execute("UPDATE audit SET hash = ? WHERE stream = ? AND seq = ?", (before, row["stream"], row["seq"]))
        db.execute("UPDATE audit_stream SET prior = ?, head = ? WHERE stream = ?", (prior, before, stream["stream"]))
        prior = before


# --- the cases ---

def test_an_untouched_log_is_sound(log):
    found, seen, points, text = log.verify(log.now)
    assert found == 0, text
    assert seen == len(content(log.now)[0]) and points >= STARTS
    status, faults = log.verify_by_command(log.now)
    assert (status, faults) == (0, [])
    print(f"{seen} entries in {STARTS} streams, {points} check-points")


def test_the_documented_hash_is_the_hash(log):
    copy = log.world.dir / "same.db"
    before = content(log.now)
    mutate(log.now, copy, lambda db, dice: write_anew(db) or "", None)
    assert content(copy) == before


def test_every_mutation_is_found(log):
    dice = random.Random(SEED)
    copy = log.world.dir / "mutated.db"
    before = content(log.now)
    counts, faults, missed = collections.Counter(), collections.Counter(), []
    while sum(counts.values()) < MUTATIONS:
        kind = KINDS[sum(counts.values()) % len(KINDS)]
        done = mutate(log.now, copy, kind, dice)
        if done is None or content(copy) == before:
            continue
        found, _, _, text = log.verify(copy)
        counts[kind.__name__] += 1
        faults[text.split(":")[0]] += 1
        if found == 0:
            missed.append((kind.__name__, done))
        if sum(counts.values()) in (1, MUTATIONS):  # the first and the last by the command
            status, told = log.verify_by_command(copy)
            assert status == 73 and told, (kind.__name__, done)
    print(f"{sum(counts.values())} mutations, {len(missed)} missed; seed {SEED}")
    print(f"  done: {dict(counts)}\n  told first: {dict(faults)}")
    assert not missed, missed[:10]


def test_a_name_that_is_no_text_is_told_by_the_command(log):
    """A finding has to get through JSON whatever was written over the log."""
    copy = log.world.dir / "bytes.db"
    mutate(log.now, copy, lambda db, _: db.execute(
        "UPDATE audit_stream SET stream = CAST(x'ff' || CAST(stream AS BLOB) AS TEXT) WHERE start = 2"), None)
    status, faults = log.verify_by_command(copy)
    assert status == 73 and any(f["stream"].startswith("\\xff") for f in faults), faults


def test_yesterdays_database_is_told_by_checkpoints_alone(log):
    assert log.verify(log.yesterday, points=False)[0] == 0
    found, _, _, text = log.verify(log.yesterday)
    assert found > 0
    print(text)
    status, faults = log.verify_by_command(log.yesterday)
    assert status == 73 and faults


def test_a_file_that_is_no_export_is_no_verdict(log):
    w = log.world
    good = log.points.read_bytes().splitlines(keepends=True)
    signature = good[0].rindex(b'"sig":"') + 20
    forged = bytearray(good[0])
    forged[signature] = ord("A") if forged[signature] != ord("A") else ord("B")
    w.start_control("audit.checkpointPeriod=1h")
    wrong = w.dir / "wrong"

    def verify():
        done = subprocess.run([world.BUILD / "dovetail", "--dir", w.home, "audit", "verify", "--checkpoints", wrong],
                              capture_output=True, text=True, env=dict(os.environ, DOVETAIL_TOKEN=w.tokens["operator"]))
        return done.returncode, done.stdout, done.stderr

    try:
        for text, line in ((b"", None), (b"\n\n", None), (b"-----BEGIN CERTIFICATE-----\n", 1), (b"\x00\x01\n", 1),
                           (good[0] + b"\n" + b"\xff\xfe\n", 3), (good[0] + good[1] + b'{"a": 1}\n', 3),
                           (good[0] + good[0][:-20], 2)):
            wrong.write_bytes(text)
            status, out, said = verify()
            assert status == 65 and str(wrong) in said and "altered" not in out + said, (text, said)
            assert "no check-point is in it" in said if line is None else f"line {line} is no check-point" in said, said
        wrong.write_bytes(good[0] + forged)
        status, out, said = verify()
        assert status == 73 and "check-point in line 2" in out and "altered: 1 fault" in said, (out, said)
    finally:
        w.stop("dovetaild")


def test_a_log_written_anew_is_told_by_checkpoints_alone(log):
    copy = log.world.dir / "anew.db"

    def forge(db, _):
        row = db.execute("SELECT * FROM audit WHERE action = 'certificate.issue' LIMIT 1").fetchone()
        where, bound = key_of("audit", row)
        db.execute(f"UPDATE audit SET actor = 'device:nobody' WHERE {where}", bound)
        write_anew(db)
        return "forged"

    assert mutate(log.now, copy, forge, None) == "forged"
    found, _, _, text = log.verify(copy, points=False)
    assert found == 0, text
    found, _, _, text = log.verify(copy)
    assert found > 0
    print(text)
    status, faults = log.verify_by_command(copy)
    assert status == 73 and faults
