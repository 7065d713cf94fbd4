// Tells the neighbours at an interface, once, that this host is a router for half an hour. usage: advertise-router INTERFACE
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/icmp6.h>

int main(int count, char **words) {
  unsigned index = count == 2 ? if_nametoindex(words[1]) : 0;
  int socket_ = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
  int hops = 255; // one that has come from further away is not believed
  struct nd_router_advert advert = {.nd_ra_type = ND_ROUTER_ADVERT, .nd_ra_router_lifetime = htons(1800)};
  struct sockaddr_in6 all = {.sin6_family = AF_INET6, .sin6_scope_id = index};
  inet_pton(AF_INET6, "ff02::1", &all.sin6_addr);
  if (setsockopt(socket_, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops) != 0) return 1;
  if (setsockopt(socket_, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) != 0) return 1;
  return sendto(socket_, &advert, sizeof advert, 0, (struct sockaddr *)&all, sizeof all) < 0;
}
