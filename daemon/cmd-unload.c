/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden reload" and "kvmwarden unload": what only root may ask of the daemon. */
#include <syslog.h>

#include "cli.h"
#include "client.h"
#include "pins.h"
#include "seal-token.h"
#include "usage.h"
#include "util.h"

KW_DEFINE_CLEANUP(json_t, json_decref)

int kw_cmd_reload(const struct kw_cli *cli, int argc, char **argv)
{
	struct kw_getopt getopt;
	_cleanup_(json_decref_cleanup) json_t *reply = NULL;
	int r;

	kw_usage_getopt("reload", "", &getopt);
	if (getopt_long(argc, argv, getopt.letters, getopt.options, NULL) >= 0)
		return KW_EXIT_USAGE;
	if (optind < argc)
		return kw_cli_unexpected("reload", argv[optind]);
	r = kw_client_ask_or_complain(cli, "Reload", NULL, &reply);
	if (r != KW_EXIT_OK)
		return r;
	if (cli->json)
		return kw_client_print_json(reply);
	printf("Generation %" JSON_INTEGER_FORMAT " of the policies is in force.\n",
	       json_integer_value(json_object_get(reply, "generation")));
	return KW_EXIT_OK;
}

static const char nothing_left[] =
	"All pins are gone: within a second the kernel lets go, and nothing is enforced any more.";

static bool daemon_listens(const struct kw_cli *cli)
{
	_cleanup_free_ char *why = NULL;
	struct kw_client *client = NULL;
	int r;

	r = kw_client_connect(cli->socket, &client, &why);
	kw_client_free(client);
	return r != -ENOENT && r != -ECONNREFUSED;
}

/* Without a daemon: what an earlier one left. */
static int unload_pins(void)
{
	_cleanup_close_ int lock = -1;
	int r;

	r = kw_pins_lock(&lock);
	if (r == -EBUSY) {
		fputs("kvmwarden: a daemon is running, on another socket; say --socket PATH\n",
		      stderr);
		return KW_EXIT_OS;
	}
	if (r == 0)
		r = kw_pins_remove_all();
	if (r < 0) {
		fprintf(stderr, "kvmwarden: cannot remove all pins below %s: %s\n", KW_PINS,
			strerror(-r));
		return r == -EACCES || r == -EPERM ? KW_EXIT_NOPERM : KW_EXIT_OS;
	}
	/* No daemon is there whose event it could be. */
	openlog("kvmwarden", LOG_PID, LOG_AUTHPRIV);
	syslog(LOG_WARNING, "unloaded by uid %u: nothing is enforced any more",
	       (unsigned int)getuid());
	puts(nothing_left);
	return KW_EXIT_OK;
}

/* On a sealed host the kernel wants to see the token: from this process, not from a daemon. */
static int enter(const char *path)
{
	_cleanup_free_ char *why = NULL;
	struct kw_guard_token token;
	int r;

	if (!kw_seal_exists())
		return KW_EXIT_OK;
	if (!path) {
		fputs("kvmwarden: this host is sealed: say 'kvmwarden unload --yes --token FILE', "
		      "with the token it was sealed with\n",
		      stderr);
		return KW_EXIT_NOPERM;
	}
	r = kw_token_read(path, &token, &why);
	if (r < 0) {
		fprintf(stderr, "kvmwarden: %s\n", why ? why : strerror(-r));
		return r == -ENOENT || r == -EINVAL ? KW_EXIT_USAGE : KW_EXIT_NOPERM;
	}
	r = kw_seal_show(&token);
	kw_token_wipe(&token);
	if (r == -EPERM)
		fputs("kvmwarden: this host is sealed, with another token\n", stderr);
	else if (r < 0)
		fprintf(stderr, "kvmwarden: cannot show the token: %s\n", strerror(-r));
	return r < 0 ? KW_EXIT_NOPERM : KW_EXIT_OK;
}

int kw_cmd_unload(const struct kw_cli *cli, int argc, char **argv)
{
	struct kw_getopt getopt;
	_cleanup_(json_decref_cleanup) json_t *reply = NULL;
	const char *token = NULL;
	bool yes = false;
	int c, r;

	kw_usage_getopt("unload", "", &getopt);
	while ((c = getopt_long(argc, argv, getopt.letters, getopt.options, NULL)) >= 0) {
		if (c == 't')
			token = optarg;
		else if (c == 'y')
			yes = true;
		else
			return KW_EXIT_USAGE;
	}
	if (optind < argc)
		return kw_cli_unexpected("unload", argv[optind]);
	if (!yes) {
		fputs("kvmwarden unload: this takes all enforcement off this host; "
		      "say 'kvmwarden unload --yes' if you mean it\n",
		      stderr);
		return KW_EXIT_USAGE;
	}
	r = enter(token);
	if (r != KW_EXIT_OK)
		return r;
	if (kw_pins_exist() && !daemon_listens(cli))
		return unload_pins();
	r = kw_client_ask_or_complain(cli, "Unload", NULL, &reply);
	if (r != KW_EXIT_OK)
		return r;
	if (cli->json)
		return kw_client_print_json(reply);
	puts(nothing_left);
	return KW_EXIT_OK;
}
