/* acceptd PORT: accepts on all addresses and closes at once, and counts the SYNs on lo: a check is one SYN.
 * SIGUSR1 begins a new window; SIGTERM ends with a line of JSON: checks and accepted connections in the window, servers
 * told apart by the last 24 bits of their IPv4 address, and the spread of the time between two checks of the same one. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 4000000
static double *last, *between;
static volatile sig_atomic_t reset, done;

static void on_signal(int number) { if (number == SIGUSR1) reset = 1; else done = 1; }

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int count_of_words, char **words) {
  if (count_of_words < 2) return 2;
  int port = atoi(words[1]), one = 1, big = 32 << 20;
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, 0);
  sigaction(SIGTERM, &action, 0);
  sigaction(SIGINT, &action, 0);
  last = calloc(1 << 24, sizeof *last);
  between = malloc(MOST * sizeof *between);
  if (!last || !between) return 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) { perror("acceptd"); return 1; }
  /* Ethernet, IPv4, TCP, no options of IP, destination port, of the flags SYN alone (those of ECN aside). */
  struct sock_filter code[] = {
    {BPF_LD | BPF_H | BPF_ABS, 0, 0, 12}, {BPF_JMP | BPF_JEQ | BPF_K, 0, 8, 0x0800},
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, 23}, {BPF_JMP | BPF_JEQ | BPF_K, 0, 6, 6},
    {BPF_LD | BPF_H | BPF_ABS, 0, 0, 36}, {BPF_JMP | BPF_JEQ | BPF_K, 0, 4, port},
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, 47}, {BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x3f},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 2},
    {BPF_RET | BPF_K, 0, 0, 64}, {BPF_RET | BPF_K, 0, 0, 0}};
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  struct sockaddr_ll lo = {
    .sll_family = AF_PACKET, .sll_protocol = htons(3 /* ETH_P_ALL */), .sll_ifindex = if_nametoindex("lo")};
  int tap = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
  if (setsockopt(tap, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) || bind(tap, (void *)&lo, sizeof lo)) {
    perror("acceptd: packet socket");
    return 1;
  }
  setsockopt(tap, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
  setsockopt(tap, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
  puts("ready");
  fflush(stdout);
  long checks = 0, accepted = 0, servers = 0, n = 0;
  struct pollfd wait[2] = {{listener, POLLIN, 0}, {tap, POLLIN, 0}};
  while (!done) {
    if (reset) reset = 0, n = checks = accepted = 0;
    if (poll(wait, 2, -1) < 0) continue;
    unsigned char frame[64];
    while (recv(tap, frame, sizeof frame, 0) >= 34) {
      double t = now();
      unsigned server = frame[31] << 16 | frame[32] << 8 | frame[33];
      if (last[server] == 0) servers++;
      else if (n < MOST) between[n++] = t - last[server];
      last[server] = t;
      checks++;
    }
    for (int peer; (peer = accept4(listener, 0, 0, SOCK_CLOEXEC)) >= 0; accepted++) close(peer);
  }
  qsort(between, n, sizeof *between, compare);
#define PART(q) (n ? between[(long)((n - 1) * (q))] : 0)
  printf("{\"checks\": %ld, \"accepted\": %ld, \"servers\": %ld, \"p1\": %.4f, \"p50\": %.4f, \"p99\": %.4f, \"max\": %.4f}\n",
         checks, accepted, servers, PART(.01), PART(.5), PART(.99), PART(1.));
  return 0;
}
