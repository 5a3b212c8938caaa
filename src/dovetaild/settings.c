/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/settings.h"

#define DAY  86400
#define YEAR (365 * (int64_t)DAY)

#define S(key, type, unit, least, most, dflt, help)                            \
	{                                                                      \
		key, type, unit, least, most, dflt, help, NULL                 \
	}

const struct dvt_setting settings_table[] = {
    S("database", DVT_SET_PATH, NULL, 0, 0, DIR_DATABASE,
	"The SQLite database."),
    S("user", DVT_SET_TEXT, NULL, 0, 64, "",
	"Account the processes become when started as root; init writes it. "
	"Empty, or root: they stay root, and the log warns of it."),
    S("fronts", DVT_SET_INT, NULL, 1, DVT_FRONTS_MAX, "2",
	"Processes that speak TLS and HTTP."),
    S("readers", DVT_SET_INT, NULL, 1, DVT_READERS_MAX, "1",
	"Processes that answer lists and dry runs."),
    S("device.listen", DVT_SET_TEXT, NULL, 0, 0, "127.0.0.1:8443",
	"Address for devices and gateways: EST, check-in, feed."),
    S("device.proxyFrom", DVT_SET_LIST, NULL, 0, 0, "",
	"Addresses of gateways and balancers whose connections may begin with "
	"a PROXY header (version 2), which tells the device's own address. "
	"They are believed. A gateway sends it with pass-proxy = yes."),
    S("device.connections", DVT_SET_INT, NULL, 16, 100000, "8000",
	"Open device connections of one front."),
    S("device.requestTimeout", DVT_SET_MS, "ms", 1000, 600000, "30s",
	"Longest time from accept to a whole request."),
    S("front.keyHold", DVT_SET_SECONDS, "s", 1, YEAR, "1h",
	"A front's own key is wiped when no credential has needed it so "
	"long."),
    S("front.answerTimeout", DVT_SET_MS, "ms", 1000, 600000, "30s",
	"What core or a reader has not answered by then is answered with 503."),
    S("operator.listen", DVT_SET_TEXT, NULL, 0, 0, "",
	"HTTPS address for operators; empty: the Unix socket alone."),
    S("operator.socket", DVT_SET_PATH, NULL, 0, 0, DIR_SOCKET,
	"Unix socket of the REST API, mode 0660."),
    S("operator.writeTimeout", DVT_SET_MS, "ms", 1000, 600000, "20s",
	"Longest time a piece of an answer, or of an event stream, waits for "
	"its reader."),
    S("est.lines", DVT_SET_CHOICE, "auto|wrapped|one-line", 0, 0, "auto",
	"Base64 of CA certificates; auto: one line for strongSwan, which tells "
	"neither User-Agent nor Accept."),
    S("edge.names", DVT_SET_LIST, NULL, 0, 0, "",
	"Host names devices use for the edge; go into trust bundles."),
    S("edge.next", DVT_SET_TEXT, NULL, 0, 253, "",
	"Host name of the edge's pure-chain probe."),
    S("edge.trial", DVT_SET_TEXT, NULL, 0, 253, "",
	"Host name of the edge's trial of a new credential."),
    S("est.names", DVT_SET_LIST, NULL, 0, 0, "localhost",
	"Host names and addresses in the fronts' certificates."),
    S("signer.unlock", DVT_SET_TEXT, NULL, 0, 0, "file:" DIR_UNLOCK,
	"Where the unlocking secret is: file:PATH, credential:NAME (systemd), "
	"or terminal."),
    S("trust.lifetime", DVT_SET_SECONDS, "s", DAY, 20 * YEAR, "1y",
	"Time until a trust bundle should have been replaced."),
    S("enrol.secretLifetime", DVT_SET_SECONDS, "s", 60, YEAR, "7d",
	"Time a one-time enrolment secret is good for."),
    S("enrol.expiredRenew", DVT_SET_SECONDS, "s", 0, YEAR, "0s",
	"Time after its end that a device's newest certificate may still be "
	"renewed without a grant; 0: never."),
    S("recovery.grantLifetime", DVT_SET_SECONDS, "s", 60, YEAR, "14d",
	"Time a grant is good for that lets an ended certificate be renewed."),
    S("certificate.hold", DVT_SET_SECONDS, "s", 0, YEAR, "7d",
	"Time a superseded certificate is still accepted."),
    S("certificate.mendLane", DVT_SET_SECONDS, "s", 0, YEAR, "30d",
	"Time after the hold in which it may still check in and renew."),
    S("checkin.period", DVT_SET_SECONDS, "s", 1, 30 * DAY, "300s",
	"Check-in period of a device that has none of its own."),
    S("checkin.most", DVT_SET_SECONDS, "s", 1, 366 * DAY, "1d",
	"Longest check-in period that is asked of any device."),
    S("checkin.busyPeriod", DVT_SET_SECONDS, "s", 1, DAY, "15s",
	"Check-in period while a device has something to do."),
    S("gateway.maxStale", DVT_SET_SECONDS, "s", 60, 30 * DAY, "24h",
	"Age of an edge's state from which it refuses younger certificates."),
    S("gateway.refuseAfter", DVT_SET_SECONDS, "s", 0, 365 * DAY, "0",
	"A gateway that did not hear us for so long lets nobody in; 0: it "
	"goes on with what it knows (7d is a strict choice)."),
    S("gateway.unheardAfter", DVT_SET_SECONDS, "s", 10, DAY, "120s",
	"Silence after which an edge is unheard: no gate holds then, and no "
	"anchor is removed."),
    S("approvals.required", DVT_SET_INT, NULL, 1, 2, "2",
	"People needed for a step that cannot be taken back."),
    S("approvals.lifetime", DVT_SET_SECONDS, "s", 60, 30 * DAY, "24h",
	"Time an approval is good for."),
    S("audit.checkpointPeriod", DVT_SET_SECONDS, "s", 1, DAY, "60s",
	"Most time between two signed check-points of the audit log."),
    S("audit.checkpointEntries", DVT_SET_INT, NULL, 1, 1000000, "1000",
	"Most entries between two signed check-points."),
    S("webhook.url", DVT_SET_TEXT, NULL, 0, 2048, "",
	"Where events are posted as JSON, in order, each until it is answered "
	"2xx; empty: nowhere."),
    S("webhook.events", DVT_SET_LIST, NULL, 0, 0, "ALERT",
	"Names of the events that are posted; *: all."),
    S("webhook.timeout", DVT_SET_MS, "ms", 1000, 600000, "15s",
	"Longest time a receiver may take for its answer; then it is asked "
	"again."),
    S("sms.url", DVT_SET_TEXT, NULL, 0, 2048, "",
	"Gateway for short messages to devices: JSON with id, device, to and "
	"text is posted there; empty: recovery by SMS is refused."),
    S("security.policy.device.auth.method", DVT_SET_CHOICE,
	"any|secret|certificate", 0, 0, "any",
	"How a device may enrol for the first time: by a one-time secret, by a "
	"certificate of an imported authority, or either. Renewal is always by "
	"certificate."),
    S("security.policy.ca.trust.list", DVT_SET_TEXT, NULL, 0, 0, "",
	"Authorities that may be imported: a JSON array of SHA-256 "
	"fingerprints; empty: any. Read by init; from then on the database is "
	"the truth, and a start with another list is refused."),
    S("security.policy.cert.validation.strict", DVT_SET_BOOL, NULL, 0, 0, "yes",
	"Verify certificates of devices by all of RFC 5280 at the device "
	"listener; no: as a stock TLS server does."),
    S("security.policy.cert.revocation.check", DVT_SET_BOOL, NULL, 0, 0, "yes",
	"Refuse what is denied. It cannot be switched off."),
    S("security.logging.cert.validation", DVT_SET_BOOL, NULL, 0, 0, "no",
	"Log every certificate that the device listener verified, and how."),
    S("security.logging.tls.handshake", DVT_SET_BOOL, NULL, 0, 0, "no",
	"Log every handshake of the device listener."),
    S("sandbox.seccomp", DVT_SET_BOOL, NULL, 0, 0, "yes",
	"Filter the system calls of each process."),
    S("sandbox.landlock", DVT_SET_BOOL, NULL, 0, 0, "yes",
	"Narrow the files of each process where the kernel can."),
    S("tls.fastDecoding", DVT_SET_BOOL, NULL, 0, 0, "yes",
	"Decode EC keys of received certificates the short way in fronts."),
    S("log.level", DVT_SET_CHOICE, "crit|err|warning|notice|info|debug", 0, 0,
	"notice", "Least severity that is logged."),
    S("log.json", DVT_SET_BOOL, NULL, 0, 0, "no",
	"Log lines as JSON objects.")};

const size_t settings_count = DVT_COUNT(settings_table);
