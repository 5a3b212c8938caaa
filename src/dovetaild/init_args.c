/* SPDX-License-Identifier: Apache-2.0 */
#include "dovetaild/init_priv.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_FLEET = 256,
	OPT_EDGE,
	OPT_NEXT,
	OPT_TRIAL,
	OPT_FRONT,
	OPT_FRONTS,
	OPT_LISTEN,
	OPT_ROOT,
	OPT_TOKENS,
	OPT_UNLOCK,
	OPT_USER,
	OPT_CHECKIN,
	OPT_PROFILE,
	OPT_SET,
	OPT_HELP,
};

static const struct option options[] = {
    {"fleet",      required_argument, NULL, OPT_FLEET  },
    {"edge-name",  required_argument, NULL, OPT_EDGE   },
    {"next-name",  required_argument, NULL, OPT_NEXT   },
    {"trial-name", required_argument, NULL, OPT_TRIAL  },
    {"front-name", required_argument, NULL, OPT_FRONT  },
    {"fronts",     required_argument, NULL, OPT_FRONTS },
    {"listen",     required_argument, NULL, OPT_LISTEN },
    {"root",       required_argument, NULL, OPT_ROOT   },
    {"tokens",     required_argument, NULL, OPT_TOKENS },
    {"unlock",     required_argument, NULL, OPT_UNLOCK },
    {"user",       required_argument, NULL, OPT_USER   },
    {"checkin",    required_argument, NULL, OPT_CHECKIN},
    {"profile",    required_argument, NULL, OPT_PROFILE},
    {"set",        required_argument, NULL, OPT_SET    },
    {"help",       no_argument,       NULL, OPT_HELP   },
    {NULL,         0,		 NULL, 0          },
};

static void
usage(FILE *to)
{
	fputs("usage: dovetaild --init DIR [options]\n"
	      "  --fleet NAME           in subjects and trust bundles\n"
	      "  --profile KIND         consumer (2 years) or industrial "
	      "(3 years)\n"
	      "  --edge-name HOST       name devices use for the edge; "
	      "repeat\n"
	      "  --next-name HOST       name of the edge's pure-chain probe\n"
	      "  --trial-name HOST      name of the edge's trial\n"
	      "  --front-name HOST      name or address of this control "
	      "plane; repeat\n"
	      "  --fronts N             processes that speak TLS\n"
	      "  --listen ADDRESS:PORT  for devices and gateways\n"
	      "  --root offline         export the root CA's key and forget "
	      "it\n"
	      "  --unlock WHERE         file:PATH, credential:NAME, terminal\n"
	      "  --user NAME            account its processes become when "
	      "started as root;\n"
	      "                         made when it is not there (dovetail; "
	      "root: stay root)\n"
	      "  --checkin SECONDS      check-in period of all devices\n"
	      "  --tokens FILE          write the tokens there as JSON\n"
	      "  --set KEY=VALUE        any setting; repeat\n",
	    to);
}

static enum dvt_code
add(const char **list, size_t *n, size_t max, const char *what,
    struct dvt_err *err)
{
	if (*n == max)
		return dvt_fail(err, DVT_E_LIMIT, "too many of %s", what);
	list[(*n)++] = optarg;
	return DVT_OK;
}

static enum dvt_code
number(const char *what, int64_t least, int64_t most, int64_t *out,
    struct dvt_err *err)
{
	char *end;

	*out = strtoll(optarg, &end, 10);
	if (end == optarg || *end != '\0' || *out < least || *out > most)
		return dvt_fail(err, DVT_E_INPUT,
		    "%s: \"%s\" is no number from %lld to %lld", what, optarg,
		    (long long)least, (long long)most);
	return DVT_OK;
}

static enum dvt_code
take(int c, struct init_options *o, struct dvt_err *err)
{
	switch (c) {
	case OPT_FLEET:
		o->fleet = optarg;
		return DVT_OK;
	case OPT_EDGE:
		return add(o->edge_name, &o->edge_n, INIT_NAMES_MAX,
		    "--edge-name", err);
	case OPT_FRONT:
		return add(o->front_name, &o->front_n, INIT_NAMES_MAX,
		    "--front-name", err);
	case OPT_NEXT:
		o->next_name = optarg;
		return DVT_OK;
	case OPT_TRIAL:
		o->trial_name = optarg;
		return DVT_OK;
	case OPT_LISTEN:
		o->listen = optarg;
		return DVT_OK;
	case OPT_TOKENS:
		o->tokens = optarg;
		return DVT_OK;
	case OPT_UNLOCK:
		o->unlock = optarg;
		return DVT_OK;
	case OPT_USER:
		o->user = optarg;
		return DVT_OK;
	case OPT_FRONTS:
		return number("--fronts", 1, DVT_FRONTS_MAX, &o->fronts, err);
	case OPT_CHECKIN:
		return number("--checkin", 1, INIT_DAY_S, &o->checkin_s, err);
	case OPT_SET:
		return add(o->set, &o->set_n, DVT_COUNT(o->set), "--set", err);
	case OPT_ROOT:
		o->root_offline = strcmp(optarg, "offline") == 0;
		if (!o->root_offline && strcmp(optarg, "online") != 0)
			return dvt_fail(err, DVT_E_INPUT,
			    "--root: \"%s\" is neither offline nor online",
			    optarg);
		return DVT_OK;
	case OPT_PROFILE:
		o->industry = optarg;
		if (strcmp(optarg, "consumer") != 0 &&
		    strcmp(optarg, "industrial") != 0)
			return dvt_fail(err, DVT_E_INPUT,
			    "--profile: \"%s\" is neither consumer nor "
			    "industrial",
			    optarg);
		return DVT_OK;
	default:
		usage(stderr);
		exit(64);
	}
}

/* It goes into subjects, and file names of others: plain words. */
static enum dvt_code
check_fleet(const char *fleet, struct dvt_err *err)
{
	size_t plain = strspn(fleet,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "._- ");

	if (fleet[0] == '\0' || fleet[plain] != '\0' ||
	    strlen(fleet) > DVT_NAME_MAX / 2)
		return dvt_fail(err, DVT_E_INPUT,
		    "--fleet: \"%.64s\": letters, digits, blanks, \".\", "
		    "\"_\", "
		    "\"-\", at most %d",
		    fleet, DVT_NAME_MAX / 2);
	return DVT_OK;
}

enum dvt_code
init_arguments(
    int argc, char **argv, struct init_options *o, struct dvt_err *err)
{
	enum dvt_code rc;
	int c;

	optind = 0; /* from the start, also a second time */
	o->fleet = "fleet";
	o->industry = "consumer";
	o->unlock = "file:" DIR_UNLOCK;
	o->fronts = 2;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == OPT_HELP) {
			usage(stdout);
			exit(0);
		}
		if ((rc = take(c, o, err)) != DVT_OK)
			return rc;
	}
	if (optind + 1 != argc)
		return dvt_fail(err, DVT_E_INPUT,
		    "name one folder: dovetaild --init DIR [options]");
	o->dir = argv[optind];
	if (o->front_n == 0)
		o->front_name[o->front_n++] = "localhost";
	return check_fleet(o->fleet, err);
}
