/*
 * A small daemon: each second it reads /proc/net/dev and keeps the counters of every interface, whose name is a label.
 * Interfaces come and go, so their metrics are registered when they are first seen, and hidden when they are gone.
 *
 *     cc link_monitor.c $(pkg-config --cflags --libs scrapeport) -o link_monitor && ./link_monitor 127.0.0.1:9100
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <scrapeport.h>

/* Interfaces that can be told apart; more are not looked at. */
#define LINKS 16
/* IFNAMSIZ of the kernel, with the closing zero. */
#define NAME_SIZE 16

static scrapeport_gauge devices = SCRAPEPORT_GAUGE("link_devices", "Interfaces seen in the last round.");
static scrapeport_counter failures =
    SCRAPEPORT_COUNTER("link_read_failures_total", "Rounds in which /proc/net/dev was unreadable.");
SCRAPEPORT_HISTOGRAM(rounds, "link_round_seconds", "Time to look at all interfaces.", 0.0001, 0.001, 0.01, 0.1);

static scrapeport_metric *const page[] = {&devices.metric, &failures.metric, &rounds.metric};

/* One interface. The name is lent to its metrics for ever, so a place is never used for another one. */
struct link {
    char name[NAME_SIZE];
    int seen;
    uint64_t last[2];
    scrapeport_counter *bytes[2];
};
static struct link links[LINKS];

static struct link *find(const char *name)
{
    static const char *const directions[2] = {"received", "sent"};
    struct link *link;
    int at;

    for (link = links; link < links + LINKS && link->name[0]; link++)
        if (strcmp(link->name, name) == 0)
            break;
    if (link == links + LINKS)
        return NULL;
    if (!link->name[0])
        memcpy(link->name, name, strlen(name) + 1);
    /* Got or created: an interface that is back is shown again. */
    for (at = 0; at < 2 && !link->seen; at++) {
        scrapeport_label labels[2];
        labels[0].name = "device";
        labels[0].value = link->name;
        labels[1].name = "direction";
        labels[1].value = directions[at];
        scrapeport_counter_register("link_bytes_total", "Bytes that went over an interface.", labels, 2,
                                    &link->bytes[at]);
    }
    return link;
}

/* Adds what has come since the last round. A smaller number is that of a driver that was loaded anew. */
static void grow(struct link *link, int at, uint64_t now)
{
    scrapeport_counter_add(link->bytes[at], now >= link->last[at] ? now - link->last[at] : now);
    link->last[at] = now;
}

static void round_of_all(void)
{
    FILE *file = fopen("/proc/net/dev", "re");
    char line[512], name[NAME_SIZE];
    uint64_t received, sent;
    int count = 0, was[LINKS];
    size_t at;

    if (!file) {
        scrapeport_counter_inc(&failures);
        return;
    }
    for (at = 0; at < LINKS; at++)
        was[at] = links[at].seen;
    while (fgets(line, sizeof line, file)) {
        struct link *link;
        /* The device, a colon, eight columns of what was received, eight of what was sent; bytes come first. */
        if (sscanf(line, " %15[^: ]: %" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64, name, &received, &sent) != 3)
            continue;
        link = find(name);
        if (!link)
            continue;
        grow(link, 0, received);
        grow(link, 1, sent);
        link->seen = 2;
        count++;
    }
    fclose(file);
    for (at = 0; at < LINKS; at++) {
        if (was[at] && links[at].seen != 2 && links[at].bytes[0] && links[at].bytes[1]) {
            scrapeport_hide(&links[at].bytes[0]->metric);
            scrapeport_hide(&links[at].bytes[1]->metric);
        }
        links[at].seen = links[at].seen == 2;
    }
    scrapeport_gauge_set(&devices, count);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static const struct timespec second = {1, 0};
    scrapeport_server_options options = SCRAPEPORT_SERVER_OPTIONS;
    scrapeport_server *server;
    scrapeport_result result;
    char problem[200];
    sigset_t end;

    sigemptyset(&end);
    sigaddset(&end, SIGINT);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, NULL);

    result = scrapeport_add_all(page, SCRAPEPORT_COUNT(page));
    if (result != SCRAPEPORT_OK) {
        fprintf(stderr, "%s\n", scrapeport_strerror(result));
        return 1;
    }
    options.address = argc > 1 ? argv[1] : "127.0.0.1:9100";
    options.problem = problem;
    options.problem_size = sizeof problem;
    if (scrapeport_server_start(&options, &server) != SCRAPEPORT_OK) {
        fprintf(stderr, "%s\n", problem);
        return 1;
    }
    do {
        double start = now();
        round_of_all();
        scrapeport_histogram_observe(&rounds, now() - start);
        if (options.address) {
            printf("listening on port %u\n", (unsigned)scrapeport_server_port(server));
            fflush(stdout);
            options.address = NULL;
        }
    } while (sigtimedwait(&end, NULL, &second) < 0);
    scrapeport_server_stop(server);
    return 0;
}
