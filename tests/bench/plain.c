/*
 * The physical limit, as far as a plain program reaches it: a file over one
 * TCP connection of loopback, sendfile out, recv and write in; with --hash the
 * SHA-256 at both ends, each in a second thread. No protocol, no names, no
 * sync, nothing that could go wrong is looked after.
 *
 *   plain copy [--hash] FILE COPY      prints one JSON object
 *   plain cost OUT COMMAND ...         runs it; its CPU time and peak memory
 *                                      go to the file OUT as a JSON object
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIECE (1u << 20)
#define SLOT (256u << 10)
#define SLOTS 4
#define SUM 32

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_of(const struct rusage *r)
{
    return (double)(r->ru_utime.tv_sec + r->ru_stime.tv_sec) +
           (double)(r->ru_utime.tv_usec + r->ru_stime.tv_usec) / 1e6;
}

/* --- what stands between a receiver and its hash ---------------------------- */

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t change;
    uint64_t filled, hashed; /* slots, ever */
    bool end;
    size_t len[SLOTS];
    unsigned char bytes[SLOTS][SLOT];
    unsigned char sum[SUM];
};

static void *hash_ring(void *arg)
{
    struct ring *r = arg;
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    pthread_mutex_lock(&r->lock);
    for (;;) {
        size_t slot = r->hashed % SLOTS;

        while (r->filled == r->hashed && !r->end)
            pthread_cond_wait(&r->change, &r->lock);
        if (r->filled == r->hashed)
            break;
        pthread_mutex_unlock(&r->lock);
        EVP_DigestUpdate(md, r->bytes[slot], r->len[slot]);
        pthread_mutex_lock(&r->lock);
        r->hashed++;
        pthread_cond_signal(&r->change);
    }
    pthread_mutex_unlock(&r->lock);
    EVP_DigestFinal_ex(md, r->sum, NULL);
    EVP_MD_CTX_free(md);
    return NULL;
}

static unsigned char *free_slot(struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    while (r->filled - r->hashed == SLOTS)
        pthread_cond_wait(&r->change, &r->lock);
    pthread_mutex_unlock(&r->lock);
    return r->bytes[r->filled % SLOTS];
}

static void hand_over(struct ring *r, size_t len, bool end)
{
    pthread_mutex_lock(&r->lock);
    if (len > 0)
        r->len[r->filled++ % SLOTS] = len;
    r->end = end;
    pthread_cond_signal(&r->change);
    pthread_mutex_unlock(&r->lock);
}

/* --- the two ends ------------------------------------------------------------ */

static void read_all(int fd, void *to, size_t len)
{
    if (recv(fd, to, len, MSG_WAITALL) != (ssize_t)len)
        die("recv");
}

static void write_all(int fd, const unsigned char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = write(fd, bytes + at, len - at);

        if (n <= 0)
            die("write");
        at += (size_t)n;
    }
}

/* The size, the bytes, and the sum if there is one; answered by one byte. */
static void receive(int fd, const char *path, bool hash)
{
    static struct ring ring = { .lock = PTHREAD_MUTEX_INITIALIZER,
                                .change = PTHREAD_COND_INITIALIZER };
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    unsigned char sum[SUM];
    uint64_t left;
    pthread_t thread;

    if (out < 0)
        die(path);
    if (hash && pthread_create(&thread, NULL, hash_ring, &ring) != 0)
        die("thread");
    read_all(fd, &left, sizeof left);
    while (left > 0) {
        unsigned char *slot = hash ? free_slot(&ring) : ring.bytes[0];
        ssize_t n = recv(fd, slot, left < SLOT ? (size_t)left : SLOT, 0);

        if (n <= 0)
            die("recv");
        write_all(out, slot, (size_t)n);
        if (hash)
            hand_over(&ring, (size_t)n, false);
        left -= (uint64_t)n;
    }
    if (hash) {
        hand_over(&ring, 0, true);
        pthread_join(thread, NULL);
        read_all(fd, sum, sizeof sum);
        if (memcmp(sum, ring.sum, sizeof sum) != 0)
            die("another sum");
    }
    close(out);
    write_all(fd, (const unsigned char *)"", 1);
}

