/* A builder without libraries, for derivations that need no nixpkgs. usage: act VERB ARGUMENT...; writes the file $out. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *verdict(int reached) { return reached ? "reached" : "refused"; }

static int connects(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int socket_ = socket(AF_INET, SOCK_STREAM, 0);
  return socket_ >= 0 && connect(socket_, (struct sockaddr *)&address, sizeof address) == 0;
}

/* Whether a variable of this process tells of the rebuilder that started it. */
static int is_told(void) {
  for (char **variable = environ; *variable != NULL; variable++)
    if (strstr(*variable, "TRUSTIX") != NULL || strstr(*variable, "secret") != NULL) return 1;
  return 0;
}

int main(int count, char **arguments) {
  const char *verb = count > 1 ? arguments[1] : "";
  if (strcmp(verb, "fail") == 0) {
    fprintf(stderr, "act: this cannot be built\n");
    return 7;
  }
  FILE *out = fopen(getenv("out"), "w");
  if (out == NULL) return 1;
  if (strcmp(verb, "write") == 0) {
    for (int i = 2; i < count; i++) fprintf(out, "%s\n", arguments[i]);
  } else if (strcmp(verb, "time") == 0) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    fprintf(out, "%lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec);
  } else if (strcmp(verb, "random") == 0) {
    unsigned char bytes[64];
    int random = open("/dev/urandom", O_RDONLY);
    if (read(random, bytes, sizeof bytes) != sizeof bytes) return 1;
    fwrite(bytes, 1, sizeof bytes, out);
    if (count > 2) usleep(1000 * atoi(arguments[2]));
  } else if (strcmp(verb, "fill") == 0) {
    static char block[1 << 20];
    for (int i = 0; i < atoi(arguments[2]); i++)
      if (fwrite(block, 1, sizeof block, out) != sizeof block || fflush(out) != 0) return perror("act"), 9;
    sleep(count > 3 ? atoi(arguments[3]) : 600);
  } else if (strcmp(verb, "hide") == 0) {
    static char block[1 << 20];
    FILE *hidden = fopen(".hidden", "w");
    for (int i = 0; i < atoi(arguments[2]); i++) fwrite(block, 1, sizeof block, hidden), fflush(hidden);
    sleep(600);
  } else if (strcmp(verb, "vandal") == 0) {
    if (chmod(arguments[2], 0666) != 0) return 3;
    FILE *input = fopen(arguments[2], "w");
    if (input == NULL) return 3;
    fprintf(input, "changed\n");
    fclose(input);
  } else if (strcmp(verb, "spy") == 0) {
    fprintf(out, "network %s\n", verdict(connects(atoi(arguments[2]))));
    fprintf(out, "outside %s\n", verdict(open(arguments[3], O_WRONLY | O_CREAT, 0666) >= 0));
    fprintf(out, "input %s\n", verdict(chmod(arguments[4], 0666) == 0 || open(arguments[4], O_WRONLY) >= 0));
    fprintf(out, "environment %s\n", verdict(is_told()));
    for (int i = 5; i < count; i++) fprintf(out, "%s\n", verdict(open(arguments[i], O_RDONLY) >= 0));
  } else {
    return 2;
  }
  return fclose(out);
}
