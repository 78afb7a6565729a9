/*
 * The smallest program that serves a metric.
 *
 *     cc hello.c $(pkg-config --cflags --libs scrapeport) -o hello && ./hello 127.0.0.1:9100
 */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include <scrapeport.h>

static scrapeport_counter seconds = SCRAPEPORT_COUNTER("hello_seconds_total", "Seconds that this program runs.");

int main(int argc, char **argv)
{
    static const struct timespec second = {1, 0};
    scrapeport_server_options options = SCRAPEPORT_SERVER_OPTIONS;
    scrapeport_server *server;
    char problem[200];
    sigset_t end;

    /* Before the server starts: its threads inherit the mask, and the signals wait here. */
    sigemptyset(&end);
    sigaddset(&end, SIGINT);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, NULL);

    scrapeport_add(&seconds.metric);
    options.address = argc > 1 ? argv[1] : "127.0.0.1:9100";
    options.problem = problem;
    options.problem_size = sizeof problem;
    if (scrapeport_server_start(&options, &server) != SCRAPEPORT_OK) {
        fprintf(stderr, "%s\n", problem);
        return 1;
    }
    printf("listening on port %u\n", (unsigned)scrapeport_server_port(server));
    fflush(stdout);

    while (sigtimedwait(&end, NULL, &second) < 0)
        scrapeport_counter_inc(&seconds);

    scrapeport_server_stop(server);
    return 0;
}
