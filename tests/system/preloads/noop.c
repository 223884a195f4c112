// SPDX-License-Identifier: Apache-2.0
//
// A library that hooks nothing. In the place of libciuic_run.so, every test of managed memory must
// turn red, or it tests nothing (noop_preload_test.py).
int ciuic_noop_preload(void);
int ciuic_noop_preload(void) { return 0; }
