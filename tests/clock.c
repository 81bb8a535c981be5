/* Show a process another time than its machine's. The file CLOCK_AHEAD holds the seconds that it is ahead, as
 * an integer of eight bytes, and may be changed while the process runs.
 *
 *     cc -O2 -shared -fPIC -o clock.so clock.c
 *     LD_PRELOAD=./clock.so CLOCK_AHEAD=ahead program
 *
 * Only the time of day differs. The clocks that measure how long something takes are left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t ahead(void)
{
    static const volatile int64_t *seconds;
    const char *path = getenv("CLOCK_AHEAD");
    if (!seconds && path) {
        int file = open(path, O_RDONLY);
        void *place = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *seconds, PROT_READ, MAP_SHARED, file, 0);
        if (place == MAP_FAILED) abort(); /* a test whose clock is right would prove nothing */
        close(file);
        seconds = place;
    }
    return seconds ? *seconds : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += ahead();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *place)
{
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (place) *place = exact.tv_sec;
    return exact.tv_sec;
}
