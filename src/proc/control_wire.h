/* SPDX-License-Identifier: Apache-2.0 */
/* The fixed-size messages between parent and child, both ways. */
#ifndef DVT_PROC_CONTROL_WIRE_H
#define DVT_PROC_CONTROL_WIRE_H

#include <stdint.h>

struct dvt_ctl {
	uint32_t type; /* enum dvt_control_type */
	int32_t role;
	uint32_t index;
};

/* What a child knows of itself. */
struct dvt_child {
	int role;
	unsigned index;
	char name[32];
	int control;
};

/* @pass: descriptor going along, or -1; borrowed. 0, or -1 with errno. */
int dvt_ctl_send(int fd, const struct dvt_ctl *m, int pass);
/* 1: a message, its descriptor (or -1) in @passed; 0: none; -1: end, broken. */
int dvt_ctl_receive(int fd, struct dvt_ctl *m, int *passed);

#endif
