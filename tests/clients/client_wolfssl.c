/* SPDX-License-Identifier: Apache-2.0 */
/* A client of wolfSSL as it is built by default: no server name. */
#include "client.h"

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

static int
end(WOLFSSL *ssl, const char *what, int rc, int status)
{
	printf("%s: %d\n", what, wolfSSL_get_error(ssl, rc));
	return status;
}

static WOLFSSL_CTX *
context(const struct client_args *a)
{
	WOLFSSL_CTX *ctx;

	wolfSSL_Init();
	ctx = wolfSSL_CTX_new(strcmp(a->version, "1.3") == 0
				  ? wolfTLSv1_3_client_method()
				  : wolfTLSv1_2_client_method());
	if (ctx == NULL ||
	    wolfSSL_CTX_load_verify_locations(ctx, a->trust, NULL) !=
		WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_use_certificate_chain_file(ctx, a->cert) !=
		WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_use_PrivateKey_file(
		ctx, a->key, WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS)
		exit(2);
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER, NULL);
	return ctx;
}

int
main(int argc, char **argv)
{
	struct client_args a = client_args(argc, argv);
	WOLFSSL_CTX *ctx = context(&a);
	WOLFSSL *ssl = wolfSSL_new(ctx);
	unsigned char answer[4] = {0};
	int rc;

	if (ssl == NULL)
		return 2;
	wolfSSL_set_fd(ssl, client_connect(a.port));
	rc = wolfSSL_connect(ssl);
	if (rc != WOLFSSL_SUCCESS) {
		int error = wolfSSL_get_error(ssl, rc);

		/* no signer, bad path, wrong dates: all are about the chain */
		return end(ssl, "refused", rc,
		    error == -188 || error == -150 || error == -151 ||
			    error == -155 || error == -275
			? 1
			: 2);
	}
	rc = wolfSSL_write(ssl, client_hello, sizeof(client_hello));
	if (rc > 0)
		rc = wolfSSL_read(ssl, answer, sizeof(answer));
	if (rc < 4 || answer[0] != 0x20)
		return end(ssl, "no answer", rc, 2);
	wolfSSL_write(ssl, client_bye, sizeof(client_bye));
	wolfSSL_shutdown(ssl);
	return end(ssl, "ok", rc, 0);
}
