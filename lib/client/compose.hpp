// SPDX-License-Identifier: Apache-2.0
//
// Chooses where a session's engine runs, and of which parts it is made: the only place of the
// client where adapters are named.
#pragma once

#include "base/result.hpp"
#include "ciuic/vmm.h"
#include "client/connection.hpp"

#include <memory>

namespace ciuic {

// Errors: as ciuic_open() says.
Result<std::unique_ptr<Connection>> open_connection(const ciuic_options& options);

}  // namespace ciuic
