// Sends every datagram back to whom it came from. usage: udp-echo PORT
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int count, char **words) {
  int port = count == 2 ? atoi(words[1]) : 0;
  int socket_ = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = INADDR_ANY};
  if (bind(socket_, (struct sockaddr *)&own, sizeof own) != 0) return 1;
  printf("listening\n");
  fflush(stdout);
  for (;;) {
    char bytes[65536];
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t size = recvfrom(socket_, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length);
    if (size >= 0 && sendto(socket_, bytes, size, 0, (struct sockaddr *)&from, length) < 0) return 1;
  }
}
