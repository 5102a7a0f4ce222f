/* The loops that look at every byte: sixteen at a time where there is SSE2, one at a time elsewhere.
 *
 * Nothing here reads outside of [at, end). NSS_NO_SIMD leaves only the plain loops.
 */

#ifndef NSS_SIMD_H
#define NSS_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && defined(__GNUC__) && !defined(NSS_NO_SIMD)
#include <emmintrin.h>
#define NSS_SSE2
#endif

#define NSS_WIDTH 16
/* What must follow a text that `nss_put` may copy, and what it may write behind one. */

/* The highest bit of each byte: whether it is below `first` or above 0x7e. Adding one makes 0x7f and
 * above negative; the subtraction does not wrap. */
#ifdef NSS_SSE2
static inline __m128i nss_odd(__m128i bytes, char first) {
    return _mm_subs_epi8(_mm_add_epi8(bytes, _mm_set1_epi8(1)), _mm_set1_epi8((char)(first + 1)));
}

/* A bit for each byte that JSON text does not carry plainly: see `nss_plain_end`. */
static inline unsigned nss_not_plain(__m128i bytes) {
    __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    __m128i ends = _mm_or_si128(quotes, backslashes);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(ends, nss_odd(bytes, 0x20)));
}
#endif

/* Return the first byte that JSON text does not carry plainly: a quote, a backslash, a control
 * character, DEL, or part of a character beyond ASCII; `end` if there is none. `block` becomes a place
 * at most 15 bytes before it, which is known sooner. */
static inline const uint8_t *nss_plain_block(const uint8_t *at, const uint8_t *end,
                                             const uint8_t **block) {
#ifdef NSS_SSE2
    while (end - at >= NSS_WIDTH) {
        unsigned found = nss_not_plain(_mm_loadu_si128((const __m128i *)at));
        if (found) {
            *block = at;
            return at + __builtin_ctz(found);
        }
        at += NSS_WIDTH;
    }
#endif
    while (at < end && *at >= 0x20 && *at < 0x7f && *at != '"' && *at != '\\')
        at++;
    *block = at;
    return at;
}

static inline const uint8_t *nss_plain_end(const uint8_t *at, const uint8_t *end) {
    const uint8_t *block;
    return nss_plain_block(at, end, &block);
}

/* Copy JSON text up to what `nss_plain_end` returns, and move both ends. Up to NSS_WIDTH bytes behind
 * the copy can be written, and mean nothing. */
static inline const uint8_t *nss_put_plain(uint8_t **to, const uint8_t *at, const uint8_t *end) {
    uint8_t *out = *to;
#ifdef NSS_SSE2
    while (end - at >= NSS_WIDTH) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        unsigned found = nss_not_plain(bytes);
        _mm_storeu_si128((__m128i *)out, bytes);
        if (found) {
            *to = out + __builtin_ctz(found);
            return at + __builtin_ctz(found);
        }
        at += NSS_WIDTH;
        out += NSS_WIDTH;
    }
#endif
    while (at < end && *at >= 0x20 && *at < 0x7f && *at != '"' && *at != '\\')
        *out++ = *at++;
    *to = out;
    return at;
}

/* Copy text up to a byte that does not stay as it is, and move both ends: one below `first`, DEL, one
 * of the two that fill the halves of `stops`, and with `high` any from 0x80. With `padded`, NSS_WIDTH
 * bytes behind the text can be read; as many behind the copy can be written, and mean nothing. */
static inline const uint8_t *nss_put_until(uint8_t **to, const uint8_t *at, const uint8_t *end,
                                           int padded, const uint8_t *stops, int first, int high) {
    uint8_t *out = *to;
#ifdef NSS_SSE2
    const __m128i one = _mm_loadu_si128((const __m128i *)stops);
    const __m128i other = _mm_loadu_si128((const __m128i *)(stops + NSS_WIDTH));
    while (at < end && (padded || end - at >= NSS_WIDTH)) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, one), _mm_cmpeq_epi8(bytes, other));
        if (high)
            ends = _mm_or_si128(ends, nss_odd(bytes, (char)first));
        else {
            __m128i low = _mm_min_epu8(bytes, _mm_set1_epi8((char)(first - 1)));
            ends = _mm_or_si128(ends, _mm_cmpeq_epi8(low, bytes));
            ends = _mm_or_si128(ends, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
        }
        unsigned found = (unsigned)_mm_movemask_epi8(ends);
        _mm_storeu_si128((__m128i *)out, bytes);
        if (end - at < NSS_WIDTH)
            found |= 1u << (end - at);
        if (found) {
            *to = out + __builtin_ctz(found);
            return at + __builtin_ctz(found);
        }
        at += NSS_WIDTH;
        out += NSS_WIDTH;
    }