struct summing {
    int fd;
    unsigned char sum[SUM];
};

static void *hash_file(void *arg)
{
    struct summing *s = arg;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    static unsigned char bytes[SLOT];
    off_t at = 0;
    ssize_t n;

    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    while ((n = pread(s->fd, bytes, sizeof bytes, at)) > 0) {
        EVP_DigestUpdate(md, bytes, (size_t)n);
        at += n;
    }
    EVP_DigestFinal_ex(md, s->sum, NULL);
    EVP_MD_CTX_free(md);
    return NULL;
}

static void send_file(int fd, const char *path, bool hash)
{
    struct summing summing = { .fd = open(path, O_RDONLY | O_CLOEXEC) };
    struct stat st;
    uint64_t size;
    pthread_t thread;
    char byte;

    if (summing.fd < 0 || fstat(summing.fd, &st) < 0)
        die(path);
    if (hash && pthread_create(&thread, NULL, hash_file, &summing) != 0)
        die("thread");
    size = (uint64_t)st.st_size;
    write_all(fd, (const unsigned char *)&size, sizeof size);
    for (off_t at = 0; at < st.st_size;)
        if (sendfile(fd, summing.fd, &at, PIECE) <= 0)
            die("sendfile");
    if (hash) {
        pthread_join(thread, NULL);
        write_all(fd, summing.sum, sizeof summing.sum);
    }
    read_all(fd, &byte, 1);
}

/* --- both --------------------------------------------------------------------- */

static int connect_to(const struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)at, sizeof *at) < 0)
        die("connect");
    return fd;
}

static int listen_at(struct sockaddr_in *at)
{
    socklen_t len = sizeof *at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *at = (struct sockaddr_in){ .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (fd < 0 || bind(fd, (struct sockaddr *)at, sizeof *at) < 0 ||
        listen(fd, 1) < 0 || getsockname(fd, (struct sockaddr *)at, &len) < 0)
        die("listen");
    return fd;
}

static struct rusage await(pid_t pid)
{
    struct rusage used;
    int status;

    if (wait4(pid, &status, 0, &used) != pid || status != 0)
        die("an end failed");
    return used;
}

static int copy(const char *path, const char *to, bool hash)
{
    struct sockaddr_in at;
    int door = listen_at(&at);
    double begun = now();
    pid_t sender, receiver;
    struct rusage sent, received;

    if ((receiver = fork()) == 0) {
        receive(accept(door, NULL, NULL), to, hash);
        _exit(0);
    }
    if ((sender = fork()) == 0) {
        send_file(connect_to(&at), path, hash);
        _exit(0);
    }
    sent = await(sender);
    received = await(receiver);
    printf("{\"seconds\": %.6f, \"sender_cpu\": %.6f, "
           "\"receiver_cpu\": %.6f}\n",
           now() - begun, cpu_of(&sent), cpu_of(&received));
    return 0;
}

static int cost(const char *out, char **command)
{
    struct rusage used;
    int status;
    pid_t child = fork();
    FILE *file;

    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(command[0], command);
        die(command[0]);
    }
    if (child < 0 || wait4(child, &status, 0, &used) != child ||
        !(file = fopen(out, "w")))
        die(out);
    fprintf(file, "{\"cpu\": %.6f, \"rss_kib\": %ld}\n", cpu_of(&used),
            used.ru_maxrss);
    fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    bool hash = argc > 2 && strcmp(argv[2], "--hash") == 0;

    if (argc == 4 + hash && strcmp(argv[1], "copy") == 0)
        return copy(argv[2 + hash], argv[3 + hash], hash);
    if (argc > 3 && strcmp(argv[1], "cost") == 0)
        return cost(argv[2], argv + 3);
    fputs("plain copy [--hash] FILE COPY | plain cost OUT COMMAND ...\n",
          stderr);
    return 2;
}
