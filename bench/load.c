/* The clients of the benchmark: connections that ask, read to the end and ask again.
 *
 *     load --port N --path P --body FILE --keys FILE [--connections 1] [--warm 1] [--seconds 3]
 *          [--ramp-ms 0] [--rate 0]
 *
 * Prints "begin" when the warm-up is over, "end" after the window, then one JSON object with what
 * was measured in between; whoever reads it samples processor time at these two lines. What is
 * under way at the end is read to its end, so that nothing is left to settle. Each request shows the
 * next line of the keys' file. `--rate` paces all connections together, in requests a second.
 */
#include "loop.h"

enum { HEAD, LENGTH, SIZE, CHUNK, AFTER_CHUNK, TRAILER };
enum { LINE_BYTES = 8192, READ_BYTES = 1 << 18, LINGER_SECONDS = 20 };

typedef struct { uint64_t *at; size_t count, room; } samples;

typedef struct connection {
    int fd, is_connected, is_asking, state, status, is_ended, will_close;
    char line[LINE_BYTES];               /* of the head, of a chunk's size, or of an event */
    size_t line_bytes, event_bytes, asked_bytes;
    char event[LINE_BYTES];
    uint64_t left, events, began_ns;
    int has_first, key;
    struct connection *next_idle;
} connection;

static int epoll, is_measuring, is_stopping, is_stream, under_way;
static struct sockaddr_in target;
static char **requests;                  /* one a key, ready to be sent */
static size_t *request_bytes, key_count, next_key;
static connection *idle;
static double allowance;                 /* requests that the rate allows now */
static long rate;
static samples total_ns, first_ns, event_ns;
static uint64_t done, errors, events;
static char complaint[400];

static void add(samples *to, uint64_t sample_ns) {
    if (!is_measuring) return;
    if (to->count == to->room)
        to->at = grown(to->at, (to->room = to->room ? 2 * to->room : 4096) * sizeof *to->at);
    to->at[to->count++] = sample_ns;
}

