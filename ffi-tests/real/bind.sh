#!/bin/sh
# A name server and its clients, all on libuv: named answers dig, host and nsupdate over UDP and TCP, moves a zone
# to a second named, and ends on request. Prints only what is decided.
set -u
dir=$(mktemp -d)
cd "$dir" || exit 1
key=$(printf 'sixteen byte key' | base64)
cat > zone <<'ZONE'
$TTL 300
@ IN SOA ns.example. root.example. 1 3600 600 86400 300
@ IN NS ns
ns IN A 127.0.0.1
www IN A 127.0.0.2
www IN AAAA ::1
mail IN MX 10 www
text IN TXT "some text"
ZONE
for i in $(seq 1 400); do echo "host$i IN A 127.1.$((i / 256)).$((i % 256))" >> zone; done
i=0; while [ $i -lt 60 ]; do echo "big IN TXT \"a long line number $i of a record that does not fit into one datagram\""; i=$((i + 1)); done >> zone

configure() { # NAME PORT CONTROL ZONE
  mkdir -p "$1"
  cat > "$1/named.conf" <<CONF
options { directory "$dir/$1"; listen-on port $2 { 127.0.0.1; }; listen-on-v6 port $2 { ::1; }; recursion no;
  pid-file "pid"; session-keyfile none; dnssec-validation no; notify no; managed-keys-directory "."; };
key k { algorithm hmac-sha256; secret "$key"; };
controls { inet 127.0.0.1 port $3 allow { any; } keys { k; }; };
zone "example" { $4 };
CONF
}
configure first 5300 5301 "type primary; file \"../zone\"; allow-update { key k; }; allow-transfer { any; };"
configure second 5310 5311 "type secondary; primaries port 5300 { 127.0.0.1; }; file \"copy\";"
echo "key k { algorithm hmac-sha256; secret \"$key\"; };" > key
cat > rndc.conf <<CONF
include "$dir/key";
options { default-key k; default-server 127.0.0.1; };
CONF

library() { echo "library: $(grep -o '/[^ ]*libuv[^ ]*' /proc/$1/maps | head -1)"; }
ask() { dig +tries=3 +time=5 -p "$@" 2>&1; }
wait_for() { # PORT: until it answers for the zone
  n=0
  while [ $n -lt 200 ]; do
    [ -n "$(dig +short +tries=1 +time=1 -p "$1" @127.0.0.1 ns.example A 2>/dev/null | grep '^127')" ] && return
    n=$((n + 1)); sleep 0.05
  done
  echo "no answer on port $1"; cat first/log second/log 2>/dev/null
}
named -c first/named.conf -n 2 -g > first/log 2>&1 &
one=$!
wait_for 5300
library $one
named -c second/named.conf -n 2 -g > second/log 2>&1 &
two=$!
wait_for 5310
library $two

echo "== dig"
for how in +notcp +tcp; do
  for name in www.example none.example mail.example; do
    ask 5300 @127.0.0.1 $how $name ANY | grep -E '^[a-z;].*(IN|status)' | grep -v '^;[a-z]' | sed 's/id: [0-9]*//' | LC_ALL=C sort
  done
done
echo "== versions of IP, truncation"
ask 5300 @::1 +short www.example AAAA
ask 5300 @127.0.0.1 +short big.example TXT | wc -l
ask 5300 @127.0.0.1 +short +ignore +noedns big.example TXT | wc -l
echo "== many"
for how in +notcp +tcp +keepopen; do
  i=1; : > batch; while [ $i -le 400 ]; do echo "@127.0.0.1 -p 5300 +short +tries=3 $how host$i.example A" >> batch; i=$((i + 1)); done
  dig -f batch | cksum
done
mdig 2>/dev/null @127.0.0.1 -p 5300 +short host1.example host2.example host3.example | LC_ALL=C sort
echo "== transfer"
ask 5300 @127.0.0.1 example AXFR | grep -c IN
ask 5310 @127.0.0.1 example AXFR | grep -c IN
echo "== update"
printf 'server 127.0.0.1 5300\nzone example\nupdate add fresh.example 60 A 127.9.9.9\nsend\n' | nsupdate -k key && echo updated
ask 5300 @127.0.0.1 +short fresh.example
echo "== nobody there"
dig +tries=1 +time=1 -p 5399 @127.0.0.1 www.example 2>&1 | grep -o 'connection refused\|timed out\|no servers could be reached' | LC_ALL=C sort -u
host -p 5300 www.example 127.0.0.1 2>&1 | tail -2
delv @127.0.0.1 -p 5300 -i +short www.example A 2>&1 | tail -1
echo "== rndc"
rndc -c rndc.conf -p 5301 status 2>&1 | grep -E 'number of zones|is up'
rndc -c rndc.conf -p 5301 reload 2>&1
rndc -c rndc.conf -p 5311 retransfer example 2>&1
echo "== end"
# The one that asks the other goes first: its failure to reach it would be in the log, or not.
kill -TERM $two
wait $two; echo "second: $?"
rndc -c rndc.conf -p 5301 stop 2>&1
wait $one; echo "first: $?"
grep -hiE 'assert|fail|fatal|critical' first/log second/log | sed 's/^[^ ]* [^ ]* //'
rm -rf "$dir"
echo end
