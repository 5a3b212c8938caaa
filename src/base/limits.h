/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every size a peer can choose, with its unit and reason. A parser checks
 * these before it asks for memory.
 */
#ifndef DVT_BASE_LIMITS_H
#define DVT_BASE_LIMITS_H

#define DVT_CERT_DER_MAX  16384 /* bytes; largest seen in the field: 4 KiB */
#define DVT_CERT_PEM_MAX  24576 /* bytes; the same as PEM */
#define DVT_CHAIN_MAX     12    /* certificates in one chain; a ring seen: 10 */
#define DVT_CHAIN_PEM_MAX 65536 /* bytes of a chain file */
#define DVT_CSR_DER_MAX   8192  /* bytes; P-256: 300, RSA-4096: 1.2 KiB */
#define DVT_KEY_PEM_MAX   16384 /* bytes; RSA-8192: 6.4 KiB */
#define DVT_SPKI_MAX      2048  /* bytes of a public key; RSA-8192: 1062 */
#define DVT_TRUST_PEM_MAX                                                      \
	1048576                   /* bytes of a trust file; Debian's: 220 KiB  \
				   */
#define DVT_EDGE_FLIGHT_MAX 32768 /* bytes of a client's certificates */
#define DVT_CRL_DER_MAX                                                        \
	67108864                 /* bytes of a CRL; a million entries: 40 MiB  \
				  */
#define DVT_STAPLE_MAX     16384 /* bytes of an OCSP response; seen: 2 KiB */
#define DVT_DER_DEPTH_MAX  16    /* nested constructed values */
#define DVT_EXTS_MAX       32    /* extensions in a certificate; seen: 14 */
#define DVT_DEVICE_ID_MAX  128   /* characters of a device id */
#define DVT_NAME_MAX       128   /* characters of any name an operator gives */
#define DVT_HOST_MAX       253   /* characters; RFC 1035 section 2.3.4 */
#define DVT_URI_MAX        4096  /* bytes of a request target */
#define DVT_HEADERS_MAX    16384 /* bytes of a request's or answer's headers */
#define DVT_BODY_MAX       1048576  /* bytes of an API request's body */
#define DVT_EST_BODY_MAX   65536    /* bytes of an EST request's body */
#define DVT_CHECKIN_MAX    16384    /* bytes of a check-in */
#define DVT_REPORT_MAX     1048576  /* bytes of one gateway report */
#define DVT_JSON_DEPTH_MAX 16       /* nested objects and lists */
#define DVT_BUNDLE_MAX     65536    /* bytes of one trust bundle line */
#define DVT_BUNDLE_ANCHORS 16       /* anchors in one bundle */
#define DVT_TICKET_BYTES   8192     /* bytes of one kept TLS ticket */
#define DVT_TICKETS_BYTES  32768    /* of the file of tickets */
#define DVT_RECOVERY_MAX   1048576  /* bytes of one recovery file */
#define DVT_CONFIG_VALUES  64       /* configuration values of one device */
#define DVT_CONFIG_NAME    48       /* characters of the name of one */
#define DVT_CONFIG_VALUE   16384    /* bytes of one, as plain text */
#define DVT_CONFIG_SEALED  20480    /* bytes of one, encrypted, DER */
#define DVT_BUNDLE_KEYS    8        /* signing keys named by one bundle */
#define DVT_IPC_MSG_MAX    65536    /* bytes of one message; larger: by memfd */
#define DVT_IPC_BODY_MAX   8388608  /* bytes; a list or feed to one process */
#define DVT_IPC_QUEUE_MAX  16777216 /* bytes that may wait for one process */
#define DVT_HTTP_HEADERS   100      /* header lines of one request or answer */
#define DVT_CONFIG_MAX     262144   /* bytes of a settings file */
#define DVT_CONFIG_LINE    32768 /* bytes of a line: a list of fingerprints */
#define DVT_CONFIG_GROUPS  64    /* sections [KIND NAME] of a settings file */
#define DVT_INVENTORY_LINE 8192  /* bytes of a line of an import's CSV */
#define DVT_SEALED_MAX     65536 /* bytes of a sealed secret */

#define DVT_FS_PATH_MAX        200 /* bytes of a path in a state directory */
#define DVT_FS_NAME_MAX        63  /* bytes of one name of it */
#define DVT_FS_FILE_MAX        1048576 /* bytes of a file in it */
#define DVT_RECORD_MAX         4096 /* bytes of one handshake record as JSON */
#define DVT_FEED_KEY_MAX       384 /* characters: gateway, "/", device or order */
#define DVT_FEED_LINE_MAX      196608 /* bytes; a credential with two PEM chains */
#define DVT_FEED_LINES_MAX     500    /* changed keys in one answer */
#define DVT_FEED_ANSWER_MAX    8388608 /* bytes of one answer */
#define DVT_FEED_LIST_MAX      64 /* fingerprints or names in one list of a line */
#define DVT_FEED_DEVICES_MAX   100000 /* device ids in one reconnect order */
#define DVT_FEED_CACHE_MAX     1073741824 /* bytes of an edge's cache file */
#define DVT_DOUBT_MAX          320  /* bytes of one doubt an edge reports */
#define DVT_REPORT_RECORDS_MAX 4000 /* handshakes in one report */
#define DVT_PROXY_IN_MAX       4096  /* bytes of a PROXY header that is read */
#define DVT_HELLO_MAX          65536 /* bytes of a ClientHello; OpenSSL takes 131 kB */

#define DVT_PLAN_MAX        262144 /* bytes of a rotation plan as JSON */
#define DVT_PLAN_LIST_MAX   1000   /* devices named one by one in a plan */
#define DVT_EDGES_MAX       4096   /* gateways and fronts of one fleet */
#define DVT_EST_CERTS_MAX   32     /* certificates in an EST answer */
#define DVT_MQTT_PACKET_MAX 65536  /* bytes of an MQTT packet of ours */
#define DVT_MQTT_OPENING_MAX                                                   \
	12288 /* bytes of a CONNECT at an edge, after its                      \
		fixed header: wills are small */

/* Fingerprints in security.policy.ca.trust.list, and bytes of its text: more
 * anchors than any trust bundle holds. */
#define DVT_TRUST_LIST_MAX   64
#define DVT_TRUST_LIST_BYTES 16384

#endif
