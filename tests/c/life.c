/* A program's life: wrong calls, servers that start and stop, clients that go away, under the checkers of memory. */
#include <arpa/inet.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <scrapeport.h>

static scrapeport_counter requests = SCRAPEPORT_COUNTER("life_requests_total", "Requests.");
static const scrapeport_label labels[] = {{"a", "1"}, {"b", "2"}};
static scrapeport_gauge labelled = SCRAPEPORT_GAUGE_WITH("life_level", "A level.", labels);
SCRAPEPORT_HISTOGRAM_WITH(latency, "life_seconds", "Times.", labels, 0.5);
static double ask(void *user);
static scrapeport_gauge_function asked = SCRAPEPORT_GAUGE_FUNCTION("life_asked", "Of a function.", ask, NULL);
static scrapeport_gauge_function asked_with =
    SCRAPEPORT_GAUGE_FUNCTION_WITH("life_asked_with", "Of a function.", labels, ask, &asked);
static scrapeport_gauge_function asks_nothing = SCRAPEPORT_GAUGE_FUNCTION("life_asks_nothing", "Of none.", NULL, NULL);
static int logged, times_asked;

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "life: %s\n", what);
        exit(1);
    }
}

static void log_line(void *user, int level, const char *text)
{
    check(user == &logged && level >= SCRAPEPORT_LOG_ERROR && text[0], "a line of the log");
    __atomic_fetch_add(&logged, 1, __ATOMIC_RELAXED);
}

static double ask(void *user)
{
    check(user == NULL || user == &asked, "what the function is told");
    __atomic_fetch_add(&times_asked, 1, __ATOMIC_RELAXED);
    return user ? 0.25 : NAN;
}

struct text {
    char *bytes;
    size_t length;
};

static int append(void *user, const char *text, size_t length)
{
    struct text *page = (struct text *)user;
    page->bytes = (char *)realloc(page->bytes, page->length + length + 1);
    memcpy(page->bytes + page->length, text, length);
    page->length += length;
    page->bytes[page->length] = 0;
    return 0;
}

static void *stop(void *server)
{
    scrapeport_server_stop((scrapeport_server *)server);
    return NULL;
}

/* Asks, and is gone before the answer: SIGPIPE has its default action here. */
static void ask_and_go(uint16_t port)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n";
    struct linger hard = {1, 0};
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    check(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "the server listens");
    check(send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1, "the request leaves");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
}

/* What a gauge says whose function is asked, is none, and may be asked no more. */
static void functions(void)
{
    struct text page = {NULL, 0};
    scrapeport_gauge_function *registered, *again;
    scrapeport_gauge *plain;

    check(scrapeport_add(&asks_nothing.metric) == SCRAPEPORT_INVALID_ARGUMENT, "no function");
    check(scrapeport_gauge_function_register("life_asks_nothing", "Of none.", NULL, NULL, NULL, 0, &registered) ==
                  SCRAPEPORT_INVALID_ARGUMENT &&
              !registered,
          "no function to register");
    check(scrapeport_add(&asked.metric) == SCRAPEPORT_OK, "a function");
    check(scrapeport_add(&asked_with.metric) == SCRAPEPORT_OK, "a function with labels");
    {
        /* On the stack, because it is copied. */
        scrapeport_label own[] = {{"a", "1"}, {"b", "3"}};
        check(scrapeport_gauge_function_register("life_asked_with", "Of a function.", ask, NULL, own, 2, &registered) ==
                  SCRAPEPORT_OK,
              "a function is registered");
        check(scrapeport_gauge_function_register("life_asked_with", "Of a function.", ask, NULL, own, 2, &again) ==
                      SCRAPEPORT_OK &&
                  again == registered,
              "and found");
        check(scrapeport_gauge_register("life_asked_with", "Of a function.", own, 2, &plain) == SCRAPEPORT_NAME_TAKEN &&
                  !plain,
              "but not as a number");
    }
    check(scrapeport_write(append, &page) == SCRAPEPORT_OK && times_asked == 3, "the functions are asked");
    check(strstr(page.bytes, "\nlife_asked NaN\n") != NULL, "a function on the page");
    check(strstr(page.bytes, "\nlife_asked_with{a=\"1\",b=\"2\"} 0.25\nlife_asked_with{a=\"1\",b=\"3\"} NaN\n") != NULL,
          "a family of functions on the page");
    check(strstr(page.bytes, "life_asks_nothing") == NULL, "nothing of the one without");
    scrapeport_hide(&asked.metric);
    scrapeport_hide(&registered->metric);
    page.length = 0;
    check(scrapeport_write(append, &page) == SCRAPEPORT_OK && times_asked == 4, "hidden ones are not asked");
    check(strstr(page.bytes, "NaN") == NULL, "nor shown");
    free(page.bytes);
}

