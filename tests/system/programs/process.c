// SPDX-License-Identifier: Apache-2.0
//
// An ordinary program that forks, executes, is interrupted and ends in every way that there is,
// with large memory in use, and checks what it reads. Its first argument names what to do, the
// second how many MiB it uses; it prints "ok".
#include "require.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static size_t size;
static char* memory;
static const char* own_path;

// The compiler may not reason about what malloc() gives.
static void* opaque(void* address) {
    __asm__ volatile("" : "+r"(address));
    return address;
}

static void take_memory(uint64_t seed) {
    memory = opaque(malloc(size));
    REQUIRE(memory);
    stamp(memory, 0, size, seed);
}

static int status_of(pid_t child) {
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    return status;
}

// Readers at the same time as their parent, and a reader's own child.
static void test_fork_readers(void) {
    enum { readers = 4 };
    pid_t children[readers];
    take_memory(1);
    for (int index = 0; index < readers; ++index) {
        children[index] = fork();
        REQUIRE(children[index] >= 0);
        if (children[index] != 0) continue;
        const size_t half = size / 2 / 8 * 8;
        int good = index % 2 ? is_stamped(memory, 0, size, 1)
                             : is_stamped(memory, half, size, 1) && is_stamped(memory, 0, half, 1);
        if (index == 0) {
            const pid_t grandchild = fork();
            if (grandchild == 0) _exit(is_stamped(memory, 0, size, 1) ? 0 : 1);
            good = good && status_of(grandchild) == 0;
        }
        _exit(good ? 0 : 1);
    }
    REQUIRE(is_stamped(memory, 0, size, 1));
    for (int index = 0; index < readers; ++index) REQUIRE(status_of(children[index]) == 0);
    REQUIRE(is_stamped(memory, 0, size, 1));
}

static void* count_wrong(void* argument) {
    const size_t begin = (uintptr_t)argument * (size / 4 / 8 * 8);
    return is_stamped(memory, begin, begin + size / 4 / 8 * 8, 1) ? NULL : memory;
}

// Several threads of one reader wait at several places.
static void test_fork_reader_threads(void) {
    take_memory(1);
    const pid_t child = fork();
    if (child == 0) {
        pthread_t threads[4];
        for (uintptr_t index = 0; index < 4; ++index)
            REQUIRE(pthread_create(&threads[index], NULL, count_wrong, (void*)index) == 0);
        for (int index = 0; index < 4; ++index) {
            void* wrong = memory;
            REQUIRE(pthread_join(threads[index], &wrong) == 0 && wrong == NULL);
        }
        exit(0);  // not _exit: the library's destructors run in a child, too
    }
    REQUIRE(status_of(child) == 0);
}

// The child reads what the parent has there now, also where it has been freed and had again.
static void test_fork_sees_now(void) {
    int to_child[2];
    int to_parent[2];
    char token = 'x';
    take_memory(1);
    REQUIRE(pipe(to_child) == 0 && pipe(to_parent) == 0);
    const pid_t child = fork();
    if (child == 0) {
        for (uint64_t seed = 1; seed < 4; ++seed) {
            REQUIRE(is_stamped(memory, 0, size, seed));
            REQUIRE(write(to_parent[1], &token, 1) == 1 && read(to_child[0], &token, 1) == 1);
        }
        _exit(0);
    }
    for (uint64_t seed = 2; seed < 5; ++seed) {
        REQUIRE(read(to_parent[0], &token, 1) == 1);
        stamp(memory, 0, size, seed);
        REQUIRE(write(to_child[1], &token, 1) == 1);
    }
    REQUIRE(status_of(child) == 0);
}

