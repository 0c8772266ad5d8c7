/* SPDX-License-Identifier: MIT */
/*
 * The switch of stacks on x86-64.
 *
 * struct g *g_switch(struct g *prev, struct g *next)
 *
 * Saves what the ABI calls callee-saved on prev's stack, goes to next's, and
 * returns prev there. The control words of the FPU are callee-saved too; they
 * hardly ever differ, so they are written only if they do. A struct g begins
 * with the stack pointer, the function and its argument.
 *
 * The processor expects a ret to go to where the last call came from that had none. A
 * goroutine that waits has made the same calls as others do, so that is mostly right. For
 * the same reason the first function of one is called, and returns at its end: who has
 * switched to it for the first time then finds what the processor expects as it was.
 *
 * Where many end one after the other that have waited they only return, more often than the
 * processor remembers calls, and each wrong guess takes most of the time of a switch. So
 * go_yield() has one ret, and does without when one of many has ended; g_start has the
 * processor expect the end of the next one then.
 */

/* Beside the control words, in bits reserved in MXCSR. */
#define NEW_BIT		31		/* CONTEXT_NEW (context.h) */
#define YIELD_BIT	30		/* it is in go_yield() */

/* What g_switch() leaves on a stack: the FPU's control words, the registers, %rip. */
	.macro	save
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	.endm

/* The state before is remembered, for what follows. */
	.macro	restore
	.cfi_remember_state
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	.endm

/* The control words of the FPU, in %ecx and %dx and at (%rsp). */
	.macro	fpu_now
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	movl	(%rsp), %ecx
	movzwl	4(%rsp), %edx
	.endm

/* Those at (%rsp), the first of them in %eax, are to be in force, not those of fpu_now. */
	.macro	fpu_change
	movl	%eax, (%rsp)
	cmpl	%ecx, %eax
	je	.Lsame_mxcsr\@
	ldmxcsr	(%rsp)
.Lsame_mxcsr\@:
	cmpw	%dx, 4(%rsp)
	je	.Lsame_cw\@
	fldcw	4(%rsp)
.Lsame_cw\@:
	.endm

	.text
	.globl	g_switch
	.hidden	g_switch
	.type	g_switch, @function
	.p2align 4
g_switch:
	.cfi_startproc
	endbr64
	save
	fpu_now
	movq	%rsp, (%rdi)
	movq	(%rsi), %rsp
.Lresume:
	cmpl	%ecx, (%rsp)
	jne	.Ldiffers
	cmpw	%dx, 4(%rsp)
	jne	.Ldiffers
.Lswitched:
	movq	%rdi, %rax
	restore
	ret
	.cfi_restore_state

/* Another kind of context than that of who switches, or control words that differ. */
.Ldiffers:
	movl	(%rsp), %r8d
	btrl	$YIELD_BIT, %ecx
	movl	%r8d, %eax
	andl	$~(1 << NEW_BIT | 1 << YIELD_BIT), %eax
	fpu_change
	btl	$YIELD_BIT, %r8d
	jc	.Lyielded
	btl	$NEW_BIT, %r8d
	jnc	.Lswitched
	addq	$64, %rsp
	.cfi_def_cfa_offset 8
	.cfi_undefined %rip
	jmp	g_start
	.cfi_endproc
	.size	g_switch, .-g_switch

/*
 * void go_yield(void)
 *
 * What it leaves on its stack is what g_switch() would leave for its caller, but for
 * YIELD_BIT. yield_begin() returns NULL if there is nobody to switch to.
 */
	.globl	go_yield
	.type	go_yield, @function
	.p2align 4
go_yield:
	.cfi_startproc
	endbr64
	save
	call	yield_begin
	testq	%rax, %rax
	jz	1f
	movq	%rax, %rdi
	movq	%rdx, %rsi
	fpu_now
	orl	$1 << YIELD_BIT, %ecx
	movl	%ecx, (%rsp)
	movq	%rsp, (%rdi)
	movq	(%rsi), %rsp
	cmpl	%ecx, (%rsp)
	jne	.Ldiffers
	cmpw	%dx, 4(%rsp)
	jne	.Ldiffers
.Lyielded:
	call	yield_end
1:
	restore
	ret
	.cfi_endproc
	.size	go_yield, .-go_yield

/*
 * The end of go_yield() without a ret. Called by g_start, on the stack of who has ended,
 * with prev and next and the control words.
 */
	.type	g_yielded, @function
	.p2align 4
g_yielded:
	.cfi_startproc
	endbr64
	movq	(%rsi), %rsp
	.cfi_def_cfa_offset 64
	.cfi_rel_offset %rbp, 48
	.cfi_rel_offset %rbx, 40
	.cfi_rel_offset %r12, 32
	.cfi_rel_offset %r13, 24
	.cfi_rel_offset %r14, 16
	.cfi_rel_offset %r15, 8
	movl	(%rsp), %eax
	btrl	$YIELD_BIT, %eax
	fpu_change
	call	yield_end
	restore
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rcx
	notrack jmp *%rcx
	.cfi_endproc
	.size	g_yielded, .-g_yielded

/*
 * Where a new goroutine's first switch goes to, with prev in %rdi and nothing
 * above it: the frame marks the end of the stack for unwinders. They look for what
 * is before a return address, so there is something before g_start.
 *
 * g_first() returns NULL and the goroutine; so does g_last(), if another one goes on from
 * here that had no stack yet, or prev and next once the last one has ended here.
 */
	.globl	g_entry
	.hidden	g_entry
	.globl	g_start
	.hidden	g_start
	.type	g_entry, @function
	.p2align 4
g_entry:
	.cfi_startproc
	.cfi_undefined %rip
	nop
g_start:
	xorl	%ebp, %ebp
	call	g_first
1:
	movq	8(%rdx), %rax
	movq	16(%rdx), %rdi
.Lcall:
	call	*%rax
	call	g_last
	testq	%rax, %rax
	jz	1b

	movq	%rdx, %rsi
	fpu_now
	movq	(%rsi), %r8
	btrq	$0, %rax		/* PREV_OF_MANY */
	movq	%rax, %rdi
	jnc	2f
	leaq	g_yielded(%rip), %rax
	btl	$YIELD_BIT, (%r8)
	jc	.Lcall			/* it does not return here, its goroutine does */
2:
	movq	%r8, %rsp
	jmp	.Lresume
	.cfi_endproc
	.size	g_entry, .-g_entry

/*
 * void g_unwind(void *sp, _Unwind_Trace_Fn fn, void *arg)
 *
 * Calls _Unwind_Backtrace(), for which the caller of this function is the one of
 * the g_switch() that has left sp.
 */
	.globl	g_unwind
	.hidden	g_unwind
	.type	g_unwind, @function
	.p2align 4
g_unwind:
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	movq	%rdi, %rbx
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	.cfi_remember_state
	.cfi_def_cfa %rbx, 64
	.cfi_offset %rip, -8
	.cfi_offset %rbp, -16
	.cfi_offset %rbx, -24
	.cfi_offset %r12, -32
	.cfi_offset %r13, -40
	.cfi_offset %r14, -48
	.cfi_offset %r15, -56
	call	_Unwind_Backtrace@PLT
	.cfi_restore_state
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	ret
	.cfi_endproc
	.size	g_unwind, .-g_unwind

	.section .note.GNU-stack, "", @progbits
