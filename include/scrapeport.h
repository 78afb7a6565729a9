/*
 * scrapeport.h - metrics of a C program, served to Prometheus
 *
 * Licence: MIT or Apache 2.0, as you choose. Linux; C99 or newer, C++11 or newer; gcc or clang.
 *
 *     static scrapeport_counter requests = SCRAPEPORT_COUNTER("app_requests_total", "Requests served.");
 *
 *     scrapeport_add(&requests.metric);                once, at the start
 *     scrapeport_server_options options = SCRAPEPORT_SERVER_OPTIONS;
 *     options.address = ":9100";
 *     scrapeport_server_start(&options, &server);      from now on http://HOST:9100/metrics tells of it
 *     scrapeport_counter_inc(&requests);               anywhere, on any thread: one atomic instruction
 *
 * Build: cc program.c $(pkg-config --cflags --libs scrapeport)
 *
 * Rules that hold for all of it:
 *
 * - Texts end with zero and are UTF-8. Those of metrics (names, help, labels) are borrowed for ever: pass literals, or
 *   memory that is neither freed nor changed. Everything else is read during the call only.
 * - NULL never crashes: updates ignore it, the rest answers SCRAPEPORT_INVALID_ARGUMENT.
 * - Every function may be called from any thread at any time, and none from a signal handler, but for the updates of
 *   counters and gauges where they are inline (SCRAPEPORT_INLINE_UPDATES).
 * - The library never prints, never exits, installs no signal handler and raises no SIGPIPE. The threads of a server
 *   have the signal mask of the one that starts it, and do not live on in the child of a fork: start servers after the
 *   last fork, and do not stop in a child what its parent has started.
 * - Metrics take no heap, and neither does a scrape. A library that holds such statics, or functions that gauges ask,
 *   must not be unloaded.
 */
#ifndef SCRAPEPORT_H
#define SCRAPEPORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header; scrapeport_version() is that of the library. */
#define SCRAPEPORT_VERSION "0.1.0"
const char *scrapeport_version(void);

/* ---- Results --------------------------------------------------------------------------------------------------- */

/* What a function answers. A number never changes its meaning and is never used again for another. */
typedef int scrapeport_result;
enum {
    SCRAPEPORT_OK = 0,
    SCRAPEPORT_INVALID_ARGUMENT = 1, /* NULL, misaligned, out of range, or a structure without its initialiser */
    SCRAPEPORT_INVALID_NAME = 2,     /* not [a-zA-Z_:][a-zA-Z0-9_:]*, a counter without _total, or scrapeport_... */
    SCRAPEPORT_INVALID_LABEL = 3,    /* not [a-zA-Z_][a-zA-Z0-9_]*, twice, le, quantile, __..., or more than 8 */
    SCRAPEPORT_INVALID_UTF8 = 4,
    SCRAPEPORT_INVALID_BOUNDS = 5, /* of a histogram: none, not finite, not rising, or too many */
    SCRAPEPORT_KIND_DIFFERS = 6,   /* from that of a metric of the same name; so the next three */
    SCRAPEPORT_HELP_DIFFERS = 7,
    SCRAPEPORT_LABELS_DIFFER = 8, /* the names of labels, or their order */
    SCRAPEPORT_BOUNDS_DIFFER = 9,
    SCRAPEPORT_NAME_TAKEN = 10, /* by another structure, or by a sample of another metric (x_count of x) */
    SCRAPEPORT_FULL = 11,       /* the pool of registered metrics, or the 8 servers at once */
    SCRAPEPORT_STOPPED = 12,    /* the sink did not take the page */
    SCRAPEPORT_UNSUPPORTED = 13, /* by this build of the library (TLS, web configuration file), or an older one */
    SCRAPEPORT_ADDRESS = 14,     /* cannot be listened on */
    SCRAPEPORT_SETTING = 15,
    SCRAPEPORT_TLS = 16, /* a certificate, a key or a CA */
    SCRAPEPORT_WEB_CONFIG = 17,
    SCRAPEPORT_THREAD = 18,       /* the threads of a server cannot be created */
    SCRAPEPORT_LOGGER_TAKEN = 19, /* the process has a logger already */
    SCRAPEPORT_INTERNAL = 20      /* an error of the library itself */
};

