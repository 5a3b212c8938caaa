/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/settings.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define S(key, type, unit, least, most, dflt, help)                            \
	{                                                                      \
		key, type, unit, least, most, dflt, help, NULL                 \
	}

const struct dvt_setting gw_settings[] = {
    S("gateway.name", DVT_SET_TEXT, NULL, 1, 128, "gateway",
	"This gateway's name at the control plane."),
    S("gateway.listen", DVT_SET_TEXT, NULL, 0, 0, "0.0.0.0:8883",
	"Address and port devices connect to; 0.0.0.0:PORT: all of IPv4, "
	"[::]:PORT: all of IPv6."),
    S("gateway.upstream", DVT_SET_PLACES, NULL, 0, 0, NULL,
	"Where connections go: tcp:HOST:PORT, unix:PATH, mqtt:HOST:PORT or "
	"mqtt:unix:PATH. Of several a device keeps to one, by its name."),
    S("gateway.upstream-resolve", DVT_SET_SECONDS, "s", 0, 86400, "60s",
	"How often the names in upstream and pass-to are resolved again. 0: "
	"at SIGHUP alone."),
    S("gateway.pass-through", DVT_SET_LIST, NULL, 0, 0, "",
	"Server names of connections that go to pass-to as they are, their "
	"TLS untouched: those of the control plane."),
    S("gateway.pass-to", DVT_SET_LIST, NULL, 0, 0, "",
	"Where they go: tcp:HOST:PORT or unix:PATH, one or several. Empty: to "
	"the address of control."),
    S("gateway.half-open", DVT_SET_INT, NULL, 0, 1000000, "0",
	"Handshakes under way at all workers; more push out others by chance. "
	"0: a quarter of the connections they can have."),
    S("gateway.address-rate", DVT_SET_INT, NULL, 0, 1000000, "500",
	"Connections per second from one address, four times as many at once; "
	"beyond, only devices with an identity ticket. 0: no limit."),
    S("gateway.watchdog", DVT_SET_SECONDS, "s", 0, 3600, "10s",
	"How long a worker or the feed process may give no answer before it "
	"is replaced; 0: for ever."),
    S("gateway.stall-timeout", DVT_SET_SECONDS, "s", 0, 86400, "60s",
	"A session ends when bytes wait for the client or upstream, which "
	"takes none for so long. 0: never."),
    S("gateway.proxy-protocol", DVT_SET_BOOL, NULL, 0, 0, "no",
	"Begin with a PROXY header (version 2): address, TLS, device."),
    S("gateway.pass-proxy", DVT_SET_BOOL, NULL, 0, 0, "no",
	"Begin with a PROXY header what is passed through, too: pass-to reads "
	"it (dovetaild: device.proxyFrom)."),
    S("gateway.mqtt-password", DVT_SET_BOOL, NULL, 0, 0, "no",
	"mqtt: pass the client's password on; its user name is the device."),
    S("gateway.workers", DVT_SET_INT, NULL, 0, GW_WORKERS_MAX, "0",
	"Worker processes; 0: one for each processor."),
    S("gateway.certificate", DVT_SET_PATH, NULL, 0, 0, "",
	"Chain shown until the control plane gives others, leaf first."),
    S("gateway.key", DVT_SET_PATH, NULL, 0, 0, "",
	"Private key of the certificate."),
    S("gateway.cross", DVT_SET_PATH, NULL, 0, 0, "",
	"Cross-certificate to be shown with it."),
    S("gateway.root", DVT_SET_PATH, NULL, 0, 0, "",
	"Root above the certificate, when neither chain nor client-ca hold "
	"it."),
    S("gateway.staple", DVT_SET_PATH, NULL, 0, 0, "",
	"OCSP response of the certificate (DER), shown to who asks for it."),
    S("credential *.certificate", DVT_SET_PATH, NULL, 0, 0, NULL,
	"Chain of a further certificate, leaf first."),
    S("credential *.key", DVT_SET_PATH, NULL, 0, 0, NULL, "Its private key."),
    S("credential *.names", DVT_SET_LIST, NULL, 0, 0, "",
	"Host names it is for; empty: those in the certificate."),
    S("credential *.cross", DVT_SET_PATH, NULL, 0, 0, "",
	"Cross-certificate to be shown with it."),
    S("credential *.root", DVT_SET_PATH, NULL, 0, 0, "",
	"Root above it, when neither chain nor client-ca hold it."),
    S("credential *.staple", DVT_SET_PATH, NULL, 0, 0, "",
	"OCSP response of it (DER)."),
    S("gateway.client-ca", DVT_SET_PATH, NULL, 0, 0, "",
	"Anchors of client certificates, until the control plane gives "
	"others."),
    S("gateway.deny", DVT_SET_PATH, NULL, 0, 0, "",
	"File of what to refuse: on each line the fingerprint of a client "
	"certificate, or key: and the digest of a public key."),
    S("gateway.crl", DVT_SET_PATHS, NULL, 0, 0, "",
	"CRLs (PEM or DER) of those who issue client certificates."),
    S("gateway.verify-depth", DVT_SET_INT, NULL, 0, DVT_CHAIN_MAX, "12",
	"Most intermediates in the path of a client certificate."),
    S("gateway.record", DVT_SET_OUTPUT, NULL, 0, 0, "",
	"File for handshake records as JSON lines, or - for standard output."),
    S("gateway.record-max", DVT_SET_INT, NULL, 0, 10000000, "6000",
	"Handshakes of a minute with a record of their own; more are counted."),
    S("gateway.admin", DVT_SET_PLACE, NULL, 0, 0, "",
	"Where /healthz, /metrics and /reload are answered: ADDRESS:PORT or "
	"unix:PATH; empty: nowhere."),
    S("gateway.admin-open", DVT_SET_BOOL, NULL, 0, 0, "no",
	"Let admin be an address that others can reach."),
    S("gateway.state", DVT_SET_PATH, NULL, 0, 0, "",
	"Folder of its own keys, cache and spool; needed with control."),
    S("gateway.control", DVT_SET_TEXT, NULL, 0, 0, "",
	"The control plane's device listener: https://HOST:PORT."),
    S("gateway.control-name", DVT_SET_TEXT, NULL, 0, 253, "",
	"Host name in the control plane's certificate; empty: HOST of "
	"control."),
    S("gateway.control-ca", DVT_SET_PATH, NULL, 0, 0, "",
	"Anchor to verify the control plane by."),
    S("gateway.secret", DVT_SET_PLACE, NULL, 0, 0, "",
	"One-time enrolment secret, or file:PATH."),
    {"gateway.tls.debugLevel",    DVT_SET_CHOICE, "OFF|ERROR|INFO|VERBOSE", 0, 0,
       "ERROR",									   "Which handshakes go into the log, with how much.",
       "GatewayConfig.tls.debugLevel"																	  },
    {"gateway.tls.logHandshakes", DVT_SET_BOOL,   NULL,                     0, 0, "no",
       "Write handshakes into the log.",												      "GatewayConfig.tls.logHandshakes"},
    S("tls.fastDecoding", DVT_SET_BOOL, NULL, 0, 0, "yes",
	"Decode EC keys of received certificates the short way."),
    S("user", DVT_SET_TEXT, NULL, 0, 64, "",
	"Account the processes become when started as root. Empty: the workers "
	"become dovetail where that account exists, and the feed process, "
	"which "
	"reads the key files, stays root."),
    S("sandbox.seccomp", DVT_SET_BOOL, NULL, 0, 0, "yes",
	"Filter the system calls of each process."),
    S("sandbox.landlock", DVT_SET_BOOL, NULL, 0, 0, "yes",
	"Narrow the files of each process where the kernel can."),
    S("log.level", DVT_SET_CHOICE, "crit|err|warning|notice|info|debug", 0, 0,
	"notice", "Least severity that is logged."),
    S("log.json", DVT_SET_BOOL, NULL, 0, 0, "no", "Log lines as JSON objects."),
};
const size_t gw_settings_count = DVT_COUNT(gw_settings);

