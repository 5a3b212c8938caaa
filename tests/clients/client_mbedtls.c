/* SPDX-License-Identifier: Apache-2.0 */
/* A client of mbedTLS: stock verification, no server name. */
#include "client.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context random_;
static mbedtls_x509_crt trust, own;
static mbedtls_pk_context key;
static mbedtls_ssl_config config;
static mbedtls_ssl_context ssl;

static int
end(const char *what, int rc, int status)
{
	printf("%s: -0x%04x verify=0x%x\n", what, (unsigned)-rc,
	    (unsigned)mbedtls_ssl_get_verify_result(&ssl));
	return status;
}

static void
load(const struct client_args *a)
{
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&random_);
	mbedtls_x509_crt_init(&trust);
	mbedtls_x509_crt_init(&own);
	mbedtls_pk_init(&key);
	mbedtls_ssl_config_init(&config);
	mbedtls_ssl_init(&ssl);
	if (mbedtls_ctr_drbg_seed(
		&random_, mbedtls_entropy_func, &entropy, NULL, 0) != 0 ||
	    mbedtls_x509_crt_parse_file(&trust, a->trust) != 0 ||
	    mbedtls_x509_crt_parse_file(&own, a->cert) != 0 ||
	    mbedtls_pk_parse_keyfile(&key, a->key, NULL) != 0 ||
	    mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT,
		MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		exit(2);
	mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ca_chain(&config, &trust, NULL);
	mbedtls_ssl_conf_own_cert(&config, &own, &key);
	mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random_);
	if (a->fragment != 0)
		mbedtls_ssl_conf_max_frag_len(&config,
		    a->fragment == 512    ? MBEDTLS_SSL_MAX_FRAG_LEN_512
		    : a->fragment == 1024 ? MBEDTLS_SSL_MAX_FRAG_LEN_1024
					  : MBEDTLS_SSL_MAX_FRAG_LEN_2048);
	if (mbedtls_ssl_setup(&ssl, &config) != 0)
		exit(2);
}

int
main(int argc, char **argv)
{
	struct client_args a = client_args(argc, argv);
	mbedtls_net_context net = {.fd = client_connect(a.port)};
	unsigned char answer[4];
	int rc;

	load(&a);
	mbedtls_ssl_set_bio(
	    &ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
	rc = mbedtls_ssl_handshake(&ssl);
	if (rc == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
		return end("refused", rc, 1);
	if (rc != 0)
		return end("handshake", rc, 2);
	rc = mbedtls_ssl_write(&ssl, client_hello, sizeof(client_hello));
	if (rc > 0)
		rc = mbedtls_ssl_read(&ssl, answer, sizeof(answer));
	if (rc < 4 || answer[0] != 0x20)
		return end("no answer", rc, 2);
	mbedtls_ssl_write(&ssl, client_bye, sizeof(client_bye));
	mbedtls_ssl_close_notify(&ssl);
	return end("ok", 0, 0);
}
