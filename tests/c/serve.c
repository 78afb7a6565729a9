/* A server with the options named on the command line, until standard input ends. */
#include <stdio.h>
#include <string.h>

#include <scrapeport.h>

static scrapeport_counter served = SCRAPEPORT_COUNTER("served_total", "Always one.");

int main(int argc, char **argv)
{
    scrapeport_server_options options = SCRAPEPORT_SERVER_OPTIONS;
    struct {
        const char *name;
        const char **value;
    } texts[] = {
        {"certfile=", &options.certfile},           {"keyfile=", &options.keyfile},
        {"client_cafile=", &options.client_cafile}, {"client_capath=", &options.client_capath},
        {"web=", &options.web_config_file},
    };
    scrapeport_server *server;
    const char *names[1];
    char problem[400];
    size_t text;
    int at;

    options.address = "127.0.0.1:0";
    options.problem = problem;
    options.problem_size = sizeof problem;
    for (at = 1; at < argc; at++) {
        for (text = 0; text < SCRAPEPORT_COUNT(texts); text++)
            if (strncmp(argv[at], texts[text].name, strlen(texts[text].name)) == 0)
                *texts[text].value = argv[at] + strlen(texts[text].name);
        if (strcmp(argv[at], "client_auth_required") == 0)
            options.client_auth_required = 1;
        if (strcmp(argv[at], "process") == 0)
            options.process_metrics = 1;
        if (strncmp(argv[at], "name=", 5) == 0) {
            names[0] = argv[at] + 5;
            options.client_allowed_names = names;
            options.n_client_allowed_names = 1;
        }
    }
    scrapeport_add(&served.metric);
    scrapeport_counter_inc(&served);
    if (scrapeport_server_start(&options, &server) != SCRAPEPORT_OK) {
        fprintf(stderr, "%s\n", problem);
        return 1;
    }
    printf("listening on port %u\n", (unsigned)scrapeport_server_port(server));
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    scrapeport_server_stop(server);
    return 0;
}
