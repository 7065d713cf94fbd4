// Prints numbered lines at a pace, and keeps their number in a file that others see, so that what it has written is known also
// when it was killed. SIGTERM ends it as the last line does, also while it waits for room in the pipe.
// number-lines COUNT_FILE LINES_PER_SECOND LAST_LINE (0: none) EXIT_CODE PADDING
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { TICKS_PER_SECOND = 100, TICK_NANOS = 1000000000 / TICKS_PER_SECOND, MOST_PADDING = 1000 };

static void nothing(int signal) { (void)signal; }

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  const long per_tick = atol(argv[2]) / TICKS_PER_SECOND, last = atol(argv[3]);
  const int code = atoi(argv[4]), padding = atoi(argv[5]);
  if (per_tick < 1 || padding > MOST_PADDING) return 2;

  sigset_t term, none;
  sigemptyset(&none);
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  // It is heard only where we wait for something.
  sigprocmask(SIG_BLOCK, &term, NULL);
  sigaction(SIGTERM, &(struct sigaction){.sa_handler = nothing}, NULL);

  const int file = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || ftruncate(file, sizeof(uint64_t)) != 0) return 2;
  volatile uint64_t *count = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (count == MAP_FAILED) return 2;

  char line[MOST_PADDING + 64], pad[MOST_PADDING + 2] = "";
  if (padding > 0) {
    memset(pad + 1, 'x', padding);
    pad[0] = ' ';
  }
  struct pollfd out = {.fd = 1, .events = POLLOUT};
  struct timespec now, next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (uint64_t number = 0;;) {
    for (long left = per_tick; left > 0; left--) {
      // What is shorter than a page is written whole, and at once where poll says that there is room.
      if (ppoll(&out, 1, NULL, &none) < 0) return code;
      const int length = snprintf(line, sizeof line, "line %llu%s\n", (unsigned long long)++number, pad);
      if (write(1, line, length) != length) return 3;
      *count = number;
      if (last > 0 && number >= (uint64_t)last) return code;
    }
    next.tv_nsec += TICK_NANOS;
    if (next.tv_nsec >= 1000000000) {
      next.tv_sec++;
      next.tv_nsec -= 1000000000;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct timespec left = {next.tv_sec - now.tv_sec, next.tv_nsec - now.tv_nsec};
    if (left.tv_nsec < 0) {
      left.tv_sec--;
      left.tv_nsec += 1000000000;
    }
    // Who was held up does not hurry after it.
    if (left.tv_sec < 0) next = now;
    else if (ppoll(NULL, 0, &left, &none) < 0) return code;
  }
}
