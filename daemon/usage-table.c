/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands and options themselves. */
#include "cli.h"
#include "options.h"
#include "usage.h"

#define BACKENDS "lsm fmod_ret tracepoint seccomp seccomp-plain"

static const struct kw_usage_option daemon_options[] = {
	{"backend", KW_OPT_BACKEND, false, "NAME", KW_WORDS_LIST, "auto " BACKENDS,
	 "auto (default), lsm, fmod_ret, tracepoint, seccomp, or seccomp-plain, which does without "
	 "BPF"},
	{"require", KW_OPT_REQUIRE, false, "deny", KW_WORDS_LIST, "deny nothing",
	 "do not run unless the backend refuses ioctls to every VMM: lsm, fmod_ret"},
	{"policy-dir", KW_OPT_POLICY_DIR, false, "DIR", KW_WORDS_DIRECTORY, NULL,
	 "read policies from here instead of the default search path; may be repeated, the first "
	 "one "
	 "is the strongest"},
	{"config", KW_OPT_CONFIG, false, "FILE", KW_WORDS_FILE, NULL,
	 "instead of " KW_CONFIG_DEFAULT "; 'none': no file"},
	{"check", KW_OPT_CHECK, false, NULL, KW_WORDS_NONE, NULL,
	 "say whether configuration and policies are good, and end"},
	{"events", KW_OPT_EVENTS, false, "FILE", KW_WORDS_FILE, NULL,
	 "append events to FILE instead of standard output"},
	{"json", KW_OPT_JSON, false, NULL, KW_WORDS_NONE, NULL,
	 "events as JSON lines on a terminal, too"},
	{"socket", KW_OPT_SOCKET, false, "PATH", KW_WORDS_FILE, NULL,
	 "where to listen (default " KW_SOCKET_DEFAULT ")"},
	{"vms-max", KW_OPT_VMS_MAX, false, "N", KW_WORDS_NONE, NULL,
	 "VMs at a time that are known, 64 to 1048576 (default 65536)"},
	{"on-full", KW_OPT_ON_FULL, false, "WHAT", KW_WORDS_LIST, "refuse audit",
	 "to KVM_CREATE_VM beyond that: refuse (default), or audit"},
	{"seal", KW_OPT_SEAL, false, "TOKENFILE", KW_WORDS_FILE, NULL,
	 "keep other processes, root's too, from programs, maps, pins and daemon; only who has the "
	 "token can end that"},
	{"no-pin", KW_OPT_NO_PIN, false, NULL, KW_WORDS_NONE, NULL,
	 "stop enforcing when the daemon ends"},
	{"no-confine", KW_OPT_NO_CONFINE, false, NULL, KW_WORDS_NONE, NULL,
	 "keep all capabilities, files and system calls: for sanitizers and debuggers of the "
	 "daemon"},
	{"help", KW_OPT_HELP, false, NULL, KW_WORDS_NONE, NULL, "this text"},
	{"version", KW_OPT_VERSION, false, NULL, KW_WORDS_NONE, NULL, "the version"},
	{},
};

static const struct kw_usage_option status_options[] = {
	{"wait", 'w', false, "SECONDS", KW_WORDS_NONE, NULL,
	 "until it enforces, as a unit does that must not start before"},
	{},
};

static const struct kw_usage_option top_options[] = {
	{"interval", 'i', false, "SECONDS", KW_WORDS_NONE, NULL,
	 "between two looks, 0.1 to 3600 (default 2)"},
	{"count", 'n', false, "FRAMES", KW_WORDS_NONE, NULL,
	 "so many, printed one after the other"},
	{"sort", 's', false, "COLUMN", KW_WORDS_NONE, NULL, "by this column instead of DENIED/S"},
	{"once", 'o', false, NULL, KW_WORDS_NONE, NULL, "the same as --count 1"},
	{},
};

