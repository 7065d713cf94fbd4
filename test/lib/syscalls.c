// Makes one system call by name, and prints "ok" or the name of its error. A filter answers before the kernel looks at arguments,
// so most arguments are such that the kernel itself would say something else than the filter: EFAULT, EINVAL, EBADF.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BAD_POINTER ((void *)1)

static long unshare_user(void) { return syscall(SYS_unshare, CLONE_NEWUSER); }
static long unshare_mount(void) { return syscall(SYS_unshare, CLONE_NEWNS); }

// In a child: a system call that makes a process returns twice.
static long finish(long pid) {
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid(pid, NULL, 0);
  return pid;
}

static long clone_plain(void) { return finish(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }
static long clone_user(void) { return finish(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)); }

static long clone_three(void) {
  struct clone_args args = {.exit_signal = SIGCHLD};
  return finish(syscall(SYS_clone3, &args, sizeof args));
}

static void *nothing(void *unused) { return unused; }

static long thread(void) {
  pthread_t made;
  errno = pthread_create(&made, NULL, nothing, NULL);
  if (errno != 0) return -1;
  pthread_join(made, NULL);
  return 0;
}

static long socket_inet(void) { return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0); }
static long socket_route(void) { return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE); }
static long socket_audit(void) { return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT); }
static long socket_alg(void) { return syscall(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0); }
static long socket_vsock(void) { return syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0); }
// The kernel takes 32 bits of it.
static long socket_vsock_high(void) { return syscall(SYS_socket, (1UL << 32) | AF_VSOCK, SOCK_STREAM, 0); }
static long socket_unknown(void) { return syscall(SYS_socket, 1000, SOCK_STREAM, 0); }

static long personality_ask(void) { return syscall(SYS_personality, 0xffffffffUL); }
static long personality_odd(void) { return syscall(SYS_personality, 0x12345UL); }

static long keyctl(void) { return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1); }
static long add_key(void) { return syscall(SYS_add_key, BAD_POINTER, 0, 0, 0, 0); }
static long request_key(void) { return syscall(SYS_request_key, BAD_POINTER, 0, 0, 0); }
static long io_uring_setup(void) { return syscall(SYS_io_uring_setup, 1, BAD_POINTER); }
static long userfault(void) { return syscall(SYS_userfaultfd, 0x1000001); }
static long mount_bad(void) { return syscall(SYS_mount, BAD_POINTER, BAD_POINTER, BAD_POINTER, 0, 0); }
static long mount_tmpfs(void) { return mount("tmpfs", "/tmp", "tmpfs", 0, ""); }
static long setns_bad(void) { return syscall(SYS_setns, -1, 0); }
static long open_by_handle(void) { return syscall(SYS_open_by_handle_at, -1, BAD_POINTER, 0); }
static long set_hostname(void) { return sethostname("other", 5); }
static long traceme(void) { return ptrace(PTRACE_TRACEME, 0, 0, 0); }

#ifdef __x86_64__
// As a 32-bit program calls: the numbers are other ones.
static long i386(long number, long first) {
  long answer;
  __asm__ volatile("int $0x80" : "=a"(answer) : "a"(number), "b"(first) : "memory", "r8", "r9", "r10", "r11");
  if (answer >= 0) return answer;
  errno = (int)-answer;
  return -1;
}

static long i386_getpid(void) { return i386(20, 0); }
static long i386_unshare(void) { return i386(310, CLONE_NEWUSER); }
#endif

static const struct {
  const char *name;
  long (*call)(void);
} probes[] = {
    {"unshare-user", unshare_user},       {"unshare-mount", unshare_mount},
    {"clone", clone_plain},               {"clone-user", clone_user},
    {"clone3", clone_three},              {"thread", thread},
    {"socket-inet", socket_inet},         {"socket-route", socket_route},
    {"socket-audit", socket_audit},       {"socket-alg", socket_alg},
    {"socket-vsock", socket_vsock},       {"socket-vsock-high", socket_vsock_high},
    {"socket-unknown", socket_unknown},   {"personality-ask", personality_ask},
    {"personality-odd", personality_odd}, {"keyctl", keyctl},
    {"add_key", add_key},                 {"request_key", request_key},
    {"io_uring_setup", io_uring_setup},   {"userfaultfd", userfault},
    {"mount-bad", mount_bad},             {"mount-tmpfs", mount_tmpfs},
    {"setns-bad", setns_bad},             {"open_by_handle_at", open_by_handle},
    {"sethostname", set_hostname},        {"ptrace", traceme},
#ifdef __x86_64__
    {"i386-getpid", i386_getpid},         {"i386-unshare-user", i386_unshare},
#endif
};

// Each in a child of its own, so that one probe does not change what the next one meets.
static int probe(const char *name) {
  for (size_t index = 0; index < sizeof probes / sizeof probes[0]; index++) {
    if (strcmp(name, probes[index].name) != 0) continue;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      const char *answer = probes[index].call() < 0 ? strerrorname_np(errno) : "ok";
      printf("%s %s\n", name, answer == NULL ? "unknown" : answer);
      fflush(stdout);
      _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0) return 1;
    if (WIFSIGNALED(status)) printf("%s killed\n", name);
    return 0;
  }
  fprintf(stderr, "there is no probe %s\n", name);
  return 2;
}

int main(int count, char **names) {
  for (int index = 1; index < count; index++) {
    int failure = probe(names[index]);
    if (failure != 0) return failure;
  }
  return 0;
}
