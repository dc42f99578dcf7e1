/* SPDX-License-Identifier: GPL-2.0-only */
/* Probe: issues the KVM ioctls that a script of arguments asks for and prints what came of each. */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum exit_status {
	EXIT_DONE = 0,
	EXIT_USAGE = 2,
	EXIT_COULD_NOT_TRY = 3,
};

static void usage(FILE *out)
{
	fputs("usage: probe STEP...\n"
	      "  vm=default|sw-protected|sev|sev-es|sev-snp|tdx|legacy-sev-es\n"
	      "                 create a VM and begin its launch; it becomes the current one\n"
	      "  raw-vm=N       create a VM of type number N\n"
	      "  mirror         create a default VM that mirrors the current one\n"
	      "  move           create a VM of its type that takes its encryption context\n"
	      "  vcpu           create the next vCPU; it becomes the current one\n"
	      "  seal           end the launch\n"
	      "  sev-cmd=ID     try this SEV command with zeroed data\n"
	      "  cap=NUMBER     try to enable this capability of the VM\n"
	      "  unreadable=OP, null=OP\n"
	      "                 try it on the VM with an argument that points nowhere, or is 0\n"
	      "  entry=native|compat|x32, high=HEX32\n"
	      "                 the way into the kernel, garbage above fd and cmd\n"
	      "  fd=vcpu|vm|system|dup|passed|pidfd|pipe|socket|stats|file|guest-memfd|device\n"
	      "                 the fd of the next attempts\n"
	      "  close=vm|vcpu|all\n"
	      "  our-errno=NAME the errno that means the policy refused (EPERM)\n"
	      "  arg=HEX        argument of the next attempt that takes a plain number\n"
	      "  reg=NAME:HEX   a register for the next KVM_SET_REGS or sync-regs\n"
	      "  try=OP         OP is a name, a number 0x..., @set-registers, @get-registers\n"
	      "  clone-vm=OP, fork=OP\n"
	      "                 try it from a child with or without our memory\n"
	      "  sent=OP, take=OP, take-vm=OP\n"
	      "                 the same, without, without, with it, where the fd was sent over\n"
	      "                 a socket or taken by pidfd_getfd()\n"
	      "  repeat=N:OP    try it N times, print one line\n"
	      "  run, sync-regs KVM_RUN that leaves at once, with or without dirty registers\n"
	      "  foreign-sync-regs, foreign-exit\n"
	      "                 the same; another process has written the registers to kvm_run,\n"
	      "                 or taken back that it leaves at once\n"
	      "  show-regs      print rbx as KVM has it\n"
	      "  child          the rest in a forked child, which has the descriptors only\n"
	      "  marker=TEXT, hold, wait\n"
	      "                 print it; wait for the end of standard input, or for a line\n"
	      "Attempts are printed as TYPE STATE ENTRY FD OP OUTCOME ERRNO.\n",
	      out);
}

static int set_our_errno(struct probe *probe, const char *name)
{
	enum { LAST_ERRNO = 133 };

	for (int i = 1; i <= LAST_ERRNO; i++) {
		const char *known = strerrorname_np(i);

		if (known && strcmp(known, name) == 0) {
			probe->our_errno = i;
			return 0;
		}
	}
	return -EINVAL;
}

int main(int argc, char **argv)
{
	const char *errno_step = "our-errno=";
	struct probe probe = {.extra_fd = -1, .our_errno = EPERM, .entry_works = true};
	int r;

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return EXIT_DONE;
	}
	probe.system_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (probe.system_fd < 0)
		fprintf(stderr, "probe: /dev/kvm: %s\n", strerror(errno));
	probe.buffer = mmap(NULL, PROBE_BUFFER_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (probe.buffer == MAP_FAILED) {
		fprintf(stderr, "probe: no buffer below 4 GiB: %s\n", strerror(errno));
		return EXIT_COULD_NOT_TRY;
	}
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], errno_step, strlen(errno_step)) == 0)
			r = set_our_errno(&probe, argv[i] + strlen(errno_step));
		else
			r = run_step(&probe, argv[i]);
		if (r < 0) {
			fprintf(stderr, "probe: bad step '%s'\n", argv[i]);
			return EXIT_USAGE;
		}
	}
	return probe.could_not_try ? EXIT_COULD_NOT_TRY : EXIT_DONE;
}
