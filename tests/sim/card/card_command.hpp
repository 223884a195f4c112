// SPDX-License-Identifier: Apache-2.0
//
// ciuic-sim --card NAME: the engine in simulated time on a described card.
//
//   --card NAME --model NAME --budget SIZE [--work KIND] [--batch N] [--context N]
//   --card NAME|all --founding             the project's founding rows, as tables in Markdown;
//                                          those whose budget is beyond the card are left out
//   both: [--host NAME] [--passes N] [--chunk SIZE] [--no-processor] [--no-prefetch]
//
// Names, work, batch and context are those of `ciuic plan`. --no-processor: the engine's own time
// is not charged, so that the answer depends on nothing but the question.
//
// Exit: 0, 2 for wrong use; one line says what is wrong.
// Threads: one.
#pragma once

namespace ciuic::sim {

int card_command(int argc, char** argv);

}  // namespace ciuic::sim
