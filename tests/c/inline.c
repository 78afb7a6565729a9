/* For the disassembly: what an update costs where the compiler sees the static. */
#include <scrapeport.h>

static scrapeport_counter counter = SCRAPEPORT_COUNTER("inline_total", "");
static scrapeport_gauge gauge = SCRAPEPORT_GAUGE("inline", "");

void counter_inc(void)
{
    scrapeport_counter_inc(&counter);
}

void counter_add(uint64_t amount)
{
    scrapeport_counter_add(&counter, amount);
}

void gauge_set(double value)
{
    scrapeport_gauge_set(&gauge, value);
}
