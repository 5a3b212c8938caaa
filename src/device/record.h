/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of the journal: what an agent must still know after a cut and cannot
 * see from the other files. "<first 8 digits of SHA-256> <JSON>\n"; each line
 * stands for itself.
 */
#ifndef DVT_DEVICE_RECORD_H
#define DVT_DEVICE_RECORD_H

#include "device/agent.h"

#define DVT_RECORD_LINE_MAX 1024 /* bytes of a line */

/* name in the file; what the fields mean then */
#define DVT_RECORDS(X)                                                         \
	X(DVT_REC_STEP, "step")     /* event */                                \
	X(DVT_REC_BEGIN, "begin")   /* an update: id, generation, old, ... */  \
	X(DVT_REC_END, "end")       /* of it: ok */                            \
	X(DVT_REC_ACK, "ack")       /* events up to seq were reported */       \
	X(DVT_REC_DONE, "done")     /* instruction: ok, detail */              \
	X(DVT_REC_TOLD, "told")     /* and that was reported */                \
	X(DVT_REC_SEEN, "seen")     /* the server's clock: at */               \
	X(DVT_REC_HOLD, "hold")     /* generation superseded: at */            \
	X(DVT_REC_GONE, "gone")     /* generation removed */                   \
	X(DVT_REC_PROBED, "probed") /* version of a bundle: tried at the edge  \
				     */                                        \
	X(DVT_REC_HOOKED, "hooked") /* likewise: its post-trust hook ended */

#define DVT_RECORD_ENUM(id, name) id,
enum dvt_record_kind { DVT_RECORDS(DVT_RECORD_ENUM) };

struct dvt_record {
	enum dvt_record_kind kind;
	struct dvt_agent_event event;       /* STEP; ACK: its seq */
	char id[DVT_STEP_ID];               /* BEGIN, END: of the update */
	char instruction[DVT_NAME_MAX + 1]; /* BEGIN ("" none), DONE, TOLD */
	char label[DVT_NAME_MAX + 1];       /* BEGIN */
	int64_t generation;                 /* BEGIN, HOLD, GONE */
	int64_t old;                        /* BEGIN: predecessor, 0: none */
	int64_t version;                    /* PROBED, HOOKED */
	int64_t at;                         /* BEGIN, SEEN, HOLD: Unix s */
	bool ok;                            /* END, DONE */
	char detail[DVT_STEP_DETAIL];       /* DONE */
};

/* Append the line. */
void dvt_record_format(const struct dvt_record *r, struct dvt_buf *out);

/**
 * dvt_record_parse() - one line without its line feed
 * Return: DVT_OK; DVT_E_INPUT (torn, changed, or of an unknown kind).
 */
DVT_MUST_USE enum dvt_code dvt_record_parse(
    struct dvt_span line, struct dvt_record *out, struct dvt_err *err);

#endif