static enum dvt_code
upstreams_read(const struct dvt_config *c, const struct gw_settings *before,
    struct gw_settings *s, struct dvt_err *err)
{
	const char *text;
	enum dvt_code rc = DVT_OK;

	s->proxy_protocol = dvt_config_bool(c, "gateway.proxy-protocol");
	s->pass_proxy = dvt_config_bool(c, "gateway.pass-proxy");
	s->keep_password = dvt_config_bool(c, "gateway.mqtt-password");
	for (size_t i = 0; rc == DVT_OK; i++) {
		if ((text = dvt_config_item(c, "gateway.upstream", i)) == NULL)
			break;
		rc = gw_upstreams_add(&s->upstreams, text,
		    before != NULL ? &before->upstreams : NULL, err);
	}
	if (rc != DVT_OK)
		dvt_err_prefix(err, "gateway.upstream");
	if (rc == DVT_OK && s->upstreams.n == 0)
		rc = dvt_fail(
		    err, DVT_E_INPUT, "gateway.upstream: must not be empty");
	return rc;
}

static enum dvt_code
pass_to_add(const struct gw_settings *before, struct gw_settings *s,
    const char *text, struct dvt_err *err)
{
	enum dvt_code rc = gw_upstreams_add(
	    &s->pass_to, text, before != NULL ? &before->pass_to : NULL, err);

	if (rc == DVT_OK && s->pass_to.mqtt)
		rc = dvt_fail(err, DVT_E_INPUT,
		    "%s: what is passed through is not read: no mqtt:", text);
	return rc;
}

