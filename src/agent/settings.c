/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/program.h"

const struct dvt_setting agent_settings[] = {
    {"agent.server",         DVT_SET_TEXT,    NULL,                                 0, 0,                 "",
     "HOST:PORT of the control plane's device listener.",											   NULL},
    {"agent.server-name",    DVT_SET_TEXT,    NULL,                                 0, DVT_HOST_MAX,      "",
     "Name its certificate must carry; empty: HOST of server.",										     NULL},
    {"agent.edge",           DVT_SET_LIST,    NULL,                                 0, 0,                 "",
     "HOST:PORT of the edges, for trials and probes.",											      NULL},
    {"agent.edge-name",      DVT_SET_TEXT,    NULL,                                 0, DVT_HOST_MAX,      "",
     "Name an edge's certificate must carry.",												      NULL},
    {"agent.device-id",      DVT_SET_TEXT,    NULL,                                 0, DVT_DEVICE_ID_MAX, "",
     "Identity asked for; empty: common name of the certificate.",										  NULL},
    {"agent.label",          DVT_SET_TEXT,    NULL,                                 0, DVT_NAME_MAX,      "",
     "EST label, which is the profile; empty: that of devices.",										    NULL},
    {"agent.hook",           DVT_SET_PATH,    NULL,                                 0, 0,                 "",
     "Program run with post-switch, post-trust, on-config or on-event as its "
     "argument.",										 NULL},
    {"agent.hook-limit",     DVT_SET_MS,      "ms",                                 1, 3600000,           "60s",
     "A hook that takes longer has failed.",													NULL},
    {"agent.retry-first",    DVT_SET_SECONDS, "s",                                  1, 3600,              "30s",
     "Wait after a failure; then twice, four and ten times of it.",										 NULL},
    {"agent.trial-wait",     DVT_SET_MS,      "ms",                                 1, 600000,            "1s",
     "Wait before a trial, for edges to hear of the certificate.",										  NULL},
    {"agent.hold",           DVT_SET_SECONDS, "s",                                  1, 31536000,          "7d",
     "An old key is kept so long after its successor is in use.",										   NULL},
    {"agent.once-limit",     DVT_SET_SECONDS, "s",                                  1, 86400,             "300s",
     "Longest time for --once, checkin and renew.",												 NULL},
    {"agent.ocsp", DVT_SET_BOOL, NULL, 0, 0, "yes",
     "Keep the OCSP response for the certificate beside its chain.", NULL},
    {"agent.recovery-media", DVT_SET_PATHS,   NULL,                                 0, 0,                 "",
     "Folders to look for recovery bundles in: where media are mounted.",									   NULL},
    {"agent.recovery-url",   DVT_SET_LIST,    NULL,                                 0, 0,                 "",
     "http:// URLs of recovery bundles; one that ends in / gets "
     "DEVICE.jsonl.",															       NULL},
    {"log.level",            DVT_SET_CHOICE,  "crit|err|warning|notice|info|debug", 0, 0,
     "notice",												    "Least severity that is logged.", NULL},
    {"log.json",             DVT_SET_BOOL,    NULL,                                 0, 0,                 "no",   "Log lines as JSON objects.",
     NULL																	       },
};
const size_t agent_settings_count = DVT_COUNT(agent_settings);
