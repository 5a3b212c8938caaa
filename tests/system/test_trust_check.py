# SPDX-License-Identifier: Apache-2.0
"""dovetail trust check: a trust file judged offline, certificates by openssl."""
import json
import subprocess
import time

import pytest

from edgekit import BUILD, Ca


def check(*files):
    done = subprocess.run([BUILD / "dovetail", "--json", "trust", "check", "-"], capture_output=True, text=True,
                          input="".join(f.read_text() for f in files), env={"PATH": "/usr/bin"})
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    root = Ca(folder, "Root")
    sub = Ca(folder, "Issuing", root)
    sub.leaf("edge", "serverAuth", ["edge.example"])
    return root.cert, sub.cert, folder / "edge.pem"


def test_roots_pins_and_what_breaks_them(pki):
    root, sub, leaf = pki
    status, said = check(root)
    assert status == 0 and said["pins"] == "root" and said["items"][0]["kind"] == "root"
    assert 3649 * 86400 < said["breaks_at"] - time.time() < 3651 * 86400
    status, said = check(sub)
    assert status == 1 and said["pins"] == "intermediate"
    assert "useless to stock OpenSSL" in said["items"][0]["mind"]
    status, said = check(leaf)
    assert status == 1 and said["pins"] == "leaf" and "renewed" in said["items"][0]["or_when"]
    status, said = check(leaf, sub, root)
    assert status == 0 and [i["covered"] for i in said["items"]] == [True, True, False]


def test_what_is_no_trust_file_is_refused(pki, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing here\n")
    status, said = check(empty)
    assert status == 65 and "no certificate" in said
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert check(broken)[0] == 65
