/* What is known of the errors of a socket. The options' numbers are those of linux/in.h, linux/in6.h. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <linux/errqueue.h>

#define NSS_IP_RECVERR 11
#define NSS_IPV6_RECVERR 25
#define NSS_SO_MEMINFO 55

static int nss_is_on(int descriptor, int level, int option) {
    int value = 0;
    socklen_t size = sizeof value;
    return !getsockopt(descriptor, level, option, &value, &size) && value;
}

/* Whether errors about earlier datagrams come into the socket's queue. */
static int nss_reports_errors(int descriptor) {
    return nss_is_on(descriptor, IPPROTO_IP, NSS_IP_RECVERR)
        || nss_is_on(descriptor, IPPROTO_IPV6, NSS_IPV6_RECVERR);
}

/* Whether there is room for them: what was received and not read yet counts too. */
static int nss_has_room(int descriptor) {
    uint32_t used[16] = {0};
    socklen_t size = sizeof used;
    return !getsockopt(descriptor, SOL_SOCKET, NSS_SO_MEMINFO, used, &size) && used[0] < used[1] / 2;
}

/* The first error in the queue, taken out; 0: there is none. */
static int nss_queued_error(int descriptor) {
    char control[512] __attribute__((aligned(8)));
    struct msghdr message;
    struct cmsghdr *part;
    struct sock_extended_err error;
    memset(&message, 0, sizeof message);
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(descriptor, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return 0;
    for (part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        int is_error = (part->cmsg_level == IPPROTO_IP && part->cmsg_type == NSS_IP_RECVERR)
            || (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == NSS_IPV6_RECVERR);
        if (is_error && part->cmsg_len >= CMSG_LEN(sizeof error)) {
            memcpy(&error, CMSG_DATA(part), sizeof error);
            return (int)error.ee_errno;
        }
    }
    return 0;
}
