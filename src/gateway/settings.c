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
	"Address and port devices connect to."),
    S("gateway.upstream", DVT_SET_TEXT, NULL, 1, 0, NULL,
	"Where the bytes go: tcp:HOST:PORT or unix:PATH."),
    S("gateway.workers", DVT_SET_INT, NULL, 0, GW_WORKERS_MAX, "0",
	"Worker processes; 0: one for each processor."),
    S("gateway.certificate", DVT_SET_PATH, NULL, 0, 0, "",
	"Chain shown until the control plane gives others, leaf first."),
    S("gateway.key", DVT_SET_PATH, NULL, 0, 0, "",
	"Private key of the certificate."),
    S("gateway.client-ca", DVT_SET_PATH, NULL, 0, 0, "",
	"Anchors of client certificates, until the control plane gives "
	"others."),
    S("gateway.deny", DVT_SET_PATH, NULL, 0, 0, "",
	"File of client certificate fingerprints to refuse, one on a line."),
    S("gateway.record", DVT_SET_TEXT, NULL, 0, 0, "",
	"File for handshake records as JSON lines, or - for standard output."),
    S("gateway.state", DVT_SET_PATH, NULL, 0, 0, "",
	"Folder of its own keys, cache and spool; needed with control."),
    S("gateway.control", DVT_SET_TEXT, NULL, 0, 0, "",
	"The control plane's device listener: https://HOST:PORT."),
    S("gateway.control-name", DVT_SET_TEXT, NULL, 0, 253, "",
	"Host name in the control plane's certificate; empty: HOST of "
	"control."),
    S("gateway.control-ca", DVT_SET_PATH, NULL, 0, 0, "",
	"Anchor to verify the control plane by."),
    S("gateway.secret", DVT_SET_TEXT, NULL, 0, 0, "",
	"One-time enrolment secret, or file:PATH."),
    {"gateway.tls.debugLevel",    DVT_SET_CHOICE, "OFF|ERROR|INFO|VERBOSE", 0, 0,
       "ERROR",									   "Which handshakes go into the log, with how much.",
       "GatewayConfig.tls.debugLevel"																	  },
    {"gateway.tls.logHandshakes", DVT_SET_BOOL,   NULL,                     0, 0, "no",
       "Write handshakes into the log.",												      "GatewayConfig.tls.logHandshakes"},
    S("tls.fastDecoding", DVT_SET_BOOL, NULL, 0, 0, "yes",
	"Decode EC keys of received certificates the short way."),
    S("user", DVT_SET_TEXT, NULL, 0, 64, "",
	"User the processes become when started as root; empty: stay."),
    S("sandbox.seccomp", DVT_SET_BOOL, NULL, 0, 0, "yes",
	"Filter the system calls of each process."),
    S("sandbox.landlock", DVT_SET_BOOL, NULL, 0, 0, "yes",
	"Narrow the files of each process where the kernel can."),
    S("log.level", DVT_SET_CHOICE, "crit|err|warning|notice|info|debug", 0, 0,
	"notice", "Least severity that is logged."),
    S("log.json", DVT_SET_BOOL, NULL, 0, 0, "no", "Log lines as JSON objects."),
};
const size_t gw_settings_count = DVT_COUNT(gw_settings);

/* "tcp:host:port", "unix:/path", or "host:port" alone */
static enum dvt_code
upstream_read(struct gw_settings *s, struct dvt_err *err)
{
	const char *t = s->upstream_text;
	size_t n;
	enum dvt_code rc;

	if (strncmp(t, "mqtt:", 5) == 0)
		return dvt_fail(err, DVT_E_INPUT,
		    "gateway.upstream: mqtt: is not supported by this version; "
		    "tcp: relays MQTT untouched");
	if (strncmp(t, "tcp:", 4) == 0)
		t += 4;
	else if (strncmp(t, "unix:", 5) == 0)
		t += 5;
	rc = dvt_addr_resolve(t, &s->upstream, 1, &n, err);
	if (rc != DVT_OK)
		dvt_err_prefix(err, "gateway.upstream");
	return rc;
}

static enum dvt_code
control_read(struct gw_settings *s, const char *url, struct dvt_err *err)
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
	    (rc = dvt_addr_resolve(s->control_host, s->control, GW_CONTROL_MAX,
		 &s->control_n, err)) != DVT_OK)
		dvt_err_prefix(err, "gateway.control");
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
	if ((s->certificate == NULL) != (s->key == NULL))
		return dvt_fail(err, DVT_E_INPUT,
		    "gateway.certificate and gateway.key go together");
	if (s->control_n > 0)
		return control_check(s, err);
	if (s->certificate == NULL || s->client_ca == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "without gateway.control a gateway needs certificate, key "
		    "and client-ca");
	return DVT_OK;
}

static void
texts_read(const struct dvt_config *c, struct gw_settings *s)
{
	s->name = dvt_config_text(c, "gateway.name");
	s->listen = dvt_config_text(c, "gateway.listen");
	s->upstream_text = dvt_config_text(c, "gateway.upstream");
	s->certificate = dvt_config_text(c, "gateway.certificate");
	s->key = dvt_config_text(c, "gateway.key");
	s->client_ca = dvt_config_text(c, "gateway.client-ca");
	s->deny = dvt_config_text(c, "gateway.deny");
	s->record = dvt_config_text(c, "gateway.record");
	s->state = dvt_config_text(c, "gateway.state");
	s->control_name = dvt_config_text(c, "gateway.control-name");
	s->control_ca = dvt_config_text(c, "gateway.control-ca");
	s->secret = dvt_config_text(c, "gateway.secret");
}

enum dvt_code
gw_settings_load(const char *path, struct dvt_config **config,
    struct gw_settings *out, struct dvt_err *err)
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
	if ((rc = upstream_read(out, err)) == DVT_OK &&
	    (control == NULL ||
		(rc = control_read(out, control, err)) == DVT_OK))
		rc = together_check(out, err);
	if (rc != DVT_OK) {
		dvt_config_free(*config);
		*config = NULL;
	}
	return rc;
}
