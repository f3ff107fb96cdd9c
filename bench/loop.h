/* What both programs of the benchmark share: time, sockets that do not block, the headers of a
 * head. Not here: what either of them says or reads. Linux, one thread, no library but the C one. */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000ull + (uint64_t)at.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void *grown(void *memory, size_t bytes) {
    void *larger = realloc(memory, bytes);
    if (larger == NULL) fail("memory");
    return larger;
}

static void allow_many_files(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void send_at_once(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

static void watch(int epoll, int fd, void *whose, int is_new, int also_writable) {
    struct epoll_event wanted = {.events = EPOLLIN | (also_writable ? EPOLLOUT : 0)};
    wanted.data.ptr = whose;
    epoll_ctl(epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &wanted);
}

/* The number in the header `name` (as "content-length:") of a head, or -1. */
static long header_number(const char *head, size_t bytes, const char *name) {
    size_t length = strlen(name);
    for (const char *line = head, *end = head + bytes; line + length < end;) {
        if (strncasecmp(line, name, length) == 0) return strtol(line + length, NULL, 10);
        line = memchr(line, '\n', (size_t)(end - line));
        if (line++ == NULL) break;
    }
    return -1;
}
#endif
