/* Texts of JSON: UTF-8 by the letter, escapes, and where a text ends. */

#ifndef NSS_TEXT_H
#define NSS_TEXT_H

#include "simd.h"

enum { /* what a text holds */
    NSS_ESCAPED = 1, /* it had an escape, so it may hold quotes and backslashes */
    NSS_HIGH = 2,    /* characters beyond ASCII */
    NSS_CONTROL = 4, /* what never leaves a value as it is: `formats.values.UNSAFE` */
    NSS_PADDED = 8   /* it may be read for NSS_WIDTH bytes beyond its end */
};

/* What one character behind a backslash stands for, but for `u`; 0 for what is no escape. */
static const uint8_t nss_escape[256] = {
    ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = 8, ['f'] = 12, ['n'] = 10, ['r'] = 13, ['t'] = 9,
};

/* One more than a hexadecimal digit stands for; 0 for what is none. */
static const uint8_t nss_hex[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* Return the size of the UTF-8 sequence that begins at a byte from 0x80; 0 if it is none. */
static inline int nss_sequence_size(const uint8_t *at, const uint8_t *end) {
    ptrdiff_t left = end - at;
    if (*at < 0xC2 || *at > 0xF4 || left < 2 || (at[1] & 0xC0) != 0x80)
        return 0;
    if (*at < 0xE0)
        return 2;
    if (left < 3 || (at[2] & 0xC0) != 0x80)
        return 0;
    if (*at < 0xF0) /* not overlong, and no surrogate */
        return (*at == 0xE0 && at[1] < 0xA0) || (*at == 0xED && at[1] > 0x9F) ? 0 : 3;
    if (left < 4 || (at[3] & 0xC0) != 0x80)
        return 0;
    /* Not overlong, and not beyond Unicode. */
    return (*at == 0xF0 && at[1] < 0x90) || (*at == 0xF4 && at[1] > 0x8F) ? 0 : 4;
}

/* Whether a whole sequence is C1, U+2028 or U+2029. Reads no more of it than its size. */
static inline int nss_is_unsafe(const uint8_t *at) {
    if (*at == 0xC2)
        return at[1] < 0xA0;
    return *at == 0xE2 && at[1] == 0x80 && (at[2] == 0xA8 || at[2] == 0xA9);
}

/* Return what follows the characters beyond ASCII that begin at `at`; NULL if they are not UTF-8. */
static inline const uint8_t *nss_high_end(const uint8_t *at, const uint8_t *end, unsigned *flags) {
    *flags |= NSS_HIGH;
    do {
        if (*at > 0xC2 && *at < 0xE0 && end - at >= 2 && (at[1] & 0xC0) == 0x80) {
            at += 2;
            continue;
        }
        if (*at > 0xE2 && *at < 0xED && end - at >= 3 && (at[1] & at[2] & 0xC0) == 0x80 &&
            ((at[1] | at[2]) & 0x40) == 0) {
            at += 3;
            continue;
        }
        int size = nss_sequence_size(at, end);
        if (size == 0)
            return NULL;
        if (nss_is_unsafe(at))
            *flags |= NSS_CONTROL;
        at += size;
    } while (at < end && *at >= 0x80);
    return at;
}

/* Where a text or a run of it ends, and what it holds; in registers, as what follows calls nothing: what
 * reads plain texts shall not have to save much. */
typedef struct {
    const uint8_t *end; /* a quote, backslash or control character; NULL: there is none, or no UTF-8 */
    size_t flags;
} nss_stop;

#ifdef NSS_SSE2
static inline uint32_t nss_bits(__m128i low, __m128i high) {
    return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << NSS_WIDTH;
}

/* The bytes from `first` to `last`, which becomes the largest there is. */
static inline __m128i nss_between(__m128i bytes, uint8_t first, uint8_t last) {
    return _mm_cmpgt_epi8(_mm_add_epi8(bytes, _mm_set1_epi8((char)(0x7f - last))),
                          _mm_set1_epi8((char)(0x7e - (last - first))));
}

/* The highest bit of each byte: whether it follows a lead. The subtraction does not wrap. */
static inline __m128i nss_follows_lead(__m128i bytes) {
    return _mm_subs_epi8(bytes, _mm_set1_epi8((char)0xC0));
}

/* Return the end of a text in the 32 bytes from `at`, where one character at least is beyond ASCII;
 * NULL if it is not there, or takes a closer look. No step waits for what the one before has found. */
static inline const uint8_t *nss_near_end(const uint8_t *at) {
    __m128i low = _mm_loadu_si128((const __m128i *)at);
    __m128i high = _mm_loadu_si128((const __m128i *)(at + NSS_WIDTH));
    uint32_t beyond = nss_bits(low, high); /* their highest bits */
    uint32_t ends = (nss_not_plain(low) | nss_not_plain(high) << NSS_WIDTH) & ~beyond;
    uint32_t text = (ends - 1) & ~ends; /* the bits below the first end */
    uint32_t twos = nss_bits(nss_between(low, 0xC3, 0xDF), nss_between(high, 0xC3, 0xDF)) & text;
    uint32_t threes = nss_bits(nss_between(low, 0xE3, 0xEC), nss_between(high, 0xE3, 0xEC)) & text;
    uint32_t follow = nss_bits(nss_follows_lead(low), nss_follows_lead(high)) & text;
    uint32_t wanted = (twos | threes) << 1 | threes << 2;
    if (ends == 0 || follow != wanted || (beyond & text) != (twos | threes | wanted))
        return NULL;
    at += __builtin_ctz(ends);
    return *at == 0x7f ? NULL : at;
}
#endif

/* Read text as it stands from where `nss_plain_end` has stopped, or at most 15 bytes before that. */
static __attribute__((noinline)) nss_stop nss_text_end(const uint8_t *at, const uint8_t *end) {
    unsigned flags = 0;
#ifdef NSS_SSE2
    const uint8_t *near = end - at >= 3 * NSS_WIDTH ? nss_near_end(at) : NULL;
    if (near != NULL)
        return (nss_stop){near, NSS_HIGH | NSS_PADDED};
    if (*at < 0x80)
        at = nss_plain_end(at, end);
    while (end - at > 2 * NSS_WIDTH) {
        if (at[0] > 0xC2 && at[0] < 0xE0 && (at[1] & 0xC0) == 0x80)
            at += 2;
        else if (at[0] > 0xE2 && at[0] < 0xED && (at[1] & 0xC0) == 0x80 && (at[2] & 0xC0) == 0x80)
            at += 3;
        else
            break;
        flags |= NSS_HIGH;
        if (at[0] >= 0x80)
            continue;
        unsigned found = nss_not_plain(_mm_loadu_si128((const __m128i *)at));
        if (found) {
            at += __builtin_ctz(found);
            if (at[0] < 0x7f)
                return (nss_stop){at, flags | (end - at >= NSS_WIDTH ? NSS_PADDED : 0)};
        } else
            at = nss_plain_end(at + NSS_WIDTH, end);
    }
#endif
    for (;; at = nss_plain_end(at, end)) {
        if (at >= end)
            break;
        if (*at < 0x7f)
            return (nss_stop){at, flags | (end - at >= NSS_WIDTH ? NSS_PADDED : 0)};
        if (*at == 0x7f) {
            flags |= NSS_CONTROL;
            at++;
        } else if ((at = nss_high_end(at, end, &flags)) == NULL)
            break;
    }
    return (nss_stop){NULL, flags};
}

/* Copy text, from any place of it, up to what ends a run; as `nss_put_plain`. */
static inline const uint8_t *nss_put_text(uint8_t **to, const uint8_t *at, const uint8_t *end,
                                          unsigned *flags) {
    for (;;) {
        at = nss_put_plain(to, at, end);
        if (at >= end)
            return NULL;
        if (*at < 0x7f)
            return at;
        const uint8_t *run = at;
        if (*at == 0x7f) {
            *flags |= NSS_CONTROL;
            at++;
        } else if ((at = nss_high_end(at, end, flags)) == NULL)
            return NULL;
        while (run < at)
            *(*to)++ = *run++;
    }
}

/* Return four hexadecimal digits as a number, if that is a character which needs no second look and
 * is none of ASCII; else 0. */
static inline unsigned nss_usual_code(const uint8_t *at) {
    unsigned one = nss_hex[at[0]], two = nss_hex[at[1]], three = nss_hex[at[2]], four = nss_hex[at[3]];
    if (!one || !two || !three || !four)
        return 0;
    unsigned code = (one - 1) << 12 | (two - 1) << 8 | (three - 1) << 4 | (four - 1);
    return code < 0xA0 || (code & 0xF800) == 0xD800 || (code & ~1u) == 0x2028 ? 0 : code;
}

/* Write what a usual escape stands for, of which six bytes can be read, and return its size; 0 for any
 * other. */
static inline int nss_put_escape(uint8_t **to, const uint8_t *at, unsigned *flags) {
    unsigned code = nss_escape[at[1]];
    if (code) {
        *(*to)++ = (uint8_t)code;
        if (code < 0x20)
            *flags |= NSS_CONTROL;
        return 2;
    }
    if (at[1] != 'u' || (code = nss_usual_code(at + 2)) == 0)
        return 0;
    *flags |= NSS_HIGH;
    if (code < 0x800)
        *(*to)++ = (uint8_t)(0xC0 | code >> 6);
    else {
        *(*to)++ = (uint8_t)(0xE0 | code >> 12);
        *(*to)++ = (uint8_t)(0x80 | (code >> 6 & 63));
    }
    *(*to)++ = (uint8_t)(0x80 | (code & 63));
    return 6;
}

#ifdef NSS_SSE2
static inline void nss_put_32(uint8_t *out, const uint8_t *from) {
    _mm_storeu_si128((__m128i *)out, _mm_loadu_si128((const __m128i *)from));
    _mm_storeu_si128((__m128i *)(out + NSS_WIDTH), _mm_loadu_si128((const __m128i *)(from + NSS_WIDTH)));
}

/* Write what the text from `text` stands for if that is as usual: its first escape is in the 16 bytes
 * from `block`, which is less than 16 bytes behind `text`, it is a single character, and the quote
 * follows in the 32 bytes from `block`. Returns that quote, or NULL. One look finds both. */
static inline const uint8_t *nss_put_near(uint8_t **to, const uint8_t *text, const uint8_t *block) {
    uint32_t found = nss_not_plain(_mm_loadu_si128((const __m128i *)block));
    found |= nss_not_plain(_mm_loadu_si128((const __m128i *)(block + NSS_WIDTH))) << NSS_WIDTH;
    const uint8_t *at = block + __builtin_ctz(found);
    uint8_t escaped = nss_escape[at[1]];
    found &= ~(3u << (at - block));
    if (escaped < 0x20 || found == 0 || block[__builtin_ctz(found)] != '"')
        return NULL;
    uint8_t *out = *to;
    nss_put_32(out, text);
    out += at - text;
    *out++ = escaped;
    nss_put_32(out, at + 2);
    *to = out + (block + __builtin_ctz(found) - (at + 2));
    return block + __builtin_ctz(found);
}
#endif

/* Write what a text stands for to `*to`, where there must be room for as much as it takes and
 * 2 * NSS_WIDTH bytes, and move that. It begins at `text` and has its first backslash at `at`, at most
 * 15 bytes behind `block`.
 *
 * A backslash that it ends with is that of an escape which takes a closer look, and not written. */
static __attribute__((noinline)) nss_stop nss_put_escaped(uint8_t **to, const uint8_t *text,
                                                          const uint8_t *block, const uint8_t *at,
                                                          const uint8_t *end) {
    unsigned flags = NSS_ESCAPED | NSS_PADDED;
    int size;
    uint8_t *out = *to;
#ifdef NSS_SSE2
    for (; block - text >= NSS_WIDTH; text += NSS_WIDTH, out += NSS_WIDTH)
        _mm_storeu_si128((__m128i *)out, _mm_loadu_si128((const __m128i *)text));
    if (end - block >= 4 * NSS_WIDTH) {
        const uint8_t *near = at[1] == 'u' ? NULL : nss_put_near(&out, text, block);
        if (near != NULL) {
            *to = out;
            return (nss_stop){near, flags};
        }
        for (; text < at; text += NSS_WIDTH, out += NSS_WIDTH)
            _mm_storeu_si128((__m128i *)out, _mm_loadu_si128((const __m128i *)text));
        out -= text - at;
        text = at;
    }
#endif
    (void)block;
    while (text < at)
        *out++ = *text++;
#ifdef NSS_SSE2
    while (end - at > 2 * NSS_WIDTH && at[0] == '\\') {
        unsigned code = nss_escape[at[1]];
        if (code >= 0x20) {
            *out++ = (uint8_t)code;
            at += 2;
        } else if ((size = nss_put_escape(&out, at, &flags)) > 0)
            at += size;
        else
            break;
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        unsigned found = nss_not_plain(bytes);
        _mm_storeu_si128((__m128i *)out, bytes);
        if (found) {
            at += __builtin_ctz(found);
            out += __builtin_ctz(found);
            if (at[0] == '"') {
                *to = out;
                return (nss_stop){at, flags};
            }
        } else {
            out += NSS_WIDTH;
            at = nss_put_plain(&out, at + NSS_WIDTH, end);
        }
    }
    if (at >= end)
        at = NULL;
    else if (at[0] != '\\')
        at = nss_put_text(&out, at, end, &flags);
#endif
    while (at != NULL && *at == '\\' && end - at > 6 && (size = nss_put_escape(&out, at, &flags)) > 0)
        at = nss_put_text(&out, at + size, end, &flags);
    *to = out;
    return (nss_stop){at, flags};
}

#endif
