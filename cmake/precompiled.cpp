// SPDX-License-Identifier: Apache-2.0
//
// Nothing but what the precompiled headers belong to.