/* After the control plane's address, which is the default. */
static enum dvt_code
pass_read(const struct dvt_config *c, const struct gw_settings *before,
    struct gw_settings *s, struct dvt_err *err)
{
	const char *text;
	enum dvt_code rc = DVT_OK;

	s->pass_text = dvt_config_text(c, "gateway.pass-through");
	s->pass_to_text = dvt_config_text(c, "gateway.pass-to");
	while ((text = dvt_config_item(
		    c, "gateway.pass-through", s->pass_names_n)) != NULL) {
		if (s->pass_names_n == GW_NAMES_MAX ||
		    strlen(text) > DVT_HOST_MAX)
			return dvt_fail(err, DVT_E_INPUT,
			    "gateway.pass-through: at most %d names of %d "
			    "characters",
			    GW_NAMES_MAX, DVT_HOST_MAX);
		s->pass_names[s->pass_names_n++] = text;
	}
	for (size_t i = 0; rc == DVT_OK; i++) {
		if ((text = dvt_config_item(c, "gateway.pass-to", i)) == NULL)
			break;
		rc = pass_to_add(before, s, text, err);
	}
	if (rc == DVT_OK && s->pass_names_n > 0 && s->pass_to.n == 0 &&
	    s->control_n > 0)
		rc = pass_to_add(before, s, s->control_host, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "gateway.pass-to");
		return rc;
	}
	if ((s->pass_names_n == 0) != (s->pass_to.n == 0))
		return dvt_fail(err, DVT_E_INPUT,
		    "gateway.pass-through and gateway.pass-to go together");
	return DVT_OK;
}

static enum dvt_code
control_resolve(const struct gw_settings *before, struct gw_settings *s,
    struct dvt_err *err)
{
	if (before == NULL || before->control_n == 0 ||
	    strcmp(before->control_host, s->control_host) != 0)
		return dvt_addr_resolve(s->control_host, s->control,
		    GW_CONTROL_MAX, &s->control_n, err);
	memcpy(s->control, before->control, sizeof(s->control));
	s->control_n = before->control_n;
	return DVT_OK;
}

