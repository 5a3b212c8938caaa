/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dovetail device config ...: values for a device, encrypted here to the
 * certificate it uses. The control plane sees ciphertext alone.
 */
#include "cli/cli.h"

#include "base/mem.h"
#include "pki/envelope.h"
#include "pki/x509.h"
#include "wire/base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
config_target(struct dvt_buf *at, const char *id, const char *name)
{
	dvt_buf_init(at, DVT_URI_MAX);
	dvt_buf_puts(at, "/v1/devices/");
	cli_segment(at, id);
	dvt_buf_puts(at, "/config");
	if (name == NULL)
		return;
	dvt_buf_putc(at, '/');
	cli_segment(at, name);
}

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

/* The certificate that the device uses now. */
static enum dvt_code
current_certificate(struct cli *c, const char *device,
    char fingerprint[DVT_DIGEST_HEX], X509 **out, struct dvt_err *err)
{
	json_t *answer = NULL, *one;
	struct dvt_buf at;
	enum dvt_code rc;
	size_t i;

	*out = NULL;
	fingerprint[0] = '\0';
	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/devices/");
	cli_segment(&at, device);
	rc = cli_call(c, "GET", dvt_buf_str(&at), NULL, &answer, err);
	json_array_foreach(json_object_get(answer, "credentials"), i, one)
	{
		if (fingerprint[0] == '\0' &&
		    strcmp(text_of(one, "state"), "active") == 0)
			(void)dvt_copy_str(fingerprint, DVT_DIGEST_HEX,
			    text_of(one, "fingerprint"));
	}
	json_decref(answer);
	answer = NULL;
	if (rc == DVT_OK && fingerprint[0] == '\0')
		rc = dvt_fail(err, DVT_E_CONFLICT,
		    "device %s uses no certificate to encrypt to", device);
	dvt_buf_reset(&at);
	dvt_buf_printf(&at, "/v1/certificates/%s", fingerprint);
	if (rc == DVT_OK)
		rc = cli_call(c, "GET", dvt_buf_str(&at), NULL, &answer, err);
	if (rc == DVT_OK)
		rc = dvt_x509_from_pem(
		    dvt_span_str(text_of(answer, "certificate")), out, err);
	json_decref(answer);
	dvt_buf_fini(&at);
	return rc;
}

static enum dvt_code
seal_file(X509 *to, const char *path, struct dvt_buf *text, struct dvt_err *err)
{
	struct dvt_buf plain, sealed;
	enum dvt_code rc;

	dvt_buf_init(&plain, DVT_CONFIG_VALUE);
	dvt_buf_init(&sealed, DVT_CONFIG_SEALED);
	rc = cli_read_file(path, &plain, err);
	if (rc == DVT_OK)
		rc = dvt_envelope_seal(to, dvt_buf_span(&plain), &sealed, err);
	if (rc == DVT_OK)
		dvt_base64_encode(text, dvt_buf_span(&sealed), 0);
	dvt_buf_cleanse(&plain);
	dvt_buf_fini(&plain);
	dvt_buf_fini(&sealed);
	return rc;
}

/* Set one "name=FILE". */
static enum dvt_code
set_one(
    struct cli *c, const char *device, const char *word, struct dvt_err *err)
{
	const char *equals = strchr(word, '=');
	char fingerprint[DVT_DIGEST_HEX], *name;
	struct dvt_buf at, text;
	json_t *body, *answer = NULL;
	X509 *to = NULL;
	enum dvt_code rc;

	if (equals == NULL || equals == word || equals[1] == '\0')
		return dvt_fail(err, DVT_E_INPUT,
		    "%.100s: name=FILE is wanted (FILE - is standard input)",
		    word);
	name = dvt_strndup(word, (size_t)(equals - word));
	dvt_buf_init(&text, 2 * DVT_CONFIG_SEALED);
	config_target(&at, device, name);
	rc = current_certificate(c, device, fingerprint, &to, err);
	if (rc == DVT_OK)
		rc = seal_file(to, equals + 1, &text, err);
	if (rc == DVT_OK) {
		body = json_pack("{s:s, s:s}", "sealed", dvt_buf_str(&text),
		    "certificate", fingerprint);
		rc = cli_call(c, "POST", dvt_buf_str(&at), body, &answer, err);
		json_decref(body);
	}
	if (rc == DVT_OK && c->json)
		cli_print_json(answer);
	else if (rc == DVT_OK)
		printf("%s version %lld\n", name,
		    (long long)json_integer_value(
			json_object_get(answer, "version")));
	json_decref(answer);
	X509_free(to);
	dvt_buf_fini(&at);
	dvt_buf_fini(&text);
	free(name);
	return rc;
}

enum dvt_code
cmd_device_config_set(struct cli *c, struct dvt_err *err)
{
	return set_one(c, c->arg[0], c->arg[1], err);
}

enum dvt_code
cmd_device_config_list(struct cli *c, struct dvt_err *err)
{
	static const struct cli_column columns[] = {
	    {"NAME",      "name",            CLI_TEXT  },
	    {"VERSION",   "version",         CLI_NUMBER},
	    {"APPLIED",   "applied_version", CLI_NUMBER},
	    {"SINCE",     "applied_at",      CLI_AGO   },
	    {"SET BY",    "set_by",          CLI_TEXT  },
	    {"ENCRYPTED", "certificate",     CLI_SHORT },
	    {"FAILED",    "failed",          CLI_TEXT  },
	};
	struct dvt_buf at;
	enum dvt_code rc;

	config_target(&at, c->arg[0], NULL);
	rc = cli_show(c, dvt_buf_str(&at), "items", columns, DVT_COUNT(columns),
	    "No value.", err);
	dvt_buf_fini(&at);
	return rc;
}

/* The ciphertext: nobody but the device can open it. */
enum dvt_code
cmd_device_config_get(struct cli *c, struct dvt_err *err)
{
	struct dvt_buf at;
	json_t *answer;
	enum dvt_code rc;

	config_target(&at, c->arg[0], c->arg[1]);
	rc = cli_call(c, "GET", dvt_buf_str(&at), NULL, &answer, err);
	dvt_buf_fini(&at);
	if (rc != DVT_OK)
		return rc;
	if (c->json)
		cli_print_json(answer);
	else
		printf("%s\n", text_of(answer, "sealed"));
	json_decref(answer);
	return DVT_OK;
}

static enum dvt_code delete (
    struct cli *c, const char *target, const char *said, struct dvt_err *err) {
	json_t *answer;
	enum dvt_code rc = cli_call(c, "DELETE", target, NULL, &answer, err);

	if (rc != DVT_OK) return rc;
	if (c->json) cli_print_json(answer);
	else puts(said);
	json_decref(answer);
	return DVT_OK;
}

enum dvt_code
cmd_device_config_remove(struct cli *c, struct dvt_err *err)
{
	struct dvt_buf at;
	enum dvt_code rc;

	config_target(&at, c->arg[0], c->arg[1]);
	rc = delete (c, dvt_buf_str(&at), "removed", err);
	dvt_buf_fini(&at);
	return rc;
}

enum dvt_code
cmd_device_config_unlock(struct cli *c, struct dvt_err *err)
{
	struct dvt_buf at;
	enum dvt_code rc;

	dvt_buf_init(&at, DVT_URI_MAX);
	dvt_buf_puts(&at, "/v1/devices/");
	cli_segment(&at, c->arg[0]);
	dvt_buf_puts(&at, "/lock");
	rc = delete (c, dvt_buf_str(&at), "unlocked", err);
	dvt_buf_fini(&at);
	return rc;
}
