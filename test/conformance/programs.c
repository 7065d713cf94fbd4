/* The programs of the conformance images, in one static binary that goes by the name it is called by:
 *   pause   PID 1 that reaps, and ends on TERM
 *   nginx   a web server on port 80 or that of the first argument; its pid is in /var/run/nginx.pid
 *   httpd   the same, which logs
 *   nnp     prints its effective user id; the image has it setuid root
 *   pgrep   the processes whose name contains the argument
 *   ipcs    the shared memory segments of System V */
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int pause_until_term(void)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (;;) {
		if (sigwait(&set, &sig) != 0)
			continue;
		if (sig != SIGCHLD)
			return 0;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static void leave(int sig)
{
	(void)sig;
	_exit(0);
}

static void answer(const char *name, int connection)
{
	static const char page[] = "<html><body><h1>It works!</h1></body></html>\n";
	struct timeval patience = { .tv_sec = 10 };
	char request[8192];
	size_t have = 0;
	ssize_t got;

	setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	request[0] = 0;
	while (have < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
		got = read(connection, request + have, sizeof request - 1 - have);
		if (got <= 0)
			break;
		have += (size_t)got;
		request[have] = 0;
	}
	if (have == 0)
		return;
	request[strcspn(request, "\r\n")] = 0;
	dprintf(connection,
		"HTTP/1.1 200 OK\r\nServer: %s\r\nContent-Type: text/html\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		name, sizeof page - 1, page);
	printf("%s: \"%.200s\" 200\n", name, request);
	shutdown(connection, SHUT_WR);
}

/* One child a connection: a client that says nothing keeps nobody waiting. */
static int serve(const char *name, int port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port) };
	int on = 1, off = 0;
	int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	signal(SIGTERM, leave);
	signal(SIGINT, leave);
	signal(SIGQUIT, leave);
	signal(SIGCHLD, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0) {
		perror("listen");
		return 1;
	}
	printf("%s: listening on port %d\n", name, port);
	for (;;) {
		int connection = accept(listener, NULL, NULL);

		if (connection < 0)
			continue;
		if (fork() == 0) {
			answer(name, connection);
			_exit(0);
		}
		close(connection);
	}
}

static int nginx(int argc, char **argv)
{
	FILE *file;

	/* A spec looks for the title of the real one; the name of the process stays nginx. */
	if (strncmp(argv[0], "nginx: ", 7) != 0) {
		char *again[] = { "nginx: master process nginx", argc > 1 ? argv[1] : "80", NULL };

		execv("/usr/sbin/nginx", again);
		perror("/usr/sbin/nginx");
		return 1;
	}
	file = fopen("/var/run/nginx.pid", "w");
	if (file) {
		fprintf(file, "%d\n", getpid());
		fclose(file);
	}
	return serve("nginx", argc > 1 ? atoi(argv[1]) : 80);
}

static int pgrep(const char *what)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	int found = 0;

	while (folder && (entry = readdir(folder))) {
		char path[300], name[64] = "";
		int pid = atoi(entry->d_name);
		FILE *file;

		if (pid <= 0 || pid == getpid())
			continue;
		snprintf(path, sizeof path, "/proc/%d/comm", pid);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(name, sizeof name, file) && strstr(name, what)) {
			printf("%d\n", pid);
			found = 1;
		}
		fclose(file);
	}
	return !found;
}

static int ipcs(void)
{
	FILE *file = fopen("/proc/sysvipc/shm", "r");
	char line[512];
	unsigned key, mode;
	int id;
	unsigned long size;

	printf("------ Shared Memory Segments --------\nkey shmid perms bytes\n");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "%u %d %o %lu", &key, &id, &mode, &size) == 4)
			printf("0x%08x %d %o %lu\n", key, id, mode, size);
	return 0;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];

	if (!strncmp(argv[0], "nginx: ", 7) || !strcmp(name, "nginx"))
		return nginx(argc, argv);
	if (!strcmp(name, "httpd"))
		return serve("httpd", argc > 1 ? atoi(argv[1]) : 80);
	if (!strcmp(name, "pause"))
		return pause_until_term();
	if (!strcmp(name, "nnp"))
		return printf("Effective uid: %d\n", (int)geteuid()) < 0;
	if (!strcmp(name, "pgrep") && argc > 1)
		return pgrep(argv[argc - 1]);
	if (!strcmp(name, "ipcs"))
		return ipcs();
	fprintf(stderr, "%s: no program has this name\n", name);
	return 2;
}
