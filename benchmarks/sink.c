/* A mail server that takes every message and keeps none, fast enough not to limit what is measured.
 *
 * Postfix's smtp-sink has no CHUNKING and no TLS, and reaches its own limit near 10,000 messages a second.
 * This server has one thread and uses epoll. It writes all answers to one read in one write. It listens on
 * 127.0.0.1 at a free port, which it prints. When its input ends, it prints how many messages and bytes it
 * took, and ends.
 *
 *     cc -O2 -DTLS -o sink sink.c -lssl -lcrypto      (without TLS: cc -O2 -o sink sink.c)
 *     sink [chain.pem]                                offers STARTTLS with that certificate and key
 *     sink -a ADDRESS                                 listens on another address
 *     sink -w MILLISECONDS                            waits before it answers what it has read, until SIGUSR1
 *     sink -t FILE                                    counts the messages of each recipient in FILE
 *
 * FILE must exist. Byte n is the number of messages to the recipient whose address has the number n, such as
 * reader17@example.org; other processes may map the file while the server runs.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef TLS
#include <openssl/ssl.h>
#endif

enum { IN = 1 << 20, OUT = 1 << 16, LINE = 4096 };
enum mode { COMMAND, DATA, BDAT };

struct client {
    int fd;
    enum mode mode;
    size_t have;       /* bytes in `in` */
    size_t bdat_left;  /* bytes of this chunk still to come */
    int last;          /* this chunk is the last one */
    int start_tls, gone;
    unsigned long number;  /* in the address of the recipient */
    long due;              /* when the answers are written, in milliseconds */
    struct client *next;   /* whose answers are due next */
    size_t out_have;
    char in[IN], out[OUT];
#ifdef TLS
    SSL *ssl;
#endif
};

static unsigned long messages, bytes;
static unsigned char *tally;
static unsigned long tally_size;
static volatile sig_atomic_t pause_ms;
static struct client *first, *last;  /* those that wait for their answers */
static int epoll;
static const char *offers = "250-PIPELINING\r\n250-CHUNKING\r\n250-8BITMIME\r\n"
                            "250-ENHANCEDSTATUSCODES\r\n250 SIZE 52428800\r\n";
#ifdef TLS
static SSL_CTX *context;
#endif

static void say(struct client *c, const char *text)
{
    size_t size = strlen(text);
    if (c->out_have + size > OUT) { c->gone = 1; return; }
    memcpy(c->out + c->out_have, text, size);
    c->out_have += size;
}

static int is(const char *line, const char *verb) { return strncasecmp(line, verb, strlen(verb)) == 0; }

static void take(struct client *c)
{
    messages++;
    if (c->number < tally_size && tally[c->number] < 255) tally[c->number]++;
    say(c, "250 2.0.0 Ok: queued\r\n");
    c->mode = COMMAND;
}

static void obey(struct client *c, const char *line)
{
    if (is(line, "RCPT")) {
        c->number = strtoul(line + strcspn(line, "0123456789"), NULL, 10);
        say(c, "250 2.1.5 Ok\r\n");
    }
    else if (is(line, "MAIL")) say(c, "250 2.1.0 Ok\r\n");
    else if (is(line, "RSET")) say(c, "250 2.0.0 Ok\r\n");
    else if (is(line, "NOOP")) say(c, "250 2.0.0 Ok\r\n");
    else if (is(line, "DATA")) { c->mode = DATA; say(c, "354 End data with <CR><LF>.<CR><LF>\r\n"); }
    else if (is(line, "BDAT")) {
        c->bdat_left = strtoul(line + 4, NULL, 10);
        c->last = strcasestr(line, "LAST") != NULL;
        c->mode = BDAT;
    }
    else if (is(line, "EHLO")) {
        say(c, "250-sink\r\n");
#ifdef TLS
        if (context && !c->ssl) say(c, "250-STARTTLS\r\n");
#endif
        say(c, offers);
    }
    else if (is(line, "HELO")) say(c, "250 sink\r\n");
    else if (is(line, "QUIT")) { say(c, "221 2.0.0 Bye\r\n"); c->gone = 1; }
#ifdef TLS
    else if (is(line, "STARTTLS") && context) { say(c, "220 2.0.0 Ready\r\n"); c->start_tls = 1; }
#endif
    else say(c, "502 5.5.2 Error: command not recognized\r\n");
}

/* Handle the complete lines and chunks in `in`; an incomplete one stays there. */
static void digest_input(struct client *c)
{
    char *at = c->in, *end = c->in + c->have;
    while (at < end && !c->gone) {
        if (c->mode == COMMAND) {
            char *newline = memchr(at, '\n', end - at);
            if (!newline) { if (end - at > LINE) c->gone = 1; break; }
            *newline = 0;
            obey(c, at);
            at = newline + 1;
            if (c->mode == DATA) { *(at - 2) = '\r'; *(at - 1) = '\n'; at -= 2; }  /* a lone dot also ends an empty text */
        } else if (c->mode == BDAT) {
            size_t part = (size_t)(end - at) < c->bdat_left ? (size_t)(end - at) : c->bdat_left;
            at += part; bytes += part; c->bdat_left -= part;
            if (c->bdat_left) break;
            if (c->last) take(c);
            else { say(c, "250 2.0.0 Ok\r\n"); c->mode = COMMAND; }
        } else {
            char *stop = memmem(at, end - at, "\r\n.\r\n", 5);
            if (!stop) {  /* the last four bytes may be the beginning of the end */
                size_t part = end - at > 4 ? end - at - 4 : 0;
                at += part; bytes += part;
                break;
            }
            bytes += stop - at;
            at = stop + 5;
            take(c);
        }
    }
    c->have = end - at;
    memmove(c->in, at, c->have);
}

