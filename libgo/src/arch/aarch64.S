/* SPDX-License-Identifier: MIT */
/*
 * The switch of stacks on AArch64; see x86_64.S.
 *
 * A goroutine goes on with a ret whoever has switched to it: where the program has branch
 * target identification no other instruction may go to where a call returns.
 */

/* Beside the control word, in bits reserved in FPCR. */
#define NEW_BIT		63		/* CONTEXT_NEW (context.h) */
#define YIELD_BIT	62		/* it is in go_yield() */

	.macro	save
	stp	x29, x30, [sp, #-176]!
	.cfi_def_cfa_offset 176
	.cfi_offset 29, -176
	.cfi_offset 30, -168
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	.endm

/* The state before is remembered, for what follows. */
	.macro	restore
	.cfi_remember_state
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	ldp	x29, x30, [sp], #176
	.cfi_def_cfa_offset 0
	.cfi_restore 29
	.cfi_restore 30
	.endm

	.text
	.globl	g_switch
	.hidden	g_switch
	.type	g_switch, %function
	.p2align 4
g_switch:
	.cfi_startproc
	hint	#34			/* bti c */
	save
	mrs	x9, fpcr
	str	x9, [sp, #160]
	mov	x10, sp
	str	x10, [x0]
	ldr	x10, [x1]
	mov	sp, x10
.Lresume:
	ldr	x11, [sp, #160]
	cmp	x9, x11
	b.ne	.Ldiffers
.Lswitched:
	restore
	ret
	.cfi_restore_state

/* Another kind of context than that of who switches, or a control word that differs. */
.Ldiffers:
	and	x9, x9, #~(1 << YIELD_BIT)
	and	x12, x11, #~(1 << NEW_BIT | 1 << YIELD_BIT)
	cmp	x9, x12
	b.eq	1f
	msr	fpcr, x12
1:
	tbnz	x11, #YIELD_BIT, .Lyielded
	tbz	x11, #NEW_BIT, .Lswitched
	add	sp, sp, #176
	.cfi_def_cfa_offset 0
	.cfi_undefined 30
	b	g_start
	.cfi_endproc
	.size	g_switch, .-g_switch

	.globl	go_yield
	.type	go_yield, %function
	.p2align 4
go_yield:
	.cfi_startproc
	hint	#34			/* bti c */
	save
	bl	yield_begin
	cbz	x0, 1f
	mrs	x9, fpcr
	orr	x9, x9, #1 << YIELD_BIT
	str	x9, [sp, #160]
	mov	x10, sp
	str	x10, [x0]
	ldr	x10, [x1]
	mov	sp, x10
	ldr	x11, [sp, #160]
	cmp	x9, x11
	b.ne	.Ldiffers
.Lyielded:
	bl	yield_end
1:
	restore
	ret
	.cfi_endproc
	.size	go_yield, .-go_yield

	.globl	g_entry
	.hidden	g_entry
	.globl	g_start
	.hidden	g_start
	.type	g_entry, %function
	.p2align 4
g_entry:
	.cfi_startproc
	.cfi_undefined 30
	nop
g_start:
	mov	x29, xzr
	mov	x30, xzr
	bl	g_first
1:
	ldp	x2, x0, [x1, #8]
	blr	x2
	bl	g_last
	cbz	x0, 1b

	and	x0, x0, #~1		/* PREV_OF_MANY */
	mrs	x9, fpcr
	ldr	x10, [x1]
	mov	sp, x10
	b	.Lresume
	.cfi_endproc
	.size	g_entry, .-g_entry

	.globl	g_unwind
	.hidden	g_unwind
	.type	g_unwind, %function
	.p2align 4
g_unwind:
	.cfi_startproc
	hint	#34			/* bti c */
	stp	x29, x30, [sp, #-32]!
	.cfi_def_cfa_offset 32
	.cfi_offset 29, -32
	.cfi_offset 30, -24
	str	x19, [sp, #16]
	.cfi_offset 19, -16
	mov	x29, sp
	mov	x19, x0
	mov	x0, x1
	mov	x1, x2
	.cfi_remember_state
	.cfi_def_cfa 19, 176
	.cfi_offset 29, -176
	.cfi_offset 30, -168
	.cfi_offset 19, -160
	.cfi_offset 20, -152
	.cfi_offset 21, -144
	.cfi_offset 22, -136
	.cfi_offset 23, -128
	.cfi_offset 24, -120
	.cfi_offset 25, -112
	.cfi_offset 26, -104
	.cfi_offset 27, -96
	.cfi_offset 28, -88
	.cfi_offset 72, -80
	.cfi_offset 73, -72
	.cfi_offset 74, -64
	.cfi_offset 75, -56
	.cfi_offset 76, -48
	.cfi_offset 77, -40
	.cfi_offset 78, -32
	.cfi_offset 79, -24
	bl	_Unwind_Backtrace
	.cfi_restore_state
	ldr	x19, [sp, #16]
	ldp	x29, x30, [sp], #32
	.cfi_def_cfa_offset 0
	.cfi_restore 19
	.cfi_restore 29
	.cfi_restore 30
	ret
	.cfi_endproc
	.size	g_unwind, .-g_unwind

	.section .note.GNU-stack, "", %progbits