// However the child tries to write, the parent's bytes stay, and the child is told.
static void test_fork_write(void) {
    take_memory(1);
    for (size_t place = 0; place < size; place += size / 2 / 8 * 8) {
        const pid_t child = fork();
        if (child == 0) {
            memory[place] = 0;
            _exit(0);
        }
        const int status = status_of(child);
        REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    }
    const pid_t child = fork();
    if (child == 0) {
        int ends[2];
        REQUIRE(pipe(ends) == 0 && write(ends[1], "xxxx", 4) == 4);
        REQUIRE(read(ends[0], memory, 4) == -1 && errno == EFAULT);
        REQUIRE(write(ends[1], memory, 8) == 8);  // to read it is allowed
        char* page = (char*)(((uintptr_t)memory + 4095) & ~(uintptr_t)4095);
        REQUIRE(mprotect(page, 4096, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
        REQUIRE(madvise(page, 4096, MADV_DONTNEED) == -1 && errno == EINVAL);
        void* volatile inherited = memory;  // or the compiler objects to what is tested here
        free(inherited);
        REQUIRE(is_stamped(memory, 0, size, 1));
        _exit(0);
    }
    REQUIRE(status_of(child) == 0);
    REQUIRE(is_stamped(memory, 0, size, 1));
}

// A child whose parent has gone: what it reads is right, or it dies; never zeros.
static void test_fork_orphan(void) {
    REQUIRE(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    int gone[2];
    int ready[2];
    REQUIRE(pipe(gone) == 0 && pipe(ready) == 0);
    const pid_t parent = fork();
    if (parent == 0) {
        close(gone[0]);
        take_memory(1);
        if (fork() == 0) {
            close(gone[1]);
            REQUIRE(is_stamped(memory, 0, size / 2 / 8 * 8, 1));
            REQUIRE(write(ready[1], "x", 1) == 1);
            // Wrong bytes end with 1; the loop itself with a signal.
            while (is_stamped(memory, 0, size, 1)) {
                __asm__ volatile("" ::: "memory");  // read again, each time
            }
            _exit(1);
        }
        char token = 0;
        REQUIRE(read(ready[0], &token, 1) == 1);
        _exit(0);
    }
    REQUIRE(status_of(parent) == 0);
    int status = -1;
    REQUIRE(waitpid(-1, &status, 0) > 0);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
}

// A child that closes every descriptor it knows of still reads what is right.
static void test_fork_closes_all(void) {
    take_memory(1);
    const pid_t child = fork();
    if (child == 0) {
        for (int fd = 3; fd < 1024; ++fd) close(fd);
        _exit(is_stamped(memory, 0, size, 1) ? 0 : 1);
    }
    REQUIRE(status_of(child) == 0);
    REQUIRE(is_stamped(memory, 0, size, 1));
}

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

// For people: what a fork costs with and without large memory.
static void measure_fork(void) {
    enum { rounds = 200 };
    for (int managed = 0; managed < 2; ++managed) {
        const double began = seconds();
        for (int round = 0; round < rounds; ++round) {
            const pid_t child = fork();
            if (child == 0) _exit(0);
            REQUIRE(status_of(child) == 0);
        }
        fprintf(stderr, "%s large memory: %.0f us for each fork, exit and wait\n",
                managed ? "with" : "without", (seconds() - began) * 1e6 / rounds);
        if (!managed) take_memory(1);
    }
}

// Other ways to make a process than fork(); each child has large memory of its own.
static void test_other_children(void) {
    take_memory(1);
    char mib[24];
    snprintf(mib, sizeof mib, "%zu", size / MIB);
    char* arguments[] = {(char*)own_path, (char*)"use", mib, NULL};
    pid_t child = -1;
    REQUIRE(posix_spawn(&child, own_path, NULL, NULL, arguments, environ) == 0);
    REQUIRE(status_of(child) == 0);
    child = vfork();
    if (child == 0) {
        execv(own_path, arguments);
        _exit(127);
    }
    REQUIRE(child > 0 && status_of(child) == 0);
    child = vfork();
    if (child == 0) _exit(7);
    REQUIRE(child > 0 && WEXITSTATUS(status_of(child)) == 7);
    child = fork();
    if (child == 0) {
        execv(own_path, arguments);
        _exit(127);
    }
    REQUIRE(child > 0 && status_of(child) == 0);
    char command[4096];
    snprintf(command, sizeof command, "'%s' use %s", own_path, mib);
    REQUIRE(system(command) == 0);
    REQUIRE(is_stamped(memory, 0, size, 1));
}

static void test_exec(void) {
    take_memory(1);
    char mib[24];
    snprintf(mib, sizeof mib, "%zu", size / MIB);
    execl(own_path, own_path, "use", mib, (char*)NULL);
    REQUIRE(0);
}

static void test_use(void) {
    take_memory(2);
    REQUIRE(is_stamped(memory, 0, size, 2));
    free(memory);
}

static volatile sig_atomic_t handled;
static volatile int wrong;

// Most of what it touches is not there.
static void on_alarm(int number) {
    (void)number;
    static size_t at;
    at = (at + 7919 * 4096 + 8) % size / 8 * 8;
    const uint64_t* word = (const uint64_t*)(memory + at);
    if (*word != stamp_of(at / 8, 1)) wrong = 1;
    ++handled;
}

static void test_signal_handlers(void) {
    take_memory(1);
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
    const struct itimerval often = {{0, 20000}, {0, 20000}};
    REQUIRE(setitimer(ITIMER_REAL, &often, NULL) == 0);
    while (handled < 40) REQUIRE(is_stamped(memory, 0, size, 1));
    const struct itimerval never = {{0, 0}, {0, 0}};
    REQUIRE(setitimer(ITIMER_REAL, &never, NULL) == 0);
    REQUIRE(!wrong);
}

static void end_with_5(int number) {
    (void)number;
    exit(memory[8] == ((char*)(uint64_t[]){stamp_of(1, 1)})[0] ? 5 : 1);
}
static void end_at_once(int number) {
    (void)number;
    _exit(memory[size / 2 / 8 * 8] != 0 || memory[0] != 0 ? 6 : 1);
}
static void* end_in_thread(void* argument) {
    (void)argument;
    exit(is_stamped(memory, 0, MIB, 1) ? 8 : 1);
}
static void* keep_touching(void* argument) {
    (void)argument;
    for (;;) REQUIRE(is_stamped(memory, 0, size, 1));
}

// While other threads are in the midst of faults.
static void end_by(const char* how) {
    take_memory(1);
    pthread_t thread;
    for (int index = 0; index < 2; ++index)
        REQUIRE(pthread_create(&thread, NULL, keep_touching, NULL) == 0);
    if (!strcmp(how, "exit_in_handler")) {
        signal(SIGUSR1, end_with_5);
        kill(getpid(), SIGUSR1);
    } else if (!strcmp(how, "_exit_in_handler")) {
        signal(SIGUSR1, end_at_once);
        kill(getpid(), SIGUSR1);
    } else if (!strcmp(how, "exit_in_thread")) {
        REQUIRE(pthread_create(&thread, NULL, end_in_thread, NULL) == 0);
    } else if (!strcmp(how, "abort")) {
        abort();
    } else if (!strcmp(how, "return")) {
        return;
    }
    for (;;) pause();
}

static pthread_barrier_t barrier;
static void* use_own(void* argument) {
    const uint64_t seed = (uintptr_t)argument;
    pthread_barrier_wait(&barrier);
    char* own = opaque(malloc(size / 4));
    REQUIRE(own);
    stamp(own, 0, size / 4 / 8 * 8, seed);
    REQUIRE(is_stamped(own, 0, size / 4 / 8 * 8, seed));
    return own;
}

// Threads that there were before the first large allocation, and threads made after it; what a
// thread took outlives it.
static void test_threads(void) {
    pthread_t threads[4];
    void* taken[4];
    REQUIRE(pthread_barrier_init(&barrier, NULL, 3) == 0);
    for (uintptr_t index = 0; index < 2; ++index)
        REQUIRE(pthread_create(&threads[index], NULL, use_own, (void*)index) == 0);
    pthread_barrier_wait(&barrier);
    for (int index = 0; index < 2; ++index)
        REQUIRE(pthread_join(threads[index], &taken[index]) == 0);
    REQUIRE(pthread_barrier_init(&barrier, NULL, 1) == 0);
    for (uintptr_t index = 2; index < 4; ++index) {
        REQUIRE(pthread_create(&threads[index], NULL, use_own, (void*)index) == 0);
        REQUIRE(pthread_join(threads[index], &taken[index]) == 0);
    }
    for (int index = 0; index < 4; ++index) {
        REQUIRE(is_stamped(taken[index], 0, size / 4 / 8 * 8, index));
        free(taken[index]);
    }
}

// Writes and checks for as long as standard input is open.
static void test_until_told(void) {
    take_memory(0);
    puts("ready");
    fflush(stdout);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    uint64_t round = 0;
    do {
        REQUIRE(is_stamped(memory, 0, size, round));
        stamp(memory, 0, size, ++round);
    } while (poll(&input, 1, 0) == 0);
    REQUIRE(is_stamped(memory, 0, size, round));
}

int main(int count, char** arguments) {
    if (count < 3) return 2;
    const char* what = arguments[1];
    own_path = arguments[0];
    size = (size_t)atol(arguments[2]) * MIB;
    static const struct {
        const char* name;
        void (*test)(void);
    } tests[] = {{"fork_readers", test_fork_readers},
                 {"fork_reader_threads", test_fork_reader_threads},
                 {"fork_sees_now", test_fork_sees_now},
                 {"fork_write", test_fork_write},
                 {"fork_orphan", test_fork_orphan},
                 {"fork_closes_all", test_fork_closes_all},
                 {"measure_fork", measure_fork},
                 {"other_children", test_other_children},
                 {"exec", test_exec},
                 {"use", test_use},
                 {"signal_handlers", test_signal_handlers},
                 {"threads", test_threads},
                 {"until_told", test_until_told}};
    for (size_t index = 0; index < sizeof tests / sizeof *tests; ++index) {
        if (strcmp(what, tests[index].name)) continue;
        tests[index].test();
        puts("ok");
        return 0;
    }
    end_by(what);
    puts("ok");
    return 0;
}
