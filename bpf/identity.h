/* SPDX-License-Identifier: GPL-2.0-only */
/* Who a task is: ids, executable, cgroup and systemd unit. */
#ifndef KVMWARDEN_IDENTITY_H
#define KVMWARDEN_IDENTITY_H

#include "kernel.h"
#include "kvmwarden.h"

/*
 * Names are gathered once per VM, never per ioctl. Paths are built from the
 * leaf upwards, right-aligned in their buffer, and moved to its start at the
 * end; bpf_d_path() is not to be had in the programs that need it.
 *
 * All functions here are global ones: the verifier checks each once, and takes
 * what they return, or leave in memory, for unknown values. Inlined, the loops
 * would cost a million steps. The price is that addresses are passed as plain
 * numbers.
 */

#define KW_DEPTH_MAX 64 /* components and mount points of a path */
#define PATH_MASK (KW_PATH_MAX - 1)

/* The length of a name, at most KW_PATH_MAX. */
__noinline int name_length(__u64 name)
{
	int n;

	for (n = 0; n < KW_PATH_MAX; n++)
		if (!load8(name + n))
			break;
	return n;
}

/* Puts "/name" in front of a path under construction; returns the length of name. */
__noinline int path_prepend(struct kw_path *path, __u64 name)
{
	__u32 len, n, i;

	if (!path || (path->flags & KW_PATH_TRUNCATED))
		return 0;
	n = name_length(name);
	len = path->len;
	if (len + n + 1 >= KW_PATH_MAX) {
		path->flags |= KW_PATH_TRUNCATED;
		return 0;
	}
	for (i = 0; i < KW_PATH_MAX; i++) {
		if (i >= n)
			break;
		path->text[(KW_PATH_MAX - 1 - len - n + i) & PATH_MASK] = load8(name + i);
	}
	path->text[(KW_PATH_MAX - 2 - len - n) & PATH_MASK] = '/';
	path->len = len + n + 1;
	return n;
}

/* Moves a path to the start of its buffer and fills the rest with zeros. */
__noinline int path_finish(struct kw_path *path)
{
	__u32 start, i;
	__s32 len;

	if (!path)
		return 0;
	len = path->len;
	start = KW_PATH_MAX - 1 - len;
	for (i = 0; i < KW_PATH_MAX; i++) {
		__s32 keep = (__s32)i - len;

		/*
		 * All ones below len, else 0. As a comparison, which is what clang
		 * would make of it, it splits the verifier's ways at each byte.
		 */
		barrier_var(keep);
		keep >>= 31;
		path->text[i] = path->text[(start + i) & PATH_MASK] & keep;
	}
	return 0;
}

/* Does the component of n bytes that was prepended last end like the name of a unit? */
__noinline int is_unit(const struct kw_path *path, __u32 n)
{
	char tail[8];
	__u32 end, i;

	if (!path || n < sizeof(".scope"))
		return 0;
	end = KW_PATH_MAX - 1 - path->len + 1 + n;
	for (i = 0; i < 8; i++)
		tail[i] = path->text[(end - 8 + i) & PATH_MASK];
	if (n > 8 && tail[0] == '.' && tail[1] == 's' && tail[2] == 'e' && tail[3] == 'r' &&
	    tail[4] == 'v' && tail[5] == 'i' && tail[6] == 'c' && tail[7] == 'e')
		return 1;
	return tail[2] == '.' && tail[3] == 's' && tail[4] == 'c' && tail[5] == 'o' &&
	       tail[6] == 'p' && tail[7] == 'e';
}

struct path_cursor {
	__u64 dentry;
	__u64 mount; /* struct mount */
};

/* One step towards the root: over a component, or a mount point. 0: the root is reached. */
__noinline int path_step(struct kw_path *path, struct path_cursor *at)
{
	__u64 parent;

	if (!path || !at)
		return 0;
	if (at->dentry == LOAD64(at->mount, struct mount, mnt.mnt_root)) {
		parent = LOAD64(at->mount, struct mount, mnt_parent);
		if (parent == at->mount || !parent)
			return 0;
		at->dentry = LOAD64(at->mount, struct mount, mnt_mountpoint);
		at->mount = parent;
		return 1;
	}
	parent = LOAD64(at->dentry, struct dentry, d_parent);
	if (parent == at->dentry || !parent)
		return 0;
	path_prepend(path, LOAD64(at->dentry, struct dentry, d_name.name));
	at->dentry = parent;
	return 1;
}

