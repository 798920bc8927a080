#!/bin/sh
# A CA and a certificate for each side of the mutual-TLS pair, by openssl: certificates.sh [FOLDER] (default: certs)
set -eu
dir=${1:-certs}
umask 077
mkdir -p "$dir"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=example CA' \
  -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
  -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
for side in client server; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$side" \
    -keyout "$dir/$side.key" -out "$dir/$side.csr" 2>/dev/null
  printf 'subjectAltName=URI:spiffe://example.com/%s,DNS:%s.example.com\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n' \
    "$side" "$side" > "$dir/$side.ext"
  openssl x509 -req -in "$dir/$side.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 30 \
    -extfile "$dir/$side.ext" -out "$dir/$side.pem" 2>/dev/null
  rm "$dir/$side.csr" "$dir/$side.ext"
done