/* One line of words for a result, whatever the number; never NULL, never freed. */
const char *scrapeport_strerror(scrapeport_result result);

/* ---- Metrics --------------------------------------------------------------------------------------------------- */

/* A label of a metric. */
typedef struct scrapeport_label {
    const char *name;
    const char *value;
} scrapeport_label;

/* A number of 64 bits that several threads update. Leave it to the functions below. */
typedef uint64_t scrapeport_cell __attribute__((aligned(8)));

/* What every metric begins with. Set by the initialisers below; the layout is part of the ABI and never changes. */
typedef struct scrapeport_metric {
    const char *name;
    const char *help;
    const scrapeport_label *labels;
    size_t n_labels;
    uint32_t kind;
    uint32_t hidden;                /* the library's */
    struct scrapeport_metric *next; /* the library's */
} scrapeport_metric;

/* A number that only grows. Its name ends in _total. */
typedef struct scrapeport_counter {
    scrapeport_metric metric;
    scrapeport_cell value;
} scrapeport_counter;

/* A number that goes up and down: the bits of a double. */
typedef struct scrapeport_gauge {
    scrapeport_metric metric;
    scrapeport_cell value;
} scrapeport_gauge;

/*
 * What a gauge asks at each scrape: the number now; NaN is shown as such. It runs on the thread that serves the scrape,
 * perhaps on several at once, where 64 KiB of stack are its own; in scrapeport_write it runs on yours. A scrape waits
 * for it, so it must not block, and it must return: no longjmp, no C++ exception. It may use metrics, but must not call
 * scrapeport_server_stop, nor make a page, which would ask it again.
 */
typedef double scrapeport_ask(void *user);

/* A gauge that asks a function, told `user`, at each scrape that wants to know. Leave the members as they are. */
typedef struct __attribute__((aligned(8))) scrapeport_gauge_function {
    scrapeport_metric metric;
    scrapeport_ask *ask;
    void *user;
} scrapeport_gauge_function;

/* Observations counted in buckets. */
typedef struct scrapeport_histogram {
    scrapeport_metric metric;
    const double *bounds;
    scrapeport_cell *buckets; /* one more than there are bounds */
    size_t n_bounds;
    scrapeport_cell sum;
} scrapeport_histogram;

#define SCRAPEPORT_KIND_COUNTER 1
#define SCRAPEPORT_KIND_GAUGE 2
#define SCRAPEPORT_KIND_HISTOGRAM 3
#define SCRAPEPORT_KIND_GAUGE_FUNCTION 4

#define SCRAPEPORT_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SCRAPEPORT_METRIC(kind, name, help, labels, n_labels) {(name), (help), (labels), (n_labels), (kind), 0, 0}

/*
 * Metrics as statics. They start at zero and are on the page once they have been announced with scrapeport_add; until
 * then they count all the same.
 *
 *     static scrapeport_gauge temperature = SCRAPEPORT_GAUGE("app_temperature_celsius", "Board temperature.");
 *     static const scrapeport_label up[] = {{"direction", "up"}};
 *     static scrapeport_counter sent = SCRAPEPORT_COUNTER_WITH("app_bytes_total", "Bytes passed on.", up);
 *     SCRAPEPORT_HISTOGRAM(latency, "app_latency_seconds", "Time to answer.", 0.01, 0.1, 1.0);
 *
 *     static double length(void *user);
 *     static scrapeport_gauge_function queue =
 *         SCRAPEPORT_GAUGE_FUNCTION("app_queue_length", "Jobs that wait.", length, &jobs);
 */
#define SCRAPEPORT_COUNTER(name, help) {SCRAPEPORT_METRIC(SCRAPEPORT_KIND_COUNTER, name, help, 0, 0), 0}
#define SCRAPEPORT_GAUGE(name, help) {SCRAPEPORT_METRIC(SCRAPEPORT_KIND_GAUGE, name, help, 0, 0), 0}
#define SCRAPEPORT_COUNTER_WITH(name, help, labels)                                                                    \
    {SCRAPEPORT_METRIC(SCRAPEPORT_KIND_COUNTER, name, help, labels, SCRAPEPORT_COUNT(labels)), 0}
