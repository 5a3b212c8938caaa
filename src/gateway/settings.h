/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's settings: one table; parser, man page and -n come from it. */
#ifndef DVT_GATEWAY_SETTINGS_H
#define DVT_GATEWAY_SETTINGS_H

#include "base/limits.h"
#include "gateway/upstream.h"
#include "proc/config.h"

#define GW_WORKERS_MAX 64
#define GW_CONTROL_MAX 8 /* addresses of the control plane */

#define GW_PAIRS_MAX 14 /* certificates of files; the edge holds 16 */
#define GW_NAMES_MAX 32 /* host names of a section */
#define GW_CRL_FILES 16

/* A certificate of files: [gateway], or a section [credential NAME]. */
struct gw_pair_setting {
	char id[DVT_NAME_MAX + 1]; /* "file", "file:NAME" */
	const char *certificate, *key;
	const char *cross, *root, *staple; /* paths or NULL */
	const char *names[GW_NAMES_MAX];   /* n 0: those of the certificate */
	size_t names_n;
};

extern const struct dvt_setting gw_settings[];
extern const size_t gw_settings_count;

/* Read from the table and checked against each other; plain value. */
struct gw_settings {
	const char *name; /* borrowed from the configuration, as all texts */
	const char *listen;
	struct gw_upstreams upstreams;
	const char *upstream_text;
	const char *pass_names[GW_NAMES_MAX]; /* server names handed on */
	size_t pass_names_n;
	struct gw_upstreams pass_to; /* where those go */
	const char *pass_text, *pass_to_text;
	bool proxy_protocol, pass_proxy, keep_password;
	unsigned workers;
	struct gw_pair_setting pair[GW_PAIRS_MAX];
	size_t pairs_n;
	const char *client_ca, *deny; /* paths or NULL */
	const char *crl[GW_CRL_FILES];
	size_t crl_n;
	int max_depth;      /* as dvt_verify.max_depth */
	const char *record; /* or NULL */
	const char *admin;  /* address or path, or NULL */
	const char *state;  /* or NULL */
	/* the control plane; control_n 0: none */
	struct dvt_addr control[GW_CONTROL_MAX];
	size_t control_n;
	char control_host[DVT_HOST_MAX + 8]; /* "host:port" */
	const char *control_name, *control_ca;
	const char *secret; /* or NULL */
};

/**
 * gw_settings_load() - read and check a settings file
 * @before: those in force: the addresses of its names are taken over, since a
 *          resolver that does not answer must hold up no reload; or NULL
 * @config: out: what the texts are borrowed from; the caller's
 *
 * Other names of the control plane and the upstreams are resolved here; those
 * of upstreams again by the resolver process (resolver.c).
 * Return: DVT_OK; DVT_E_INPUT; DVT_E_SYSTEM (no such host).
 */
DVT_MUST_USE enum dvt_code gw_settings_load(const char *path,
    const struct gw_settings *before, struct dvt_config **config,
    struct gw_settings *out, struct dvt_err *err);

#endif