static ssize_t get(struct client *c)
{
#ifdef TLS
    if (c->ssl) {
        size_t got = 0;
        for (;;) {  /* read all records, because epoll does not know what OpenSSL has buffered */
            int n = SSL_read(c->ssl, c->in + c->have + got, (int)(IN - c->have - got));
            if (n <= 0) {
                int why = SSL_get_error(c->ssl, n);
                if (got || why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) break;
                return 0;
            }
            got += n;
            if (IN - c->have - got < 65536) break;
        }
        if (!got) { errno = EAGAIN; return -1; }
        return got;
    }
#endif
    return recv(c->fd, c->in + c->have, IN - c->have, 0);
}

static void put(struct client *c)
{
    size_t sent = 0;
    while (sent < c->out_have) {  /* answers are short: a client that does not read them is cut off */
        ssize_t n;
#ifdef TLS
        if (c->ssl) n = SSL_write(c->ssl, c->out + sent, (int)(c->out_have - sent));
        else
#endif
        n = send(c->fd, c->out + sent, c->out_have - sent, MSG_NOSIGNAL);
        if (n <= 0) { c->gone = 1; break; }
        sent += n;
    }
    c->out_have = 0;
}

static void drop(struct client *c)
{
#ifdef TLS
    if (c->ssl) SSL_free(c->ssl);
#endif
    close(c->fd);
    free(c);
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void answer(struct client *c)
{
    put(c);
#ifdef TLS
    if (c->start_tls && !c->gone) {
        c->ssl = SSL_new(context);
        SSL_set_fd(c->ssl, c->fd);
        SSL_set_accept_state(c->ssl);
        c->start_tls = 0;
    }
#endif
    if (c->gone) drop(c);
}

static void serve(struct client *c)
{
    ssize_t n = get(c);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        if (!c->due) { drop(c); return; }
        c->gone = 1;  /* dropped when its answers are due */
        epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL);
        return;
    }
    c->have += n;
    digest_input(c);
    if (c->due) return;
    if (!pause_ms || !c->out_have) { answer(c); return; }
    c->due = now_ms() + pause_ms;
    c->next = NULL;
    if (last) last->next = c; else first = c;
    last = c;
}

/* Write the answers that are due; return how long to wait for the next ones. */
static int answer_those_due(void)
{
    while (first && first->due <= now_ms()) {
        struct client *c = first;
        first = c->next;
        if (!first) last = NULL;
        c->due = 0;
        answer(c);
    }
    return first ? (int)(first->due - now_ms()) : -1;
}

static void count_in(const char *path)
{
    struct stat about;
    int fd = open(path, O_RDWR);
    if (fd < 0 || fstat(fd, &about)) { perror(path); exit(1); }
    tally_size = about.st_size;
    tally = mmap(NULL, tally_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (tally == MAP_FAILED) { perror(path); exit(1); }
}

static void hurry(int number) { (void)number; pause_ms = 0; }

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, hurry);
    for (int option; (option = getopt(argc, argv, "a:w:t:")) != -1;) {
        if (option == 'a') inet_pton(AF_INET, optarg, &address.sin_addr);
        else if (option == 'w') pause_ms = atoi(optarg);
        else if (option == 't') count_in(optarg);
        else return 2;
    }
    if (optind < argc) {
        const char *chain = argv[optind];
#ifdef TLS
        context = SSL_CTX_new(TLS_server_method());
        SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_AUTO_RETRY);
        if (SSL_CTX_use_certificate_chain_file(context, chain) != 1
            || SSL_CTX_use_PrivateKey_file(context, chain, SSL_FILETYPE_PEM) != 1) {
            fprintf(stderr, "sink: cannot use %s\n", chain);
            return 1;
        }
#else
        fprintf(stderr, "sink: built without TLS, cannot use %s\n", chain);
        return 1;
#endif
    }
    socklen_t size = sizeof address;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    epoll = epoll_create1(0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 512)) { perror("sink"); return 1; }
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = NULL;
    epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, 256, answer_those_due());
        for (int i = 0; i < ready; i++) {
            void *who = events[i].data.ptr;
            if (who == NULL) {  /* our input has ended, so the parent process is done */
                printf("%lu %lu\n", messages, bytes);
                return 0;
            }
            if (who != &listener) { serve(who); continue; }
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            if (fd < 0) continue;
            struct client *c = malloc(sizeof *c);  /* not cleared, so that only the pages in use cost memory */
            memset(c, 0, offsetof(struct client, in));
#ifdef TLS
            c->ssl = NULL;
#endif
            c->fd = fd;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            event.data.ptr = c;
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
            say(c, "220 sink ESMTP\r\n");
            put(c);
        }
    }
}