#define SCRAPEPORT_GAUGE_WITH(name, help, labels)                                                                      \
    {SCRAPEPORT_METRIC(SCRAPEPORT_KIND_GAUGE, name, help, labels, SCRAPEPORT_COUNT(labels)), 0}

/* The function must not be NULL. What `user` leads to lives for ever; if other threads change it, the function and they
 * must agree how. */
#define SCRAPEPORT_GAUGE_FUNCTION(name, help, ask, user)                                                               \
    {SCRAPEPORT_METRIC(SCRAPEPORT_KIND_GAUGE_FUNCTION, name, help, 0, 0), (ask), (user)}
#define SCRAPEPORT_GAUGE_FUNCTION_WITH(name, help, labels, ask, user)                                                  \
    {SCRAPEPORT_METRIC(SCRAPEPORT_KIND_GAUGE_FUNCTION, name, help, labels, SCRAPEPORT_COUNT(labels)), (ask), (user)}

/* Declares a static histogram `variable` with these upper bounds, each included in its bucket, finite and rising. */
#define SCRAPEPORT_HISTOGRAM(variable, name, help, ...)                                                                \
    static const double variable##_bounds[] = {__VA_ARGS__};                                                           \
    static scrapeport_cell variable##_buckets[SCRAPEPORT_COUNT(variable##_bounds) + 1];                                \
    static scrapeport_histogram variable = {SCRAPEPORT_METRIC(SCRAPEPORT_KIND_HISTOGRAM, name, help, 0, 0),           \
                                            variable##_bounds, variable##_buckets,                                     \
                                            SCRAPEPORT_COUNT(variable##_bounds), 0}
#define SCRAPEPORT_HISTOGRAM_WITH(variable, name, help, labels, ...)                                                   \
    static const double variable##_bounds[] = {__VA_ARGS__};                                                           \
    static scrapeport_cell variable##_buckets[SCRAPEPORT_COUNT(variable##_bounds) + 1];                                \
    static scrapeport_histogram variable = {                                                                           \
        SCRAPEPORT_METRIC(SCRAPEPORT_KIND_HISTOGRAM, name, help, labels, SCRAPEPORT_COUNT(labels)),                    \
        variable##_bounds, variable##_buckets, SCRAPEPORT_COUNT(variable##_bounds), 0}

/*
 * Announces a static: scrapeport_add(&requests.metric). From then on it is on the page. Metrics of one name are one
 * family: they have the same kind, help, bounds and names of labels, and stand together on the page; some gauges of one
 * family may have a function, others a number. Again is harmless, and shows what was hidden. After an error the metric
 * still counts, and is on no page.
 *
 * An explicit call and not a constructor or a section of the linker: those depend on what the linker keeps, and are lost
 * without a word when a static library is linked.
 */
scrapeport_result scrapeport_add(scrapeport_metric *metric);

/* Announces a whole table, up to the first error, which is answered; those before it stay.
 *
 *     static scrapeport_metric *const page[] = {&requests.metric, &temperature.metric, &latency.metric};
 *     scrapeport_add_all(page, SCRAPEPORT_COUNT(page));
 */
scrapeport_result scrapeport_add_all(scrapeport_metric *const *metrics, size_t n_metrics);

/*
 * Registers a metric at run time: gets the one that has this name and these labels, or creates it from a fixed pool (512
 * counters, 512 gauges, 128 gauge functions, 64 histograms of up to 24 bounds; no heap). The same name and labels give
 * the same pointer. Keep it: registering compares with every metric there is. The pointer is good for ever. The arrays
 * of labels and bounds are copied, the texts are not. After an error *out is NULL, which updates ignore. A gauge that is
 * there with another function or `user`, or with a number instead, is SCRAPEPORT_NAME_TAKEN.
 */
scrapeport_result scrapeport_counter_register(const char *name, const char *help, const scrapeport_label *labels,
                                              size_t n_labels, scrapeport_counter **out);
scrapeport_result scrapeport_gauge_register(const char *name, const char *help, const scrapeport_label *labels,
                                            size_t n_labels, scrapeport_gauge **out);
scrapeport_result scrapeport_gauge_function_register(const char *name, const char *help, scrapeport_ask *ask,
                                                     void *user, const scrapeport_label *labels, size_t n_labels,
                                                     scrapeport_gauge_function **out);
scrapeport_result scrapeport_histogram_register(const char *name, const char *help, const double *bounds,
                                                size_t n_bounds, const scrapeport_label *labels, size_t n_labels,
                                                scrapeport_histogram **out);

/* Takes a metric off the page: its interface has gone, say. Its memory and its texts must stay as they are. Announcing
 * or registering it again shows it again, with the number that it had. Its function is asked no more but by
 * scrapes under way, which are not waited for: the function and what it is told must stay too. */
void scrapeport_hide(scrapeport_metric *metric);

/* ---- Updates --------------------------------------------------------------------------------------------------- */

/*
 * Where the target has atomics of 64 bits, updates are inline: one instruction for a counter (x86-64: lock add; ARMv8.1:
 * ldadd; elsewhere a short loop), one store to set a gauge. They take no lock and may be made in a signal handler.
 * Elsewhere (ARMv5, 32-bit MIPS and PowerPC), or if SCRAPEPORT_CALL_UPDATES is defined, they are calls of the library,
 * which takes one lock for all; the numbers have 64 bits all the same.
 */
#if defined(__GCC_ATOMIC_LLONG_LOCK_FREE) && !defined(SCRAPEPORT_CALL_UPDATES)
#if __GCC_ATOMIC_LLONG_LOCK_FREE == 2
#define SCRAPEPORT_INLINE_UPDATES 1
#endif
#endif

#ifdef SCRAPEPORT_INLINE_UPDATES

/* A library built for a target without such atomics lacks this: then the program does not link. It would lose counts. */
void scrapeport_updates_are_atomic(void);
static void (*const scrapeport_needs_atomics_)(void) __attribute__((used)) = scrapeport_updates_are_atomic;

/* Adds one. */
static inline void scrapeport_counter_inc(scrapeport_counter *counter)
{
    if (counter)
        (void)__atomic_fetch_add(&counter->value, 1, __ATOMIC_RELAXED);
}

/* Adds an amount; beyond 2^64 it starts again from zero. */
static inline void scrapeport_counter_add(scrapeport_counter *counter, uint64_t amount)
{
    if (counter)
        (void)__atomic_fetch_add(&counter->value, amount, __ATOMIC_RELAXED);
}

/* Sets the number. */
static inline void scrapeport_gauge_set(scrapeport_gauge *gauge, double value)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    if (gauge)
        __atomic_store_n(&gauge->value, bits, __ATOMIC_RELAXED);
}

/* Adds an amount, which may be negative. */
static inline void scrapeport_gauge_add(scrapeport_gauge *gauge, double amount)
{
    uint64_t before, after;
    double value;
    if (!gauge)
        return;
    before = __atomic_load_n(&gauge->value, __ATOMIC_RELAXED);
    do {
        __builtin_memcpy(&value, &before, sizeof value);
        value += amount;
        __builtin_memcpy(&after, &value, sizeof after);
    } while (!__atomic_compare_exchange_n(&gauge->value, &before, after, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

#else

void scrapeport_counter_inc(scrapeport_counter *counter);
void scrapeport_counter_add(scrapeport_counter *counter, uint64_t amount);
void scrapeport_gauge_set(scrapeport_gauge *gauge, double value);
void scrapeport_gauge_add(scrapeport_gauge *gauge, double amount);

#endif

/* Counts one observation: two atomic updates. Not-a-number is ignored, it belongs to no bucket. */
void scrapeport_histogram_observe(scrapeport_histogram *histogram, double value);

/* The number now; 0 for NULL. */
uint64_t scrapeport_counter_get(const scrapeport_counter *counter);
double scrapeport_gauge_get(const scrapeport_gauge *gauge);

/* ---- The server ------------------------------------------------------------------------------------------------ */

/*
 * What a server is to be. Begin with the initialiser and set what you need; the structure and all that it leads to is
 * read during scrapeport_server_start only. New members come at the end: a program that knows fewer goes on working, and
 * one that sets a member which the library does not know gets SCRAPEPORT_UNSUPPORTED.
 */
typedef struct scrapeport_server_options {
    size_t size; /* of this structure */

    /* ":9100" every address, "0.0.0.0:9100", "[::]:9100", "127.0.0.1:9100", "localhost:9100", "unix:/run/app.sock";
     * port 0 takes a free one. Must be set. */
    const char *address;

    /* If the server does not start, here is why, in one line that names the setting and the cure; else an empty text.
     * May be NULL. */
    char *problem;
    size_t problem_size;

    /* The web configuration file of the Prometheus ecosystem: TLS, client certificates, passwords. Excludes the members
     * below. Needs a library with the feature web-config. */
    const char *web_config_file;

    /* HTTPS: PEM files, which are read again when they change. Needs the feature tls. */
    const char *certfile;
    const char *keyfile;
    /* Client certificates are verified by the CAs of this file, and of all PEM files of this directory. */
    const char *client_cafile;
    const char *client_capath;
    /* Names (subject alternative names) of which a client's certificate must have one. */
    const char *const *client_allowed_names;
    size_t n_client_allowed_names;
    /* Whether a client must have a certificate; without a CA above, one of a public authority. */
    int client_auth_required;

    int process_metrics;      /* 1: process_* on the page, so none of yours; needs the feature process */
    int no_server_metrics;    /* 1: no scrapeport_http_* on the page */
    uint32_t max_connections; /* at once, each with a thread; 0: 16 */
} scrapeport_server_options;

#define SCRAPEPORT_SERVER_OPTIONS {sizeof(scrapeport_server_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

typedef struct scrapeport_server scrapeport_server;

/*
 * Serves the page of all metrics, those announced later too. When it returns the socket listens and every thread runs;
 * nothing is allocated after that. Blocks while a host name is resolved. At most 8 servers at once. After an error *out
 * is NULL and nothing stays behind.
 */
scrapeport_result scrapeport_server_start(const scrapeport_server_options *options, scrapeport_server **out);

/* The port of its first TCP address, the one that the system chose if 0 was asked for; 0 if there is none. */
uint16_t scrapeport_server_port(const scrapeport_server *server);

/*
 * Stops it: the port is free at once, responses under way are finished, threads are joined, memory is freed. Blocks
 * until then, 6 seconds at most unless a callback hangs. From any thread, but not from a callback of this library. NULL
 * is fine. A second call does nothing, even while the first still waits, as long as no 8 servers were started after it.
 */
void scrapeport_server_stop(scrapeport_server *server);

/* ---- A loop of your own ---------------------------------------------------------------------------------------- */

/* Takes a piece of the page, `length` bytes that are not ended by zero; 0 goes on, anything else ends the page. It must
 * return: no longjmp, no C++ exception. */
typedef int scrapeport_sink(void *user, const char *text, size_t length);

/* Writes the page of all metrics in text format 0.0.4, which every reader knows, in pieces of up to 4 KiB, which lie on
 * the stack. Blocks on nothing but the sink and the functions of gauges. */
scrapeport_result scrapeport_write(scrapeport_sink *sink, void *user);

/* The same in the format that a client asked for with its Accept header; NULL stands for none. */
scrapeport_result scrapeport_write_as(const char *accept, scrapeport_sink *sink, void *user);

/* The Content-Type of that page, for your response; never NULL, never freed. */
const char *scrapeport_content_type(const char *accept);

/* ---- The log --------------------------------------------------------------------------------------------------- */

enum {
    SCRAPEPORT_LOG_OFF = 0,
    SCRAPEPORT_LOG_ERROR = 1,
    SCRAPEPORT_LOG_WARN = 2,
    SCRAPEPORT_LOG_INFO = 3,
    SCRAPEPORT_LOG_DEBUG = 4
};

/* One line without its end, ended by zero, at most 1023 bytes. Called from any thread, several at once perhaps. */
typedef void scrapeport_log_sink(void *user, int level, const char *text);

/* Hands over what the library has to say, up to a level; without it, nothing is said. Once in the life of a process:
 * then, or if a Rust part of the program has a logger, SCRAPEPORT_LOGGER_TAKEN. `user` must be good for ever. */
scrapeport_result scrapeport_log_to(scrapeport_log_sink *sink, void *user, int level);

#ifdef __cplusplus
}
#endif

#endif