static enum dvt_code
control_read(const struct gw_settings *before, struct gw_settings *s,
    const char *url, struct dvt_err *err)
{
	char host[DVT_HOST_MAX + 1];
	size_t n;
	unsigned port;
	enum dvt_code rc;

	if (strncasecmp(url, "https://", 8) == 0)
		url += 8;
	n = strcspn(url, "/");
	if (n >= sizeof(s->control_host) || url[n + (url[n] == '/')] != '\0')
		return dvt_fail(
		    err, DVT_E_INPUT, "gateway.control: https://HOST:PORT");
	memcpy(s->control_host, url, n);
	s->control_host[n] = '\0';
	if ((rc = dvt_addr_split(
		 s->control_host, host, sizeof(host), &port, err)) != DVT_OK ||
	    (rc = control_resolve(before, s, err)) != DVT_OK)
		dvt_err_prefix(err, "gateway.control");
	return rc;
}

static enum dvt_code
admin_read(
    const struct dvt_config *c, struct gw_settings *s, struct dvt_err *err)
{
	const char *text = dvt_config_text(c, "gateway.admin");
	struct dvt_addr where;
	enum dvt_code rc;

	if (text == NULL)
		return DVT_OK;
	if (strncmp(text, "unix:", 5) == 0)
		text += 5;
	if ((rc = dvt_addr_parse(text, &where, err)) != DVT_OK) {
		dvt_err_prefix(err, "gateway.admin");
		return rc;
	}
	if (!dvt_addr_is_loopback(&where) &&
	    !dvt_config_bool(c, "gateway.admin-open"))
		return dvt_fail(err, DVT_E_INPUT,
		    "gateway.admin: %s can be reached by others; "
		    "gateway.admin-open = yes allows it",
		    text);
	s->admin = text;
	return DVT_OK;
}

static enum dvt_code
listen_check(const struct gw_settings *s, struct dvt_err *err)
{
	struct dvt_addr where;
	enum dvt_code rc = dvt_addr_parse(s->listen, &where, err);

	if (rc == DVT_OK && where.ss.ss_family == AF_UNIX)
		rc = dvt_fail(
		    err, DVT_E_INPUT, "%s is no TCP address", s->listen);
	if (rc != DVT_OK)
		dvt_err_prefix(err, "gateway.listen");
	return rc;
}

static enum dvt_code
control_check(const struct gw_settings *s, struct dvt_err *err)
{
	if (s->state == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "gateway.state: needed with gateway.control");
	if (s->control_ca == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "gateway.control-ca: needed with gateway.control");
	return DVT_OK;
}

static enum dvt_code
together_check(const struct gw_settings *s, struct dvt_err *err)
{
	for (size_t i = 0; i < s->pairs_n; i++)
		if ((s->pair[i].certificate == NULL) !=
		    (s->pair[i].key == NULL))
			return dvt_fail(err, DVT_E_INPUT,
			    "gateway.certificate and gateway.key go together");
	if (s->control_n > 0)
		return control_check(s, err);
	if (s->pairs_n == 0 || s->client_ca == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "without gateway.control a gateway needs certificate, key "
		    "and client-ca");
	return DVT_OK;
}

/* The certificate of [gateway], when there is one. */
static void
first_pair_read(const struct dvt_config *c, struct gw_settings *s)
{
	struct gw_pair_setting p = {
	    .id = "file",
	    .certificate = dvt_config_text(c, "gateway.certificate"),
	    .key = dvt_config_text(c, "gateway.key"),
	    .cross = dvt_config_text(c, "gateway.cross"),
	    .root = dvt_config_text(c, "gateway.root"),
	    .staple = dvt_config_text(c, "gateway.staple"),
	};

	if (p.certificate != NULL || p.key != NULL)
		s->pair[s->pairs_n++] = p;
}

static enum dvt_code
pair_read(const struct dvt_config *c, struct gw_settings *s, const char *name,
    struct dvt_err *err)
{
	static const char kind[] = "credential";
	struct gw_pair_setting p = {
	    .certificate = dvt_config_group_text(c, kind, name, "certificate"),
	    .key = dvt_config_group_text(c, kind, name, "key"),
	    .cross = dvt_config_group_text(c, kind, name, "cross"),
	    .root = dvt_config_group_text(c, kind, name, "root"),
	    .staple = dvt_config_group_text(c, kind, name, "staple"),
	};
	char key[DVT_NAME_MAX];
	const char *host;