int main(void)
{
    scrapeport_server_options options = SCRAPEPORT_SERVER_OPTIONS;
    scrapeport_server *server = NULL;
    scrapeport_counter *counter;
    struct text page = {NULL, 0};
    char problem[64];
    pthread_t thread;
    int round, at;

    check(strcmp(scrapeport_version(), SCRAPEPORT_VERSION) == 0, "the version");
    check(scrapeport_log_to(log_line, &logged, SCRAPEPORT_LOG_DEBUG) == SCRAPEPORT_OK, "the log");
    check(scrapeport_log_to(log_line, &logged, SCRAPEPORT_LOG_DEBUG) == SCRAPEPORT_LOGGER_TAKEN, "the log again");
    check(scrapeport_add(&requests.metric) == SCRAPEPORT_OK, "a counter");
    check(scrapeport_add(&labelled.metric) == SCRAPEPORT_OK, "a gauge");
    check(scrapeport_add(&latency.metric) == SCRAPEPORT_OK, "a histogram");
    scrapeport_histogram_observe(&latency, 0.25);
    scrapeport_gauge_set(&labelled, -1.5);

    /* Memory on the heap, of just the size, so that a byte too many is seen. */
    for (at = 0; at < 300; at++) {
        char *name = (char *)malloc(2);
        name[0] = (char)(at % 255 + 1);
        name[1] = 0;
        check(scrapeport_counter_register(name, name, NULL, 0, &counter) != SCRAPEPORT_OK && !counter, "a wrong name");
        free(name);
    }
    for (at = 0; at < 40; at++)
        check(scrapeport_strerror(at - 10)[0] != 0, "words");

    check(scrapeport_write(append, &page) == SCRAPEPORT_OK, "the page");
    check(strstr(page.bytes, "life_requests_total 0\n") != NULL, "a counter on the page");
    check(strstr(page.bytes, "life_level{a=\"1\",b=\"2\"} -1.5\n") != NULL, "a gauge on the page");
    check(strstr(page.bytes, "life_seconds_bucket{a=\"1\",b=\"2\",le=\"0.5\"} 1\n") != NULL, "a histogram on the page");
    free(page.bytes);

    functions();

    options.problem = problem;
    options.problem_size = sizeof problem;
    check(scrapeport_server_start(&options, &server) == SCRAPEPORT_INVALID_ARGUMENT, "no address");
    options.address = "nonsense";
    check(scrapeport_server_start(&options, &server) == SCRAPEPORT_ADDRESS && strstr(problem, "nonsense"), problem);
    options.address = "127.0.0.1:0";
    options.certfile = "/no/such/file";
    check(scrapeport_server_start(&options, &server) != SCRAPEPORT_OK && problem[0] && !server, "no such file");
    options.certfile = NULL;
    for (round = 0; round < 20; round++) {
        uint16_t port;
        check(scrapeport_server_start(&options, &server) == SCRAPEPORT_OK, problem);
        port = scrapeport_server_port(server);
        check(port != 0, "the port");
        for (at = 0; at < 10; at++)
            ask_and_go(port);
        pthread_create(&thread, NULL, stop, server);
        if (round % 2)
            scrapeport_server_stop(server);
        pthread_join(thread, NULL);
        scrapeport_server_stop(server);
        check(scrapeport_server_port(server) == 0, "no port after the stop");
    }
    return 0;
}