static int ascending(const void *one, const void *other) {
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

static void print_percentiles(const char *name, samples *of) {
    static const double marks[] = {0.5, 0.9, 0.99, 0.999};
    static const char *names[] = {"p50", "p90", "p99", "p999"};
    if (of->count) qsort(of->at, of->count, sizeof *of->at, ascending);
    printf(", \"%s\": {\"count\": %zu", name, of->count);
    for (int i = 0; i < 4 && of->count; i++)
        printf(", \"%s\": %.1f", names[i],
               (double)of->at[(size_t)(marks[i] * (double)(of->count - 1))] / 1e3);
    printf("}");
}

static void open_connection(connection *one);

static void fail_request(connection *one, const char *why) {
    if (is_measuring) errors++;
    if (complaint[0] == 0) snprintf(complaint, sizeof complaint, "%s", why);
    if (one->is_asking) under_way--;
    one->is_asking = 0;
    close(one->fd);
    usleep(1000);                        /* what is broken is not to be hammered */
    if (!is_stopping) open_connection(one);
}

static void send_rest(connection *one) {
    const char *request = requests[one->key];
    while (one->asked_bytes < request_bytes[one->key]) {
        ssize_t took = send(one->fd, request + one->asked_bytes,
                            request_bytes[one->key] - one->asked_bytes, MSG_NOSIGNAL);
        if (took < 0 && errno == EAGAIN) { watch(epoll, one->fd, one, 0, 1); return; }
        if (took < 0) { fail_request(one, "the connection broke while sending"); return; }
        one->asked_bytes += (size_t)took;
    }
}

static void ask(connection *one) {
    one->state = HEAD;
    one->line_bytes = one->event_bytes = one->asked_bytes = 0;
    one->events = 0;
    one->has_first = one->is_ended = one->will_close = 0;
    one->key = (int)(next_key++ % key_count);
    one->is_asking = 1;
    one->began_ns = now_ns();
    under_way++;
    send_rest(one);
}

static void ask_when_allowed(connection *one) {
    if (is_stopping) return;
    if (rate == 0) { ask(one); return; }
    one->next_idle = idle;
    idle = one;
}

static void open_connection(connection *one) {
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (one->fd < 0) fail("socket");
    send_at_once(one->fd);
    one->is_connected = 0;
    if (connect(one->fd, (void *)&target, sizeof target) && errno != EINPROGRESS) fail("connect");
    watch(epoll, one->fd, one, 1, 1);
}

static void read_event_line(connection *one, uint64_t at_ns) {
    const char *line = one->event;
    size_t bytes = one->event_bytes;
    one->event_bytes = 0;
    if (bytes < 5 || memcmp(line, "data:", 5) != 0) return;
    one->events++;
    if (is_measuring) events++;
    const char *stamp = memmem(line, bytes, " t=", 3);
    if (stamp != NULL) add(&event_ns, at_ns - strtoull(stamp + 3, NULL, 10));
    if (memmem(line, bytes, "\"type\":\"response.completed\"", 27) != NULL ||
        memmem(line, bytes, "\"type\": \"response.completed\"", 28) != NULL)
        one->is_ended = 1;
}

static void read_body(connection *one, const char *data, size_t bytes, uint64_t at_ns) {
    if (!is_stream) return;
    while (bytes) {
        const char *end = memchr(data, '\n', bytes);
        size_t take = end ? (size_t)(end - data) : bytes;
        size_t kept = one->event_bytes + take < LINE_BYTES ? take : LINE_BYTES - 1 - one->event_bytes;
        memcpy(one->event + one->event_bytes, data, kept);
        one->event_bytes += kept;
        if (end == NULL) return;
        one->event[one->event_bytes] = 0;
        read_event_line(one, at_ns);
        data += take + 1;
        bytes -= take + 1;
    }
}

static int finish(connection *one, uint64_t at_ns) {
    one->is_asking = 0;
    under_way--;
    int is_good = one->status == 200 && (!is_stream || one->is_ended);
    if (is_measuring && is_good) done++;
    if (is_measuring && !is_good) errors++;
    if (is_good) add(&total_ns, at_ns - one->began_ns);
    if (!is_good && complaint[0] == 0)
        snprintf(complaint, sizeof complaint, "status %d, ended %d", one->status, one->is_ended);
    if (one->will_close) {
        close(one->fd);
        if (!is_stopping) open_connection(one);
        return 0;
    }
    ask_when_allowed(one);
    return !is_stopping;
}

static void read_head(connection *one) {
    one->line[one->line_bytes] = 0;
    one->status = one->line_bytes > 12 ? atoi(one->line + 9) : 0;
    long length = header_number(one->line, one->line_bytes, "content-length:");
    one->will_close = strcasestr(one->line, "\nconnection: close") != NULL;
    one->left = (uint64_t)(length > 0 ? length : 0);
    one->state = length >= 0 ? LENGTH : SIZE;
    one->line_bytes = 0;
}

/* Takes one line of the answer's frame; returns what it took of `data`. */
static size_t take_frame_line(connection *one, const char *data, size_t bytes) {
    const char *end = memchr(data, '\n', bytes);
    size_t take = end ? (size_t)(end - data) + 1 : bytes;
    if (one->line_bytes + take >= LINE_BYTES) take = LINE_BYTES - 1 - one->line_bytes;
    memcpy(one->line + one->line_bytes, data, take);
    one->line_bytes += take;
    if (end == NULL) return take;
    if (one->state == HEAD) {
        if (one->line_bytes >= 4 && memcmp(one->line + one->line_bytes - 4, "\r\n\r\n", 4) == 0)
            read_head(one);
        return take;
    }
    one->line[one->line_bytes] = 0;
    one->line_bytes = 0;
    if (one->state == SIZE) {
        one->left = strtoull(one->line, NULL, 16);
        one->state = one->left ? CHUNK : TRAILER;
    } else if (one->state == AFTER_CHUNK) {
        one->state = SIZE;
    } else if (one->line[0] == '\r') {
        one->state = HEAD;               /* the answer's end */
    }
    return take;
}

static void take(connection *one, const char *data, size_t bytes, uint64_t at_ns) {
    while (bytes || (one->state == LENGTH && one->left == 0)) {
        size_t took;
        int was_trailer = one->state == TRAILER;
        if (one->state == LENGTH || one->state == CHUNK) {
            took = bytes < one->left ? bytes : one->left;
            if (took && !one->has_first) {
                one->has_first = 1;
                add(&first_ns, at_ns - one->began_ns);
            }
            read_body(one, data, took, at_ns);
            one->left -= took;
            if (one->state == CHUNK && one->left == 0) one->state = AFTER_CHUNK;
        } else {
            took = take_frame_line(one, data, bytes);
        }
        data += took;
        bytes -= took;
        int is_over = (one->state == LENGTH && one->left == 0) || (was_trailer && one->state == HEAD);
        if (is_over && (!finish(one, at_ns) || bytes == 0)) return;
    }
}

static void hear(connection *one) {
    static char data[READ_BYTES];
    ssize_t got = recv(one->fd, data, sizeof data, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        if (one->is_asking) fail_request(one, "the connection closed before the answer's end");
        else if (!is_stopping) { close(one->fd); open_connection(one); }
        return;
    }
    if (one->is_asking) take(one, data, (size_t)got, now_ns());
}

static void allow(double elapsed_seconds) {
    allowance += (double)rate * elapsed_seconds;
    for (; idle != NULL && allowance >= 1; allowance--) {
        connection *one = idle;
        idle = one->next_idle;
        ask(one);
    }
    if (allowance > (double)rate) allowance = (double)rate; /* a second's worth, no more */
}

static void turn(void) {
    struct epoll_event ready[512];
    int found = epoll_wait(epoll, ready, 512, 1);
    for (int i = 0; i < found; i++) {
        connection *one = ready[i].data.ptr;
        if (ready[i].events & EPOLLOUT && !one->is_connected) {
            int error = 0;
            socklen_t bytes = sizeof error;
            getsockopt(one->fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
            if (error) { fail_request(one, "no connection could be made"); continue; }
            one->is_connected = 1;
            watch(epoll, one->fd, one, 0, 0);
            ask_when_allowed(one);
        } else if (ready[i].events & EPOLLOUT) {
            watch(epoll, one->fd, one, 0, 0);
            send_rest(one);
        } else {
            hear(one);
        }
    }
}

static char *file_text(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "r");
    if (file == NULL) fail(path);
    char *text = NULL;
    for (size_t room = 4096, got = 1; got; room *= 2) {
        text = grown(text, room);
        got = fread(text + *bytes, 1, room - *bytes - 1, file);
        *bytes += got;
        text[*bytes] = 0;
    }
    fclose(file);
    return text;
}

static void prepare(const char *path, const char *body_file, const char *keys_file, int port) {
    size_t body_bytes = 0, keys_bytes = 0, room = 0;
    char *body = file_text(body_file, &body_bytes), *keys = file_text(keys_file, &keys_bytes);
    is_stream = strstr(body, "\"stream\":true") != NULL;
    for (char *key = strtok(keys, "\n"); key != NULL; key = strtok(NULL, "\n"), key_count++) {
        if (key_count == room) {
            room = room ? 2 * room : 64;
            requests = grown(requests, room * sizeof *requests);
            request_bytes = grown(request_bytes, room * sizeof *request_bytes);
        }
        char *text = grown(NULL, body_bytes + strlen(path) + strlen(key) + 300);
        int head = sprintf(text,
                           "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nauthorization: Bearer %s\r\n"
                           "user-agent: bench\r\ncontent-type: application/json\r\n"
                           "content-length: %zu\r\n\r\n", path, port, key, body_bytes);
        memcpy(text + head, body, body_bytes);
        requests[key_count] = text;
        request_bytes[key_count] = (size_t)head + body_bytes;
    }
    if (key_count == 0) { fprintf(stderr, "there are no keys in %s\n", keys_file); exit(1); }
}

static const char *option(int count, char **words, const char *name, const char *otherwise) {
    for (int i = 1; i + 1 < count; i += 2)
        if (strcmp(words[i], name) == 0) return words[i + 1];
    return otherwise;
}

static void run(long connections, double warm, double seconds, double ramp_seconds) {
    connection *all = calloc((size_t)connections, sizeof *all);
    if (all == NULL) fail("memory");
    double begin = (double)now_ns() / 1e9, before = begin;
    long opened = 0;
    for (int phase = 0; phase < 3;) {
        double now = (double)now_ns() / 1e9, since = now - begin;
        double share = ramp_seconds > 0 && since < ramp_seconds ? since / ramp_seconds : 1;
        while (opened < connections && (double)opened < share * (double)connections)
            open_connection(&all[opened++]);
        if (rate) allow(now - before);
        before = now;
        if (phase == 0 && since > warm) {
            phase = is_measuring = 1;
            puts("begin");
        } else if (phase == 1 && since > warm + seconds) {
            phase = is_stopping = 2;
            is_measuring = 0;
            puts("end");
        }
        fflush(stdout);
        if (phase == 2 && (under_way == 0 || since > warm + seconds + LINGER_SECONDS)) phase = 3;
        turn();
    }
}

int main(int count, char **words) {
    allow_many_files();
    long connections = atol(option(count, words, "--connections", "1"));
    double warm = atof(option(count, words, "--warm", "1"));
    double seconds = atof(option(count, words, "--seconds", "3"));
    int port = atoi(option(count, words, "--port", "8080"));
    rate = atol(option(count, words, "--rate", "0"));
    target = loopback(port);
    epoll = epoll_create1(0);
    prepare(option(count, words, "--path", "/v1/responses"), option(count, words, "--body", ""),
            option(count, words, "--keys", ""), port);
    run(connections, warm, seconds, atof(option(count, words, "--ramp-ms", "0")) / 1e3);
    printf("{\"seconds\": %.3f, \"requests\": %llu, \"events\": %llu, "
           "\"errors\": %llu, \"unfinished\": %d, \"complaint\": \"%s\"",
           seconds, (unsigned long long)done, (unsigned long long)events,
           (unsigned long long)errors, under_way, complaint);
    print_percentiles("total_us", &total_ns);
    print_percentiles("first_byte_us", &first_ns);
    print_percentiles("event_us", &event_ns);
    puts("}");
    return 0;
}
