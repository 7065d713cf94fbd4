// A file system that is mounted and then never answers, as one of a server that has gone. usage: silent-fs FOLDER
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int count, char **words) {
  int device = open("/dev/fuse", O_RDWR);
  if (count != 2 || device < 0) return 1;
  char options[128], request[65536];
  snprintf(options, sizeof options, "fd=%d,rootmode=40755,user_id=0,group_id=0", device);
  if (mount("silent", words[1], "fuse.silent", MS_NOSUID | MS_NODEV, options) != 0) return 1;
  if (read(device, request, sizeof request) <= 0) return 1;
  struct fuse_in_header *header = (struct fuse_in_header *)request;
  struct {
    struct fuse_out_header header;
    struct fuse_init_out init;
  } answer;
  memset(&answer, 0, sizeof answer);
  answer.header.len = sizeof answer;
  answer.header.unique = header->unique;
  answer.init.major = FUSE_KERNEL_VERSION;
  answer.init.minor = FUSE_KERNEL_MINOR_VERSION;
  answer.init.max_write = 4096;
  if (header->opcode != FUSE_INIT || write(device, &answer, sizeof answer) < 0) return 1;
  printf("mounted\n");
  fflush(stdout);
  for (;;) pause();
}
