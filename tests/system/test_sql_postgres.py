# SPDX-License-Identifier: Apache-2.0
"""Every statement of src/store/sql on a real PostgreSQL 15.

The server is started here, in a temporary directory, on a socket of its own;
it refuses to run as root, so root lends it another user. The migrations make
the schema, every statement is prepared with the types of its parameters, and
the types of its answer are compared with what its comment says.
"""
import importlib.machinery
import importlib.util
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SQL = ROOT / "src" / "store" / "sql"


def load_tool():
    loader = importlib.machinery.SourceFileLoader("embed_sql", str(ROOT / "tools" / "embed-sql"))
    spec = importlib.util.spec_from_loader("embed_sql", loader)
    module = importlib.util.module_from_spec(spec)
    bytecode, os.sys.dont_write_bytecode = os.sys.dont_write_bytecode, True
    loader.exec_module(module)
    os.sys.dont_write_bytecode = bytecode
    return module


def binaries():
    """Where initdb is: the newest version Debian has installed."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"),
                   key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    assert on_path, "PostgreSQL 15 is needed: tools/packages test installs it"
    return pathlib.Path(on_path).parent


class Server:
    def __init__(self):
        # Not pytest's folder: another user has to reach it, by a short name.
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self.bin = binaries()
        self.as_user = []
        if os.geteuid() == 0:
            names = {u.pw_name for u in pwd.getpwall()}
            user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            self.as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                            "--clear-groups", "env", f"HOME={self.dir}"]
        try:
            self.run("initdb", "-D", self.dir / "data", "-A", "trust", "-U", "dovetail",
                     "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
            self.run("pg_ctl", "-D", self.dir / "data", "-w", "-t", "60", "-l", self.dir / "log",
                     "-o", f"-c listen_addresses= -c fsync=off -k {self.dir}", "start")
        except BaseException:
            shutil.rmtree(self.dir)
            raise

    def run(self, program, *args):
        done = subprocess.run([*self.as_user, self.bin / program, *map(str, args)], text=True,
                              cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120)
        assert done.returncode == 0, f"{program}: {done.stdout}"

    def psql(self, script):
        """What a script prints, one row per line, columns parted by a tab."""
        done = subprocess.run([self.bin / "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-h", self.dir,
                               "-U", "dovetail", "-v", "ON_ERROR_STOP=1", "postgres"],
                              input=script, text=True, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def stop(self):
        self.run("pg_ctl", "-D", self.dir / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.dir)


@pytest.fixture(scope="module")
def server():
    s = Server()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def tool():
    return load_tool()


@pytest.fixture(scope="module")
def loaded(tool):
    return tool.load(SQL)


def test_every_statement_prepares_with_its_types(server, tool, loaded):
    schema, queries = loaded
    script = tool.psql(schema, queries)
    script += "SELECT name, parameter_types FROM pg_prepared_statements;\n"
    prepared = dict(server.psql(script))
    assert len(prepared) == len(queries) > 100
    for q in queries:
        types = ",".join(tool.PG_TYPES[p.kind] for p in q.params)
        assert prepared[q.name] == "{" + types + "}", q.name


def test_every_answer_has_the_columns_of_its_comment(server, tool, loaded):
    schema, queries = loaded
    tables = [f"DROP TABLE IF EXISTS {name};" for name in schema.tables]
    script = "\n".join(tables) + "\n" + tool.psql(schema, queries)
    for q in queries:
        nothing = ", ".join("NULL" for _ in q.params)
        script += f"\\echo -- {q.name}\nEXECUTE {q.name}" + (f"({nothing})" if nothing else "")
        script += " \\gdesc\n"
    answers, name = {}, None
    for line in server.psql(script):
        if line[0].startswith("-- "):
            name = line[0][3:]
            answers[name] = []
        elif len(line) == 2:
            # 1 and 0 of a CASE are integer: a number of fewer bits, read alike
            kind = "bigint" if line[1] == "integer" else line[1]
            answers[name].append((line[0], kind))
    for q in queries:
        wanted = [(c.name, tool.PG_TYPES[c.kind]) for c in q.results]
        assert answers[q.name] == wanted, q.name


def test_the_schema_orders_texts_as_sqlite_does(server, tool, loaded):
    schema, _ = loaded
    tables = [f"DROP TABLE IF EXISTS {name};" for name in schema.tables]
    script = "\n".join(tables) + "\n" + tool.psql(schema, [])
    script += """INSERT INTO key_use VALUES ('b', '', ''), ('A', '', ''), ('a', '', ''),
                 ('\u00e4', '', ''), ('_', '', ''), ('B', '', '');
                 SELECT key_digest FROM key_use ORDER BY key_digest;\n"""
    rows = [row[0] for row in server.psql(script)]
    assert rows == sorted(rows, key=str.encode) == ["A", "B", "_", "a", "b", "\u00e4"]


@pytest.mark.parametrize("text, why", [
    ("-- name: a\nSELECT 1;\n-- name: a\nSELECT 1;\n", "is taken"),
    ("SELECT 1;\n", "SQL without a name"),
    ("-- name: a\n-- in: x int\nSELECT 1;\n", "never used: x"),
    ("-- name: a\nSELECT :x;\n", ":x is not in the list"),
    ("-- name: a\n-- in: x number\nSELECT :x;\n", "not 'name type'"),
    ("-- name: a\n-- out: @none\nSELECT 1;\n", "no table none"),
    ("-- name: a\n-- in: x int, x int\nSELECT :x;\n", "a name stands twice"),
    ("-- name: a\n-- in: x int\n", "no SQL"),
])
def test_a_statement_with_a_fault_is_refused_by_place(tool, loaded, tmp_path, text, why):
    (tmp_path / "bad.sql").write_text(text)
    with pytest.raises(tool.Fault, match=why) as refused:
        tool.read_queries([tmp_path / "bad.sql"], loaded[0])
    assert "bad.sql:" in str(refused.value)