#endif
    (void)padded;
    while (at < end && *at >= first && *at != 0x7f && !(high && *at > 0x7f) && *at != stops[0] &&
           *at != stops[NSS_WIDTH])
        *out++ = *at++;
    *to = out;
    return at;
}

static inline uint8_t *nss_put_hex(uint8_t *out, uint8_t byte) {
    static const char digits[] = "0123456789ABCDEF";
    out[0] = '%';
    out[1] = (uint8_t)digits[byte >> 4];
    out[2] = (uint8_t)digits[byte & 15];
    return out + 3;
}

/* Copy text that can be read for NSS_WIDTH bytes beyond its end, with the two bytes that fill the halves
 * of `stops` as %HH; as many bytes can be written behind the copy. Calls nothing. */
static __attribute__((noinline)) uint8_t *nss_put_but(uint8_t *out, const uint8_t *at, const uint8_t *end,
                                                      const uint8_t *stops) {
#ifdef NSS_SSE2
    const __m128i one = _mm_loadu_si128((const __m128i *)stops);
    const __m128i other = _mm_loadu_si128((const __m128i *)(stops + NSS_WIDTH));
    while (at < end) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, one), _mm_cmpeq_epi8(bytes, other));
        unsigned found = (unsigned)_mm_movemask_epi8(ends) | 1u << NSS_WIDTH;
        int run = __builtin_ctz(found);
        _mm_storeu_si128((__m128i *)out, bytes);
        if (run >= end - at)
            return out + (end - at);
        out += run;
        at += run;
        if (run < NSS_WIDTH)
            out = nss_put_hex(out, *at++);
    }
    return out;
#else
    for (; at < end; at++) {
        if (*at == stops[0] || *at == stops[NSS_WIDTH])
            out = nss_put_hex(out, *at);
        else
            *out++ = *at;
    }
    return out;
#endif
}

/* Whether [at, end) begins with `pattern`, which has `size` bytes and room for 2 * NSS_WIDTH. */
static inline int nss_begins(const uint8_t *at, const uint8_t *end, const uint8_t *pattern, int size) {
    if (end - at < size)
        return 0;
#ifdef NSS_SSE2
    if (end - at >= 2 * NSS_WIDTH) {
        __m128i first = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)at),
                                       _mm_loadu_si128((const __m128i *)pattern));
        unsigned same = (unsigned)_mm_movemask_epi8(first);
        if (size > NSS_WIDTH) {
            __m128i second = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(at + NSS_WIDTH)),
                                            _mm_loadu_si128((const __m128i *)(pattern + NSS_WIDTH)));
            same |= (unsigned)_mm_movemask_epi8(second) << NSS_WIDTH;
        }
        unsigned wanted = size >= 32 ? ~0u : (1u << size) - 1;
        return (same & wanted) == wanted;
    }
#endif
    return memcmp(at, pattern, (size_t)size) == 0;
}

/* Whether the `size` bytes of `pattern` stand at `at`, where 2 * NSS_WIDTH bytes can be read; `mask`
 * has a bit for each of them. */
static inline int nss_follows(const uint8_t *at, const uint8_t *pattern, uint32_t mask, int size) {
#ifdef NSS_SSE2
    (void)size;
    __m128i first = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)at),
                                   _mm_loadu_si128((const __m128i *)pattern));
    uint32_t differs = ~(uint32_t)_mm_movemask_epi8(first) & mask;
    if (differs & 0xffff)
        return 0;
    if (size <= NSS_WIDTH)
        return 1;
    __m128i second = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(at + NSS_WIDTH)),
                                    _mm_loadu_si128((const __m128i *)(pattern + NSS_WIDTH)));
    return (~(uint32_t)_mm_movemask_epi8(second) & mask >> NSS_WIDTH) == 0;
#else
    (void)mask;
    return memcmp(at, pattern, (size_t)size) == 0;
#endif
}

/* Copy `size` bytes and return the end of the copy. With `padded`, NSS_WIDTH bytes behind both can
 * be read and written, and what is there afterwards means nothing. */
static inline uint8_t *nss_put(uint8_t *out, const uint8_t *from, ptrdiff_t size, int padded) {
#ifdef NSS_SSE2
    if (padded && size <= 8 * NSS_WIDTH) {
        _mm_storeu_si128((__m128i *)out, _mm_loadu_si128((const __m128i *)from));
        for (ptrdiff_t done = NSS_WIDTH; done < size; done += NSS_WIDTH)
            _mm_storeu_si128((__m128i *)(out + done), _mm_loadu_si128((const __m128i *)(from + done)));
        return out + size;
    }
#endif
    (void)padded;
    if (size > 0) /* memcpy wants pointers even for nothing */
        memcpy(out, from, (size_t)size);
    return out + size;
}

#endif
