/* SPDX-License-Identifier: MIT */
/*
 * What all of libgo's headers need.
 */
#ifndef GO_API_H
#define GO_API_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
#define GO_API extern "C" __attribute__((visibility("default")))
#else
#define GO_API __attribute__((visibility("default")))
#endif

#endif /* GO_API_H */
