/* SPDX-License-Identifier: GPL-2.0-only */
/* The guard: keeps others, root included, from what the seal is on. */

/*
 *   kw_guard_bpf                   links by id
 *   kw_guard_map*, kw_guard_prog*  maps and programs: whoever opens, makes or frees one
 *   kw_guard_permission            reading and writing pins
 *   kw_guard_unlink ... _lock      the directories of pins
 *   kw_guard_instantiate           what a keeper puts there is guarded, too
 *   kw_guard_*mount                the file system that pins are in
 *   kw_guard_ptrace ... _nice      the keepers' own processes
 *   kw_guard_ioctl                 the token
 *
 * Theory of operation
 *
 * A keeper is a process that loaded the guard or showed it the token. Whatever map or
 * program a keeper makes or opens is guarded from then on, and whatever it puts into
 * a directory that is guarded: so there is no list that could be behind, and no moment
 * in which a new map has an id and no guard. Everybody else gets EPERM, and an event.
 *
 * The guard's own maps are made before it is in force. Whoever got hold of one by
 * then could make himself a keeper; so until kw_sealed is set nobody is one but the
 * process that loads the programs, which is written in their constants, and that one
 * sets it only when nobody else has a descriptor and the maps hold what it put there.
 */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "guard.h"

#include "keeper.h"

char LICENSE[] SEC("license") = "GPL";

#define MAY_WRITE 2
#define MAY_READ 4
#define PTRACE_MODE_ATTACH 2
#define S_IFMT 0170000
#define S_IFDIR 0040000
#define SIGHUP 1
#define SIGUSR1 10
#define SIGTERM 15
#define SIGCONT 18
#define MOUNT_DEPTH_MAX 16

SEC("lsm/bpf")
int BPF_PROG(kw_guard_bpf, int command, union bpf_attr *attr, unsigned int size, int ret)
{
	if (ret || command != BPF_LINK_GET_FD_BY_ID || !find(KW_GUARD_LINK, attr->link_id) ||
	    is_keeper())
		return ret;
	return refuse(KW_ACT_OPEN_LINK, attr->link_id);
}

/* A new descriptor. What a keeper opens becomes guarded, or it does not get it. */
static __always_inline int opening(__u64 kind, __u64 object, __u32 id, __u32 users, __u32 act)
{
	if (is_keeper())
		return guard(kind, object, id, users);
	return find(kind, object) ? refuse(act, id) : 0;
}

SEC("lsm/bpf_map")
int BPF_PROG(kw_guard_map, struct bpf_map *map, unsigned int mode, int ret)
{
	return ret
		       ?: opening(KW_GUARD_MAP, (__u64)map, map->id, map->usercnt.counter,
				  KW_ACT_OPEN_MAP);
}

SEC("lsm/bpf_prog")
int BPF_PROG(kw_guard_prog, struct bpf_prog *prog, int ret)
{
	/* The structure may move while it is verified, its .aux does not. */
	return ret
		       ?: opening(KW_GUARD_PROGRAM, (__u64)prog->aux, prog->aux->id, 0,
				  KW_ACT_OPEN_PROGRAM);
}

/* These come before an object has an id: there is no moment in which another could open it. */
static __always_inline int making(__u64 kind, __u64 object)
{
	return is_keeper() ? guard(kind, object, 0, 0) : 0;
}

SEC("lsm/bpf_map_create")
int BPF_PROG(kw_guard_map_new, struct bpf_map *map, union bpf_attr *attr, void *token, int ret)
{
	return ret ?: making(KW_GUARD_MAP, (__u64)map);
}

SEC("lsm/bpf_map_alloc_security")
int BPF_PROG(kw_guard_map_new_0, struct bpf_map *map, int ret)
{
	return ret ?: making(KW_GUARD_MAP, (__u64)map);
}

SEC("lsm/bpf_prog_load")
int BPF_PROG(kw_guard_prog_new, struct bpf_prog *prog, union bpf_attr *attr, void *token, int ret)
{
	return ret ?: making(KW_GUARD_PROGRAM, (__u64)prog->aux);
}

