/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts what passed KVM's own checks, and shows it in debugfs. */
#include "stand-in.h"

#include <linux/debugfs.h>
#include <linux/seq_file.h>

/* More than the largest number of a command or a capability that is counted. */
enum { N_IDS = 256 };

static atomic_t executed[N_IDS], executed_tdx[N_IDS], enabled_caps[N_IDS];

void count_sev(u32 id)
{
	atomic_inc(&executed[id]);
}

void count_tdx(u32 id)
{
	atomic_inc(&executed_tdx[id]);
}

void count_capability(u32 number)
{
	atomic_inc(&enabled_caps[number]);
}

static int show(struct seq_file *file, const atomic_t *counts)
{
	unsigned int i;

	for (i = 0; i < N_IDS; i++)
		if (atomic_read(&counts[i]))
			seq_printf(file, "%u %d\n", i, atomic_read(&counts[i]));
	return 0;
}

static int executed_show(struct seq_file *file, void *unused)
{
	return show(file, executed);
}
DEFINE_SHOW_ATTRIBUTE(executed);

static int executed_tdx_show(struct seq_file *file, void *unused)
{
	return show(file, executed_tdx);
}
DEFINE_SHOW_ATTRIBUTE(executed_tdx);

static int enabled_caps_show(struct seq_file *file, void *unused)
{
	return show(file, enabled_caps);
}
DEFINE_SHOW_ATTRIBUTE(enabled_caps);

void counts_publish(void)
{
	/* Readable, nothing else: a locked down kernel takes any other mode amiss. */
	enum { MODE = 0400 };
	struct dentry *dir = debugfs_create_dir(KBUILD_MODNAME, NULL);

	debugfs_create_file("executed", MODE, dir, NULL, &executed_fops);
	debugfs_create_file("executed_tdx", MODE, dir, NULL, &executed_tdx_fops);
	debugfs_create_file("enabled_caps", MODE, dir, NULL, &enabled_caps_fops);
}
