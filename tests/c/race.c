/* Two threads update while a third scrapes over HTTP and a fourth registers: nothing is lost, no number goes back. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <scrapeport.h>

#define ROUNDS 200000

static scrapeport_counter counter = SCRAPEPORT_COUNTER("race_total", "Of two threads.");
static scrapeport_gauge gauge = SCRAPEPORT_GAUGE("race_level", "Up by one, down by a half.");
SCRAPEPORT_HISTOGRAM(histogram, "race_seconds", "Three places.", 1, 2);
static scrapeport_counter *registered;
static int over;

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "race: %s\n", what);
        exit(1);
    }
}

static void *update(void *unused)
{
    int at;
    for (at = 0; at < ROUNDS; at++) {
        scrapeport_counter_inc(&counter);
        scrapeport_counter_add(registered, 2);
        scrapeport_gauge_add(&gauge, 1);
        scrapeport_gauge_add(&gauge, -0.5);
        if (at % 16 == 0)
            scrapeport_histogram_observe(&histogram, at % 3 + 0.5);
    }
    return unused;
}

static void *register_more(void *unused)
{
    static char names[100][24];
    scrapeport_gauge *more;
    int at;
    for (at = 0; at < 100; at++) {
        snprintf(names[at], sizeof names[at], "race_more_%d", at);
        check(scrapeport_gauge_register(names[at], "More.", NULL, 0, &more) == SCRAPEPORT_OK, "a gauge is registered");
        scrapeport_gauge_set(more, at);
        usleep(1000);
        if (at % 2)
            scrapeport_hide(&more->metric);
    }
    return unused;
}

/* The page over a connection of its own. */
static size_t get(uint16_t port, char *page, size_t size)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct sockaddr_in address;
    size_t length = 0;
    ssize_t got;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    check(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "the server listens");
    check(send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1, "the request leaves");
    while ((got = recv(fd, page + length, size - 1 - length, 0)) > 0)
        length += (size_t)got;
    close(fd);
    page[length] = 0;
    return length;
}

static uint64_t number(const char *page, const char *line)
{
    const char *found = strstr(page, line);
    uint64_t value = 0;
    check(found && sscanf(found + strlen(line), "%" SCNu64, &value) == 1, line);
    return value;
}

static void *scrape(void *server)
{
    static char page[1 << 16];
    uint64_t last = 0;
    int scrapes = 0;
    uint16_t port = scrapeport_server_port((scrapeport_server *)server);
    do {
        uint64_t now;
        get(port, page, sizeof page);
        now = number(page, "\nrace_total ");
        check(now >= last, "a counter goes back");
        last = now;
        check(number(page, "race_seconds_count ") == number(page, "race_seconds_bucket{le=\"+Inf\"} "),
              "count and buckets");
        scrapes++;
    } while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE));
    printf("race: %d scrapes\n", scrapes);
    return NULL;
}

int main(void)
{
    static scrapeport_metric *const page[] = {&counter.metric, &gauge.metric, &histogram.metric};
    scrapeport_server_options options = SCRAPEPORT_SERVER_OPTIONS;
    scrapeport_server *server;
    pthread_t threads[4];
    int at, observed = 2 * ((ROUNDS + 15) / 16);
    uint64_t counted = 0;

    check(scrapeport_add_all(page, SCRAPEPORT_COUNT(page)) == SCRAPEPORT_OK, "the table is announced");
    check(scrapeport_counter_register("race_registered_total", "Of two threads.", NULL, 0, &registered) == SCRAPEPORT_OK,
          "a counter is registered");
    options.address = "127.0.0.1:0";
    check(scrapeport_server_start(&options, &server) == SCRAPEPORT_OK, "the server starts");
    pthread_create(&threads[0], NULL, scrape, server);
    pthread_create(&threads[1], NULL, update, NULL);
    pthread_create(&threads[2], NULL, update, NULL);
    pthread_create(&threads[3], NULL, register_more, NULL);
    for (at = 1; at < 4; at++)
        pthread_join(threads[at], NULL);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    pthread_join(threads[0], NULL);
    scrapeport_server_stop(server);

    check(scrapeport_counter_get(&counter) == 2 * ROUNDS, "increments are lost");
    check(scrapeport_counter_get(registered) == 4 * ROUNDS, "amounts are lost");
    check(scrapeport_gauge_get(&gauge) == ROUNDS, "changes of the gauge are lost");
    for (at = 0; at < 3; at++)
        counted += histogram_buckets[at];
    check(counted == (uint64_t)observed, "observations are lost");
    return 0;
}