SEC("lsm/bpf_prog_alloc_security")
int BPF_PROG(kw_guard_prog_new_0, struct bpf_prog_aux *aux, int ret)
{
	return ret ?: making(KW_GUARD_PROGRAM, (__u64)aux);
}

SEC("lsm/bpf_map_free")
int BPF_PROG(kw_guard_map_free, struct bpf_map *map)
{
	return forget(KW_GUARD_MAP, (__u64)map);
}

SEC("lsm/bpf_map_free_security")
int BPF_PROG(kw_guard_map_free_0, struct bpf_map *map)
{
	return forget(KW_GUARD_MAP, (__u64)map);
}

SEC("lsm/bpf_prog_free")
int BPF_PROG(kw_guard_prog_free, struct bpf_prog *prog)
{
	return forget(KW_GUARD_PROGRAM, (__u64)prog->aux);
}

SEC("lsm/bpf_prog_free_security")
int BPF_PROG(kw_guard_prog_free_0, struct bpf_prog_aux *aux)
{
	return forget(KW_GUARD_PROGRAM, (__u64)aux);
}

static __always_inline bool is_ours(struct inode *inode)
{
	return inode && kw_sb && (__u64)inode->i_sb == kw_sb && find(KW_GUARD_INODE, inode->i_ino);
}

/* Directories may be read: that there is a seal is no secret. */
SEC("lsm/inode_permission")
int BPF_PROG(kw_guard_permission, struct inode *inode, int mask, int ret)
{
	if (ret || !(mask & (MAY_READ | MAY_WRITE)) || (__u64)inode->i_sb != kw_sb)
		return ret;
	if ((inode->i_mode & S_IFMT) == S_IFDIR || !is_ours(inode) || is_keeper())
		return 0;
	return refuse(KW_ACT_OPEN_PIN, inode->i_ino);
}

/* An act on one or two inodes of which one is guarded; NULL is fine. */
static __always_inline int touching(struct inode *a, struct inode *b, __u32 act)
{
	if ((!is_ours(a) && !is_ours(b)) || is_keeper())
		return 0;
	return refuse(act, b ? b->i_ino : a->i_ino);
}

/* What a keeper removes need not be known any more. */
static __always_inline int removing(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;
	int r = touching(dir, inode, KW_ACT_REMOVE_PIN);

	if (!r && is_ours(inode))
		forget(KW_GUARD_INODE, inode->i_ino);
	return r;
}

SEC("lsm/inode_unlink")
int BPF_PROG(kw_guard_unlink, struct inode *dir, struct dentry *dentry, int ret)
{
	return ret ?: removing(dir, dentry);
}

SEC("lsm/inode_rmdir")
int BPF_PROG(kw_guard_rmdir, struct inode *dir, struct dentry *dentry, int ret)
{
	/* It may fail, not being empty: so it stays known. */
	return ret ?: touching(dir, dentry->d_inode, KW_ACT_REMOVE_PIN);
}

SEC("lsm/inode_rename")
int BPF_PROG(kw_guard_rename, struct inode *old_dir, struct dentry *old_dentry,
	     struct inode *new_dir, struct dentry *new_dentry, int ret)
{
	ret = ret ?: touching(old_dir, old_dentry->d_inode, KW_ACT_RENAME_PIN);
	return ret ?: touching(new_dir, new_dentry->d_inode, KW_ACT_RENAME_PIN);
}

SEC("lsm/inode_mkdir")
int BPF_PROG(kw_guard_mkdir, struct inode *dir, struct dentry *dentry, unsigned short mode, int ret)
{
	return ret ?: touching(dir, 0, KW_ACT_ADD_PIN);
}

SEC("lsm/inode_symlink")
int BPF_PROG(kw_guard_symlink, struct inode *dir, struct dentry *dentry, const char *name, int ret)
{
	return ret ?: touching(dir, 0, KW_ACT_ADD_PIN);
}