static const struct kw_usage_option events_options[] = {
	{"follow", 'f', true, NULL, KW_WORDS_NONE, NULL, "and what happens from now on"},
	{"lines", 'n', true, "COUNT", KW_WORDS_NONE, NULL, "the last so many"},
	{"verdict", 'v', false, "VERDICT", KW_WORDS_VERDICT, NULL, "only those with this verdict"},
	{"vm", 'V', false, "ID", KW_WORDS_VM, NULL, "only those of this VM"},
	{"file", 'F', false, "FILE", KW_WORDS_FILE, NULL,
	 "from its JSON lines instead of the daemon; - is standard input"},
	{},
};

static const struct kw_usage_option verify_options[] = {
	{"head", 'h', false, "HEX", KW_WORDS_NONE, NULL,
	 "the chain of the last event, known otherwise"},
	{"start", 's', false, "HEX", KW_WORDS_NONE, NULL, "the chain before the first event"},
	{},
};

static const struct kw_usage_option report_options[] = {
	{"html", 'o', false, "FILE", KW_WORDS_FILE, NULL, "as a page to look at"},
	{"title", 't', false, "TEXT", KW_WORDS_NONE, NULL, "of the page"},
	{},
};

static const struct kw_usage_option check_options[] = {
	{"backend", 'b', false, "BACKEND", KW_WORDS_LIST, BACKENDS " seccomp-alone",
	 "bad is also what this one cannot do, of the rules in force: lsm, fmod_ret, tracepoint, "
	 "seccomp (kvmwarden run), seccomp-plain (the same where there is no BPF), seccomp-alone "
	 "(kvmwarden run --unsupervised)"},
	{},
};

static const struct kw_usage_option explain_options[] = {
	{"type", 't', false, "TYPE", KW_WORDS_TYPE, NULL,
	 "VM type; of KVM_CREATE_VM the type asked for; none: on /dev/kvm itself"},
	{"state", 's', false, "STATE", KW_WORDS_STATE, NULL, "building or sealed"},
	{"op", 'o', false, "OPERATION", KW_WORDS_OPERATION, NULL, "such as KVM_SET_REGS"},
	{"all", 'a', false, NULL, KW_WORDS_NONE, NULL,
	 "every value of those of the three that are not given, as a table"},
	{"verbose", 'v', false, NULL, KW_WORDS_NONE, NULL,
	 "in the table also each operation that is allowed"},
	{"exe", 'e', false, "PATH", KW_WORDS_FILE, NULL,
	 "the executable that the VM was created by; not given: any"},
	{"unit", 'u', false, "UNIT", KW_WORDS_NONE, NULL, "the unit; not given: any"},
	{"cgroup", 'c', false, "PATH", KW_WORDS_NONE, NULL,
	 "the control group, which has the unit that is in its path; not given: any"},
	{"user", 'U', false, "USER", KW_WORDS_USER, NULL,
	 "the user; not given: none that a policy names"},
	{},
};

static const struct kw_usage_option export_options[] = {
	{"format", 'f', false, "FORMAT", KW_WORDS_LIST, "libseccomp-pfc oci firecracker",
	 "libseccomp-pfc, oci (of containers) or firecracker"},
	{"listener", 'l', false, "PATH", KW_WORDS_FILE, NULL,
	 "of oci: all that seccomp can do, asked for at this socket"},
	{},
};

static const struct kw_usage_option learn_options[] = {
	{"exe", 'e', false, "PATH", KW_WORDS_FILE, NULL,
	 "only of VMs created by this executable; may be a pattern"},
	{"unit", 'u', false, "UNIT", KW_WORDS_NONE, NULL,
	 "only of those created in this unit, which the policy then names too"},
	{"vm", 'v', false, "ID", KW_WORDS_VM, NULL, "only of this VM"},
	{"name", 'n', false, "NAME", KW_WORDS_NONE, NULL,
	 "the policy's name, instead of one made of the executable's"},
	{"enforce", 'E', false, NULL, KW_WORDS_NONE, NULL, "mode enforce instead of audit"},
	{},
};

static const struct kw_usage_option simulate_options[] = {
	{"verbose", 'v', false, NULL, KW_WORDS_NONE, NULL,
	 "in the table also what would only be reported, or no longer be"},
	{},
};

