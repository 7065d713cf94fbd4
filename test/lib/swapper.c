// Swaps two names of a folder for one another for ever: swapper FOLDER NAME OTHER.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>

int main(int argc, char **argv) {
	if (argc != 4)
		return 2;
	int folder = open(argv[1], O_PATH | O_DIRECTORY);
	if (folder < 0 || renameat2(folder, argv[2], folder, argv[3], RENAME_EXCHANGE) != 0) {
		perror(argv[1]);
		return 1;
	}
	puts("swapping");
	fflush(stdout);
	for (;;)
		renameat2(folder, argv[2], folder, argv[3], RENAME_EXCHANGE);
}
