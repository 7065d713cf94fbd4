// Sends every datagram back to whom it came from. usage: udp-echo PORT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int count, char **words) {
  int port = count == 2 ? atoi(words[1]) : 0;
  int socket_ = socket(AF_INET6, SOCK_DGRAM, 0); // of both families
  struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT};
  if (bind(socket_, (struct sockaddr *)&own, sizeof own) != 0) return 1;
  printf("listening\n");
  fflush(stdout);
  for (;;) {
    char bytes[65536];
    struct sockaddr_in6 from;
    socklen_t length = sizeof from;
    ssize_t size = recvfrom(socket_, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length);
    if (size >= 0 && sendto(socket_, bytes, size, 0, (struct sockaddr *)&from, length) < 0) return 1;
  }
}
