/* SPDX-License-Identifier: GPL-2.0-only */
/* What every unit test includes: cmocka and its preconditions. */
#ifndef KVMWARDEN_TEST_UNIT_H
#define KVMWARDEN_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Paths of fixtures are relative to the top of the tree, where make runs the tests. */
#define TEST_POLICIES "tests/policies"

#endif
