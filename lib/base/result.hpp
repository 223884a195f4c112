// SPDX-License-Identifier: Apache-2.0
//
// Result<T> and Status: how a refusal by the outside world travels inside lib/.
//
// Three kinds of trouble only: a refusal is returned (here), our own bug stops the program
// (check.hpp), and policy has no failure: with less room it proposes less.
#pragma once

#include <cstdint>
#include <utility>
#include <variant>

namespace ciuic {

enum class Errc : uint8_t {
    ok,
    invalid,       // an argument is outside what is documented
    range,         // an address or range leaves its region
    no_memory,     // the promise cannot be kept: quota, store or address space is used up
    busy,          // try again later: a bounded queue is full or a move is under way
    data_lost,     // the only copy of the bytes failed its integrity tag or could not be read
    io,            // the operating system refused an operation; os_error says why
    timed_out,     // a deadline passed
    unsupported,   // the kernel or the machine lacks a feature that is needed
    permission,    // the operating system denies it to this user
    disconnected,  // the peer is gone
    version,       // the peer speaks another version of the protocol
};

// What went wrong. Owns nothing: `what` is a string literal.
struct Error {
    Errc code = Errc::ok;
    int os_error = 0;  // errno where the operating system refused, else 0
    const char* what = "";
};

template <typename T> class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::move(value)) {}
    Result(Error error) : state_(error) {}

    bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }
    T& operator*() & { return *std::get_if<0>(&state_); }
    const T& operator*() const& { return *std::get_if<0>(&state_); }
    T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
    T* operator->() { return std::get_if<0>(&state_); }
    const T* operator->() const { return std::get_if<0>(&state_); }
    const Error& error() const { return *std::get_if<1>(&state_); }

private:
    std::variant<T, Error> state_;
};

class [[nodiscard]] Status {
public:
    Status() = default;
    Status(Error error) : error_(error) {}

    bool has_value() const { return error_.code == Errc::ok; }
    explicit operator bool() const { return has_value(); }
    const Error& error() const { return error_; }

private:
    Error error_;
};

inline Error os_refusal(const char* what, int os_error) { return {Errc::io, os_error, what}; }

const char* errc_text(Errc code);

}  // namespace ciuic

#define CIUIC_JOIN_(a, b) a##b
#define CIUIC_JOIN(a, b) CIUIC_JOIN_(a, b)

// CIUIC_TRY(auto x, f()): returns f's error from the enclosing function, else declares x.
#define CIUIC_TRY(declaration, expression)                                                         \
    auto CIUIC_JOIN(try_, __LINE__) = (expression);                                                \
    if (!CIUIC_JOIN(try_, __LINE__).has_value()) return CIUIC_JOIN(try_, __LINE__).error();        \
    declaration = *std::move(CIUIC_JOIN(try_, __LINE__))

// The same for an expression that yields no value.
#define CIUIC_TRY_STATUS(expression)                                                               \
    do {                                                                                           \
        if (auto try_status = (expression); !try_status.has_value()) return try_status.error();    \
    } while (false)
