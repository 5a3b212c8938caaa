#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A key store that never exports: keys live in this process alone.

    keykeeper.py SOCKET LOG

One line in, one line out (examples/mqtt-device/remote_keys.c). LOG gets each
question, so that a test sees what was asked of it.
"""
import os
import socket
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

keys, labels = {}, {}


def answer(words):
    if words[0] == "make":
        if words[1] in labels:
            return "there " + labels[words[1]]
        uri = f"keeper:{len(labels) + 1}"
        labels[words[1]] = uri
        keys[uri] = ec.generate_private_key(ec.SECP256R1())
        return "ok " + uri
    uri = labels.get(words[1], words[1])
    if words[0] == "wipe":
        keys.pop(uri, None)
        return "ok"
    if uri not in keys:
        return "absent"
    if words[0] == "public":
        spki = keys[uri].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return "ok " + spki.hex()
    if words[0] == "sign":
        digest = bytes.fromhex(words[2])
        kind = {32: hashes.SHA256, 48: hashes.SHA384, 64: hashes.SHA512}[len(digest)]()
        return "ok " + keys[uri].sign(digest, ec.ECDSA(utils.Prehashed(kind))).hex()
    if words[0] == "derive":
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex(words[2]))
        return "ok " + keys[uri].exchange(ec.ECDH(), peer).hex()
    return "what?"


def main():
    path, log = sys.argv[1:3]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(16)
    with open(log, "w", buffering=1) as out:
        while True:
            peer, _ = listener.accept()
            peer.settimeout(5)
            try:
                line = peer.makefile("r").readline()
                words = line.split()
                print(line.strip(), file=out)
                peer.sendall(((answer(words) if len(words) > 1 else "what?") + "\n").encode())
            except (OSError, KeyError, ValueError, IndexError) as why:
                print("failed:", why, file=out)
            finally:
                peer.close()


main()
