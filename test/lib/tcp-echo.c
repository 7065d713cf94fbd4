// Sends all that comes on a connection back, and when that has ended "end", and ends.
// usage: tcp-echo PORT [many]: one connection after the other, or all at once
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void echo(int connection) {
  char bytes[65536];
  for (ssize_t size; (size = read(connection, bytes, sizeof bytes)) > 0;)
    for (ssize_t sent = 0; sent < size;) {
      ssize_t more = write(connection, bytes + sent, size - sent);
      if (more < 0) return;
      sent += more;
    }
  (void)!write(connection, "end", 3);
}

int main(int count, char **words) {
  int port = count >= 2 ? atoi(words[1]) : 0;
  int many = count >= 3;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr *)&own, sizeof own) != 0 || listen(listener, 256) != 0) return 1;
  pid_t server = getpid();
  signal(SIGCHLD, SIG_IGN);
  printf("listening\n");
  fflush(stdout);
  for (;;) {
    int connection = accept(listener, NULL, NULL);
    if (connection < 0) return 1;
    if (!many || fork() == 0) echo(connection);
    if (many && getpid() != server) return 0;
    close(connection);
  }
}