/* The path of an open file's dentry, as seen from the root of its mount namespace. */
__noinline int path_of_file(struct kw_path *path, __u64 file)
{
	struct path_cursor at = {
		.dentry = LOAD64(file, struct file, f_path.dentry),
		.mount = LOAD64(file, struct file, f_path.mnt) -
			 bpf_core_field_offset(struct mount, mnt),
	};
	int i;

	if (!path)
		return 0;
	for (i = 0; i < KW_DEPTH_MAX; i++)
		if (!path_step(path, &at))
			return path_finish(path);
	path->flags |= KW_PATH_TRUNCATED;
	return path_finish(path);
}

static __always_inline __u64 kernfs_parent(__u64 node)
{
	if (HAS_FIELD(struct kernfs_node, parent))
		return LOAD64(node, struct kernfs_node, parent);
	return LOAD64(node, struct kernfs_node___renamed, __parent);
}

/* One step: prepends the name of a cgroup; returns its parent, or 0 for the root. */
__noinline __u64 cgroup_step(struct kw_identity *who, __u64 node)
{
	__u64 parent = kernfs_parent(node);
	__u32 n;

	if (!who || !parent)
		return 0;
	n = path_prepend(&who->cgroup, LOAD64(node, struct kernfs_node, name));
	if (is_unit(&who->cgroup, n)) {
		who->unit_offset = who->cgroup.len - 1;
		who->unit_len = n;
	}
	return parent;
}

/*
 * The cgroup2 path, and in it the unit: the topmost component that is not a
 * slice. Until the path is complete, .unit_offset counts from its end.
 */
__noinline int path_of_cgroup(struct kw_identity *who, __u64 node)
{
	int i;

	if (!who)
		return 0;
	for (i = 0; i < KW_DEPTH_MAX && node; i++)
		node = cgroup_step(who, node);
	if (node)
		who->cgroup.flags |= KW_PATH_TRUNCATED;
	if (who->unit_len)
		who->unit_offset = who->cgroup.len - who->unit_offset;
	if (!who->cgroup.len) {
		/* the root cgroup */
		who->cgroup.text[KW_PATH_MAX - 2] = '/';
		who->cgroup.len = 1;
	}
	return path_finish(&who->cgroup);
}

/* The parts of an identity that are a thread's own, not its VM's creator's. */
static __always_inline void identity_of_caller(struct kw_identity *who, __u64 task)
{
	__u64 cred = LOAD64(task, struct task_struct, cred);
	__u64 css = LOAD64(task, struct task_struct, cgroups);
	__u64 node = LOAD64(LOAD64(css, struct css_set, dfl_cgrp), struct cgroup, kn);
	__u64 comm[2] = {
		LOAD64(task, struct task_struct, comm),
		load64(FIELD(task, struct task_struct, comm) + 8),
	};

	who->pid = LOAD32(task, struct task_struct, tgid);
	who->tid = LOAD32(task, struct task_struct, pid);
	who->uid = LOAD32(cred, struct cred, uid.val);
	who->gid = LOAD32(cred, struct cred, gid.val);
	who->cgroup_id = LOAD64(node, struct kernfs_node, id);
	__builtin_memcpy(who->comm, comm, sizeof(comm));
}

/* Fills an identity that is all zero; task is the address of a struct task_struct. */
__noinline int identity_of_task(struct kw_identity *who, __u64 task)
{
	__u64 mm = LOAD64(task, struct task_struct, mm);
	__u64 css = LOAD64(task, struct task_struct, cgroups);
	__u64 node = LOAD64(LOAD64(css, struct css_set, dfl_cgrp), struct cgroup, kn);
	__u64 exe = mm ? LOAD64(mm, struct mm_struct, exe_file) : 0;
	__u64 leader = LOAD64(task, struct task_struct, group_leader);

	if (!who)
		return 0;
	who->started_ns = LOAD64(leader, struct task_struct, start_boottime);
	identity_of_caller(who, task);
	if (exe)
		path_of_file(&who->exe, exe);
	else
		who->exe.flags = KW_PATH_UNKNOWN;
	if (node) {
		path_of_cgroup(who, node);
	} else {
		who->cgroup.flags = KW_PATH_UNKNOWN;
	}
	return 0;
}

#endif
