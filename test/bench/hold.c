// What the bench's containers run, and the pause of containerd's pods: it waits, and ends at once when it is asked to.
#include <signal.h>
#include <unistd.h>

static void end(int signal)
{
	_exit(signal == SIGTERM ? 0 : 1);
}

int main(void)
{
	// The first process of a PID namespace hears only what it has a handler for.
	signal(SIGTERM, end);
	for (;;)
		pause();
}
