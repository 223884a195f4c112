# SPDX-License-Identifier: Apache-2.0
"""The guards of the engine's ordering, each with what its removal does to the text.

A mutant is (file, text, replacement, what it breaks). The text must occur exactly once. Rows of the
transition table are not listed: mutate.py removes each of them in turn.

A survivor that is equivalent (nothing can observe the change) is named in EXPLAINED with its
reason.
"""

EVICT = "lib/engine/evict.cpp"
FETCH = "lib/engine/fetch.cpp"
FILL = "lib/engine/fill.cpp"
MOVES = "lib/engine/moves.cpp"
EVENTS = "lib/engine/events.cpp"
DEMAND = "lib/engine/demand.cpp"
REQUESTS = "lib/engine/requests.cpp"
ENGINE = "lib/engine/engine.cpp"
PLANNING = "lib/engine/planning.cpp"
DECLARED = "lib/engine/declared.cpp"
ACCESS_LOG = "lib/engine/access_log.cpp"
SCATTER = "lib/engine/scatter.cpp"
PIECES_OUT = "lib/engine/pieces_out.cpp"

MUTANTS = [
    (EVICT, "if (is_pinned(chunk)) {", "if (false) {", "evicts pinned chunks"),
    (EVICT, "const bool clean = holds(facts.copies, Copies::store);", "const bool clean = true;",
     "drops written chunks as if they were clean"),
    (EVICT, "if (move.recalled) return abort_evict(move);\n    if (move.compares",
     "if (move.compares", "goes on evicting what the program came back to"),
    (EVICT, "if (move.compares && is_unchanged(move))", "if (move.compares)",
     "trusts a kept place without comparing"),
    (EVICT, "if (!is_tag_right(move.chunk, block, hashes[block])) return false;", "",
     "finds every chunk unchanged"),
    (EVICT, "++facts.generation;", "", "binds new bytes to the old generation"),
    (EVICT, "facts.flags &= static_cast<uint8_t>(~ChunkFlags::kept);\n    ++facts.generation;",
     "++facts.generation;", "keeps trusting a place that is being written over"),
    (EVICT, "tags[block] = bind_tag(binding, block, hashes[block]);", "(void)binding, (void)tags;",
     "writes bytes without their tags"),
    (EVICT, "if (!move.recalled) return finish_evict(move, false);",
     "return finish_evict(move, false);", "gives up the frame of a recalled chunk"),
    (EVICT, "if (move.recalled) reserve_.came_back();", "",
     "freezes another chunk at once for one that came back"),
    (MOVES, "reserve_.taken();", "", "never makes up for what came back"),
    (EVICT, "ports_.store.quarantine(move.place);", "ports_.store.release(move.place);",
     "hands a place that refused a write out again"),
    (EVICT, "facts.place_first = facts.place_granules = 0;", "", "keeps a quarantined place"),
    (EVICT, "    ports_.device.close(chunk, move.frame);\n    facts.flags |= ChunkFlags::kept;",
     "    facts.flags |= ChunkFlags::kept;", "frees a frame that the program still sees"),
    (EVICT, "facts.flags |= ChunkFlags::kept;\n    facts.left_at",
     "facts.left_at", "forgets that the place holds the bytes"),
    (EVICT, "const Status restored = ports_.device.restore(chunk, move.frame, true);",
     "const Status restored;", "does not give a recalled chunk back"),
    (EVICT, "frames_.set_movable(frame, false);", "", "lets policy take a frame twice"),
    (EVICT, "if (record(chunk).flags & ChunkFlags::wanted) return false;", "",
     "evicts what somebody waits for"),
    (FETCH, "if (is_tag_right(move.chunk, block, hashes[block])) continue;", "continue;",
     "shows bytes without verifying them"),
    (FETCH, "if (!is_tag_right(move.chunk, move.first_block, hashes_of(move)[move.first_block])) "
     "return;", "",
     "shows the first block without verifying it"),
    (FETCH, "if (move.overdue || (facts.flags & ChunkFlags::doomed)) return abort_fetch(move);",
     "if (move.overdue) return abort_fetch(move);",
     "shows a chunk that was given up"),
    (FETCH, "if (move.overdue || (record(move.chunk).flags & ChunkFlags::doomed)) "
     "return abort_fetch(move);", "if (move.overdue) return abort_fetch(move);",
     "reads a chunk again that was given up"),
    (FETCH, "read_parts_from(move, move.first_shown ? 1 : 0);", "read_parts_from(move, 0);",
     "reads over a block that the program sees"),
    (FETCH, "move.read_failed = true;", "", "takes a failed read for a good one"),
    (FETCH, "move.read_failed = false;", "", "never believes a repeated read"),
    (FETCH, "if (move.parts_left || move.parts_flying) return;", "if (move.parts_left) return;",
     "hashes before the last part has arrived"),
    (FETCH, "(facts.flags & (ChunkFlags::doomed | ChunkFlags::write_wanted))",
     "(facts.flags & ChunkFlags::doomed)", "shows a writer a part that it may not write"),
    (FETCH, "ports_.device.reveal(move.chunk, move.frame, offset_bytes, block_bytes, false)",
     "ports_.device.reveal(move.chunk, move.frame, offset_bytes, block_bytes, true)",
     "lets the program write before the chunk has arrived"),
    (FETCH, "if (holds(facts.copies, Copies::store)) apply(chunk, ChunkEvent::write);", "",
     "keeps the store copy valid after a write"),
    (FETCH, "ports_.store.quarantine(move.place);", "ports_.store.release(move.place);",
     "hands out a place again that lost its bytes"),
    (FETCH, "if (!refuse(chunk)) want(chunk, 0, false, Cause::fault);\n    end_move(move);",
     "end_move(move);", "leaves waiters of a lost chunk waiting"),
    (FILL, "if (ports_.device.traits().opens_zeroed)", "if (true)", "shows old bytes as zeros"),
    (FILL, "if (!doomed && shows)", "if (shows)",
     "shows a chunk that was given up"),
    (FILL, "shows ? ChunkEvent::fill_done : ChunkEvent::fill_done_ahead",
     "ChunkEvent::fill_done", "takes zeros that nobody has seen for the program's"),
    (FETCH, "    std::memcpy(move.bytes.data() + part_of(move, part).offset_bytes, bytes.data(), "
     "bytes.size());\n", "", "leaves the first part in its bounce buffer"),
    (FETCH, "    want(chunk, record(chunk).wanted_block, false, cause);\n", "    (void)cause;\n",
     "leaves who waits for a frame that is refused waiting"),
    (FETCH, "    record(chunk).flags |= ChunkFlags::dense;\n", "",
     "leaves who waits at another block of a chunk whose frame is refused waiting"),
    (FETCH, "const bool awaits_frame = !is_open(move) && move.parts_flying;",
     "const bool awaits_frame = false;", "reads into a frame that is not there yet"),
    (EVENTS, "move_of(chunk).overdue ? ChunkState::resident : state", "false ? state : state",
     "leaves who touches what a hung write gave back waiting"),
    (MOVES, "if (keep_promise) facts.flags |= ChunkFlags::cleared;", "",
     "turns a clear into a discard"),
    (MOVES, "if (move_of(chunk).kind == MoveKind::evict) move_of(chunk).recalled = true;", "",
     "evicts to the end what was given up"),
    (MOVES, "ports_.device.close(chunk, FrameIndex{facts.frame});\n        release_frame(chunk);",
     "release_frame(chunk);", "leaves a chunk that was given up with the program"),
    (MOVES, "    release_place(chunk);\n    if (facts.left_at", "    if (facts.left_at",
     "loses the place of a chunk that was given up"),
    (MOVES, "    release_frame(move.chunk);\n    return false;", "    return false;",
     "loses a frame that the machine refused"),
    (MOVES, "facts.flags &= static_cast<uint8_t>(~ChunkFlags::kept);\n    if (facts.place_granules",
     "if (facts.place_granules", "keeps the mark of a place that is gone"),
    (EVENTS, "move.recalled = true;", "", "ignores a program that comes back"),
    (EVENTS, "move.demanded = true;", "", "leaves the toucher of a prefetch waiting"),
    (EVENTS, "if (is_write) facts.flags |= ChunkFlags::write_wanted;", "",
     "forgets that a waiter wants to write"),
    (EVENTS, "if (is_write) note_shown(chunk, true);", "", "lets a write through unseen"),
    (EVENTS, "    note_shown(chunk, true);\n    note_use", "    note_use",
     "keeps the store copy after a first write"),
    (DEMAND, "if (since == Nanos{0} || ports_.clock.now() - since < options_.frame_deadline) "
     "return false;",
     "return false;", "waits for ever"),
    (DEMAND, "facts.next_wanted = none_index;", "", "links the queue of waiters into a ring"),
    (REQUESTS, "!(chunks[ChunkIndex{waiter.settled}].flags & ChunkFlags::doomed)", "true",
     "reports a discard as done while it is under way"),
    (REQUESTS, "if (session.closing_cursor < session.end_chunk || session.moves > 0)",
     "if (session.closing_cursor < session.end_chunk)", "ends a session under its moves' feet"),
    (REQUESTS, "state == ChunkState::lost || state == ChunkState::vacant",
     "state == ChunkState::vacant", "waits for a lost chunk"),
    (ENGINE, "if (waiter.active) complete(index, waiter, Errc::disconnected);", "(void)waiter;",
     "leaves the requests of an ending session unanswered"),
    (ENGINE, "if (count > session.chunks_max - session.promised)", "if (false)",
     "promises more than the session may have"),
    (ENGINE, "if (session.chunks.allows(ChunkIndex{chunk}, ChunkEvent::promise)) continue;",
     "continue;", "promises a chunk twice"),
    (PLANNING, "if (is_expected(cold.owner))", "if (false)", "evicts what its order expects next"),
    (PLANNING, "if (follows_declared(session_at(cold.owner.session))) {", "if (false) {",
     "lets recency choose for a program that declares its uses"),
    (EVENTS, "if (session.declared) session.undeclared = frames();", "",
     "believes a program that does not declare what it touches"),
    (DECLARED, "if (use.chunk >= session.chunks.chunks()) return;", "",
     "believes a client that names chunks beyond its table"),
    (DECLARED, "if (state == ChunkState::vacant) return;", "",
     "counts uses of what is nobody's"),
    (DECLARED, "const auto victim = policy.furthest_victim();",
     "const auto victim = policy.victim();", "waits for victims that are all in use"),
    (ACCESS_LOG, "if (lap != lap_of(position_)) {", "if (false) {",
     "reads an entry before it is written"),
    (ACCESS_LOG, "if (ahead > limits::access_log_entries) {", "if (false) {",
     "waits for ever for an entry that was written over"),
    (PLANNING, "if (coming < wanted)", "if (false)", "never evicts ahead of need"),
    (FETCH, "if (find_piece(move.chunk, block)) continue;", "",
     "loses a chunk for damage under a piece"),
    (FETCH, "Status shown = conceal_pieces(chunk, move.bytes);", "Status shown;",
     "gathers under the program's hands"),
    (FETCH, "    if (gathers) {\n        move.demanded = true;", "    if (gathers) {",
     "gathers a chunk and does not show it"),
    (FETCH, "    drop_pieces(chunk);\n    if (gathers)", "    if (gathers)",
     "keeps the pieces of a gathered chunk"),
    (DEMAND, "if (conceal_pieces(chunk, {}).error().code == Errc::busy) {", "if (false) {",
     "poisons over a piece that the program sees"),
    (MOVES, "    drop_pieces(chunk);\n    release_place", "    release_place",
     "keeps the pieces of a chunk that was given up"),
    (SCATTER, "if (is_tag_right(move.chunk, move.first_block, content_hash))\n"
     "            return move.kind", "return move.kind", "shows a piece without verifying it"),
    (SCATTER, "if (move.overdue || (record(move.chunk).flags & ChunkFlags::doomed))\n"
     "        return end_piece_in(move, false);\n"
     "    const Status",
     "if (move.overdue) return end_piece_in(move, false);\n    const Status",
     "shows a piece of a chunk that was given up"),
    (SCATTER, "    lift_poison(ref.chunk);\n", "", "shows a piece that is poisoned"),
    (SCATTER, "    lift_poison(chunk);\n", "", "brings a piece into a poisoned chunk"),
    (SCATTER, "if (facts.piece_left_block == facts.wanted_block + 1 &&", "if (false &&",
     "lets two lone blocks push each other out for ever"),
    (SCATTER, "std::memcpy(chunk_bytes.data() + ref.block * bytes.size(), bytes.data(), "
     "bytes.size());",
     "", "gathers without the pieces' bytes"),
    (SCATTER, "        facts.first_piece = none_index;\n        session_at", "        session_at",
     "starts a chunk's list of pieces at an old one"),
    (SCATTER, "return count < options_.pieces_per_chunk_max;", "return true;",
     "takes pieces without bound"),
    (SCATTER, "if (move.tries++ >= limits::io_retries_max) return lose(move);\n    read_block",
     "return lose(move);\n    read_block", "loses a chunk at the first failed read of a piece"),
    (SCATTER, "    ports_.device.pieces()->close(ref);\n    pieces_.unlink", "    pieces_.unlink",
     "frees a piece that the program still sees"),
    (PIECES_OUT, "= ~tag_of_piece(move);", "= tag_of_piece(move);",
     "trusts a block before its write has ended"),
    (PIECES_OUT, "ports_.store.tags(move.place)[move.first_block] = tag_of_piece(move);", "",
     "forgets the tag of a block that was written"),
    (PIECES_OUT, "if (is_tag_right(move.chunk, ref.block, hash[0])) return "
     "end_piece_out(move, true);",
     "return end_piece_out(move, true);", "drops written pieces as if they were clean"),
    (PIECES_OUT, "if (!concealed) return end_piece_out(move, false);",
     "if (!concealed) return end_piece_out(move, true);", "drops a piece that the kernel pins"),
    (PIECES_OUT, "    pieces_.mark_refused(move.piece);\n", "",
     "asks a block that was refused for good to leave again and again"),
    (PIECES_OUT, "} else if (!doomed && !reveal_piece(move.piece)) {", "} else if (false) {",
     "leaves whoever came meanwhile waiting"),
]

# What survives because nothing can tell the difference, with the reason.
EXPLAINED = {
    "binds new bytes to the old generation":
        "tags are in memory and each holds its bytes' hash: stale bytes fail it in any generation",
    "evicts what somebody waits for":
        "whoever waits recalls the chunk from its move: slower, never wrong",
    "shows a chunk that was given up":
        "its program's request is not answered yet, and the chunk is closed when the move ends",
    "evicts to the end what was given up":
        "one write more; the chunk is given up when the move ends",
    "forgets that a waiter wants to write":
        "one fault more: the chunk is shown read-only, and the write is reported",
    "lets a write through unseen":
        "one fault more: the chunk is shown as it was, and the write is reported",
    "reads a chunk again that was given up":
        "a few reads more; the chunk is given up when the move ends",
}
