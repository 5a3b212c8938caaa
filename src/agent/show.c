/* SPDX-License-Identifier: Apache-2.0 */
/* status: what the state directory holds, read without a lock or a change. */
#include "agent/program.h"

#include "base/mem.h"
#include "device/confval.h"
#include "device/generation.h"
#include "device/journal.h"
#include "device/trustset.h"
#include "pki/x509.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define EVENTS_SHOWN 20

struct view {
	struct dvt_agent_credential cred; /* key NULL: none */
	struct dvt_generation_meta meta;
	struct dvt_trustset *trust; /* NULL: none */
	struct dvt_history h;
	struct dvt_journal_state journal;
	struct dvt_confvals config;
	char credential_error[256], trust_error[256];
};

static void
load_credential(struct program *p, struct view *v)
{
	struct dvt_err err;
	int64_t n;
	enum dvt_code rc;

	rc = dvt_generation_current(&p->env, &n, &err);
	if (rc == DVT_OK)
		rc = dvt_generation_load(&p->env, n, &v->cred, &v->meta, &err);
	if (rc == DVT_E_ABSENT)
		(void)snprintf(v->credential_error, sizeof(v->credential_error),
		    "none: enroll first");
	else if (rc != DVT_OK)
		(void)snprintf(v->credential_error, sizeof(v->credential_error),
		    "%.200s", err.text);
}

static void
load_trust(struct program *p, struct view *v)
{
	int64_t list[DVT_TRUST_LIST];
	struct dvt_err err;
	enum dvt_code rc;
	size_t n = 0;

	rc = dvt_trustset_list(&p->env, list, &n, &err);
	if (rc == DVT_OK && n > 0)
		rc = dvt_trustset_load(&p->env, list[n - 1], &v->trust, &err);
	if (rc == DVT_E_ABSENT || (rc == DVT_OK && n == 0))
		(void)snprintf(v->trust_error, sizeof(v->trust_error), "none");
	else if (rc != DVT_OK)
		(void)snprintf(
		    v->trust_error, sizeof(v->trust_error), "%.200s", err.text);
}

/* Digest of a value's file, "" when there is none. What is in it stays there.
 */
static void
value_digest(
    const struct program *p, const char *name, char out[DVT_DIGEST_HEX])
{
	struct dvt_buf plain;

	out[0] = '\0';
	dvt_buf_init(&plain, DVT_CONFIG_VALUE);
	if (dvt_confval_read(&p->env, name, &plain, NULL) == DVT_OK)
		dvt_sha256_hex(dvt_buf_span(&plain), out);
	dvt_buf_cleanse(&plain);
	dvt_buf_fini(&plain);
}

/* --- for programs --- */

static json_t *
config_json(const struct program *p, const struct view *v)
{
	json_t *list = json_array();
	char digest[DVT_DIGEST_HEX];

	for (size_t i = 0; i < v->config.n; i++) {
		const struct dvt_confval *c = &v->config.v[i];

		value_digest(p, c->name, digest);
		(void)json_array_append_new(list,
		    json_pack("{s:s, s:I, s:s, s:s, s:I, s:s}", "name", c->name,
			"version", (json_int_t)c->have, "digest", digest,
			"state", c->noted_version > 0 ? "failed" : "applied",
			"failed_version", (json_int_t)c->noted_version,
			"reason", c->failed));
	}
	return list;
}

static json_t *
credential_json(const struct view *v)
{
	X509 *leaf = v->cred.chain.cert[0];
	char fp[DVT_DIGEST_HEX], serial[DVT_SERIAL_HEX];
	char subject[DVT_DN_TEXT], issuer[DVT_DN_TEXT];

	if (v->cred.key == NULL)
		return json_pack("{s:s}", "error", v->credential_error);
	dvt_x509_fingerprint(leaf, fp);
	dvt_x509_serial(leaf, serial);
	return json_pack(
	    "{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:I}",
	    "generation", (json_int_t)v->meta.number, "predecessor",
	    (json_int_t)v->meta.predecessor, "key", v->meta.key_uri, "subject",
	    dvt_x509_subject(leaf, subject), "issuer",
	    dvt_x509_issuer(leaf, issuer), "serial", serial, "fingerprint", fp,
	    "not_before", (json_int_t)dvt_x509_not_before(leaf), "not_after",
	    (json_int_t)dvt_x509_not_after(leaf), "update", v->meta.update,
	    "made_at", (json_int_t)v->meta.made_at);
}

static json_t *
trust_json(const struct view *v)
{
	json_t *anchors = json_array();
	char fp[DVT_DIGEST_HEX], subject[DVT_DN_TEXT];

	if (v->trust == NULL) {
		json_decref(anchors);
		return json_pack("{s:s}", "error", v->trust_error);
	}
	for (size_t i = 0; i < dvt_trust_count(v->trust->trust); i++) {
		X509 *cert = dvt_trust_get(v->trust->trust, i);

		dvt_x509_fingerprint(cert, fp);
		(void)json_array_append_new(anchors,
		    json_pack("{s:s, s:s, s:I}", "fingerprint", fp, "subject",
			dvt_x509_subject(cert, subject), "not_after",
			(json_int_t)dvt_x509_not_after(cert)));
	}
	return json_pack("{s:I, s:s, s:s, s:b, s:o}", "version",
	    (json_int_t)v->trust->version, "digest",
	    dvt_trust_digest(v->trust->trust), "fleet", v->trust->held.fleet,
	    "pinned", (int)v->trust->pinned, "anchors", anchors);
}

