/* string.h for policies: the part of it that a policy needs, in a few hundred bytes. It
 * stands in for the C library's, which a module does not have; natively that one is used. */
#ifndef EDGEFTP_LIBC_STRING_H
#define EDGEFTP_LIBC_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

static inline void *memchr(const void *s, int c, size_t n) {
    for (const unsigned char *p = s; n--; p++)
        if (*p == (unsigned char)c) return (void *)p;
    return NULL;
}

static inline int strcmp(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

static inline int strncmp(const char *a, const char *b, size_t n) {
    for (; n && *a && *a == *b; n--) a++, b++;
    return n ? (unsigned char)*a - (unsigned char)*b : 0;
}

static inline char *strchr(const char *s, int c) {
    for (; *s != (char)c; s++)
        if (!*s) return NULL;
    return (char *)s;
}

static inline char *strrchr(const char *s, int c) {
    const char *last = NULL;
    do
        if (*s == (char)c) last = s;
    while (*s++);
    return (char *)last;
}

static inline char *strstr(const char *s, const char *part) {
    size_t n = strlen(part);
    for (; strncmp(s, part, n) != 0; s++)
        if (!*s) return NULL;
    return (char *)s;
}

static inline size_t strspn(const char *s, const char *set) {
    size_t n = 0;
    while (s[n] && strchr(set, s[n])) n++;
    return n;
}

static inline size_t strcspn(const char *s, const char *set) {
    size_t n = 0;
    while (s[n] && !strchr(set, s[n])) n++;
    return n;
}

#endif
