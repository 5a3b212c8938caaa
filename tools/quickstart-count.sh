# SPDX-License-Identifier: Apache-2.0
# What ./quickstart counts, each from where it cannot be prettied: messages by
# a plain subscriber, certificates by openssl verify, attempts by the clients.

fleet_field() { jq -r "$1" "$dir/fleet/status.json" 2>/dev/null; }

# Names of devices whose state is not wholly new, one per line with the reason.
not_new() {
	local d s f chain issuing root=$dir/dovetail/public/root.pem old
	old=$(openssl x509 -in "$dir/old/ca/ca.pem" -noout -fingerprint -sha256)
	for d in $(jq -r .device "$dir/fleet/fleet.jsonl"); do
		s=$dir/fleet/$d
		chain=$s/generations/$(cat "$s/current" 2>/dev/null)/chain.pem
		# the issuing CAs the device was told of help, and are not trusted
		issuing=$s/trust/$(ls "$s/trust" 2>/dev/null | sort -n | tail -1)/issuing.pem
		openssl verify -x509_strict -purpose sslclient -CAfile "$root" \
			-untrusted "$issuing" "$chain" >/dev/null 2>&1 ||
			echo "$d certificate is not under the new root"
		[ -n "$(ls "$s"/trust/*/anchor-*.pem 2>/dev/null)" ] ||
			echo "$d holds no anchor"
		for f in "$s"/trust/*/anchor-*.pem; do
			[ "$(openssl x509 -in "$f" -noout -fingerprint -sha256 2>/dev/null)" != "$old" ] ||
				echo "$d still trusts the old root ($f)"
		done
	done
}

# What a gateway shows, and which CAs it asks clients for.
old_at_edge() {
	local g port said
	for g in 1 2; do
		port="gw${g}_port"
		for name in edge.test next.edge.test; do
			said=$(openssl s_client -connect "127.0.0.1:${!port}" -servername "$name" \
				-showcerts </dev/null 2>/dev/null)
			case "$said" in
			*"Old Works"*) echo "gw-$g still shows or asks for the old root at $name" ;;
			*"BEGIN CERTIFICATE"*) ;;
			*) echo "gw-$g shows no certificate at $name" ;;
			esac
		done
	done
}

# Names of devices with messages the broker never gave to the subscriber.
missing_messages() {
	jq -r '.devices[] | "\(.device) \(.acked)"' "$dir/fleet/status.json" |
		awk -v file="$dir/messages.txt" '
		BEGIN {
			while ((getline line < file) > 0) {
				split(line, f, "[/ ]")
				seen[f[2] " " f[4]] = 1
			}
		}
		{ for (i = 1; i <= $2; i++) if (!(($1 " " i) in seen)) print $1, "message", i, "is missing" }'
}

# How the run in the folder came to its end, where that matters to what is
# counted. Non-zero: it still runs.
tell_end() {
	local word="" pid step
	[ ! -f "$dir/run" ] || read -r word pid step <"$dir/run"
	case $word in
	runs)
		if kill -0 "$pid" 2>/dev/null; then
			echo "quickstart: the run in $dir still goes on (process $pid, in \"$step\")" >&2
			return 1
		fi
		echo "The run was cut off in \"$step\". Certificates, trust and messages are counted as they" \
			"were left;"
		echo "connections, handshakes and failures are those its devices wrote down last."
		told_last=1
		;;
	stopped)
		echo "The run was stopped in \"$step\", before its end. What is left is counted: a device on"
		echo "the old chain, or one that was not connected yet, had not had its turn."
		;;
	esac
}

# What the folder says, with what was found at the edges; the last line.
count_files() { # complaints about edges
	local edge=$1 lost bad missing handshakes failed messages new
	bad=$(not_new)
	missing=$(missing_messages)
	# only a fleet that ended in order knows who was connected at its end
	lost=""
	[ "${told_last:-0}" = 1 ] ||
		lost=$(jq -r '.devices[] | select(.connected_at_end | not) | .device' "$dir/fleet/status.json")
	handshakes=$(fleet_field .handshakes)
	failed=$(fleet_field .failed)
	messages=$(sort -u "$dir/messages.txt" | wc -l)
	[ -z "$bad" ] || printf '%s\n' "$bad"
	[ -z "$edge" ] || printf '%s\n' "$edge"
	[ -z "$missing" ] || printf '%s\n' "$missing"
	[ -z "$lost" ] || printf '%s is not connected\n' $lost
	new=$((devices - $(printf '%s' "$bad" | cut -d' ' -f1 | sort -u | grep -c .)))
	lost=$(printf '%s' "$lost" | grep -c .)
	missing=$(printf '%s' "$missing" | grep -c .)
	echo "quickstart: $new/$devices devices on the new chain, $lost lost," \
		"$handshakes handshakes, $failed failed, $messages messages, $missing missing"
	[ "$new" = "$devices" ] && [ "$lost" = 0 ] && [ "$failed" = 0 ] && [ "$missing" = 0 ] &&
		[ "$messages" -gt 0 ] && [ -z "$edge" ]
}

count_all() {
	local edge
	edge=$(old_at_edge)
	end_fleet
	count_files "$edge"
}

count_so_far() {
	note "$(fleet_field .connected)/$devices devices connected, $(fleet_field .handshakes)" \
		"handshakes, $(fleet_field .failed) failed, $(wc -l <"$dir/messages.txt") messages"
}