static const struct kw_usage_option allow_options[] = {
	{"vm", 'v', false, "ID", KW_WORDS_VM, NULL, "the VM"},
	{"operation", 'o', false, "OPERATION", KW_WORDS_OPERATION, NULL, "what it may do"},
	{"for", 'f', false, "TIME", KW_WORDS_NONE, NULL, "such as 10m"},
	{"reason", 'r', false, "TEXT", KW_WORDS_NONE, NULL, "for the events that tell of it"},
	{"revoke", 'e', false, "EXCEPTION", KW_WORDS_NONE, NULL, "ends that before its time"},
	{},
};

static const struct kw_usage_option doctor_options[] = {
	{"prove", 'p', false, NULL, KW_WORDS_NONE, NULL,
	 "or whether the daemon's programs answer, tried now"},
	{},
};

static const struct kw_usage_option posture_options[] = {
	{"threshold", 't', false, "SCORE", KW_WORDS_NONE, NULL,
	 "exit status 1 below it, instead of where the daemon does not enforce"},
	{},
};

static const struct kw_usage_option run_options[] = {
	{"policy-set", 'p', false, "DIR", KW_WORDS_DIRECTORY, NULL,
	 "the policies of DIR, for this VMM, in the place of those in force"},
	{"wait", 'w', false, "SECONDS", KW_WORDS_NONE, NULL,
	 "for a daemon that is not up yet (default 0)"},
	{"keep", 'k', false, "SECONDS", KW_WORDS_NONE, NULL,
	 "without a daemon, until what is asked fails with ENOSYS (default 30)"},
	{"unsupervised", 'u', false, NULL, KW_WORDS_NONE, NULL,
	 "no daemon: what the filter can refuse by itself, the same to every VM; of DIR, of "
	 "--policy-dir, or of the default directories"},
	{},
};

static const struct kw_usage_option unload_options[] = {
	{"yes", 'y', false, NULL, KW_WORDS_NONE, NULL, "it is meant"},
	{"token", 't', false, "FILE", KW_WORDS_FILE, NULL, "of a sealed host"},
	{},
};

const struct kw_usage_option kw_usage_shared[] = {
	{"json", 'j', false, NULL, KW_WORDS_NONE, NULL, "for machines"},
	{"socket", 'S', false, "PATH", KW_WORDS_FILE, NULL, "instead of " KW_SOCKET_DEFAULT},
	{"policy-dir", 'P', false, "DIR", KW_WORDS_DIRECTORY, NULL,
	 "instead of the default directories; again for weaker ones"},
	{"help", 'h', false, NULL, KW_WORDS_NONE, NULL, "what a command does, and its options"},
	{"version", 'V', false, NULL, KW_WORDS_NONE, NULL, "the version"},
	{},
};

const char kw_usage_exit_status[] = "Exit status: 0 fine, 1 it is not as it should be, 64 usage, "
				    "69 the daemon or the kernel's support "
				    "is not there, 71 the system failed, 77 no permission.";