static json_t *
events_json(const struct view *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->h.events_n; i++) {
		const struct dvt_agent_event *e = &v->h.events[i];

		(void)json_array_append_new(list,
		    json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:b}", "at",
			(json_int_t)e->at, "id", e->id, "step", e->step,
			"target", e->target, "outcome",
			dvt_step_outcome_name(e->outcome), "detail", e->detail,
			"reported", (int)(e->seq <= v->h.acked)));
	}
	return list;
}

static void
show_json(const struct program *p, const struct view *v)
{
	json_t *all = json_pack("{s:o, s:o, s:o, s:I, s:s, s:o}", "credential",
	    credential_json(v), "trust", trust_json(v), "config",
	    config_json(p, v), "checkin_at", (json_int_t)v->h.seen_at, "update",
	    v->h.running ? v->h.id : "", "events", events_json(v));
	char *text = json_dumps(all, JSON_INDENT(2));

	puts(text);
	free(text);
	json_decref(all);
}

/* --- for people --- */

static void
show_credential(const struct view *v)
{
	X509 *leaf = v->cred.chain.cert[0];
	char fp[DVT_DIGEST_HEX], name[DVT_DN_TEXT], from[32], to[32];

	if (v->cred.key == NULL) {
		printf("credential   %s\n", v->credential_error);
		return;
	}
	dvt_x509_fingerprint(leaf, fp);
	printf("credential   generation %" PRId64 ", %s\n", v->meta.number,
	    v->meta.update[0] != '\0' ? v->meta.update : "adopted");
	printf("  subject    %s\n", dvt_x509_subject(leaf, name));
	printf("  issuer     %s\n", dvt_x509_issuer(leaf, name));
	printf("  valid      %s to %s\n",
	    dvt_time_format(dvt_x509_not_before(leaf), from, sizeof(from)),
	    dvt_time_format(dvt_x509_not_after(leaf), to, sizeof(to)));
	printf("  sha256     %s\n", fp);
}

static void
show_trust(const struct view *v)
{
	char name[DVT_DN_TEXT], to[32];

	if (v->trust == NULL) {
		printf("trust        %s\n", v->trust_error);
		return;
	}
	printf("trust        bundle %" PRId64 "%s\n", v->trust->version,
	    v->trust->version == 0 ? " (as given at enrolment)"
	    : v->trust->pinned
		? " (its signing keys came with the first bundle)"
		: "");
	for (size_t i = 0; i < dvt_trust_count(v->trust->trust); i++) {
		X509 *cert = dvt_trust_get(v->trust->trust, i);

		printf("  anchor     %s, until %s\n",
		    dvt_x509_subject(cert, name),
		    dvt_time_format(dvt_x509_not_after(cert), to, sizeof(to)));
	}
	printf("  digest     %s\n", dvt_trust_digest(v->trust->trust));
}

static void
show_config(const struct program *p, const struct view *v)
{
	char digest[DVT_DIGEST_HEX];

	for (size_t i = 0; i < v->config.n; i++) {
		const struct dvt_confval *c = &v->config.v[i];

		value_digest(p, c->name, digest);
		printf("config       %s:", c->name);
		if (c->have > 0)
			printf(" version %" PRId64 ", sha256 %.16s", c->have,
			    digest);
		if (c->noted_version > 0)
			printf(" version %" PRId64 " failed: %s",
			    c->noted_version, c->failed);
		putchar('\n');
	}
}

static void
show_journal(const struct view *v)
{
	size_t first = v->h.events_n > EVENTS_SHOWN
			   ? v->h.events_n - EVENTS_SHOWN
			   : 0;
	char at[32];

	printf("checked in   %s\n",
	    v->h.seen_at == 0 ? "never"
			      : dvt_time_format(v->h.seen_at, at, sizeof(at)));
	printf("update       %s%s%s\n", v->h.running ? v->h.id : "none runs",
	    v->h.running ? ", at " : "", v->h.running ? v->h.step : "");
	for (size_t i = first; i < v->h.events_n; i++) {
		const struct dvt_agent_event *e = &v->h.events[i];

		printf("%s : %s(%s) -> %s%s%s%s\n",
		    dvt_time_format(e->at, at, sizeof(at)), e->step, e->target,
		    dvt_step_outcome_name(e->outcome),
		    e->detail[0] != '\0' ? ": " : "", e->detail,
		    e->seq > v->h.acked ? " (not reported yet)" : "");
	}
}

enum dvt_code
agent_show(struct program *p, struct dvt_err *err)
{
	struct view v = {0};
	enum dvt_code rc;

	rc = dvt_fs_posix_open(p->o.state, false, &p->fs, err);
	if (rc != DVT_OK)
		return rc;
	p->keyfile = (struct dvt_keyfile){.fs = &dvt_fs_posix, .fs_ctx = p->fs};
	p->env = (struct dvt_agent_env){.fs = &dvt_fs_posix,
	    .fs_ctx = p->fs,
	    .keys = &dvt_keyfile_table,
	    .keys_ctx = &p->keyfile};
	load_credential(p, &v);
	load_trust(p, &v);
	rc = dvt_journal_read(&p->env, &v.h, &v.journal, err);
	dvt_confvals_load(&p->env, &v.config);
	if (rc == DVT_OK && p->o.json) {
		show_json(p, &v);
	} else if (rc == DVT_OK) {
		show_credential(&v);
		show_trust(&v);
		show_config(p, &v);
		show_journal(&v);
	}
	dvt_credential_fini(&v.cred);
	dvt_trustset_free(v.trust);
	dvt_history_fini(&v.h);
	dvt_confvals_fini(&v.config);
	return rc;
}
