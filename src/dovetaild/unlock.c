/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/unlock.h"

#include "base/file.h"
#include "base/hex.h"
#include "dovetaild/files.h"
#include "dovetaild/signer.h"
#include "pki/wrap.h"

#include <openssl/rand.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSPHRASE_MAX 512

static enum dvt_code
from_hex_file(const char *path, struct dvt_secret *out, struct dvt_err *err)
{
	uint8_t bytes[SIGNER_SECRET_BYTES];
	struct dvt_buf text;
	enum dvt_code rc;
	size_t n = 0;

	dvt_buf_init(&text, 256);
	if ((rc = dvt_read_regular(path, &text, err)) == DVT_OK) {
		while (text.n > 0 && (text.p[text.n - 1] == '\n' ||
					 text.p[text.n - 1] == '\r'))
			text.n--;
		rc = dvt_unhex(
		    dvt_buf_str(&text), bytes, sizeof(bytes), &n, err);
		if (rc == DVT_OK && n != sizeof(bytes))
			rc = dvt_fail(err, DVT_E_INPUT,
			    "%zu bytes in hex, not %zu", n, sizeof(bytes));
		if (rc != DVT_OK)
			dvt_err_prefix(err, "%s", path);
	}
	if (rc == DVT_OK)
		dvt_secret_set(out, bytes, sizeof(bytes));
	dvt_cleanse(bytes, sizeof(bytes));
	dvt_buf_cleanse(&text);
	return rc;
}

/* One line from the terminal, not shown. */
static enum dvt_code
ask(const char *prompt, char *out, size_t size, struct dvt_err *err)
{
	struct termios was, quiet;
	FILE *tty = fopen("/dev/tty", "r+e");
	bool got;

	if (tty == NULL)
		return dvt_fail_errno(err, "no terminal to ask on");
	if (tcgetattr(fileno(tty), &was) != 0) {
		fclose(tty);
		return dvt_fail_errno(err, "terminal");
	}
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(fileno(tty), TCSAFLUSH, &quiet);
	fputs(prompt, tty);
	fflush(tty);
	got = fgets(out, (int)size, tty) != NULL;
	fputc('\n', tty);
	(void)tcsetattr(fileno(tty), TCSAFLUSH, &was);
	fclose(tty);
	if (!got)
		return dvt_fail(err, DVT_E_INPUT, "no passphrase was given");
	out[strcspn(out, "\n")] = '\0';
	return DVT_OK;
}

static enum dvt_code
from_passphrase(const struct dvt_kdf *kdf, const char *passphrase,
    struct dvt_secret *out, struct dvt_err *err)
{
	uint8_t key[DVT_WRAP_KEY];
	enum dvt_code rc = dvt_kdf_run(kdf, dvt_span_str(passphrase), key, err);

	if (rc == DVT_OK)
		dvt_secret_set(out, key, sizeof(key));
	dvt_cleanse(key, sizeof(key));
	return rc;
}

static enum dvt_code
from_terminal(const char *dir, struct dvt_secret *out, struct dvt_err *err)
{
	char passphrase[PASSPHRASE_MAX];
	struct dvt_kdf kdf;
	struct dvt_buf text;
	char path[1200];
	enum dvt_code rc;

	snprintf(path, sizeof(path), "%s/%s", dir, UNLOCK_KDF_FILE);
	dvt_buf_init(&text, DVT_KDF_TEXT);
	if ((rc = dvt_read_regular(path, &text, err)) != DVT_OK ||
	    (rc = dvt_kdf_parse(dvt_buf_str(&text), &kdf, err)) != DVT_OK ||
	    (rc = ask("Passphrase of the signer: ", passphrase,
		 sizeof(passphrase), err)) != DVT_OK)
		goto out;
	rc = from_passphrase(&kdf, passphrase, out, err);
out:
	dvt_cleanse(passphrase, sizeof(passphrase));
	dvt_buf_fini(&text);
	return rc;
}

static enum dvt_code
credential_path(const char *name, char *out, size_t size, struct dvt_err *err)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (dir == NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "no systemd credentials here (LoadCredential=%s:...)",
		    name);
	snprintf(out, size, "%s/%s", dir, name);
	return DVT_OK;
}

