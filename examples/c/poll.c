/*
 * The page in a loop that is there already: no thread of the library, the program's own ppoll(2) and its own sockets. An
 * event library (libuev, libevent, libuv) calls `readable` where this loop does.
 *
 * The server here is as small as can be: a response is written in one go, for at most five seconds.
 *
 *     cc poll.c $(pkg-config --cflags --libs scrapeport) -o poll && ./poll 9100
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <scrapeport.h>

#define CLIENTS 8
#define HEAD_SIZE 4096

static scrapeport_counter wakeups = SCRAPEPORT_COUNTER("poll_wakeups_total", "Times that ppoll(2) returned.");

static struct pollfd fds[1 + CLIENTS];

/* Counted when a page is made, which is on this thread, so nobody else changes what it looks at. */
static double connections(void *user)
{
    const struct pollfd *client = (const struct pollfd *)user + 1;
    int at, count = 0;
    for (at = 0; at < CLIENTS; at++)
        count += client[at].fd >= 0;
    return count;
}
static scrapeport_gauge_function clients =
    SCRAPEPORT_GAUGE_FUNCTION("poll_clients", "Connections just now.", connections, fds);

static struct {
    char head[HEAD_SIZE];
    size_t length;
} heads[1 + CLIENTS];

static volatile sig_atomic_t ended;

static void end(int signal)
{
    (void)signal;
    ended = 1;
}

/* What takes the page, piece by piece: anything but 0 ends it. */
static int to_socket(void *user, const char *text, size_t length)
{
    int fd = *(int *)user;
    while (length > 0) {
        ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return -1;
        text += sent;
        length -= (size_t)sent;
    }
    return 0;
}

static int say(int fd, const char *text)
{
    return to_socket(&fd, text, strlen(text));
}

/* The value of the Accept field; NULL if there is none. Cuts the head there. */
static const char *accepted(char *head)
{
    char *line = strstr(head, "\r\n"), *stop;
    while (line) {
        line += 2;
        if (strncasecmp(line, "Accept:", 7) == 0) {
            stop = strstr(line, "\r\n");
            if (stop)
                *stop = 0;
            return line + 7;
        }
        line = strstr(line, "\r\n");
    }
    return NULL;
}

static void answer(int fd, char *head)
{
    const char *accept;
    if (strncmp(head, "GET /metrics", 12) != 0) {
        say(fd, "HTTP/1.0 404 Not Found\r\nContent-Type: text/plain\r\n\r\nThe metrics are at /metrics.\n");
        return;
    }
    accept = accepted(head);
    if (say(fd, "HTTP/1.0 200 OK\r\nContent-Type: ") == 0 && say(fd, scrapeport_content_type(accept)) == 0 &&
        say(fd, "\r\n\r\n") == 0)
        scrapeport_write_as(accept, to_socket, &fd);
}

static void readable(int at)
{
    char *head = heads[at].head;
    ssize_t got = recv(fds[at].fd, head + heads[at].length, HEAD_SIZE - 1 - heads[at].length, 0);
    if (got > 0) {
        heads[at].length += (size_t)got;
        head[heads[at].length] = 0;
        if (!strstr(head, "\r\n\r\n") && heads[at].length < HEAD_SIZE - 1)
            return;
        answer(fds[at].fd, head);
    }
    close(fds[at].fd);
    fds[at].fd = -1;
}

static void acceptable(void)
{
    static const struct timeval patience = {5, 0};
    int fd = accept(fds[0].fd, NULL, NULL), at = 1;
    while (at < CLIENTS && fds[at].fd >= 0)
        at++;
    if (fd < 0)
        return;
    if (fds[at].fd >= 0) {
        close(fd);
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    fds[at].fd = fd;
    fds[at].events = POLLIN;
    heads[at].length = 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    struct sigaction action;
    sigset_t ends, before;
    int at, on = 1;

    scrapeport_add(&wakeups.metric);
    scrapeport_add(&clients.metric);
    memset(&action, 0, sizeof action);
    action.sa_handler = end;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* They come while the loop waits and at no other time: one between the look at `ended` and the wait would be missed. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, &before);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 9100));
    for (at = 1; at <= CLIENTS; at++)
        fds[at].fd = -1;
    fds[0].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fds[0].events = POLLIN;
    setsockopt(fds[0].fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fds[0].fd < 0 || bind(fds[0].fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fds[0].fd, CLIENTS) != 0 || getsockname(fds[0].fd, (struct sockaddr *)&address, &length) != 0) {
        perror("poll");
        return 1;
    }
    printf("listening on port %u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);

    while (!ended && ppoll(fds, 1 + CLIENTS, NULL, &before) >= 0) {
        scrapeport_counter_inc(&wakeups);
        if (fds[0].revents)
            acceptable();
        for (at = 1; at <= CLIENTS; at++)
            if (fds[at].fd >= 0 && fds[at].revents)
                readable(at);
    }
    for (at = 0; at <= CLIENTS; at++)
        if (fds[at].fd >= 0)
            close(fds[at].fd);
    return 0;
}
