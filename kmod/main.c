// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device: open, close, mmap and ioctl, and the life of the module.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "kgo.h"

/* The largest structure that an ioctl takes. */
union kgo_arg {
	struct kgo_setup setup;
	struct kgo_enter enter;
	struct kgo_park park;
	struct kgo_wake wake;
	struct kgo_wait wait;
	struct kgo_pass pass;
	struct kgo_stats stats;
	u32 size;
};

static int kgo_open(struct inode *inode, struct file *file)
{
	struct kgo_rt *rt;

	kgo_m_detach_stale();
	rt = kgo_rt_make();
	if (IS_ERR(rt))
		return PTR_ERR(rt);
	file->private_data = rt;
	return nonseekable_open(inode, file);
}

/* Is the caller in the runtime's address space? */
static bool kgo_is_ours(struct kgo_rt *rt)
{
	if (current->mm == rt->mm)
		return true;
	kgo_m_detach_stale();
	return false;
}

static int kgo_flush(struct file *file, fl_owner_t id)
{
	kgo_m_detach_stale();
	return 0;
}

static int kgo_release(struct inode *inode, struct file *file)
{
	struct kgo_rt *rt = file->private_data;

	WRITE_ONCE(rt->closed, true);
	kgo_hold_end(rt);
	/*
	 * execve() by an M that had closed its descriptors: the old address space
	 * had the last map.
	 */
	kgo_m_detach_stale();
	kgo_rt_put(rt);
	return 0;
}

static int kgo_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct kgo_rt *rt = file->private_data;

	if (!kgo_is_ours(rt))
		return -EPERM;
	return kgo_rt_map(rt, vma);
}

/* Read an ioctl's structure; @min is the size of its first version. */
static int kgo_arg_read(union kgo_arg *arg, size_t ksize, size_t min,
			void __user *uarg)
{
	u32 usize;

	if (get_user(usize, (u32 __user *)uarg))
		return -EFAULT;
	if (usize < min)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	memset(arg, 0, sizeof(*arg));
	return copy_struct_from_user(arg, ksize, uarg, usize);
}

/* Write back as much of a structure as the caller knows. */
static int kgo_arg_write(void __user *uarg, const union kgo_arg *arg,
			 size_t ksize)
{
	return copy_to_user(uarg, arg, min_t(size_t, arg->size, ksize)) ?
		-EFAULT : 0;
}

static const struct {
	u32 size;
	u32 min;
} kgo_args[] = {
	[_IOC_NR(KGO_IOC_SETUP)] = { sizeof(struct kgo_setup),
		offsetofend(struct kgo_setup, m_offset) },
	[_IOC_NR(KGO_IOC_ENTER)] = { sizeof(struct kgo_enter),
		offsetofend(struct kgo_enter, reserved) },
	[_IOC_NR(KGO_IOC_LEAVE)] = { 0, 0 },
	[_IOC_NR(KGO_IOC_PARK)] = { sizeof(struct kgo_park),
		offsetofend(struct kgo_park, reason) },
	[_IOC_NR(KGO_IOC_WAKE)] = { sizeof(struct kgo_wake),
		offsetofend(struct kgo_wake, m) },
	[_IOC_NR(KGO_IOC_WAIT)] = { sizeof(struct kgo_wait),
		offsetofend(struct kgo_wait, events) },
	[_IOC_NR(KGO_IOC_STATS)] = { sizeof(struct kgo_stats),
		offsetofend(struct kgo_stats, deaths) },
	[_IOC_NR(KGO_IOC_PASS)] = { sizeof(struct kgo_pass),
		offsetofend(struct kgo_pass, m) },
};

static int kgo_call(struct kgo_rt *rt, unsigned int cmd, union kgo_arg *arg)
{
	switch (cmd) {
	case KGO_IOC_ENTER:
		return kgo_m_enter(rt, &arg->enter);
	case KGO_IOC_LEAVE:
		return kgo_m_leave(rt);
	case KGO_IOC_PARK:
		return kgo_park(rt, &arg->park);
	case KGO_IOC_WAKE:
		return kgo_wake(rt, &arg->wake);
	case KGO_IOC_WAIT:
		return kgo_wait(rt, &arg->wait);
	case KGO_IOC_PASS:
		return kgo_pass(rt, &arg->pass);
	default:
		return kgo_rt_stats(rt, &arg->stats);
	}
}

static long kgo_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	struct kgo_rt *rt = file->private_data;
	unsigned int nr = _IOC_NR(cmd);
	union kgo_arg arg;
	int ret;

	if (!kgo_is_ours(rt))
		return -EPERM;
	if (nr >= ARRAY_SIZE(kgo_args) || cmd != _IO(KGO_IOC_TYPE, nr))
		return -ENOTTY;

	if (kgo_args[nr].size) {
		ret = kgo_arg_read(&arg, kgo_args[nr].size, kgo_args[nr].min,
				   (void __user *)uarg);
		/* Can the answer be written? Afterwards would be too late. */
		if (!ret)
			ret = kgo_arg_write((void __user *)uarg, &arg,
					    kgo_args[nr].size);
		if (ret)
			return ret;
	}

	if (cmd == KGO_IOC_SETUP)
		ret = kgo_rt_setup(rt, &arg.setup);
	/* Pairs with the release in kgo_rt_setup(). */
	else if (!smp_load_acquire(&rt->ready))
		ret = -ENXIO;
	else
		ret = kgo_call(rt, cmd, &arg);

	if (!ret && kgo_args[nr].size)
		ret = kgo_arg_write((void __user *)uarg, &arg,
				    kgo_args[nr].size);
	return ret;
}

static const struct file_operations kgo_fops = {
	.owner		= THIS_MODULE,
	.open		= kgo_open,
	.flush		= kgo_flush,
	.release	= kgo_release,
	.mmap		= kgo_mmap,
	.unlocked_ioctl	= kgo_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice kgo_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "kgo",
	.fops	= &kgo_fops,
	.mode	= 0666,
};

static int __init kgo_init(void)
{
	int ret;

	kgo_m_init();
	preempt_notifier_inc();
	ret = misc_register(&kgo_device);
	if (ret) {
		preempt_notifier_dec();
		kgo_m_exit();
	}
	return ret;
}

static void __exit kgo_exit(void)
{
	misc_deregister(&kgo_device);
	kgo_m_exit();
	preempt_notifier_dec();
}

module_init(kgo_init);
module_exit(kgo_exit);
MODULE_DESCRIPTION("Tells a process when one of its threads blocks");
MODULE_LICENSE("GPL");