static bool
starts(const char *text, const char *with, const char **rest)
{
	size_t n = strlen(with);

	*rest = text + n;
	return strncmp(text, with, n) == 0;
}

/* "file:PATH" and "credential:NAME" as a path; DVT_E_ABSENT for neither. */
static enum dvt_code
path_of(const char *dir, const char *where, char *out, size_t size,
    struct dvt_err *err)
{
	const char *rest;

	if (starts(where, "credential:", &rest))
		return credential_path(rest, out, size, err);
	if (!starts(where, "file:", &rest))
		return dvt_fail(err, DVT_E_ABSENT,
		    "signer.unlock: \"%s\" is none of file:PATH, "
		    "credential:NAME, terminal",
		    where);
	if (rest[0] == '/')
		snprintf(out, size, "%s", rest);
	else
		snprintf(out, size, "%s/%s", dir, rest);
	return DVT_OK;
}

enum dvt_code
unlock_read(const char *dir, const char *where, struct dvt_secret *out,
    struct dvt_err *err)
{
	char path[1200];
	enum dvt_code rc;

	*out = (struct dvt_secret){NULL, 0};
	if (strcmp(where, "terminal") == 0)
		return from_terminal(dir, out, err);
	if ((rc = path_of(dir, where, path, sizeof(path), err)) != DVT_OK)
		return rc == DVT_E_ABSENT ? (err->code = DVT_E_INPUT) : rc;
	return from_hex_file(path, out, err);
}

static enum dvt_code
make_file(const char *path, struct dvt_secret *out, struct dvt_err *err)
{
	char hex[2 * SIGNER_SECRET_BYTES + 2];
	uint8_t bytes[SIGNER_SECRET_BYTES];
	enum dvt_code rc;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return dvt_fail(err, DVT_E_SYSTEM, "no random numbers");
	dvt_hex(bytes, sizeof(bytes), hex, sizeof(hex));
	hex[2 * SIGNER_SECRET_BYTES] = '\n';
	rc = file_write(path,
	    (struct dvt_span){
		(const uint8_t *)hex, 2 * SIGNER_SECRET_BYTES + 1},
	    0600, err);
	if (rc == DVT_OK)
		dvt_secret_set(out, bytes, sizeof(bytes));
	dvt_cleanse(bytes, sizeof(bytes));
	dvt_cleanse(hex, sizeof(hex));
	return rc;
}

static enum dvt_code
make_passphrase(const char *dir, struct dvt_secret *out, struct dvt_err *err)
{
	char once[PASSPHRASE_MAX], twice[PASSPHRASE_MAX], text[DVT_KDF_TEXT];
	struct dvt_kdf kdf;
	char path[1200];
	enum dvt_code rc;

	snprintf(path, sizeof(path), "%s/%s", dir, UNLOCK_KDF_FILE);
	if ((rc = ask("New passphrase of the signer: ", once, sizeof(once),
		 err)) != DVT_OK ||
	    (rc = ask("The same again: ", twice, sizeof(twice), err)) != DVT_OK)
		goto out;
	if (strcmp(once, twice) != 0 || strlen(once) < 8) {
		rc = dvt_fail(err, DVT_E_INPUT,
		    "the passphrases differ, or are under 8 characters");
		goto out;
	}
	if ((rc = dvt_kdf_make(&kdf, err)) != DVT_OK ||
	    (rc = file_write(path, dvt_span_str(dvt_kdf_format(&kdf, text)),
		 0600, err)) != DVT_OK)
		goto out;
	rc = from_passphrase(&kdf, once, out, err);
out:
	dvt_cleanse(once, sizeof(once));
	dvt_cleanse(twice, sizeof(twice));
	return rc;
}

enum dvt_code
unlock_make(const char *dir, const char *where, struct dvt_secret *out,
    struct dvt_err *err)
{
	const char *rest;
	char path[1200];
	enum dvt_code rc;

	*out = (struct dvt_secret){NULL, 0};
	if (strcmp(where, "terminal") == 0)
		return make_passphrase(dir, out, err);
	if (!starts(where, "file:", &rest))
		return unlock_read(dir, where, out, err);
	if ((rc = path_of(dir, where, path, sizeof(path), err)) != DVT_OK)
		return rc;
	return make_file(path, out, err);
}