SEC("lsm/inode_link")
int BPF_PROG(kw_guard_link, struct dentry *old, struct inode *dir, struct dentry *dentry, int ret)
{
	return ret ?: touching(dir, old->d_inode, KW_ACT_ADD_PIN);
}

/* How objects are pinned: bpf(2) asks no other hook about the directory. */
SEC("lsm/path_mknod")
int BPF_PROG(kw_guard_mknod, struct path *dir, struct dentry *dentry, unsigned short mode,
	     unsigned int device, int ret)
{
	return ret ?: touching(dir->dentry->d_inode, 0, KW_ACT_ADD_PIN);
}

SEC("lsm/path_chmod")
int BPF_PROG(kw_guard_chmod, struct path *path, unsigned short mode, int ret)
{
	return ret ?: touching(path->dentry->d_inode, 0, KW_ACT_CHANGE_PIN);
}

SEC("lsm/path_chown")
int BPF_PROG(kw_guard_chown, struct path *path, __u64 uid, __u64 gid, int ret)
{
	return ret ?: touching(path->dentry->d_inode, 0, KW_ACT_CHANGE_PIN);
}

/* Whoever had our lock would keep the next daemon from starting. */
SEC("lsm/file_lock")
int BPF_PROG(kw_guard_lock, struct file *file, unsigned int command, int ret)
{
	return ret ?: touching(file->f_path.dentry->d_inode, 0, KW_ACT_LOCK_PINS);
}

SEC("lsm/d_instantiate")
int BPF_PROG(kw_guard_instantiate, struct dentry *dentry, struct inode *inode)
{
	if (inode && kw_sb && (__u64)inode->i_sb == kw_sb && is_ours(dentry->d_parent->d_inode))
		guard(KW_GUARD_INODE, inode->i_ino, 0, 0);
	return 0;
}

/*
 * Is it the mount of our pins, or one that it lies in? A lazy unmount takes all that lie
 * in it along. Copies in other mount namespaces are their owners' business: our pins
 * last as long as this one.
 */
static __noinline bool carries_pins(__u64 mnt)
{
	__u64 at = kw_mount, mount, parent;
	int i;

	for (i = 0; i < MOUNT_DEPTH_MAX && at; i++) {
		if (at == mnt)
			return true;
		mount = at - bpf_core_field_offset(struct mount, mnt);
		parent = LOAD64(mount, struct mount, mnt_parent);
		if (parent == mount || !parent)
			return false;
		at = parent + bpf_core_field_offset(struct mount, mnt);
	}
	return false;
}

static __always_inline int mounting(__u64 mnt, __u32 act)
{
	if (!mnt || !kw_mount || !carries_pins(mnt) || is_keeper())
		return 0;
	return refuse(act, 0);
}

SEC("lsm/sb_umount")
int BPF_PROG(kw_guard_umount, struct vfsmount *mnt, int flags, int ret)
{
	return ret ?: mounting((__u64)mnt, KW_ACT_UNMOUNT);
}

/* On, or a change of, the mount of our pins itself: others hide it at most. */
static __always_inline int mounting_on(struct path *path)
{
	return (__u64)path->mnt == kw_mount ? mounting(kw_mount, KW_ACT_MOUNT) : 0;
}

SEC("lsm/sb_mount")
int BPF_PROG(kw_guard_mount, const char *device, struct path *path, const char *type,
	     unsigned long flags, void *data, int ret)
{
	return ret ?: mounting_on(path);
}

SEC("lsm/move_mount")
int BPF_PROG(kw_guard_move_mount, struct path *from, struct path *to, int ret)
{
	ret = ret ?: mounting((__u64)from->mnt, KW_ACT_MOUNT);
	return ret ?: mounting_on(to);
}

SEC("lsm/sb_remount")
int BPF_PROG(kw_guard_remount, struct super_block *sb, void *options, int ret)
{
	if (ret || !kw_sb || (__u64)sb != kw_sb || is_keeper())
		return ret;
	return refuse(KW_ACT_MOUNT, 0);
}

