// SPDX-License-Identifier: Apache-2.0
//
// Linked statically: nothing can be preloaded into it.
#include <stdio.h>

int main(void) {
    puts("hello");
    return 0;
}
