/* SPDX-License-Identifier: GPL-2.0-only */
/* Attaches programs of an object by name until its standard input ends. */

/*
 * attach OBJECT PROGRAM...
 *
 * Prints "attached" once they are. Others of the object are not loaded.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, int error)
{
	fprintf(stderr, "attach: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return 1;
}

int main(int argc, char **argv)
{
	struct bpf_program *program;
	struct bpf_object *object;
	int r;

	if (argc < 3) {
		fputs("usage: attach OBJECT PROGRAM...\n", stderr);
		return 2;
	}
	object = bpf_object__open_file(argv[1], NULL);
	if (!object)
		return fail(argv[1], errno);
	bpf_object__for_each_program (program, object)
		bpf_program__set_autoload(program, false);
	for (char **name = argv + 2; *name; name++) {
		program = bpf_object__find_program_by_name(object, *name);
		if (!program)
			return fail(*name, ENOENT);
		bpf_program__set_autoload(program, true);
	}
	r = bpf_object__load(object);
	if (r < 0)
		return fail("loading", r);
	for (char **name = argv + 2; *name; name++)
		if (!bpf_program__attach(bpf_object__find_program_by_name(object, *name)))
			return fail(*name, errno);
	puts("attached");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
