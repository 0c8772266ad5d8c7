/* SPDX-License-Identifier: MIT */
/*
 * The switch of stacks on x86-64.
 *
 * struct g *g_switch(struct g *prev, struct g *next)
 *
 * Saves what the ABI calls callee-saved on prev's stack, goes to next's, and
 * returns prev there. The control words of the FPU are callee-saved too; they
 * hardly ever differ, so they are written only if they do. A struct g begins
 * with the stack pointer.
 *
 * The processor expects a ret to go to where the last call came from that had none. A
 * goroutine that waits has made the same calls as others do, so that is mostly right. For
 * the same reason the first function of one is called, and returns at its end: who has
 * switched to it for the first time then finds what the processor expects as it was.
 */
	.text
	.globl	g_switch
	.hidden	g_switch
	.type	g_switch, @function
	.p2align 4
g_switch:
	.cfi_startproc
	endbr64
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
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	movl	(%rsp), %ecx
	movzwl	4(%rsp), %edx

	movq	%rsp, (%rdi)
	movq	(%rsi), %rsp
.Lresume:
	cmpl	%ecx, (%rsp)
	jne	1f
	cmpw	%dx, 4(%rsp)
	jne	1f
2:
	movq	%rdi, %rax
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
	ret
	.cfi_def_cfa_offset 64
	.cfi_rel_offset %rbp, 48
	.cfi_rel_offset %rbx, 40
	.cfi_rel_offset %r12, 32
	.cfi_rel_offset %r13, 24
	.cfi_rel_offset %r14, 16
	.cfi_rel_offset %r15, 8
1:
	movl	(%rsp), %eax
	btrl	$31, %eax		/* CONTEXT_NEW */
	jc	3f
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	jmp	2b
3:
	movl	%eax, (%rsp)
	cmpl	%ecx, %eax
	je	4f
	ldmxcsr	(%rsp)
4:
	cmpw	%dx, 4(%rsp)
	je	5f
	fldcw	4(%rsp)
5:
	addq	$64, %rsp
	.cfi_def_cfa_offset 8
	.cfi_undefined %rip
	jmp	g_start
	.cfi_endproc
	.size	g_switch, .-g_switch

/*
 * Where a new goroutine's first switch goes to, with prev in %rdi and nothing
 * above it: the frame marks the end of the stack for unwinders. They look for what
 * is before a return address, so there is something before g_start.
 *
 * g_main() returns once the goroutine has ended, with prev and next.
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
	call	g_main
	movq	%rax, %rdi
	movq	%rdx, %rsi
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	movl	(%rsp), %ecx
	movzwl	4(%rsp), %edx
	movq	(%rsi), %rsp
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
