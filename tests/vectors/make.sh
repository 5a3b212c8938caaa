#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Made the requests, certificates and EST answers of this folder with OpenSSL
# 3.0 and strongSwan 5.9.8. Keys are thrown away, so a second run gives other
# bytes: run it only to add a vector, and keep the old ones.
set -eu
out=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

ec() { # file curve
	openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$2" -out "$1"
}
req() { # name, then arguments of openssl req
	name=$1
	shift
	openssl req -new -outform DER -out "$out/csr/$name.der" "$@"
}

ec p256.key P-256
ec p384.key P-384
ec p521.key P-521
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key
openssl genpkey -algorithm ED25519 -out ed.key

cat > req.cnf <<'END'
[req]
prompt = no
distinguished_name = dn
attributes = attributes
[dn]
CN = device-7
[attributes]
challengePassword = c2Vzc2lvbi1iaW5kaW5nLTEyMw==
END

req p256-plain -key p256.key -subj "/CN=device-7"
req p256-san -key p256.key -subj "/O=Acme/CN=device-7" \
	-addext "subjectAltName=DNS:device-7.example,URI:urn:dev:7,IP:192.0.2.7"
req p256-ca -key p256.key -subj "/CN=device-7" \
	-addext "basicConstraints=critical,CA:TRUE"
req p256-challenge -key p256.key -config req.cnf
req p256-empty-subject -key p256.key -subj "/"
req p384-plain -key p384.key -sha384 -subj "/CN=device-8"
req p521-plain -key p521.key -subj "/CN=device-9"
req rsa-plain -key rsa.key -subj "/CN=device-10"
req ed25519-plain -key ed.key -subj "/CN=device-11"
pki --req --type priv --in p256.key --dn "CN=device-7, O=Acme" \
	--san device-7.example --password hunter2 > "$out/csr/p256-strongswan.der"

openssl req -x509 -new -key p256.key -subj "/C=DE/O=Acme/CN=Old Root" \
	-set_serial 0x10 -days 36500 -outform DER -out "$out/cert/root-p256.der"
openssl x509 -inform DER -in "$out/cert/root-p256.der" -out root.pem
cat > leaf.ext <<'END'
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = DNS:device-7.example,URI:urn:dev:7
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
END
openssl req -new -key p384.key -subj "/O=Acme/CN=device-7" |
	openssl x509 -req -CA root.pem -CAkey p256.key -set_serial \
		0x7fd3a1b2c3d4e5f60718293a4b5c6d7e8f901234 -days 3650 \
		-extfile leaf.ext -outform DER -out "$out/cert/leaf-p384.der"
cat > sub.ext <<'END'
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
END
openssl req -new -key rsa.key -subj "/O=Acme/CN=Issuing" |
	openssl x509 -req -CA root.pem -CAkey p256.key -set_serial 0x11 \
		-days 3650 -extfile sub.ext -outform DER \
		-out "$out/cert/sub-rsa.der"
openssl req -new -key p256.key -subj "/CN=old" |
	openssl x509 -req -CA root.pem -CAkey p256.key -set_serial 0x12 \
		-days 3650 -outform DER -out "$out/cert/v1.der"
openssl req -x509 -new -key ed.key -subj "/CN=ed" -days 36500 \
	-outform DER -out "$out/cert/root-ed25519.der"
for c in leaf-p384 sub-rsa root-p256; do
	openssl x509 -inform DER -in "$out/cert/$c.der"
done > chain.pem
cp chain.pem "$out/cert/chain.pem"
openssl crl2pkcs7 -nocrl -certfile chain.pem -outform DER \
	-out "$out/est/chain.p7"
openssl base64 -in "$out/est/chain.p7" -out "$out/est/chain.b64"
