/* The C part of the Rust program in mixed.rs. */
#include <scrapeport.h>

static scrapeport_counter frames = SCRAPEPORT_COUNTER("part_frames_total", "Frames of the C part.");

int part_start(void);
void part_work(void);

int part_start(void)
{
    return scrapeport_add(&frames.metric);
}

void part_work(void)
{
    scrapeport_counter_add(&frames, 3);
}
