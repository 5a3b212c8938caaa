# SPDX-License-Identifier: Apache-2.0
# The show of ./quickstart, which sources this file with $here, $dir, $devices
# and $once set. Every process it starts is ended by its id.

bin=$here/build
pids=()
began=$SECONDS

bold="" plain=""
[ -t 1 ] && bold=$'\033[1m' plain=$'\033[0m'
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
# How far it is, for --count: a word, our id, the step.
mark() { printf '%s %s %s\n' "$1" $$ "$step" >"$dir/run"; }
begin() {
	step=$*
	mark runs
	say "$step"
}
note() { printf '  %s\n' "$*"; }
# What a terminal shows on one line; status.json and the log have the whole.
brief() {
	local text=$*
	[ ${#text} -le 98 ] || text=${text:0:95}...
	note "$text"
}

die() {
	echo "quickstart: $*" >&2
	for f in "$dir"/log/*.log; do
		[ -s "$f" ] && echo "--- the end of $f" && tail -5 "$f"
	done >&2
	echo "quickstart: everything is left in $dir" >&2
	exit 1
}

await_end() { # id, tenths of a second
	for _ in $(seq "$2"); do
		kill -0 "$1" 2>/dev/null || return
		sleep 0.1
	done
}

# The fleet goes first, so that what it writes last is how it was.
end_fleet() {
	[ -n "$fleet" ] || return
	kill -TERM "$fleet" 2>/dev/null
	await_end "$fleet" 300
	fleet=""
	sleep 0.5
}

stop_all() {
	local p
	trap '' INT TERM
	end_fleet
	for p in "${pids[@]}"; do kill -TERM "$p" 2>/dev/null; done
	for p in "${pids[@]}"; do
		await_end "$p" 100
		kill -KILL "$p" 2>/dev/null
	done
	pids=()
	mark "$ending"
}
fleet="" step="0. The beginning" ending=stopped
trap stop_all EXIT
trap 'exit 130' INT TERM

start() { # log name, command...
	local log=$1
	shift
	# Ctrl-C is for this script, which then ends them in order.
	setsid "$@" >>"$dir/log/$log.log" 2>&1 </dev/null &
	pids+=($!)
	last=$!
	disown # the shell has nothing to say when it ends
}

# wait_for SECONDS "what" command...
wait_for() {
	local limit=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $limit ] || die "waited in vain for $what"
		sleep 0.2
	done
}

free_ports() { # how many
	/usr/bin/python3 - "$1" <<'PY'
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in held))
PY
}

# The operator's command line, and the second person's.
op() { "$bin/dovetail" --dir "$dir/dovetail" --token-file "$dir/operator.token" "$@"; }
second() { "$bin/dovetail" --dir "$dir/dovetail" --token-file "$dir/approver.token" "$@"; }

# Run a command that needs a second person: ask, let the second one give it, repeat.
with_second() {
	local id
	op "$@" >"$dir/last" 2>&1 && return 0
	id=$(second --json approval list | jq -r '[.items[] | select(.given_at == 0)][-1].id // empty')
	[ -n "$id" ] || { cat "$dir/last" >&2; die "refused: dovetail $*"; }
	note "needs a second person: approval $id"
	second approval give "$id" >/dev/null || die "approval $id was not given"
	op "$@" >"$dir/last" 2>&1 || { cat "$dir/last" >&2; die "failed: dovetail $*"; }
}

. "$here/tools/quickstart-count.sh"
all_connected() { [ "$(fleet_field .connected)" = "$devices" ]; }

# Rotate to the end, giving the approval it waits for.
rotate() { # kind, from, to
	local id gave=""
	id=$(op --json rotation plan "$1" --from "$2" --to "$3" \
		--set overlap_min_s=0 --set wave_min_s=0 --set observe_min_s=0 \
		--set hold_s=0 --set reconnect_per_s="$pace" | jq -r .id) || die "no plan"
	[ -n "$id" ] && [ "$id" != null ] || die "rotation plan $1 gave no number"
	note "dovetail rotation plan $1 --from $2 --to $3   -> rotation $id"
	op rotation start "$id" >"$dir/last" 2>&1 || { cat "$dir/last"; die "rotation $id did not start"; }
	local limit=$((SECONDS + 120 + devices)) line="" was=""
	while :; do
		op --json rotation status "$id" >"$dir/rotation.json" || die "no status of rotation $id"
		line=$(jq -r '[.phase, .waits_for] | map(select(. != "")) | join(": ")' "$dir/rotation.json")
		[ "$line" = "$was" ] || brief "[$((SECONDS - began)) s] $line"
		was=$line
		case "$(jq -r .state "$dir/rotation.json")" in
		done) break ;;
		running) ;;
		*) die "rotation $id is $(jq -r .state "$dir/rotation.json"): $line" ;;
		esac
		local approval
		approval=$(jq -r '.approval // empty' "$dir/rotation.json")
		if [ -n "$approval" ] && [ "$approval" != "$gave" ]; then
			second approval give "$approval" >/dev/null &&
				note "the second person: dovetail approval give $approval" &&
				gave=$approval
		fi
		[ $SECONDS -lt $limit ] || die "rotation $id hangs in $line"
		sleep 0.3
	done
	rotation=$id
}

mkdir -p "$dir"/log "$dir"/gw-1 "$dir"/gw-2 "$dir"/fleet "$dir"/mosquitto
pace=$((devices > 100 ? 50 : 20))
read -r mqtt_port device_port gw1_port gw2_port < <(free_ports 4)

begin "1. The old world: one root made by openssl, 2 gateways, $devices devices"
"$here/tools/old-world" "$dir/old" "$devices" edge.test next.edge.test trial.edge.test \
	>"$dir/log/old-world.log" 2>&1 || die "openssl did not make the old world"
note "$dir/old/ca/index.txt: $(wc -l <"$dir/old/ca/index.txt") certificates"

cat >"$dir/mosquitto/mosquitto.conf" <<CONF
listener $mqtt_port 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
CONF
mosquitto_bin=$(command -v mosquitto || echo /usr/sbin/mosquitto)
start mosquitto "$mosquitto_bin" -c "$dir/mosquitto/mosquitto.conf"
wait_for 10 "the broker" mosquitto_pub -p "$mqtt_port" -t up -m 1
# Counted from outside: whatever the broker gave to a plain subscriber.
setsid mosquitto_sub -p "$mqtt_port" -q 1 -i quickstart-count -t 'dovetail/#' -F '%t %p' \
	>"$dir/messages.txt" 2>>"$dir/log/mosquitto_sub.log" </dev/null &
pids+=($!)
disown

begin "2. The control plane: init, import, two gateways, two fronts"
"$bin/dovetail" init "$dir/dovetail" --fleet quickstart --listen "127.0.0.1:$device_port" \
	--edge-name edge.test --next-name next.edge.test --trial-name trial.edge.test \
	--front-name control.test --fronts 2 --checkin 2 --tokens "$dir/tokens" \
	>/dev/null 2>"$dir/log/init.log" || die "init failed"
for who in operator approver; do # their words are shown to nobody
	(umask 077 && jq -r ".$who" "$dir/tokens" >"$dir/$who.token")
done
start dovetaild "$bin/dovetaild" --config "$dir/dovetail/dovetail.ini"
wait_for 10 "dovetaild" op status
with_second authority import old-root --certificate "$dir/old/ca/ca.pem" \
	--key "$dir/old/ca/ca.key" --server --device
op device import "$dir/old/ca" --inventory "$dir/old/inventory.csv" >"$dir/last" 2>&1 ||
	[ $? -eq 65 ] || { cat "$dir/last"; die "import failed"; }
sed 's/^/  /' "$dir/last" | tail -4
note "(as it should: those two are the gateways' own server certificates)"
for f in 1 2; do
	op gateway recover --gateway "front-$f" --authority old-root >"$dir/last" 2>&1 ||
		{ cat "$dir/last"; die "front-$f has no certificate under the old root"; }
done

for g in 1 2; do
	port_var="gw${g}_port"
	secret=$(op --json gateway add "gw-$g" --name edge.test --next next.edge.test \
		--trial trial.edge.test | jq -r .secret)
	[ -n "$secret" ] || die "gateway add gw-$g gave no secret"
	printf '%s' "$secret" >"$dir/gw-$g/secret"
	chmod 600 "$dir/gw-$g/secret"
	cat >"$dir/gw-$g/gateway.ini" <<INI
[gateway]
name = gw-$g
listen = 127.0.0.1:${!port_var}
upstream = tcp:127.0.0.1:$mqtt_port
certificate = $dir/old/gateways/gw-$g/chain.pem
key = $dir/old/gateways/gw-$g/key.pem
client-ca = $dir/old/ca/ca.pem
workers = 2
state = $dir/gw-$g/state
record = $dir/gw-$g/handshakes.jsonl
control = https://127.0.0.1:$device_port
control-name = control.test
control-ca = $dir/dovetail/public/root.pem
secret = file:$dir/gw-$g/secret
INI
	start "gw-$g" "$bin/dovetail-gateway" --config "$dir/gw-$g/gateway.ini"
done
gateways_heard() {
	[ "$(op --json gateway list | jq '[.items[] | select(.kind == "gateway" and .heard_at > 0 and .behind == 0)] | length')" = 2 ]
}
wait_for 20 "both gateways" gateways_heard

begin "3. The fleet: $devices agents, each publishing through a gateway"
for i in $(seq 1 "$devices"); do
	d=$(printf 'dev-%04d' "$i")
	printf '{"device":"%s","state":"%s","server":"127.0.0.1:%s","server_name":"control.test",' \
		"$d" "$dir/fleet/$d" "$device_port"
	printf '"edges":["127.0.0.1:%s","127.0.0.1:%s"],"edge_name":"edge.test",' "$gw1_port" "$gw2_port"
	printf '"import_key":"%s","import_cert":"%s","anchor":"%s"}\n' \
		"$dir/old/devices/$d/key.pem" "$dir/old/devices/$d/cert.pem" "$dir/old/ca/ca.pem"
done >"$dir/fleet/fleet.jsonl"
start fleet "$bin/dovetail-fleet" run --fleet "$dir/fleet/fleet.jsonl" --retry-first 1 \
	--interval-ms "$((devices > 100 ? 5000 : 500))" --status-file "$dir/fleet/status.json" \
	--log "$dir/fleet/attempts.jsonl"
fleet=$last
wait_for $((30 + devices / 4)) "all $devices devices to connect" all_connected
checked_in() { [ "$(op --json device list | jq '[.[] | select(.last_checkin_at > 0)] | length')" = "$devices" ]; }
wait_for $((30 + devices / 4)) "all $devices devices to check in" checked_in
note "$(fleet_field .connected) of $devices connected; $(wc -l <"$dir/messages.txt") messages so far"
op status | sed 's/^/  /'

begin "4. The accident, prevented: a gateway certificate under a CA that devices do not trust"
note "dovetail gateway rotate --authority server-ca --mode strict"
if op gateway rotate --authority server-ca --mode strict >"$dir/accident.txt" 2>&1; then
	die "the rotation that would have cut the fleet off was not refused"
fi
sed 's/^/  /' "$dir/accident.txt" | head -24
grep -q 'unable to get local issuer certificate' "$dir/accident.txt" ||
	die "the refusal does not say why"

begin "5. The joint: server-ca, from old-root to root"
rotate server-ca old-root root
begin "6. The joint: device-ca, from old-root to root"
rotate device-ca old-root root

begin "7. One device's update"
op device updates dev-0001 | sed 's/^/  /'
update=$(op --json device updates dev-0001 | jq -r '.items[0].id // empty')
[ -n "$update" ] && op device updates dev-0001 "$update" | sed 's/^/  /'

if [ "$once" = 1 ]; then
	printf '\n'
	note "Left to look at, and to be removed by you: $dir"
	ending=ended
	count_all
	exit $?
fi
step="It stays up" ending=ended
mark runs
count_so_far
say "It stays up. To look around:"
note "export DOVETAIL_DIR=$dir/dovetail DOVETAIL_TOKEN=\$(cat $dir/operator.token)"
note "$bin/dovetail status"
note "$bin/dovetail device show dev-0001"
note "$bin/dovetail logs device --device dev-0001"
note "mosquitto_sub -p $mqtt_port -t 'dovetail/#' -v"
note "To stop: Ctrl-C here (or kill $$). Everything lives in $dir"
while kill -0 "$fleet" 2>/dev/null; do sleep 1; done
die "the fleet program ended by itself"
