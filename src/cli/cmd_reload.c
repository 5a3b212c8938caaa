/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail gateway reload: asked of its own admin listener, not by REST. */
#include "cli/cli.h"
#include "http/client.h"

#include <stdio.h>

#define ANSWER_MAX  65536
#define DEADLINE_MS 20000 /* longer than the gateway waits for its workers */

struct taken {
	int status;
	struct dvt_buf body;
};

static void
take(void *user, const struct dvt_http_answer *a)
{
	struct taken *t = user;

	t->status = a->status;
	dvt_buf_put_span(&t->body, a->body);
}

static enum dvt_code
judge(struct cli *c, struct taken *t, struct dvt_err *err)
{
	json_t *body = NULL;
	const char *code, *detail;
	enum dvt_code rc;

	rc = dvt_json_parse(dvt_buf_span(&t->body), ANSWER_MAX, &body, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "answer with status %d", t->status);
		return rc;
	}
	if (t->status == 200) {
		if (c->json)
			cli_print_json(body);
		else
			puts("reloaded, in force in every worker");
		json_decref(body);
		return DVT_OK;
	}
	code = json_string_value(json_object_get(body, "code"));
	detail = json_string_value(json_object_get(body, "detail"));
	rc = code != NULL ? dvt_code_from_name(code) : DVT_E_SYSTEM;
	rc = dvt_fail(err, rc == DVT_OK ? DVT_E_SYSTEM : rc,
	    "refused, the old set is kept: %s",
	    detail != NULL ? detail : "no reason given");
	json_decref(body);
	return rc;
}

enum dvt_code
cmd_gateway_reload(struct cli *c, struct dvt_err *err)
{
	const char *where = cli_opt(c, "admin");
	struct dvt_tls_conn_config peer = {.addrs_n = 1};
	struct dvt_http_ask ask = {.method = "POST",
	    .target = "/reload",
	    .host = "localhost",
	    .deadline_ms = DEADLINE_MS,
	    .max_body = ANSWER_MAX};
	struct taken t = {0};
	struct dvt_addr addr;
	enum dvt_code rc;

	if (where == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "which one? --admin ADDRESS:PORT or PATH, as in its "
		    "gateway.admin");
	if (strncmp(where, "unix:", 5) == 0)
		where += 5;
	if ((rc = dvt_addr_parse(where, &addr, err)) != DVT_OK) {
		dvt_err_prefix(err, "--admin");
		return rc;
	}
	peer.addrs = &addr;
	dvt_buf_init(&t.body, ANSWER_MAX);
	rc = dvt_http_once(&peer, &ask, take, &t, err);
	if (rc == DVT_OK)
		rc = judge(c, &t, err);
	else
		dvt_err_prefix(err, "gateway at %s", where);
	dvt_buf_fini(&t.body);
	return rc;
}
