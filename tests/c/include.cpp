// The header in C++: statics, registered metrics, updates, the page.
#include <scrapeport.h>

#include <cstdio>
#include <string>

static const scrapeport_label labels[] = {{"method", "get"}};
static scrapeport_counter requests = SCRAPEPORT_COUNTER_WITH("cpp_requests_total", "Requests.", labels);
static scrapeport_gauge level = SCRAPEPORT_GAUGE("cpp_level", "A level.");
SCRAPEPORT_HISTOGRAM(latency, "cpp_latency_seconds", "Times.", 0.5, 1);
static double ask(void *user)
{
    return *static_cast<const double *>(user);
}
static double known = 0.5;
static scrapeport_gauge_function asked = SCRAPEPORT_GAUGE_FUNCTION("cpp_asked", "A function.", ask, &known);
static scrapeport_gauge_function asked_with = SCRAPEPORT_GAUGE_FUNCTION_WITH(
    "cpp_asked_with", "A function without a name.", labels, [](void *) { return 4.5; }, nullptr);
static scrapeport_metric *const page[] = {&requests.metric, &level.metric, &latency.metric, &asked.metric,
                                          &asked_with.metric};

static int append(void *user, const char *text, size_t length)
{
    static_cast<std::string *>(user)->append(text, length);
    return 0;
}

int main()
{
    scrapeport_server_options options = SCRAPEPORT_SERVER_OPTIONS;
    scrapeport_server *server = nullptr;
    scrapeport_counter *registered = nullptr;
    scrapeport_gauge_function *function = nullptr;
    options.address = "127.0.0.1:0";
    if (scrapeport_add_all(page, SCRAPEPORT_COUNT(page)) != SCRAPEPORT_OK)
        return 1;
    if (scrapeport_counter_register("cpp_more_total", "More.", labels, 1, &registered) != SCRAPEPORT_OK)
        return 2;
    if (scrapeport_gauge_function_register("cpp_asked_more", "More.", ask, &known, nullptr, 0, &function) != SCRAPEPORT_OK)
        return 6;
    scrapeport_counter_inc(&requests);
    scrapeport_counter_add(registered, 2);
    scrapeport_gauge_set(&level, 1.5);
    scrapeport_gauge_add(&level, 1);
    scrapeport_histogram_observe(&latency, 0.75);
    if (scrapeport_server_start(&options, &server) != SCRAPEPORT_OK || scrapeport_server_port(server) == 0)
        return 3;
    std::string text;
    if (scrapeport_write(append, &text) != SCRAPEPORT_OK)
        return 4;
    scrapeport_server_stop(server);
    for (const char *line : {"\ncpp_requests_total{method=\"get\"} 1\n", "\ncpp_level 2.5\n",
                             "\ncpp_latency_seconds_bucket{le=\"1.0\"} 1\n", "\ncpp_more_total{method=\"get\"} 2\n",
                             "\ncpp_asked 0.5\n", "\ncpp_asked_with{method=\"get\"} 4.5\n", "\ncpp_asked_more 0.5\n"})
        if (text.find(line) == std::string::npos) {
            std::fprintf(stderr, "missing: %s%s", line, text.c_str());
            return 5;
        }
    return 0;
}
