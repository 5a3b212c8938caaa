/* SPDX-License-Identifier: Apache-2.0 */
/* dovetail-agent: arguments, settings, one command. */
#include "agent/program.h"

#include "base/log.h"
#include "proc/service.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char usage_text
    [] = "usage: dovetail-agent --state DIR [--config FILE] COMMAND\n"
	 "  enroll --import KEY CERT --anchor FILE [--trust-key FILE]\n"
	 "  enroll --secret-file FILE (--anchor FILE | --fingerprint SHA256)\n"
	 "         [--device ID] [--subject DN] [--label LABEL]\n"
	 "         [--trust-key FILE]\n"
	 "  run [--once]     check in, renew, load trust; until told to stop\n"
	 "  checkin, renew   once, now\n"
	 "  recover [--from FILE|DIR|URL] [--renew]\n"
	 "                   load a trust bundle that came another way\n"
	 "  cancel           give up the update that runs\n"
	 "  selftest         try what an update needs, change nothing\n"
	 "  status [--json]  what it holds\n";

enum {
	OPT_ONCE = 256,
	OPT_JSON,
	OPT_IMPORT,
	OPT_SECRET,
	OPT_ANCHOR,
	OPT_FINGERPRINT,
	OPT_TRUST_KEY,
	OPT_DEVICE,
	OPT_LABEL,
	OPT_SUBJECT,
	OPT_FROM,
	OPT_RENEW,
	OPT_MAN,
};

static void
usage(int status)
{
	fputs(usage_text, status == 0 ? stdout : stderr);
	exit(status);
}

static void
print_settings_man(void)
{
	struct dvt_buf text;

	dvt_buf_init(&text, 1 << 20);
	dvt_settings_man(
	    "dovetail-agent", agent_settings, agent_settings_count, &text);
	fputs(dvt_buf_str(&text), stdout);
	exit(0);
}

/* --import takes two words. */
static void
take_import(struct options *o, int argc, char **argv)
{
	o->import_key = optarg;
	if (optind >= argc || argv[optind][0] == '-')
		usage(64);
	o->import_cert = argv[optind++];
}

static void
take_option(struct options *o, int c, int argc, char **argv)
{
	switch (c) {
	case 's':
		o->state = optarg;
		break;
	case 'c':
		o->config = optarg;
		break;
	case OPT_ONCE:
		o->once = true;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_IMPORT:
		take_import(o, argc, argv);
		break;
	case OPT_SECRET:
		o->secret_file = optarg;
		break;
	case OPT_ANCHOR:
		o->anchor = optarg;
		break;
	case OPT_FINGERPRINT:
		o->fingerprint = optarg;
		break;
	case OPT_TRUST_KEY:
		o->trust_key = optarg;
		break;
	case OPT_DEVICE:
		o->device = optarg;
		break;
	case OPT_LABEL:
		o->label = optarg;
		break;
	case OPT_FROM:
		o->from = optarg;
		break;
	case OPT_RENEW:
		o->renew = true;
		break;
	case OPT_SUBJECT:
		o->subject = optarg;
		break;
	case OPT_MAN:
		print_settings_man();
		break;
	case 'V':
		puts("dovetail-agent " DVT_VERSION);
		exit(0);
	case 'h':
		usage(0);
		break;
	default:
		usage(64);
	}
}

static void
arguments(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
	    {"state",        required_argument, NULL, 's'            },
	    {"config",       required_argument, NULL, 'c'            },
	    {"once",         no_argument,       NULL, OPT_ONCE       },
	    {"json",         no_argument,       NULL, OPT_JSON       },
	    {"import",       required_argument, NULL, OPT_IMPORT     },
	    {"secret-file",  required_argument, NULL, OPT_SECRET     },
	    {"anchor",       required_argument, NULL, OPT_ANCHOR     },
	    {"fingerprint",  required_argument, NULL, OPT_FINGERPRINT},
	    {"trust-key",    required_argument, NULL, OPT_TRUST_KEY  },
	    {"device",       required_argument, NULL, OPT_DEVICE     },
	    {"label",        required_argument, NULL, OPT_LABEL      },
	    {"subject",      required_argument, NULL, OPT_SUBJECT    },
	    {"from",         required_argument, NULL, OPT_FROM       },
	    {"renew",        no_argument,       NULL, OPT_RENEW      },
	    {"settings-man", no_argument,       NULL, OPT_MAN        },
	    {"version",      no_argument,       NULL, 'V'            },
	    {"help",         no_argument,       NULL, 'h'            },
	    {NULL,           0,                 NULL, 0              },
	};
	int c;

	while ((c = getopt_long(argc, argv, "s:c:Vh", options, NULL)) != -1)
		take_option(o, c, argc, argv);
	if (optind + 1 != argc || o->state == NULL)
		usage(64);
	o->command = argv[optind];
}

/* --- commands --- */

static enum dvt_code
run(struct program *p, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = agent_open(p, err)) != DVT_OK)
		return rc;
	if (dvt_agent_credential(p->agent) == NULL)
		return dvt_fail(err, DVT_E_ABSENT,
		    "%s holds no credential: enroll first", p->o.state);
	return agent_drive(p, err);
}

static enum dvt_code
checkin(struct program *p, struct dvt_err *err)
{
	struct dvt_command c = {.kind = DVT_COMMAND_CHECKIN};
	enum dvt_code rc;

	p->o.once = true;
	if ((rc = agent_open(p, err)) != DVT_OK ||
	    (rc = dvt_agent_command(p->agent, &c, err)) != DVT_OK)
		return rc;
	return agent_drive(p, err);
}

