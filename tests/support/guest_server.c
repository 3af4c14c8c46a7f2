/* A server for environments that have none: `guest-server tcp|bye|udp ADDRESS PORT`. A process for each TCP client.
   tcp echoes, and so does udp, a datagram for a datagram; bye says "bye", ends its half, and keeps what it hears in
   /tmp/heard. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[65536];

static void copy(int from, int to) {
    ssize_t count;
    while ((count = read(from, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, now; done < count; done += now)
            if ((now = write(to, buffer + done, (size_t)(count - done))) < 0) exit(1);
}

static void client(int connection, const char *what) {
    if (strcmp(what, "bye") == 0) {
        if (write(connection, "bye\n", 4) != 4) exit(1);
        shutdown(connection, SHUT_WR);
        copy(connection, open("/tmp/heard.new", O_WRONLY | O_CREAT | O_TRUNC, 0644));
        rename("/tmp/heard.new", "/tmp/heard");
    } else {
        copy(connection, connection);
    }
    exit(0);
}

static void datagrams(int server) {
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t length = sizeof peer;
        ssize_t count = recvfrom(server, buffer, sizeof buffer, 0, (struct sockaddr *)&peer, &length);
        if (count >= 0) sendto(server, buffer, (size_t)count, 0, (struct sockaddr *)&peer, length);
    }
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int six = strchr(argv[2], ':') != NULL, datagram = strcmp(argv[1], "udp") == 0, on = 1;
    int server = socket(six ? AF_INET6 : AF_INET, datagram ? SOCK_DGRAM : SOCK_STREAM, 0);
    struct sockaddr_in6 wide = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)atoi(argv[3]))};
    struct sockaddr_in narrow = {.sin_family = AF_INET, .sin_port = wide.sin6_port};
    inet_pton(six ? AF_INET6 : AF_INET, argv[2], six ? (void *)&wide.sin6_addr : (void *)&narrow.sin_addr);
    if (!datagram) setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (six) setsockopt(server, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(server, six ? (struct sockaddr *)&wide : (struct sockaddr *)&narrow, six ? sizeof wide : sizeof narrow)) return 3;
    signal(SIGCHLD, SIG_IGN);
    if (datagram) datagrams(server);
    if (listen(server, 1024)) return 4;
    for (;;) {
        int connection = accept(server, NULL, NULL);
        if (connection >= 0 && fork() == 0) client(connection, argv[1]);
        close(connection);
    }
}
