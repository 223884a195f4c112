// SPDX-License-Identifier: Apache-2.0
//
// Called libcuda.so.1, as far as the dynamic linker can see. It does nothing.
int ciuic_fake_gpu_driver(void);
int ciuic_fake_gpu_driver(void) { return 0; }
