/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail device recover: the file that a stick or a web server carries. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOKS    100 /* for the signer */
#define LOOKS_US 50000

static enum dvt_code
initiate(struct cli *c, struct dvt_err *err)
{
	json_t *body = json_pack("{s:[s], s:s, s:s}", "deviceIds", c->arg[0],
	    "method",
	    cli_opt(c, "renew") != NULL ? "BUNDLE" : "FALLBACK_CHANNEL",
	    "action",
	    cli_opt(c, "trust") != NULL ? "UPDATE_TRUSTSTORE" : "RENEW");
	enum dvt_code rc = cli_call(
	    c, "POST", "/devices/recovery/initiate", body, NULL, err);

	json_decref(body);
	return rc;
}

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

/* The answer once it is ready. */
static enum dvt_code
await(struct cli *c, json_t **out, struct dvt_err *err)
{
	struct dvt_buf at;
	enum dvt_code rc = DVT_OK;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/devices/");
	cli_segment(&at, c->arg[0]);
	dvt_buf_puts(&at, "/recovery");
	for (int i = 0; i < LOOKS; i++) {
		rc = cli_call(c, "GET", dvt_buf_str(&at), NULL, out, err);
		if (rc != DVT_OK ||
		    strcmp(text_of(*out, "state"), "making") != 0)
			break;
		json_decref(*out);
		*out = NULL;
		(void)usleep(LOOKS_US);
	}
	dvt_buf_fini(&at);
	if (rc != DVT_OK)
		return rc;
	if (*out == NULL)
		return dvt_fail(err, DVT_E_LATER, "it is not signed yet");
	if (strcmp(text_of(*out, "state"), "ready") == 0)
		return DVT_OK;
	rc = dvt_fail(err, DVT_E_LATER, "%.200s", text_of(*out, "failed"));
	json_decref(*out);
	*out = NULL;
	return rc;
}

static enum dvt_code
save(const char *path, const char *text, struct dvt_err *err)
{
	FILE *f = fopen(path, "we");
	bool ok = f != NULL && fputs(text, f) >= 0;

	if (f != NULL)
		ok = fclose(f) == 0 && ok;
	return ok ? DVT_OK : dvt_fail_errno(err, "%s", path);
}

enum dvt_code
cmd_device_recover(struct cli *c, struct dvt_err *err)
{
	const char *path = cli_opt(c, "out");
	json_t *answer = NULL;
	enum dvt_code rc;

	if ((rc = initiate(c, err)) != DVT_OK ||
	    (rc = await(c, &answer, err)) != DVT_OK)
		return rc;
	if (path != NULL)
		rc = save(path, text_of(answer, "file"), err);
	if (rc == DVT_OK && c->json)
		cli_print_json(answer);
	else if (rc == DVT_OK && path == NULL)
		fputs(text_of(answer, "file"), stdout);
	else if (rc == DVT_OK)
		printf("%s: bundle %lld%s\n", path,
		    (long long)json_integer_value(
			json_object_get(answer, "version")),
		    text_of(answer, "grant_id")[0] != '\0'
			? ", with a grant to return once"
			: "");
	json_decref(answer);
	return rc;
}