/* A check-in first: when its answer orders a renewal, that is the one. */
static enum dvt_code
renew(struct program *p, struct dvt_err *err)
{
	struct dvt_command c = {.kind = DVT_COMMAND_CHECKIN};
	struct dvt_agent_status s;
	enum dvt_code rc;

	p->o.once = true;
	p->renew_first = true;
	if ((rc = agent_open(p, err)) != DVT_OK ||
	    (rc = dvt_agent_command(p->agent, &c, err)) != DVT_OK)
		return rc;
	dvt_agent_status(p->agent, &s);
	if (s.update[0] != '\0')
		return dvt_fail(
		    err, DVT_E_CONFLICT, "an update runs: %s", s.update);
	return agent_drive(p, err);
}

/* With a credential in use it is done; what else went wrong is a warning,
 * unless it is the first update itself. */
static enum dvt_code
enrolled(struct program *p, enum dvt_code rc, struct dvt_err *err)
{
	struct dvt_agent_status s;

	dvt_agent_status(p->agent, &s);
	if (s.generation == 0)
		return rc;
	printf("enrolled: generation %" PRId64 ", trust bundle %" PRId64 "\n",
	    s.generation, s.trust_version);
	if (rc == DVT_OK || (p->has_failed && agent_is_of_update(&p->failed)))
		return rc;
	fprintf(stderr, "dovetail-agent: warning: %s\n", err->text);
	return DVT_OK;
}

static enum dvt_code
enroll(struct program *p, struct dvt_err *err)
{
	enum dvt_code rc;

	p->o.once = true;
	if ((rc = agent_open(p, err)) != DVT_OK ||
	    (rc = agent_enroll(p, err)) != DVT_OK)
		return rc;
	rc = p->o.import_key != NULL ? agent_settle(p, err)
				     : agent_drive(p, err);
	return enrolled(p, rc, err);
}

/* What was loaded is loaded, whether or not the network answers now. */
static enum dvt_code
recover(struct program *p, struct dvt_err *err)
{
	struct dvt_agent_status s;
	enum dvt_code rc;

	p->o.once = true;
	if ((rc = agent_open(p, err)) != DVT_OK ||
	    (rc = agent_recover_look(p, p->o.from, err)) != DVT_OK)
		return rc;
	if (dvt_config_text(p->config, "agent.server") == NULL && !p->o.renew)
		return agent_settle(p, err);
	rc = agent_drive(p, err);
	dvt_agent_status(p->agent, &s);
	printf("trust bundle %" PRId64 ", generation %" PRId64 "\n",
	    s.trust_version, s.generation);
	return rc;
}

static enum dvt_code
cancel(struct program *p, struct dvt_err *err)
{
	struct dvt_command c = {.kind = DVT_COMMAND_CANCEL};
	enum dvt_code rc;

	if ((rc = agent_open(p, err)) != DVT_OK ||
	    (rc = dvt_agent_command(p->agent, &c, err)) != DVT_OK)
		return rc;
	return agent_settle(p, err);
}

/* Before the folder is made, which is for enroll to do. */
static enum dvt_code
state_check(const struct program *p, bool enrolled, struct dvt_err *err)
{
	struct stat st;
	bool there = stat(p->o.state, &st) == 0;

	if (there ? !S_ISDIR(st.st_mode) : errno == ENOTDIR)
		return dvt_fail(err, DVT_E_INPUT, "--state %s: not a directory",
		    p->o.state);
	if (there || errno != ENOENT || !enrolled)
		return DVT_OK; /* what is wrong with it, its opening tells */
	return dvt_fail(err, DVT_E_ABSENT,
	    "%s is not there: no credential yet, enroll first", p->o.state);
}

static bool
is_for_the_enrolled(const char *word)
{
	static const char *const words[] = {"run", "checkin", "renew",
	    "recover", "cancel", "selftest", "status"};

	for (size_t i = 0; i < DVT_COUNT(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

static enum dvt_code
command(struct program *p, struct dvt_err *err)
{
	const char *word = p->o.command;
	enum dvt_code rc;

	rc = state_check(p, is_for_the_enrolled(word), err);
	if (rc != DVT_OK)
		return rc;
	if (strcmp(word, "run") == 0)
		return run(p, err);
	if (strcmp(word, "checkin") == 0)
		return checkin(p, err);
	if (strcmp(word, "renew") == 0)
		return renew(p, err);
	if (strcmp(word, "enroll") == 0)
		return enroll(p, err);
	if (strcmp(word, "recover") == 0)
		return recover(p, err);
	if (strcmp(word, "cancel") == 0)
		return cancel(p, err);
	if (strcmp(word, "selftest") == 0)
		return agent_selftest(p, err);
	if (strcmp(word, "status") == 0)
		return agent_show(p, err);
	usage(64);
	return DVT_E_INPUT;
}

int
main(int argc, char **argv)
{
	struct program p = {0};
	struct dvt_err err = {0};
	enum dvt_code rc;

	arguments(argc, argv, &p.o);
	rc = dvt_config_load(
	    agent_settings, agent_settings_count, p.o.config, &p.config, &err);
	if (rc == DVT_OK) {
		dvt_log_init("agent",
		    dvt_log_level_from_name(
			dvt_config_text(p.config, "log.level")),
		    dvt_config_bool(p.config, "log.json"));
		rc = command(&p, &err);
	}
	if (rc != DVT_OK)
		fprintf(stderr, "dovetail-agent: %s\n", err.text);
	agent_close(&p);
	return dvt_code_exit(rc);
}