const struct kw_usage kw_usages[] = {
	{
		.program = "kvmwarden",
		.name = "status",
		.synopsis = "[--wait SECONDS]",
		.title = "what is enforced, by what, since when, and how it was proved",
		.options = status_options,
	},
	{
		.program = "kvmwarden",
		.name = "vms",
		.synopsis = "",
		.title = "the living VMs",
	},
	{
		.program = "kvmwarden",
		.name = "top",
		.synopsis = "[--interval SECONDS] [--count FRAMES] [--sort COLUMN] [--once]",
		.title = "the living VMs and what happens to them, as top(1) shows processes",
		.text = "On a terminal the key h tells of the keys. Elsewhere frames are printed, "
			"with --json each as a line.",
		.options = top_options,
	},
	{
		.program = "kvmwarden",
		.name = "events",
		.synopsis = "[-f] [-n COUNT] [--verdict VERDICT] [--vm ID] [--file FILE]",
		.title = "what happened, and with -f what happens",
		.options = events_options,
	},
	{
		.program = "kvmwarden",
		.name = "events verify",
		.synopsis = "[--head HEX] [--start HEX] FILE...",
		.title = "are these all events, as they were written?",
		.text = "The oldest file is the first one.",
		.options = verify_options,
		.arguments = KW_WORDS_FILE,
	},
	{
		.program = "kvmwarden",
		.name = "report",
		.synopsis = "[--html FILE] [--title TEXT] FILE...",
		.title = "what recorded events come to, in all",
		.text = "The files are in any order; - is standard input.",
		.options = report_options,
		.arguments = KW_WORDS_FILE,
	},
	{
		.program = "kvmwarden",
		.name = "policy",
		.synopsis = "PART [OPTION...] [ARGUMENT...]",
		.title = "checks, compares, explains and makes policies",
		.text = "None of them but mode needs the daemon, or root.\n"
			"EVENTS are the JSON lines of 'kvmwardend --events'; - is standard input. "
			"They hold what "
			"made an "
			"event, and nothing else: to ask what a new policy would refuse, or to "
			"learn one, record "
			"under a "
			"policy that audits everything. A limit is per operation and VM: nothing "
			"is missed.\n"
			"  rules: [{operations: [\"@all\", VM_DESTROY], verdict: audit, "
			"rate-limit: 10/s}]",
	},
	{
		.program = "kvmwarden",
		.name = "policy check",
		.synopsis = "[--backend BACKEND] FILE...",
		.title = "are these policies good?",
		.text = "Reads each file, then takes all of them as one set. Exit status 1 if any "
			"is bad.",
		.options = check_options,
		.arguments = KW_WORDS_FILE,
	},
	{
		.program = "kvmwarden",
		.name = "policy diff",
		.synopsis = "OLD NEW",
		.title = "what a change of policies means",
		.text = "Which operation gets another verdict, errno or rate limit, on which VMs, "
			"by which lines. "
			"OLD and "
			"NEW are files or directories. An ioctl 'alone' is one without those that "
			"share it.\n"
			"Exit status 0: they mean the same, 1: they differ, 65: one is broken, or "
			"they tell more "
			"kinds of "
			"VMM apart than can be compared.",
		.arguments = KW_WORDS_FILE,
	},
	{
		.program = "kvmwarden",
		.name = "policy explain",
		.synopsis =
			"[OPTION...] --type TYPE --state STATE --op OPERATION\n[OPTION...] --all",
		.title = "the verdict on an operation, and the line of the policy that decides",
		.text = "Of an executable, a unit or a control group that is not given, every "
			"pattern of a policy "
			"holds.",
		.options = explain_options,
	},
	{
		.program = "kvmwarden",
		.name = "policy export",
		.synopsis = "--format FORMAT [--listener PATH] [--policy-dir DIR]...",
		.title = "what needs no supervisor, as a seccomp filter for others",
		.text = "And what could not be expressed, on standard error.",
		.options = export_options,
	},
	{
		.program = "kvmwarden",
		.name = "policy groups",
		.synopsis = "",
		.title = "the groups of operations that rules can name",
	},
	{
		.program = "kvmwarden",
		.name = "policy learn",
		.synopsis = "[OPTION...] EVENTS",
		.title = "a policy that allows what was recorded of a VMM and refuses all else",
		.text = "Exit status 1: it is not clear of which VMM.",
		.options = learn_options,
		.arguments = KW_WORDS_FILE,
	},
	{
		.program = "kvmwarden",
		.name = "policy mode",
		.synopsis = "NAME audit|enforce|file",
		.title = "switches one policy of the running daemon",
		.text = "Its file is not touched; file: back to what the file says.",
		.arguments = KW_WORDS_LIST,
		.list = "audit enforce file",
	},
	{
		.program = "kvmwarden",
		.name = "policy operations",
		.synopsis = "",
		.title = "what rules can name",
		.text = "The number, or the ioctl it shares with others and its own number there; "
			"the files it is "
			"issued "
			"on; the groups it is in.",
	},
	{
		.program = "kvmwarden",
		.name = "policy show",
		.synopsis = "[--policy-dir DIR]...",
		.title = "the policies of the drop-in directories, in their order",
	},
	{
		.program = "kvmwarden",
		.name = "policy simulate",
		.synopsis = "[OPTION...] [FILE|DIR]... EVENTS",
		.title = "recorded events under other policies: what would have been different",
		.text = "Exit status 0: no caller would have got another answer, 1: one would, or "
			"a line could "
			"not be read, "
			"65: the policies are broken, or EVENTS cannot be read.",
		.options = simulate_options,
		.arguments = KW_WORDS_FILE,
	},
	{
		.program = "kvmwarden",
		.name = "posture",
		.synopsis = "[--threshold SCORE]",
		.title = "how well this host guards its VMs, with a score, and how to better it",
		.text = "Facts of the host and of the daemon, then each VM with what its VMM has "
			"done for itself. A fact "
			"that cannot be known counts as a bad one. Works without a daemon, too.",
		.options = posture_options,
	},
	{
		.program = "kvmwarden",
		.name = "fleet",
		.synopsis = "report FILE...",
		.title = "many hosts at once",
	},
	{
		.program = "kvmwarden",
		.name = "fleet report",
		.synopsis = "FILE...",
		.title = "what many hosts exported, in one table, the worst first",
		.text = "FILE has what 'kvmwarden --json status' or 'kvmwarden --json posture' "
			"printed on one host or, one "
			"after the other, on many; - is standard input. Of a host the latest "
			"counts.\n"
			"Exit status 1: a host does not enforce, 65: a file is broken; what could "
			"be read is shown.",
		.arguments = KW_WORDS_FILE,
	},
	{
		.program = "kvmwarden",
		.name = "allow",
		.synopsis = "--vm ID --operation OPERATION --for TIME --reason TEXT\n--revoke "
			    "EXCEPTION",
		.title = "lets a VM do for a while what a policy refuses",
		.options = allow_options,
	},
	{
		.program = "kvmwarden",
		.name = "doctor",
		.synopsis = "[--prove]",
		.title = "what this kernel offers, and how to get what is missing",
		.options = doctor_options,
	},
	{
		.program = "kvmwarden",
		.name = "run",
		.synopsis =
			"[--policy-set DIR] [--wait SECONDS] [--keep SECONDS] -- VMM ARGUMENT...\n"
			"--unsupervised [--policy-set DIR] -- VMM ARGUMENT...",
		.title = "starts a VMM under a seccomp filter, where nothing else can refuse",
		.text = "Becomes the VMM, under a seccomp filter that asks kvmwardend about each "
			"ioctl that "
			"policies are "
			"about. Where the daemon's backend refuses by itself (lsm, fmod_ret) there "
			"is no filter. "
			"Root and "
			"the group kvm may do it. 'kvmwarden policy check --backend seccomp' tells "
			"what it cannot "
			"decide; "
			"of a set with that in force nothing is started.\n"
			"Exit status: the VMM's. If it was not started: 1 policies that cannot be "
			"decided or are "
			"broken, 64 "
			"usage, 69 no daemon or no filter, 71 the system failed, 77 no permission, "
			"126 and 127 "
			"the VMM "
			"cannot be executed, or is not there.",
		.options = run_options,
		.arguments = KW_WORDS_COMMAND,
	},
	{
		.program = "kvmwarden",
		.name = "reload",
		.synopsis = "",
		.title = "reads the policies again; if one is bad, nothing changes",
	},
	{
		.program = "kvmwarden",
		.name = "unload",
		.synopsis = "--yes [--token FILE]",
		.title = "takes all enforcement off this host",
		.options = unload_options,
	},
	{
		.program = "kvmwarden",
		.name = "completion",
		.synopsis = "bash|zsh|fish",
		.title = "a script that completes these commands in a shell",
		.arguments = KW_WORDS_LIST,
		.list = "bash zsh fish",
	},
	{
		.program = "kvmwardend",
		.name = "",
		.synopsis = "[OPTION...]",
		.text = "Enforces policies on the ioctls of KVM virtual machines, and tells what "
			"happened.\n"
			"Signals: HUP reloads the policies; USR1 opens files of events anew, after "
			"they were "
			"moved away; "
			"TERM and INT end the daemon; unless --no-pin was given, enforcement goes "
			"on then, until "
			"'kvmwarden unload'.\n"
			"Exit status: 0 ended as asked, 1 broken policy or configuration, 64 "
			"usage, 69 the kernel "
			"lacks "
			"something, 71 system error, 77 not root.",
		.options = daemon_options,
	},
	{},
};
