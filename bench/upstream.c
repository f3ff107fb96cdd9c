/* The upstream of the benchmark: answers POST as the Responses API does, as cheaply as it can.
 *
 *     upstream [PORT]          prints "listening PORT", runs until it is ended
 *
 * A body that says "stream":true gets server-sent events, one chunk each; all others one JSON
 * object. `bench events=N every_ms=M;` anywhere in the body says how many events of text, and how
 * far apart (0: as fast as they are taken). Each carries the monotonic nanosecond at which it was
 * written, as t=<19 digits>; so that whoever reads it on this machine knows how long it took.
 */
#include "loop.h"

enum { SLOTS = 4096, EVERY_MS_MAX = SLOTS / 2, IN_BYTES = 1 << 15 };

typedef struct stream {
    int fd, is_waiting;                  /* is_waiting: the socket took less than it was given */
    char *in, *out;
    size_t in_bytes, out_bytes, out_room;
    long left, number, every_ms;         /* of the answer that is being told */
    uint64_t due_ms;
    struct stream *next, **place;        /* in the wheel */
    char model[64], id[40];
} stream;

static int epoll;
static stream *wheel[SLOTS];             /* paced answers by the millisecond of their next event */
static uint64_t wheel_ms, answers;

/* The whole number after `name` in `text`, or `otherwise` where the name is not there. */
static long number_after(const char *text, size_t bytes, const char *name, long otherwise) {
    const char *found = memmem(text, bytes, name, strlen(name));
    return found == NULL ? otherwise : strtol(found + strlen(name), NULL, 10);
}

static void leave_wheel(stream *one) {
    if (one->place == NULL) return;
    *one->place = one->next;
    if (one->next) one->next->place = one->place;
    one->place = NULL;
}

static void enter_wheel(stream *one) {
    stream **slot = &wheel[one->due_ms % SLOTS];
    one->next = *slot;
    one->place = slot;
    if (*slot) (*slot)->place = &one->next;
    *slot = one;
}

static void hang_up(stream *one) {
    leave_wheel(one);
    close(one->fd);
    free(one->in);
    free(one->out);
    free(one);
}

static void flush(stream *one) {
    size_t sent = 0;
    while (sent < one->out_bytes) {
        ssize_t took = send(one->fd, one->out + sent, one->out_bytes - sent, MSG_NOSIGNAL);
        if (took < 0) break;             /* full, or gone: then reading says so */
        sent += (size_t)took;
    }
    memmove(one->out, one->out + sent, one->out_bytes -= sent);
    if (one->is_waiting != (one->out_bytes > 0)) {
        one->is_waiting = one->out_bytes > 0;
        watch(epoll, one->fd, one, 0, one->is_waiting);
    }
}

static void say(stream *one, const char *text, size_t bytes) {
    if (one->out_bytes + bytes > one->out_room)
        one->out = grown(one->out, one->out_room = 2 * (one->out_bytes + bytes));
    memcpy(one->out + one->out_bytes, text, bytes);
    one->out_bytes += bytes;
}

static size_t response_json(stream *one, char *into, size_t room, int is_done, long tokens) {
    const char *rest =
        "\"background\":false,\"error\":null,\"incomplete_details\":null,\"instructions\":null,"
        "\"max_output_tokens\":1024,\"metadata\":{},\"parallel_tool_calls\":true,"
        "\"previous_response_id\":null,\"reasoning\":{\"effort\":null,\"summary\":null},"
        "\"safety_identifier\":null,\"store\":true,\"temperature\":1.0,"
        "\"text\":{\"format\":{\"type\":\"text\"},\"verbosity\":\"medium\"},"
        "\"tool_choice\":\"auto\",\"tools\":[],\"top_logprobs\":0,\"top_p\":1.0,"
        "\"truncation\":\"disabled\",\"user\":null,";
    const char *output =
        "\"output\":[{\"id\":\"msg_bench\",\"type\":\"message\",\"status\":\"completed\","
        "\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"annotations\":[],"
        "\"logprobs\":[],\"text\":\"As it was asked for, in as few words as would do.\"}]}],";
    char usage[256] = "\"output\":[],\"usage\":null";
    if (is_done)
        snprintf(usage, sizeof usage,
                 "\"usage\":{\"input_tokens\":64,\"input_tokens_details\":{\"cached_tokens\":0},"
                 "\"output_tokens\":%ld,\"output_tokens_details\":{\"reasoning_tokens\":0},"
                 "\"total_tokens\":%ld}", tokens, 64 + tokens);
    return (size_t)snprintf(
        into, room,
        "{\"id\":\"%s\",\"object\":\"response\",\"created_at\":%ld,\"status\":\"%s\","
        "\"model\":\"%s\",\"service_tier\":\"default\",%s%s%s}",
        one->id, (long)time(NULL), is_done ? "completed" : "in_progress", one->model, rest,
        is_done ? output : "", usage);
}

static void say_event(stream *one, const char *type, const char *fields) {
    char event[4096], size[16];
    int bytes = snprintf(event, sizeof event,
                         "event: %s\ndata: {\"type\":\"%s\",%s,\"sequence_number\":%ld}\n\n",
                         type, type, fields, one->number++);
    say(one, size, (size_t)snprintf(size, sizeof size, "%x\r\n", (unsigned)bytes));
    say(one, event, (size_t)bytes);
    say(one, "\r\n", 2);
}

static void say_response(stream *one, const char *type, int is_done, long tokens) {
    char fields[3500] = "\"response\":";
    response_json(one, fields + 11, sizeof fields - 11, is_done, tokens);
    say_event(one, type, fields);
}

