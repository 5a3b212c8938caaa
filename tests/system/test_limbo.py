# SPDX-License-Identifier: Apache-2.0
"""x509-limbo from outside: `dovetail cert verify`."""
import json
import subprocess

import limbo
from world import BUILD


def verify(case, folder):
    files = case.write(folder)
    words = ["--roots", files["roots"]]
    if "rest" in files:
        words += ["--intermediates", files["rest"]]
    if "crls" in files:
        words += ["--crls", files["crls"]]
    if case.at is not None:
        words += ["--at", str(case.at)]
    if case.depth is not None:
        words += ["--max-depth", str(case.depth)]
    return subprocess.run([BUILD / "dovetail", "cert", "verify", *words, files["leaf"]], capture_output=True, text=True)


def test_cert_verify_is_right_in_every_must_and_strict_case(tmp_path):
    wrong, known, right = [], [], 0
    for i, case in enumerate(limbo.cases()):
        done = verify(case, tmp_path / str(i))
        assert done.returncode in (0, 1), (case.id, done)
        assert done.stdout.startswith("accepted\n") == (done.returncode == 0), (case.id, done)
        if (done.returncode == 0) == case.good:
            right += 1
        else:
            (known if case.tier == "info" else wrong).append(f"{case.id}: {done.stdout.strip()}")
    print(f"{right} right, {len(known)} known differences:", *known, sep="\n")
    assert wrong == []
    assert right >= 133 and right + len(known) == 156


def test_cert_verify_tells_mistakes_from_refusals(tmp_path):
    case = next(c for c in limbo.cases() if c.id == "rfc5280::validity::expired-leaf")
    files = case.write(tmp_path)

    def run(*words):
        return subprocess.run([BUILD / "dovetail", *words], capture_output=True, text=True)
    done = run("cert", "verify", "--roots", files["roots"], "--intermediates", files["rest"], files["leaf"])
    assert done.returncode == 1 and "expired" in done.stdout
    done = run("--json", "cert", "verify", "--roots", files["roots"], "--intermediates", files["rest"], files["leaf"])
    said = json.loads(done.stdout)
    assert done.returncode == 1 and said["accepted"] is False and said["error"] == 10 and "expired" in said["reason"]
    for words in (["--roots", tmp_path / "none", files["leaf"]], ["--roots", files["roots"], tmp_path / "none"],
                  [files["leaf"]], ["--roots", files["roots"], "--max-depth", "-1", files["leaf"]],
                  ["--roots", files["roots"], "--at", "noon", files["leaf"]],
                  ["--roots", files["roots"], "--crls", files["roots"], files["leaf"]]):
        assert run("cert", "verify", *words).returncode > 2, words
