// Swaps names of a folder for one another for ever, pair after pair: swapper FOLDER NAME OTHER [NAME OTHER ...].
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>

int main(int argc, char **argv) {
	if (argc < 4 || argc % 2 != 0)
		return 2;
	int folder = open(argv[1], O_PATH | O_DIRECTORY);
	for (int i = 2; i < argc; i += 2)
		if (renameat2(folder, argv[i], folder, argv[i + 1], RENAME_EXCHANGE) != 0) {
			perror(argv[i]);
			return 1;
		}
	puts("swapping");
	fflush(stdout);
	for (;;)
		for (int i = 2; i < argc; i += 2)
			renameat2(folder, argv[i], folder, argv[i + 1], RENAME_EXCHANGE);
}