/* An act on a keeper, by another process that is none. */
static __always_inline int reaching(struct task_struct *task, __u32 act, __u64 detail)
{
	if (!is_keeper_task((__u64)task) || is_keeper())
		return 0;
	return refuse(act, detail);
}

/* Not what only reads, as ps(1) does: memory is among what asks for more. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(kw_guard_ptrace, struct task_struct *child, unsigned int mode, int ret)
{
	if (ret || !(mode & PTRACE_MODE_ATTACH))
		return ret;
	return reaching(child, KW_ACT_PTRACE, child->tgid);
}

/* Signals that do no harm, and those of process 1 that end the daemon in order. */
SEC("lsm/task_kill")
int BPF_PROG(kw_guard_kill, struct task_struct *task, void *info, int sig, void *cred, int ret)
{
	/* What makes it reload, or open its file anew, is root's right. */
	if (ret || !sig || sig == SIGHUP || sig == SIGUSR1 || sig == SIGCONT)
		return ret;
	if (sig == SIGTERM && bpf_get_current_pid_tgid() >> 32 == 1)
		return 0;
	return reaching(task, KW_ACT_KILL, sig);
}

SEC("lsm/task_setrlimit")
int BPF_PROG(kw_guard_rlimit, struct task_struct *task, unsigned int resource, void *limit, int ret)
{
	return ret ?: reaching(task, KW_ACT_LIMIT, resource);
}

SEC("lsm/task_setscheduler")
int BPF_PROG(kw_guard_scheduler, struct task_struct *task, int ret)
{
	return ret ?: reaching(task, KW_ACT_LIMIT, 0);
}

SEC("lsm/task_setnice")
int BPF_PROG(kw_guard_nice, struct task_struct *task, int nice, int ret)
{
	return ret ?: reaching(task, KW_ACT_LIMIT, 0);
}

/* Here is where our pins are: the file is their directory. */
static __noinline int place(__u64 file)
{
	__u64 inode = LOAD64(LOAD64(file, struct file, f_path.dentry), struct dentry, d_inode);

	if (!is_keeper())
		return 0;
	kw_mount = LOAD64(file, struct file, f_path.mnt);
	kw_sb = LOAD64(kw_mount, struct vfsmount, mnt_sb);
	guard(KW_GUARD_INODE, LOAD64(inode, struct inode, i_ino), 0, 0);
	/* And so on: an errno would end it here, and a guard that is to replace us has to hear it. */
	return 0;
}

/* Is it the token? Takes the same time, however much of it is right. */
static __noinline int show(__u64 address)
{
	__u32 zero = 0, tgid = bpf_get_current_pid_tgid() >> 32;
	struct kw_guard_token shown = {};
	const __u64 *right = bpf_map_lookup_elem(&secret, &zero), *given = (void *)&shown;
	__u64 difference = 0, ticks = ticks_of(bpf_get_current_task());

	if (!right || bpf_probe_read_user(&shown, sizeof(shown), (void *)address))
		return refuse(KW_ACT_TOKEN, 0);
	for (__u32 i = 0; i < KW_TOKEN_WORDS; i++)
		difference |= right[i] ^ given[i];
	if (difference || shown.length < KW_TOKEN_LEAST)
		return refuse(KW_ACT_TOKEN, 0);
	return bpf_map_update_elem(&keepers, &tgid, &ticks, BPF_ANY) ? -ENOMEM : -KW_LET_IN_ERRNO;
}

SEC("lsm/file_ioctl")
int BPF_PROG(kw_guard_ioctl, struct file *file, unsigned int command, unsigned long argument,
	     int ret)
{
	if (command != KW_CMD_SEAL || ret || !kw_sealed)
		return ret;
	if (!argument)
		return -KW_SEALED_ERRNO;
	if (argument == KW_SEAL_PLACE)
		return place((__u64)file);
	return show(argument);
}