	(void)snprintf(p.id, sizeof(p.id), "file:%s", name);
	(void)snprintf(key, sizeof(key), "%s %.64s.names", kind, name);
	while ((host = dvt_config_item(c, key, p.names_n)) != NULL) {
		if (p.names_n == GW_NAMES_MAX || strlen(host) > DVT_HOST_MAX)
			return dvt_fail(err, DVT_E_INPUT,
			    "%s: at most %d names of %d characters", key,
			    GW_NAMES_MAX, DVT_HOST_MAX);
		p.names[p.names_n++] = host;
	}
	if (p.certificate == NULL || p.key == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "[credential %s]: certificate and key must not be empty",
		    name);
	if (s->pairs_n == GW_PAIRS_MAX)
		return dvt_fail(err, DVT_E_INPUT,
		    "[credential %s]: over %d certificates", name,
		    GW_PAIRS_MAX);
	s->pair[s->pairs_n++] = p;
	return DVT_OK;
}

static enum dvt_code
lists_read(
    const struct dvt_config *c, struct gw_settings *s, struct dvt_err *err)
{
	const char *item;

	first_pair_read(c, s);
	for (size_t i = 0;
	     (item = dvt_config_group(c, "credential", i)) != NULL; i++) {
		enum dvt_code rc = pair_read(c, s, item, err);

		if (rc != DVT_OK)
			return rc;
	}
	while ((item = dvt_config_item(c, "gateway.crl", s->crl_n)) != NULL) {
		if (s->crl_n == GW_CRL_FILES)
			return dvt_fail(err, DVT_E_INPUT,
			    "gateway.crl: over %d files", GW_CRL_FILES);
		s->crl[s->crl_n++] = item;
	}
	s->max_depth = (int)dvt_config_int(c, "gateway.verify-depth");
	if (s->max_depth == 0)
		s->max_depth = -1; /* no intermediate at all */
	return DVT_OK;
}

static void
texts_read(const struct dvt_config *c, struct gw_settings *s)
{
	s->name = dvt_config_text(c, "gateway.name");
	s->listen = dvt_config_text(c, "gateway.listen");
	s->upstream_text = dvt_config_text(c, "gateway.upstream");
	s->client_ca = dvt_config_text(c, "gateway.client-ca");
	s->deny = dvt_config_text(c, "gateway.deny");
	s->record = dvt_config_text(c, "gateway.record");
	s->state = dvt_config_text(c, "gateway.state");
	s->control_name = dvt_config_text(c, "gateway.control-name");
	s->control_ca = dvt_config_text(c, "gateway.control-ca");
	s->secret = dvt_config_text(c, "gateway.secret");
}

enum dvt_code
gw_settings_load(const char *path, const struct gw_settings *before,
    struct dvt_config **config, struct gw_settings *out, struct dvt_err *err)
{
	const char *control;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	enum dvt_code rc;

	*out = (struct gw_settings){0};
	*config = NULL;
	if ((rc = dvt_config_load(
		 gw_settings, gw_settings_count, path, config, err)) != DVT_OK)
		return rc;
	texts_read(*config, out);
	out->workers = (unsigned)dvt_config_int(*config, "gateway.workers");
	if (out->workers == 0)
		out->workers = cpus < 1 ? 1 : (unsigned)cpus;
	if (out->workers > GW_WORKERS_MAX)
		out->workers = GW_WORKERS_MAX;
	control = dvt_config_text(*config, "gateway.control");
	if ((rc = lists_read(*config, out, err)) == DVT_OK &&
	    (rc = listen_check(out, err)) == DVT_OK &&
	    (rc = admin_read(*config, out, err)) == DVT_OK &&
	    (rc = upstreams_read(*config, before, out, err)) == DVT_OK &&
	    (control == NULL ||
		(rc = control_read(before, out, control, err)) == DVT_OK) &&
	    (rc = pass_read(*config, before, out, err)) == DVT_OK)
		rc = together_check(out, err);
	if (rc != DVT_OK) {
		dvt_config_free(*config);
		*config = NULL;
	}
	return rc;
}
