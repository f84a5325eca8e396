#!/bin/sh
# make-certificates.sh DIRECTORY NAME[,NAME...] ...
#
# Makes an authority (ca.pem, ca.key) in the directory, unless there is one, and for each argument a certificate and its
# key, as NAME.pem and NAME.key, for all names of that argument: names of hosts, IPv4 addresses, ids of workers. A worker's
# id may end in *, which stands for anything behind it (its files are called NAME-any). For trying it out: a rack has an
# authority already. Needs openssl.
#
#   make-certificates.sh certs scheduler,localhost,127.0.0.1 worker-1 'batch-*'
set -eu

days=${DAYS:-365}
[ $# -ge 2 ] || { sed -n '2s/^# /usage: /p' "$0" >&2; exit 2; }
directory=$1
shift
umask 077
mkdir -p "$directory"
cd "$directory"

new_key() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null
}

if [ ! -e ca.pem ]; then
  new_key ca.key
  openssl req -x509 -new -key ca.key -days 3650 -subj '/CN=orchestrator local authority' -out ca.pem \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
  chmod 644 ca.pem
fi

for names in "$@"; do
  first=${names%%,*}
  file=$(printf %s "$first" | sed 's/-*\*$/-any/; s/[^A-Za-z0-9._-]/_/g')
  alternatives=$(printf %s "$names" | tr ',' '\n' | sed '/\*/d; s/^[0-9.]*$/IP:&/; /^IP:/!s/^/DNS:/' | paste -s -d, -)
  # New files beside the old ones, then renamed: who looks at that moment finds the one or the other, never a part.
  new_key "$file.key.new"
  openssl req -new -key "$file.key.new" -subj "/CN=$first" -out "$file.request"
  {
    echo 'basicConstraints=critical,CA:FALSE'
    echo 'extendedKeyUsage=serverAuth,clientAuth'
    [ -z "$alternatives" ] || echo "subjectAltName=$alternatives"
  } > "$file.extensions"
  openssl x509 -req -in "$file.request" -CA ca.pem -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" \
    -days "$days" -extfile "$file.extensions" -out "$file.pem.new" 2>/dev/null
  rm "$file.request" "$file.extensions"
  chmod 644 "$file.pem.new"
  mv "$file.key.new" "$file.key"
  mv "$file.pem.new" "$file.pem"
  echo "$directory/$file.pem for $names"
done
