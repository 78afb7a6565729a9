/* The layout of the structures, which is part of the ABI, on 64 and on 32 bits; src/capi/layout.rs says the same. */
#include <scrapeport.h>

#define IS(on_64, on_32) (sizeof(void *) == 8 ? (on_64) : (on_32))
/* C99 knows no _Static_assert. */
#define ASSERT(name, holds) typedef char assert_##name[(holds) ? 1 : -1]

ASSERT(width, sizeof(void *) == 8 || sizeof(void *) == 4);
ASSERT(cell, sizeof(scrapeport_cell) == 8);
ASSERT(label, sizeof(scrapeport_label) == IS(16, 8));
ASSERT(metric, sizeof(scrapeport_metric) == IS(48, 28));
ASSERT(metric_kind, offsetof(scrapeport_metric, kind) == IS(32, 16));
ASSERT(metric_next, offsetof(scrapeport_metric, next) == IS(40, 24));
ASSERT(counter, sizeof(scrapeport_counter) == IS(56, 40));
ASSERT(counter_value, offsetof(scrapeport_counter, value) == IS(48, 32));
ASSERT(gauge, sizeof(scrapeport_gauge) == IS(56, 40));
ASSERT(gauge_value, offsetof(scrapeport_gauge, value) == IS(48, 32));
ASSERT(histogram, sizeof(scrapeport_histogram) == IS(80, 48));
ASSERT(histogram_n_bounds, offsetof(scrapeport_histogram, n_bounds) == IS(64, 36));
ASSERT(histogram_sum, offsetof(scrapeport_histogram, sum) == IS(72, 40));
ASSERT(gauge_function, sizeof(scrapeport_gauge_function) == IS(64, 40));
ASSERT(gauge_function_ask, offsetof(scrapeport_gauge_function, ask) == IS(48, 28));
ASSERT(gauge_function_user, offsetof(scrapeport_gauge_function, user) == IS(56, 32));
ASSERT(gauge_function_aligned, __alignof__(scrapeport_gauge_function) == 8);
ASSERT(options, sizeof(scrapeport_server_options) == IS(104, 60));
ASSERT(options_n_names, offsetof(scrapeport_server_options, n_client_allowed_names) == IS(80, 40));
ASSERT(options_last, offsetof(scrapeport_server_options, max_connections) == IS(100, 56));