static void say_next(stream *one) {
    char fields[256];
    snprintf(fields, sizeof fields,
             "\"content_index\":0,\"item_id\":\"msg_bench\",\"output_index\":0,"
             "\"delta\":\" t=%019llu;\",\"logprobs\":[],\"obfuscation\":\"a246402f49\"",
             (unsigned long long)now_ns());
    say_event(one, "response.output_text.delta", fields);
    if (--one->left == 0) {
        say_response(one, "response.completed", 1, one->number);
        say(one, "0\r\n\r\n", 5);
    }
    flush(one);
}

static void answer_whole(stream *one) {
    char body[4096], head[256];
    size_t bytes = response_json(one, body, sizeof body, 1, 12);
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                          "x-request-id: %s\r\ncontent-length: %zu\r\n\r\n", one->id, bytes);
    say(one, head, (size_t)length);
    say(one, body, bytes);
    flush(one);
}

static void answer_stream(stream *one, const char *body, size_t bytes) {
    char head[256];
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
                          "x-request-id: %s\r\ntransfer-encoding: chunked\r\n\r\n", one->id);
    one->left = number_after(body, bytes, "bench events=", 20);
    one->every_ms = number_after(body, bytes, "every_ms=", 0);
    one->number = 0;
    say(one, head, (size_t)length);
    say_response(one, "response.created", 0, 0);
    flush(one);
    if (one->every_ms == 0) {
        while (one->left > 0) say_next(one);
        return;
    }
    if (one->every_ms > EVERY_MS_MAX) one->every_ms = EVERY_MS_MAX;
    one->due_ms = now_ns() / 1000000 + (uint64_t)one->every_ms;
    enter_wheel(one);
}

static void answer(stream *one, const char *head, const char *body, size_t bytes) {
    if (strncmp(head, "POST ", 5) != 0) {
        const char *none = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n"
                           "content-type: application/json\r\n\r\n{}";
        say(one, none, strlen(none));
        flush(one);
        return;
    }
    const char *model = memmem(body, bytes, "\"model\":", 8);
    if (model == NULL || sscanf(model + 8, " \"%63[^\"]", one->model) != 1)
        strcpy(one->model, "unknown");
    snprintf(one->id, sizeof one->id, "resp_%08lx%016llx", (long)getpid(),
             (unsigned long long)(now_ns() ^ (++answers << 48)));
    int is_stream = memmem(body, bytes, "\"stream\":true", 13) != NULL ||
                    memmem(body, bytes, "\"stream\": true", 14) != NULL;
    if (is_stream) answer_stream(one, body, bytes);
    else answer_whole(one);
}

/* Answers the request that has come whole; returns what it took, or 0 where more is to come. */
static size_t answered(stream *one) {
    char *end = memmem(one->in, one->in_bytes, "\r\n\r\n", 4);
    if (end == NULL) return 0;
    size_t head_bytes = (size_t)(end - one->in) + 4;
    long length = header_number(one->in, head_bytes, "content-length:");
    size_t total = head_bytes + (size_t)(length < 0 ? 0 : length);
    if (one->in_bytes < total) return 0;
    answer(one, one->in, one->in + head_bytes, total - head_bytes);
    return total;
}

static int listen_to(stream *one) {
    ssize_t got = recv(one->fd, one->in + one->in_bytes, IN_BYTES - one->in_bytes - 1, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    one->in_bytes += (size_t)got;
    one->in[one->in_bytes] = 0;
    for (size_t took; (took = answered(one)) > 0;)
        memmove(one->in, one->in + took, (one->in_bytes -= took) + 1);
    return one->in_bytes < IN_BYTES - 1; /* a larger request is none of ours */
}

static void welcome(int door) {
    for (int fd; (fd = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        stream *one = calloc(1, sizeof *one);
        if (one == NULL) fail("memory");
        one->fd = fd;
        one->in = grown(NULL, IN_BYTES);
        send_at_once(fd);
        watch(epoll, fd, one, 1, 0);
    }
}

static void turn_wheel(void) {
    for (uint64_t now_ms = now_ns() / 1000000; wheel_ms < now_ms; wheel_ms++) {
        stream *due = wheel[(wheel_ms + 1) % SLOTS];
        wheel[(wheel_ms + 1) % SLOTS] = NULL;
        while (due) {
            stream *one = due;
            due = one->next;
            one->place = NULL;
            say_next(one);
            one->due_ms += (uint64_t)one->every_ms;
            if (one->left > 0) enter_wheel(one);
        }
    }
}

int main(int count, char **words) {
    allow_many_files();
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in at = loopback(count > 1 ? atoi(words[1]) : 0);
    socklen_t bytes = sizeof at;
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(door, (void *)&at, sizeof at) || listen(door, 8192)) fail("listen");
    getsockname(door, (void *)&at, &bytes);
    printf("listening %d\n", ntohs(at.sin_port));
    fflush(stdout);
    epoll = epoll_create1(0);
    watch(epoll, door, NULL, 1, 0);
    wheel_ms = now_ns() / 1000000;
    for (;;) {
        struct epoll_event ready[256];
        int found = epoll_wait(epoll, ready, 256, 1);
        for (int i = 0; i < found; i++) {
            stream *one = ready[i].data.ptr;
            if (one == NULL) { welcome(door); continue; }
            if (ready[i].events & EPOLLOUT) flush(one);
            if ((ready[i].events & ~(unsigned)EPOLLOUT) && !listen_to(one)) hang_up(one);
        }
        turn_wheel();
    }
}
