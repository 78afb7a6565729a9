/* Two threads update while two scrape over HTTP and another registers: nothing is lost, no number goes back. */
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
#define PAGE_SIZE (1 << 16)

static scrapeport_counter counter = SCRAPEPORT_COUNTER("race_total", "Of two threads.");
static scrapeport_gauge gauge = SCRAPEPORT_GAUGE("race_level", "Up by one, down by a half.");
SCRAPEPORT_HISTOGRAM(histogram, "race_seconds", "Three places.", 1, 2);
static double ask(void *calls);
static uint32_t asked;
static scrapeport_gauge_function function =
    SCRAPEPORT_GAUGE_FUNCTION("race_asked", "Times that the function was asked.", ask, &asked);
static scrapeport_counter *registered;
static int over, scrapes;

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "race: %s\n", what);
        exit(1);
    }
}

/* Uses the library, as it may. */
static double ask(void *calls)
{
    check(scrapeport_gauge_get(&gauge) >= -1, "a metric is read");
    return __atomic_add_fetch((uint32_t *)calls, 1, __ATOMIC_RELAXED);
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
    char *page = (char *)malloc(PAGE_SIZE);
    uint64_t last = 0, last_asked = 0;
    uint16_t port = scrapeport_server_port((scrapeport_server *)server);
    do {
        uint64_t now;
        get(port, page, PAGE_SIZE);
        now = number(page, "\nrace_total ");
        check(now >= last, "a counter goes back");
        last = now;
        check(number(page, "race_seconds_count ") == number(page, "race_seconds_bucket{le=\"+Inf\"} "),
              "count and buckets");
        now = number(page, "\nrace_asked ");
        check(now > last_asked, "the function is not asked anew");
        last_asked = now;
        __atomic_fetch_add(&scrapes, 1, __ATOMIC_RELAXED);
    } while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE));
    free(page);
    return NULL;
}

int main(void)
{
    static scrapeport_metric *const page[] = {&counter.metric, &gauge.metric, &histogram.metric, &function.metric};
    scrapeport_server_options options = SCRAPEPORT_SERVER_OPTIONS;
    scrapeport_server *server;
    pthread_t threads[5];
    int at, observed = 2 * ((ROUNDS + 15) / 16);
    uint64_t counted = 0;

    check(scrapeport_add_all(page, SCRAPEPORT_COUNT(page)) == SCRAPEPORT_OK, "the table is announced");
    check(scrapeport_counter_register("race_registered_total", "Of two threads.", NULL, 0, &registered) == SCRAPEPORT_OK,
          "a counter is registered");
    options.address = "127.0.0.1:0";
    check(scrapeport_server_start(&options, &server) == SCRAPEPORT_OK, "the server starts");
    pthread_create(&threads[0], NULL, scrape, server);
    pthread_create(&threads[4], NULL, scrape, server);
    pthread_create(&threads[1], NULL, update, NULL);
    pthread_create(&threads[2], NULL, update, NULL);
    pthread_create(&threads[3], NULL, register_more, NULL);
    for (at = 1; at < 4; at++)
        pthread_join(threads[at], NULL);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    pthread_join(threads[0], NULL);
    pthread_join(threads[4], NULL);
    scrapeport_server_stop(server);
    printf("race: %d scrapes\n", scrapes);

    check(scrapeport_counter_get(&counter) == 2 * ROUNDS, "increments are lost");
    check(scrapeport_counter_get(registered) == 4 * ROUNDS, "amounts are lost");
    check(scrapeport_gauge_get(&gauge) == ROUNDS, "changes of the gauge are lost");
    for (at = 0; at < 3; at++)
        counted += histogram_buckets[at];
    check(counted == (uint64_t)observed, "observations are lost");
    check(asked == (uint32_t)scrapes, "the function is not asked once a scrape");
    return 0;
}
