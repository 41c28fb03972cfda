/*
 * Lets Debian's User-Mode-Linux run on processors with more extended state than it has room for.
 *
 * It keeps 2696 bytes of a process's extended registers (up to AVX-512 and the protection keys) and hands just those back.
 * The host refuses what is not its own full size, and on processors with AMX that is 11008 bytes: the guest dies with its
 * first process. Preloaded, this fills up what is missing with the initial state, which is what a guest's process has
 * there: nobody can ask for AMX in the guest.
 *
 * Everything else is passed on as it is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PEEKTEXT = 1, PEEKUSER = 3, GETREGSET = 0x4204, SETREGSET = 0x4205, XSTATE = 0x202 };

/* x87, SSE, AVX, bounds, AVX-512, protection keys: what lies within the guest's 2696 bytes. */
static const unsigned long long KEPT = 0x2ff;
/* The bitmap of the components that are in use stands behind the legacy area. */
enum { IN_USE = 512, HEADER_END = 576 };

/* The guest has one thread that does this, and a small stack. */
static unsigned char state[65536] __attribute__((aligned(64)));

static long full_state(int pid, struct iovec *full) {
  full->iov_base = state;
  full->iov_len = sizeof state;
  return syscall(SYS_ptrace, GETREGSET, pid, XSTATE, full);
}

long ptrace(int request, int pid, void *address, void *data) {
  if (request >= PEEKTEXT && request <= PEEKUSER) {
    long word = 0;
    if (syscall(SYS_ptrace, request, pid, address, &word) < 0) return -1;
    errno = 0;
    return word;
  }
  struct iovec *wanted = data;
  struct iovec full;
  if ((request != GETREGSET && request != SETREGSET) || address != (void *)XSTATE || wanted->iov_len < HEADER_END)
    return syscall(SYS_ptrace, request, pid, address, data);
  long result = full_state(pid, &full);
  if (result < 0) return result;
  if (full.iov_len <= wanted->iov_len) return syscall(SYS_ptrace, request, pid, address, data);
  if (request == GETREGSET) {
    unsigned long long in_use;
    memcpy(&in_use, state + IN_USE, sizeof in_use);
    in_use &= KEPT;
    memcpy(state + IN_USE, &in_use, sizeof in_use);
    memcpy(wanted->iov_base, state, wanted->iov_len);
    return 0;
  }
  memset(state, 0, full.iov_len);
  memcpy(state, wanted->iov_base, wanted->iov_len);
  return syscall(SYS_ptrace, SETREGSET, pid, XSTATE, &full);
}
